"""The runtime contract, clause by clause, against crun."""

import pytest

from sonata_core.context import PluginContext
from sonata_runtime_crun.plugin import CrunRuntime
from sonata_testkit.runtime import RuntimeConformance


class TestConformance(RuntimeConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> CrunRuntime:
        return CrunRuntime(plugin_context)
