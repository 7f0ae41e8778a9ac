"""The runtime contract, clause by clause, against runc."""

import pytest

from sonata_core.context import PluginContext
from sonata_runtime_runc.plugin import RuncRuntime
from sonata_testkit.runtime import RuntimeConformance


class TestConformance(RuntimeConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> RuncRuntime:
        return RuncRuntime(plugin_context)
