"""`ps`: which containers there are and what they do."""

from __future__ import annotations

import os

from sonata.engine.containers import abandoned, filters
from sonata.engine.system import pending
from sonata.model.container import MountKind, NetworkMode
from sonata.model.listing import ListedContainer
from sonata.model.times import ZERO_SECONDS, nanoseconds
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.container_request import ListRequest
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import PortMapping

_NAMESPACES = (
    ("Cgroup", "cgroup"),
    ("IPC", "ipc"),
    ("MNT", "mnt"),
    ("NET", "net"),
    ("PIDNS", "pid"),
    ("User", "user"),
    ("UTS", "uts"),
)


def listing(engine: Engine, request: ListRequest) -> list[ListedContainer]:
    """The containers that the request asks for, in its order. Raises UsageError for a filter that makes no sense."""
    last = 1 if request.latest else request.last
    pending.recover(engine)
    conditions = filters.conditions(engine, request.filter)
    everything = request.all or last > 0 or any(text.startswith("status") for text in request.filter)
    settled = [abandoned.settled(engine, row) for row in rows.listed(engine.database)]
    found = [row for row in settled if row is not None]
    if not everything:
        found = [row for row in found if filters.shown_state(row) == "running"]
    found = [row for row in found if all(condition(row) for condition in conditions)]
    if last > 0:
        found = found[::-1][:last]
    listed = [listed_container(engine, row, request) for row in found]
    if any(row.config.pod for row in found):
        listed = _with_pods(engine, listed)
    if request.external:
        from sonata.engine.containers import external

        listed += external.listed(engine)
    return ordered(listed, request.sort)


def listed_container(engine: Engine, row: ContainerRow, request: ListRequest) -> ListedContainer:
    """One row of `ps`."""
    config, state = row.config, row.state
    running = state.pid > 0
    return ListedContainer(
        id=config.id,
        name=config.name,
        image=config.image if config.infra else config.image or config.rootfs,
        image_id=config.image_id,
        command=() if config.infra else config.process.args,
        created=nanoseconds(config.created),
        state=filters.shown_state(row),
        exit_code=state.exit_code,
        exited=state.exited and not running,
        exited_at=state.finished // 10**9 if state.finished else ZERO_SECONDS,
        started_at=state.started // 10**9 if state.started else ZERO_SECONDS,
        pid=state.pid,
        restarts=state.restarts,
        labels=config.labels,
        mounts=tuple(use.target for use in sorted(config.mounts, key=lambda use: use.kind is MountKind.VOLUME)),
        networks=tuple(use.network for use in config.network.networks),
        ports=ports_of(engine, config),
        exposed=config.network.exposed,
        auto_remove=config.auto_remove,
        cidfile=config.cid_file,
        health=_health(engine, row),
        size=_size(engine, row) if request.size else None,
        namespaces=_namespaces(state.pid) if request.ns and running else {},
        pod=config.pod,
        infra=config.infra,
    )


def _with_pods(engine: Engine, listed: list[ListedContainer]) -> list[ListedContainer]:
    """With the names of their pods."""
    from sonata.state import pods

    names = pods.names(engine.database)
    return [one.replace(pod_name=names.get(one.pod, "")) if one.pod else one for one in listed]


def ports_of(engine: Engine, config: ContainerConfig) -> tuple[PortMapping, ...]:
    """Published ports of a container, or of the one whose network it shares."""
    if config.network.mode is NetworkMode.CONTAINER:
        try:
            config = rows.get(engine.database, config.namespaces.network.value).config
        except NotFound:
            return ()
    return config.network.ports


def _health(engine: Engine, row: ContainerRow) -> str:
    if row.config.healthcheck is None:
        return ""
    from sonata.engine.containers import health_log

    shown = health_log.status(engine, row)
    if shown and not health_log.has_clock(engine, row.config):
        # It was killed, or whoever started the container was, just before.
        from sonata.engine.containers import health_clock

        health_clock.watch(engine, row)
    return shown


def _size(engine: Engine, row: ContainerRow) -> tuple[int, int]:
    from sonata.engine.containers.size import sizes

    return sizes(engine, row)


def _namespaces(pid: int) -> dict[str, str]:
    found = {}
    for name, file in _NAMESPACES:
        try:
            found[name] = os.readlink(f"/proc/{pid}/ns/{file}").partition("[")[2].rstrip("]")
        except OSError:
            return {}
    return found


def ordered(listed: list[ListedContainer], key: str) -> list[ListedContainer]:
    """Sorted as `ps --sort` does; oldest first by default."""
    keys = {
        "id": lambda one: one.id,
        "image": lambda one: one.image,
        "command": lambda one: " ".join(one.command),
        "names": lambda one: one.name,
        "runningfor": lambda one: one.started_at,
        "status": lambda one: one.state,
        "size": lambda one: one.size[1] if one.size else 0,
    }
    return sorted(listed, key=keys.get(key, lambda one: one.created))
