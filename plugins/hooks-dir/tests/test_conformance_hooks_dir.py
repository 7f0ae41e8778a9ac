"""The hooks contract, clause by clause, against hook folders."""

import json
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_hooks_dir.plugin import DirHooks
from sonata_testkit.fixtures import make_context
from sonata_testkit.hooks import HooksConformance


class TestConformance(HooksConformance):
    @pytest.fixture
    def plugin_context(self, tmp_path: Path) -> PluginContext:
        folder = tmp_path / "hooks.d"
        folder.mkdir()
        for name in ("20-second", "10-first"):
            document = {
                "version": "1.0.0",
                "hook": {"path": "/bin/true", "args": [name], "timeout": 5},
                "when": {"annotations": {"^org\\.example\\.kit$": "^yes$"}},
                "stages": ["prestart", "poststop"],
            }
            (folder / f"{name}.json").write_text(json.dumps(document))
        return make_context("dir", tmp_path, hooks_dirs=(str(folder),))

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> DirHooks:
        return DirHooks(plugin_context)
