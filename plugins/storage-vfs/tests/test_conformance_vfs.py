"""The storage contract, clause by clause, against the vfs driver."""

import pytest

from sonata_core.context import PluginContext
from sonata_storage_vfs.plugin import VfsStorage
from sonata_testkit.storage import StorageConformance


class TestConformance(StorageConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> VfsStorage:
        return VfsStorage(plugin_context)
