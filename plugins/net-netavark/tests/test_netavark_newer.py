"""The net contract with a newer netavark, whose rules are others: `SONATA_NEWER_HELPERS` has its folder."""

import os
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_net_netavark.plugin import NetavarkNet
from sonata_testkit.fixtures import make_context
from sonata_testkit.net import NetConformance

HELPERS = os.environ.get("SONATA_NEWER_HELPERS", "")
pytestmark = pytest.mark.skipif(not HELPERS, reason="needs SONATA_NEWER_HELPERS, a folder with a newer netavark")


class TestNewer(NetConformance):
    @pytest.fixture
    def plugin_context(self, tmp_path: Path) -> PluginContext:
        lock, folder = str(tmp_path / "netavark.lock"), str(tmp_path / "networks")
        made = make_context("netavark", tmp_path, netavark_lock=lock, run_dir=folder)

        def find(name: str) -> str | None:
            newer = f"{HELPERS}/{name}"
            return newer if os.access(newer, os.X_OK) else made.find_program(name)

        return made.replace(find_program=find)

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> NetavarkNet:
        return NetavarkNet(plugin_context)
