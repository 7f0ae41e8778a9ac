"""The net contract, clause by clause, against the example."""

import pytest
from acme_net_example.plugin import ExampleNet

from sonata_core.context import PluginContext
from sonata_testkit.net import NetConformance


class TestConformance(NetConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> ExampleNet:
        return ExampleNet(plugin_context)
