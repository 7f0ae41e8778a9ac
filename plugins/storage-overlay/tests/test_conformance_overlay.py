"""The storage contract, clause by clause, against the overlay driver."""

import pytest

from sonata_core.context import PluginContext
from sonata_storage_overlay.plugin import OverlayStorage
from sonata_testkit.storage import StorageConformance


class TestConformance(StorageConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> OverlayStorage:
        return OverlayStorage(plugin_context)
