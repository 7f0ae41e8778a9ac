"""What a killed command left of one container: finished or taken back by the next one that meets it.

Every many-step operation holds its container's lock and writes an intent before it begins. An intent
whose lock is free therefore belongs to nobody any more.
"""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.containers import erasing, freezing, rest
from sonata.engine.paths import ContainerPaths, cgroup_of
from sonata.host import cgroups, process
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

    Finish = Callable[[Engine, str, Mapping[str, intents.Intent]], None]


_KILL = 9


_GRACE = 2.0
"""Seconds within which a killed process must be gone."""


def recover_one(engine: Engine, ident: str, finish: Finish | None = None) -> bool:
    """Deal with what was begun for one container. False: a living command has its lock, or nothing is left.

    `finish` does it under the lock, for what is no container. Raises what the runtime, the network backend or the
    store raise.
    """
    if not intents.of(engine.database, ident):
        return False
    held = engine.locks.try_hold(ident)
    if held is None:
        return False
    with held:
        begun = {intent.kind: intent for intent in intents.of(engine.database, ident)}
        if begun:
            (finish or finish_container)(engine, ident, begun)
    return bool(begun)


def finish_container(engine: Engine, ident: str, begun: Mapping[str, intents.Intent]) -> None:
    """Finish or take back what was begun for a container, under its lock."""
    try:
        row = rows.get(engine.database, ident)
    except NotFound:
        _finish_removal(engine, ident, begun.get(intents.REMOVE) or begun.get(intents.CREATE))
        return
    _deal_with(engine, row, begun)


def _deal_with(engine: Engine, row: ContainerRow, begun: Mapping[str, intents.Intent]) -> None:
    config, phase = row.config, row.state.phase
    if intents.REMOVE in begun or phase in (Phase.CREATING, Phase.REMOVING):
        end_processes(engine, row)
        detail = begun[intents.REMOVE].detail if intents.REMOVE in begun else {"volumes": True}
        erasing.remove_ended(engine, row, volumes=bool(detail.get("volumes")))
        rest.remove_cgroup(engine, row)
        intents.forget(engine.database, config.id)
        engine.locks.forget(config.id)
    elif phase in (Phase.INITIALISING, Phase.INITIALISED):
        take_back_start(engine, row)
    else:
        # The operation ended; only its note was left.
        intents.forget(engine.database, config.id)


def take_back_start(engine: Engine, row: ContainerRow) -> ContainerRow:
    """Undo a start that never came to its end, under the container's lock. One of `run --rm` goes altogether."""
    config, state = row.config, row.state
    end_processes(engine, row)
    trouble = rest.dismantle(engine, row)
    rest.remove_cgroup(engine, row)
    if trouble is not None:
        raise trouble
    rest.forget_exit(ContainerPaths(engine, config.backends.storage, config.id))
    resting = state.at_rest(
        Phase.EXITED if state.started else Phase.CONFIGURED,
        exited=bool(state.started),
        error="the command that started it was killed",
    )
    with engine.database.transaction():
        rows.put_state(engine.database, config.id, resting)
        intents.forget(engine.database, config.id)
    events.container(engine, config, "cleanup")
    row = row.replace(state=resting)
    if config.auto_remove:
        erasing.remove_ended(engine, row, volumes=True)
        engine.locks.forget(config.id)
    return row


def _finish_removal(engine: Engine, ident: str, intent: intents.Intent | None) -> None:
    """The row is gone already: so must be what else there was."""
    if intent is not None:
        erasing.remove_files(engine, str(intent.detail.get("driver") or engine.driver), ident)
        volumes = intent.detail.get("anonymous")
        if isinstance(volumes, list):
            erasing.remove_volumes(engine, [str(name) for name in volumes])
    intents.forget(engine.database, ident)
    engine.locks.forget(ident)


def end_processes(engine: Engine, row: ContainerRow) -> None:
    """Kill the monitor first, so that it runs no exit command, then the runtime and all that the container has."""
    config, state = row.config, row.state
    same_boot = state.boot in ("", engine.facts.boot_id)
    helpers = _helpers(engine, row)
    if same_boot and state.conmon_pid:
        helpers[state.conmon_pid] = state.conmon_start
    seen: dict[int, int] = {}
    while helpers:
        for pid, started in helpers.items():
            process.send(pid, started, _KILL)
        for pid, started in helpers.items():
            process.wait_gone(pid, started, _GRACE)
        # One that forked while they were looked for has a child that nobody has seen yet.
        seen |= helpers
        helpers = {pid: began for pid, began in _helpers(engine, row).items() if seen.get(pid) != began}
    if same_boot and state.pid:
        process.send(state.pid, state.pid_start, _KILL)
        if not process.wait_gone(state.pid, state.pid_start, _GRACE):
            freezing.thaw(engine, row)
            process.wait_gone(state.pid, state.pid_start, _GRACE)
    group = cgroup_of(row)
    for pid in cgroups.processes(group) if group else ():
        process.send(pid, process.start_time(pid), _KILL)
    engine.log.info("processes_ended", container=config.id, helpers=sorted(seen))


def _helpers(engine: Engine, row: ContainerRow) -> dict[int, int]:
    return {pid: process.start_time(pid) for pid in helper_pids(engine, row)}


def helper_pids(engine: Engine, row: ContainerRow) -> list[int]:
    """The monitors, runtimes and network helpers at work for a container, found by what their command lines name.

    A pid file may not have been written yet, and what it names may be another process by now. A network helper
    outlives the command that called it: what it made after that was taken back, nobody would take away.
    """
    from sonata.engine.containers.network import OWN

    names = {"conmon", os.path.basename(row.config.backends.runtime), "crun", "runc"}
    ident = row.config.id.encode()
    space = row.state.netns.encode() if row.config.network.mode in OWN else b""
    return [
        pid
        for pid, words in command_lines()
        if (ident in words and os.path.basename(words[0]).decode() in names) or (space and space in words[1:])
    ]


def command_lines() -> list[tuple[int, list[bytes]]]:
    """Pid and words of every process but this one."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read(1 << 16).split(b"\0")
        except OSError:
            continue
        if words and words[0]:
            found.append((int(name), words))
    return found
