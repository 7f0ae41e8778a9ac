"""What is asked of every plugin, whatever its group. The group's suites inherit from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.border import Border
from sonata_core.seat import hooks_of, implemented
from sonata_core.slot import Slot, seat
from sonata_testkit.clauses import clause
from sonata_testkit.fixtures import KeptLog

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.groups import Group


class PluginConformance:
    """Inherited by the suite of each group. An author's class gives one fixture, `backend`."""

    group: Group

    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> Any:
        """The plugin, constructed with `plugin_context`. To be overridden."""
        raise NotImplementedError("give a fixture `backend(self, plugin_context)` that returns your plugin")

    @pytest.fixture
    def border_log(self) -> KeptLog:
        """What the border said of each crossing."""
        return KeptLog()

    @pytest.fixture
    def slot(self, backend: Any, border_log: KeptLog) -> Slot[Any]:
        """The plugin in its slot: checked, and called through the border as the engine calls it."""
        return seat(self.group, type(backend).__name__, backend, Border(self.group.name, border_log))

    @pytest.fixture
    def hook(self, slot: Slot[Any]) -> Any:
        """The slot's hooks."""
        return slot.hook

    @clause("P-01")
    def test_info_names_the_plugin_and_its_contract(self, slot: Slot[Any], plugin_context: PluginContext) -> None:
        commands = len(plugin_context.run_command.made)  # type: ignore[attr-defined]
        info = slot.info()
        assert info.name
        assert info.version
        assert info.summary
        kind, _, version = info.contract.partition("/")
        assert kind == self.group.name
        major, _, minor = version.partition(".")
        assert int(major) == self.group.major
        assert int(minor) <= self.group.minor
        assert len(plugin_context.run_command.made) == commands, "plugin_info may run no program"  # type: ignore[attr-defined]

    @clause("P-02")
    def test_required_hooks_are_there_and_capabilities_whole(self, slot: Slot[Any], backend: Any) -> None:
        own = implemented(backend)
        assert hooks_of(self.group.required) <= own
        for capability in self.group.optional:
            wanted = hooks_of(capability)
            assert slot.offers(capability) == (wanted <= own)
            assert wanted <= own or not wanted & own
        known = hooks_of(self.group.required).union(*(hooks_of(each) for each in self.group.optional))
        assert own <= known, f"hooks that no hookspec has: {sorted(own - known)}"

    @clause("P-03")
    def test_construction_is_cheap_and_silent(
        self, backend: Any, plugin_context: PluginContext, capfd: pytest.CaptureFixture[str]
    ) -> None:
        made = len(plugin_context.run_command.made)  # type: ignore[attr-defined]
        again = type(backend)(plugin_context)
        assert again is not None
        assert len(plugin_context.run_command.made) == made, "a constructor may run no program"  # type: ignore[attr-defined]
        said = capfd.readouterr()
        assert (said.out, said.err) == ("", "")
