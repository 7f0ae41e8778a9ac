"""The net contract, clause by clause, against netavark: the real one, with aardvark-dns."""

from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_net_netavark.plugin import NetavarkNet
from sonata_testkit.fixtures import make_context
from sonata_testkit.net import NetConformance


class TestConformance(NetConformance):
    @pytest.fixture
    def plugin_context(self, tmp_path: Path) -> PluginContext:
        # The host's firewall is the test's own, so its lock and netavark's folder are too.
        lock, folder = str(tmp_path / "netavark.lock"), str(tmp_path / "networks")
        return make_context("netavark", tmp_path, netavark_lock=lock, run_dir=folder)

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> NetavarkNet:
        return NetavarkNet(plugin_context)
