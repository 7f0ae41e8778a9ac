"""The net contract, clause by clause, against pasta."""

import pytest

from sonata_core.context import PluginContext
from sonata_net_pasta.plugin import PastaNet
from sonata_testkit.net import NetConformance


class TestConformance(NetConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> PastaNet:
        return PastaNet(plugin_context)
