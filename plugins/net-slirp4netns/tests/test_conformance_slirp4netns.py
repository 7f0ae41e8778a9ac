"""The net contract, clause by clause, against slirp4netns."""

import pytest

from sonata_core.context import PluginContext
from sonata_net_slirp4netns.plugin import Slirp4netnsNet
from sonata_testkit.net import NetConformance


class TestConformance(NetConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> Slirp4netnsNet:
        return Slirp4netnsNet(plugin_context)
