"""Small use-cases: rename, restart, pause, ports, processes."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.containers import ending, lookup, present, rest, start, starting, stop
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.plan.values import require_name
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core.errors import NotFound, Unsupported
from sonata_core.hookspecs.runtime import RuntimePause
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ContainerId

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import PortMapping


def exists(engine: Engine, container: str, *, external: bool = False) -> bool:
    """Whether there is such a container."""
    try:
        rows.find(engine.database, container)
    except NotFound:
        return external and engine.store.find_container(container) is not None
    return True


def rename(engine: Engine, container: str, name: str) -> None:
    """Give a container another name. Raises NotFound, AlreadyExists, UsageError."""
    require_name(name, "")
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        lifecycle.require(Phase(row.state.phase), Verb.RENAME, row.config.id)
        config = row.config.replace(name=name)
        rows.put_config(engine.database, config)
        if not config.rootfs:
            engine.store.rename_container(ContainerId(config.id), name)
    events.container(engine, config, "rename")


def restart(engine: Engine, container: str, timeout: int | None = None, *, counted: bool = False) -> str:
    """Stop if it runs, and start again; the id. `counted`: as one more restart by policy.

    Raises NotFound, Conflict, and what `start` raises.
    """
    row = lookup.load(engine, container)
    lifecycle.require(Phase(row.state.phase), Verb.RESTART, row.config.id)
    with ending.Returning(engine, row):
        return _restart(engine, row, timeout, counted=counted)


def _restart(engine: Engine, row: ContainerRow, timeout: int | None, *, counted: bool) -> str:
    kept = row.config.auto_remove
    if row.state.phase in (Phase.RUNNING, Phase.STOPPING, Phase.INITIALISED):
        if kept:
            rows.put_config(engine.database, row.config.replace(auto_remove=False))
        stop.stop(engine, row.config.id, timeout)
    events.container(engine, row.config, "restart")
    start.start(engine, row.config.id, restarts=row.state.restarts + 1 if counted else 0)
    if kept:
        rows.put_config(engine.database, row.config)
    return row.config.id


def pause(engine: Engine, container: str) -> str:
    """Freeze a container; its id. Raises Conflict, Unsupported."""
    return _freeze(engine, container, Verb.PAUSE)


def unpause(engine: Engine, container: str) -> str:
    """Thaw a container; its id. Raises Conflict, Unsupported."""
    return _freeze(engine, container, Verb.UNPAUSE)


def _freeze(engine: Engine, container: str, verb: Verb) -> str:
    row = lookup.load(engine, container)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        if verb is Verb.UNPAUSE and not cgroups.granted(engine.facts):
            raise Unsupported("unpause is not supported for cgroupv1 rootless containers")
        lifecycle.require(Phase(row.state.phase), verb, row.config.id)
        if verb is Verb.PAUSE and not cgroups.granted(engine.facts):
            raise Unsupported(
                "can not pause containers on rootless containers with cgroup V1: this container does not have a cgroup"
            )
        hook = engine.runtime(row.config.backends.runtime).require(RuntimePause)
        ref = ContainerPaths(engine, row.config.backends.storage, row.config.id).ref
        if verb is Verb.PAUSE:
            # First said, then done: a row that says so and is wrong is corrected, one that does not say so is not.
            rows.put_state(engine.database, row.config.id, row.state.replace(phase=Phase.PAUSED))
            try:
                hook.runtime_pause(ref=ref)
            except BaseException:
                rows.put_state(engine.database, row.config.id, row.state)
                raise
        else:
            hook.runtime_resume(ref=ref)
            rows.put_state(engine.database, row.config.id, row.state.replace(phase=Phase.RUNNING))
    events.container(engine, row.config, str(verb))
    return row.config.id


def ports(engine: Engine, container: str) -> tuple[PortMapping, ...]:
    """Published ports, or those of the container whose network it shares."""
    from sonata.engine.containers.listing import ports_of

    return ports_of(engine, lookup.load(engine, container).config)


def processes(engine: Engine, container: str) -> tuple[ContainerRow, tuple[int, ...]]:
    """Pids, as the host has them, of the processes in a running container. Raises Conflict."""
    row = lookup.load(engine, container)
    lifecycle.require(Phase(row.state.phase), Verb.TOP, row.config.id)
    if not cgroups.granted(engine.facts):
        return row, _with_numbers_of(row.state.pid)
    groups = cgroups.of_process(row.state.pid)
    group = groups.get("pids") or groups.get("") or ""
    found = cgroups.processes(group) if group and group != "/" else (row.state.pid,)
    return row, found


def _with_numbers_of(pid: int) -> tuple[int, ...]:
    """All in a process's PID namespace: who has no control group of his own is known by nothing else."""
    found = []
    try:
        space = os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ()
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == space:
                found.append(int(name))
        except OSError:  # gone meanwhile, or another user's
            continue
    return tuple(found)


def init_only(engine: Engine, container: str) -> str:
    """Create a container in its runtime without starting it; its id. Raises Conflict where it is created or runs."""
    row = lookup.load(engine, container)
    starting.start_needed(engine, row)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        lifecycle.require(Phase(row.state.phase), Verb.INIT, row.config.id)
        starting.ready(engine, row)
        intents.done(engine.database, row.config.id, intents.INIT)  # it is as it was wanted: nothing to recover
    return row.config.id


def clean(engine: Engine, container: str) -> str:
    """`container cleanup` by hand: what an ended container left is taken away; its id."""
    row = lookup.load(engine, container)
    lifecycle.require(Phase(row.state.phase), Verb.CLEANUP, row.config.id)
    with engine.locks.hold(row.config.id):
        row = present.corrected(engine, rows.get(engine.database, row.config.id))
        if row.state.phase in (Phase.STOPPED, Phase.EXITED):
            rest.finish(engine, row)
    return row.config.id
