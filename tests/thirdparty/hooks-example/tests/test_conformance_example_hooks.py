"""The hooks contract, clause by clause, against the example."""

import pytest
from acme_hooks_example.plugin import ANNOTATION, ExampleHooks

from sonata_core.context import PluginContext
from sonata_testkit.hooks import HooksConformance


class TestConformance(HooksConformance):
    @pytest.fixture
    def annotations(self) -> dict[str, str]:
        return {ANNOTATION: "hello"}

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> ExampleHooks:
        return ExampleHooks(plugin_context)
