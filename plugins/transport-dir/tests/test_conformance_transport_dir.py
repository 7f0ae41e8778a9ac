"""The transport contract, clause by clause, against `dir:`."""

import pytest

from sonata_core.context import PluginContext
from sonata_testkit.transport import TransportConformance
from sonata_transport_dir.plugin import DirTransport


class TestConformance(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> DirTransport:
        return DirTransport(plugin_context)
