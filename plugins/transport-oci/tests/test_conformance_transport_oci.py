"""The transport contract, clause by clause, against `oci:` and `oci-archive:`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_testkit.transport import TransportConformance
from sonata_transport_oci.plugin import OciArchiveTransport, OciTransport


class TestFolder(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> OciTransport:
        return OciTransport(plugin_context)

    @pytest.fixture
    def place_text(self, tmp_path: Path) -> Callable[[str], str]:
        # A layout holds many images: only one with a name is replaced by the next of that name.
        return lambda name: f"{tmp_path}/layout:{name}"


class TestArchive(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> OciArchiveTransport:
        return OciArchiveTransport(plugin_context)
