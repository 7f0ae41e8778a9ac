"""The contract's own machinery: records, codec, memo, slots, fan-outs, border, catalog."""

import inspect

import pytest

from sonata_core.admit import admit
from sonata_core.border import Border
from sonata_core.codec import freeze, thaw
from sonata_core.errors import Damaged, PluginBrokeContract, PluginCrashed, Unsupported
from sonata_core.fanout import Fanout
from sonata_core.groups import GROUPS, HOOKS, RUNTIME, STORAGE
from sonata_core.hookspecs.hooks import ContainerEvents, OciHooks
from sonata_core.hookspecs.runtime import RuntimeHooks, RuntimePause, RuntimeUpdate
from sonata_core.log import Logger, Secret
from sonata_core.markers import hookimpl
from sonata_core.memo import Memo, stamp_of
from sonata_core.models.hooks import ContainerEvent, OciHook
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult
from sonata_core.models.plugin import PluginInfo
from sonata_core.record import Record
from sonata_core.slot import seat, seat_checked


class Inner(Record):
    number: int
    words: tuple[str, ...] = ()


class Outer(Record):
    inner: Inner
    maybe: Inner | None = None
    table: dict[str, Inner] = {}


def test_records_are_frozen_compared_and_replaced() -> None:
    one = Inner(number=1)
    assert one == Inner(number=1)
    assert hash(one) == hash(Inner(number=1))
    assert one.replace(number=2) == Inner(number=2)
    with pytest.raises(AttributeError):
        one.number = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="needs number"):
        Inner()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no wrong"):
        Inner(number=1, wrong=2)  # type: ignore[call-arg]


def test_freeze_and_thaw_are_inverse_and_leave_defaults_out() -> None:
    value = Outer(inner=Inner(number=1, words=("a",)), table={"k": Inner(number=2)})
    assert freeze(value) == {"inner": {"number": 1, "words": ["a"]}, "table": {"k": {"number": 2}}}
    assert thaw(Outer, freeze(value)) == value
    address = AddressResult(address="10.0.0.2/24")
    result = AttachResult(interfaces=(InterfaceResult(network="n", interface="eth0", addresses=(address,)),))
    assert thaw(AttachResult, freeze(result)) == result


def test_admit_checks_what_thaw_trusts() -> None:
    assert admit(Outer, b'{"inner": {"number": 5, "unknown": 1}}', "it") == Outer(inner=Inner(number=5))
    with pytest.raises(Damaged, match=r"it: inner\.number"):
        admit(Outer, b'{"inner": {"number": "x"}}', "it")


def test_memo_believes_only_its_own_private_folder(tmp_path) -> None:
    memo = Memo(str(tmp_path / "memo"))
    memo.put("k", "s1", {"a": 1})
    assert memo.get("k", "s1") == {"a": 1}
    assert memo.get("k", "s2") is None
    (tmp_path / "memo").chmod(0o755)
    assert memo.get("k", "s1") is None
    (tmp_path / "memo").chmod(0o700)
    next((tmp_path / "memo").glob("k-*.json")).write_text("{half")
    assert memo.get("k", "s1") is None


def test_stamp_changes_with_the_file(tmp_path) -> None:
    file = tmp_path / "f"
    absent = stamp_of(str(file))
    file.write_text("1")
    assert stamp_of(str(file)) != absent


class Participant(OciHooks):
    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[str] = []

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name=self.name, version="1", summary="", contract="hooks/1.0")

    @hookimpl
    def oci_hooks(self, spec, annotations):
        return (OciHook(path=f"/{self.name}", origin=self.name),)

    @hookimpl
    def container_event(self, event):
        self.heard.append(event.status)
        if self.name == "b":
            raise ValueError("boom")


def border() -> Border:
    return Border("hooks", Logger("fatal"))


def test_fanout_gathers_in_order_of_names_and_isolates_listeners() -> None:
    people = [("b", Participant("b")), ("a", Participant("a"))]
    fanout = Fanout(HOOKS, list(people), border())
    assert [name for name, _ in fanout.gather(OciHooks.oci_hooks, spec={}, annotations={})] == ["a", "b"]
    event = ContainerEvent(container="c", name="n", image="i", status="start", time=0)
    fanout.notify(ContainerEvents.container_event, event=event)
    assert [person.heard for _, person in people] == [["start"], ["start"]]


def test_seat_names_what_is_missing() -> None:
    class Poor:
        @hookimpl
        def plugin_info(self):
            return None

    with pytest.raises(PluginBrokeContract, match="lacks oci_hooks"):
        seat(HOOKS, "poor", Poor(), border())


def test_seat_refuses_a_misspelt_hook() -> None:
    class Misspelt(Participant):
        @hookimpl
        def oci_hoks(self, spec):
            return ()

    with pytest.raises(PluginBrokeContract, match="oci_hoks"):
        seat(HOOKS, "m", Misspelt("m"), border())


def make_runtime(*names: str) -> object:
    space = {name: hookimpl(eval(f"lambda self{_arguments(name)}: {name!r}")) for name in names}
    return type("Runtime", (), space)()


def _arguments(name: str) -> str:
    for spec in (RUNTIME.required, *RUNTIME.optional):
        if hasattr(spec, name):
            return "".join(f", {arg}" for arg in list(inspect.signature(getattr(spec, name)).parameters)[1:])
    raise AssertionError(name)


REQUIRED = [name for name in dir(RuntimeHooks) if name.startswith(("runtime_", "plugin_"))]


def test_half_a_capability_is_refused() -> None:
    with pytest.raises(PluginBrokeContract, match="half of RuntimePause: it lacks runtime_resume"):
        seat(RUNTIME, "r", make_runtime(*REQUIRED, "runtime_pause"), border())


def test_require_tells_what_is_offered() -> None:
    slot = seat(RUNTIME, "r", make_runtime(*REQUIRED, "runtime_pause", "runtime_resume"), border())
    assert slot.require(RuntimePause).runtime_pause(ref=None) == "runtime_pause"
    with pytest.raises(Unsupported, match="'r' does not offer update"):
        slot.require(RuntimeUpdate)


class Crashing(Participant):
    @hookimpl
    def oci_hooks(self, spec, annotations):
        raise KeyError("x")


@pytest.mark.parametrize("checked", [True, False])
def test_the_border_turns_strange_errors_into_plugin_crashed(checked: bool) -> None:
    plugin = Crashing("c")
    slot = seat_checked(HOOKS, "c", plugin, frozenset(), border()) if checked else seat(HOOKS, "c", plugin, border())
    with pytest.raises(PluginCrashed, match="oci_hooks raised KeyError") as caught:
        slot.hook.oci_hooks(spec={}, annotations={})
    assert isinstance(caught.value.__cause__, KeyError)


def test_guard_is_asked_on_each_crossing() -> None:
    def refuse() -> None:
        raise AssertionError("inside a transaction")

    guarded = Border("hooks", Logger("fatal"), guard=refuse)
    slot = seat_checked(HOOKS, "p", Participant("p"), frozenset(), guarded)
    with pytest.raises(AssertionError, match="inside a transaction"):
        slot.hook.plugin_info()


def test_groups_have_derivable_names() -> None:
    assert STORAGE.entry_points == "sonata.storage.v1"
    for group in GROUPS.values():
        assert all(name.startswith(f"sonata-{group.name}-") for name in group.distributions)


def test_a_secret_prints_as_stars() -> None:
    assert f"{Secret('x')}" == "***"
    assert repr(Secret("x")) == "'***'"
    assert Secret("x").reveal() == "x"
