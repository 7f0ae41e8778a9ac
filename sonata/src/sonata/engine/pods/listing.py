"""`pod ps`: which pods there are, and how they are."""

from __future__ import annotations

from sonata.engine.containers.filters import has_label, matches, moment
from sonata.engine.pods.members import listed, members, status_of
from sonata.engine.system import pending
from sonata.model.pod import ListedPod
from sonata.model.times import nanoseconds
from sonata.state import pods
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig

    Condition = Callable[[ListedPod], bool]

STATUSES = ("stopped", "running", "paused", "exited", "dead", "created", "degraded")
MEMBER_STATES = ("created", "running", "paused", "stopped", "exited", "unknown", "initialized", "stopping", "removing")
SORTS = ("created", "id", "name", "status", "number")


def listing(
    engine: Engine, filters: Iterable[str] = (), sort: str = "created", *, latest: bool = False
) -> list[ListedPod]:
    """Pods, newest first or in the order of another key. Raises UsageError for what makes no sense."""
    if sort not in SORTS:
        raise UsageError("invalid option for --sort, options are: created, id, name, number, or status")
    pending.recover(engine)
    met = conditions(engine, filters)
    every = pods.listed(engine.database)
    if latest:
        every = every[-1:]
    found = [one for one in (listed_pod(engine, pod) for pod in every) if all(condition(one) for condition in met)]
    if sort == "created":
        return found[::-1]
    keys: dict[str, Callable[[ListedPod], object]] = {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "status": lambda one: one.status,
        "number": lambda one: len(one.members),
    }
    return sorted(found, key=keys[sort])  # type: ignore[arg-type]


def listed_pod(engine: Engine, pod: PodConfig) -> ListedPod:
    """One pod as it is now."""
    found = members(engine, pod)
    shown = listed(found)
    infra = next((row.config for row in found if row.config.infra), None)
    return ListedPod(
        id=pod.id,
        name=pod.name,
        created=nanoseconds(pod.created),
        created_text=pod.created,
        status=status_of(shown),
        cgroup=cgroup_parent(pod),
        infra=pod.infra,
        labels=pod.labels,
        networks=tuple(use.network for use in infra.network.networks) if infra else (),
        members=shown,
    )


def cgroup_parent(pod: PodConfig) -> str:
    """The control group below which the pod's is."""
    return pod.cgroup_parent or ("machine.slice" if pod.cgroup_manager == "systemd" else "/libpod_parent")


def shown_group(pod: PodConfig) -> str:
    """The pod's control group, as Podman writes it."""
    found = pod.cgroup()
    return f"{cgroup_parent(pod)}/{found}" if found and pod.cgroup_manager == "systemd" else found


def conditions(engine: Engine, texts: Iterable[str]) -> list[Condition]:
    """What a pod must meet: values of one key are alternatives, but for labels. Raises UsageError."""
    grouped: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"filter input must be in the form of filter=value: {text} is invalid")
        grouped.setdefault(key.lower(), []).append(value)
    found = []
    for key, values in grouped.items():
        if key not in _MAKERS:
            raise UsageError(f"{key} is an invalid filter")
        found.append(_MAKERS[key](engine, values))
    return found


def _member_ids(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: any(one.id.startswith(value.lower()) for one in pod.members for value in values if value)


def _member_names(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: any(matches(one.name, value) for one in pod.members for value in values)


def _member_number(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: str(len(pod.members)) in values


def _member_status(_engine: Engine, values: list[str]) -> Condition:
    for value in values:
        if value not in MEMBER_STATES:
            raise UsageError(f"{value} is not a valid status")
    wanted = {"exited" if value == "stopped" else value for value in values}
    return lambda pod: any(("exited" if one.state == "stopped" else one.state) in wanted for one in pod.members)


def _id(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: any(pod.id.startswith(value.lower()) for value in values)


def _name(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: any(matches(pod.name, value) for value in values)


def _status(_engine: Engine, values: list[str]) -> Condition:
    for value in values:
        if value not in STATUSES:
            raise UsageError(f"{value} is not a valid pod status")
    return lambda pod: pod.status.lower() in values


def _label(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: all(has_label(pod.labels, value) for value in values)


def _no_label(_engine: Engine, values: list[str]) -> Condition:
    return lambda pod: not all(has_label(pod.labels, value) for value in values)


def _until(_engine: Engine, values: list[str]) -> Condition:
    limit = moment(values[-1])
    return lambda pod: pod.created < limit


def _network(engine: Engine, values: list[str]) -> Condition:
    from sonata.engine.networks.lookup import definition_of

    wanted = set(values)
    for value in values:
        try:
            wanted.add(definition_of(engine, value).name)
        except NotFound:
            continue
    return lambda pod: any(network in wanted for network in pod.networks)


_MAKERS: dict[str, Callable[[Engine, list[str]], Condition]] = {
    "ctr-ids": _member_ids,
    "ctr-names": _member_names,
    "ctr-number": _member_number,
    "ctr-status": _member_status,
    "id": _id,
    "label": _label,
    "label!": _no_label,
    "name": _name,
    "network": _network,
    "status": _status,
    "until": _until,
}
