"""The suite of the hooks group. Contract: docs/contract/hooks.md."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.border import Border
from sonata_core.errors import PluginFault, SonataError
from sonata_core.fanout import Fanout
from sonata_core.groups import HOOKS
from sonata_core.hookspecs.hooks import ContainerEvents, OciHooks, SpecAdjust
from sonata_core.markers import hookimpl
from sonata_core.models.hooks import ContainerEvent, OciHook, SpecAdjustment
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.containers import make_spec
from sonata_testkit.plugin import PluginConformance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.slot import Slot
    from sonata_testkit.fixtures import KeptLog

_STAGES = frozenset(
    ("precreate", "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
)
_EVENTS = ("create", "init", "start", "exec", "died", "cleanup", "remove", "a-name-of-tomorrow")


class _Failing:
    """A participant that can do nothing right."""

    @hookimpl
    def oci_hooks(self, spec: Any, annotations: Mapping[str, str]) -> tuple[OciHook, ...]:
        raise ValueError("a participant of the test kit, made to fail")

    @hookimpl
    def container_event(self, event: ContainerEvent) -> None:
        raise ValueError("a participant of the test kit, made to fail")


class HooksConformance(PluginConformance):
    """Inherit, and give `backend(self, plugin_context)`.

    Override `spec` and `annotations` with what your participant answers to, else little is proved.
    """

    group = HOOKS

    @pytest.fixture
    def spec(self) -> dict[str, Any]:
        """The spec of the container that the participant is asked about."""
        return make_spec(["/bin/sh"], "/kit", {})

    @pytest.fixture
    def annotations(self) -> dict[str, str]:
        """The container's annotations."""
        return {"org.example.kit": "yes"}

    @pytest.fixture
    def fanout(self, slot: Slot[Any], backend: Any, border_log: KeptLog) -> Fanout:
        """The participant twice, among others, as the engine calls it."""
        border = Border(self.group.name, border_log)
        return Fanout(self.group, [("kit-b", backend), ("kit-a", backend)], border)

    @clause("H-01")
    def test_the_order_is_stable(
        self,
        fanout: Fanout,
        backend: Any,
        plugin_context: PluginContext,
        spec: dict[str, Any],
        annotations: dict[str, str],
    ) -> None:
        first = fanout.gather(OciHooks.oci_hooks, spec=spec, annotations=annotations)
        ranks = [name for name, _ in first]
        assert sorted(ranks) == ranks
        for _ in range(5):
            assert fanout.gather(OciHooks.oci_hooks, spec=spec, annotations=annotations) == first
        other = Fanout(
            self.group, [("kit-a", type(backend)(plugin_context))], Border(self.group.name, plugin_context.log)
        )
        assert other.gather(OciHooks.oci_hooks, spec=spec, annotations=annotations)[0][1] == first[0][1]

    @clause("H-02")
    def test_the_spec_is_not_changed(self, slot: Slot[Any], spec: dict[str, Any], annotations: dict[str, str]) -> None:
        before = copy.deepcopy((spec, annotations))
        slot.hook.oci_hooks(spec=spec, annotations=annotations)
        if slot.offers(SpecAdjust):
            slot.hook.oci_adjust(spec=spec, annotations=annotations)
        assert (spec, annotations) == before

    @clause("H-03")
    def test_everything_says_where_it_comes_from(
        self, slot: Slot[Any], spec: dict[str, Any], annotations: dict[str, str]
    ) -> None:
        found = list(_answers(slot, spec, annotations))
        if slot.offers(SpecAdjust):
            for adjustment in slot.hook.oci_adjust(spec=spec, annotations=annotations):
                assert adjustment.origin
                found += adjustment.hooks
        for hook in found:
            assert isinstance(hook, OciHook)
            assert hook.origin
            assert hook.path.startswith("/")
            assert hook.stages
            assert set(hook.stages) <= _STAGES
            assert hook.timeout is None or hook.timeout > 0

    @clause("H-04")
    def test_a_failing_participant_stops_start(
        self, fanout: Fanout, backend: Any, border_log: KeptLog, spec: dict[str, Any], annotations: dict[str, str]
    ) -> None:
        both = Fanout(self.group, [("a", backend), ("b", _Failing())], Border(self.group.name, border_log))
        with pytest.raises(PluginFault):
            both.gather(OciHooks.oci_hooks, spec=spec, annotations=annotations)

    @clause("H-04")
    def test_a_strange_spec_is_answered_or_refused(self, slot: Slot[Any]) -> None:
        strange: tuple[dict[str, Any], ...] = ({}, {"process": {}}, {"process": None, "mounts": None, "linux": None})
        for spec in strange:
            for hook in ("oci_hooks", *(("oci_adjust",) if slot.offers(SpecAdjust) else ())):
                try:
                    getattr(slot.hook, hook)(spec=spec, annotations={})
                except SonataError as error:
                    assert not isinstance(error, PluginFault), error

    @clause("H-05")
    def test_an_adjustment_is_sound_data(
        self, slot: Slot[Any], spec: dict[str, Any], annotations: dict[str, str]
    ) -> None:
        if not slot.offers(SpecAdjust):
            not_offered("SpecAdjust")
        for adjustment in slot.hook.oci_adjust(spec=spec, annotations=annotations):
            assert isinstance(adjustment, SpecAdjustment)
            assert all("=" in entry and not entry.startswith("=") for entry in adjustment.env)
            assert all(str(mount["destination"]).startswith("/") for mount in adjustment.mounts)
            assert all(str(device["path"]).startswith("/") for device in adjustment.devices)
            assert all(isinstance(number, int) and number >= 0 for number in adjustment.additional_gids)
        again = slot.hook.oci_adjust(spec=spec, annotations=annotations)
        assert again == slot.hook.oci_adjust(spec=spec, annotations=annotations)

    @clause("H-06")
    def test_events_are_heard(self, slot: Slot[Any], fanout: Fanout) -> None:
        if not slot.offers(ContainerEvents):
            not_offered("ContainerEvents")
        for name in _EVENTS:
            event = ContainerEvent(
                container="c" * 64, name="kit", image="", status=name, time=1_700_000_000_000_000_000
            )
            assert slot.hook.container_event(event=event) in ([], None, [None])
            fanout.notify(ContainerEvents.container_event, event=event)

    @clause("H-06")
    def test_a_failing_listener_stops_nobody(self, slot: Slot[Any], backend: Any, border_log: KeptLog) -> None:
        if not slot.offers(ContainerEvents):
            not_offered("ContainerEvents")
        both = Fanout(self.group, [("a", _Failing()), ("b", backend)], Border(self.group.name, border_log))
        event = ContainerEvent(container="c" * 64, name="kit", image="", status="start", time=1)
        both.notify(ContainerEvents.container_event, event=event)
        heard = [fields.get("backend") for _, what, fields in border_log.events if what == "hook_called"]
        assert heard == ["a", "b"]
        failed = [fields for _, what, fields in border_log.events if what == "participant_failed"]
        assert [fields["participant"] for fields in failed] == ["a"], "only the kit's own participant may fail"


def _answers(slot: Slot[Any], spec: dict[str, Any], annotations: dict[str, str]) -> list[OciHook]:
    """The hooks of the one participant: a fan-out's relay answers with a list of answers."""
    return [hook for answer in slot.hook.oci_hooks(spec=spec, annotations=annotations) for hook in answer]
