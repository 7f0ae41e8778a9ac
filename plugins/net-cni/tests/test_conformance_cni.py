from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_net_cni.plugin import CniNet
from sonata_testkit.fixtures import make_context
from sonata_testkit.net import NetConformance


class TestConformance(NetConformance):
    @pytest.fixture
    def plugin_context(self, tmp_path: Path) -> PluginContext:
        # Lists, addresses and results are the test's own, as the host is.
        folder, data = str(tmp_path / "net.d"), str(tmp_path / "cni")
        return make_context("cni", tmp_path, cni_config_dir=folder, cni_data_dir=data)

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> CniNet:
        return CniNet(plugin_context)
