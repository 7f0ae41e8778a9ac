"""Bringing to rest what has ended. Every step is idempotent and works on a half-made thing."""

from __future__ import annotations

import os
import time

from sonata.engine import events, storage
from sonata.engine.background import Background
from sonata.engine.containers import network, rootfs
from sonata.engine.paths import ContainerPaths, cgroup_of
from sonata.host import cgroups, mounts
from sonata.model.container import NamespaceKind
from sonata.plan.lifecycle import Phase
from sonata.plan.restart import should_restart, wait
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core import trace
from sonata_core.errors import Conflict, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.hooks import OciHook

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow, ContainerState


def _put_off(row: ContainerRow) -> tuple[int, int]:
    """When a container that has just ended is to start again by its policy, and after which wait; 0 for not."""
    state, policy = row.state, row.config.restart
    if state.phase != Phase.STOPPED:
        return state.restart_at, state.restart_wait
    if policy.name == "no" or not state.exited:
        return 0, state.restart_wait
    if not should_restart(policy, state.exit_code, state.restarts, stopped_by_user=state.stopped_by_user):
        return 0, state.restart_wait
    pause = wait(state.restart_wait, state.finished - state.started)
    return time.time_ns() + pause, pause


_ENDED = (Phase.STOPPED, Phase.EXITED)


def finish(engine: Engine, row: ContainerRow) -> ContainerRow:
    """Bring an ended container to rest, under its lock: `exited`, with nothing of it left on the host.

    Steps go on after an error; the first one is kept in the container's state and raised at the end.
    """
    config, state = row.config, row.state
    if state.phase == Phase.EXITED and not _leftovers(state):
        return row
    if state.exited and state.phase == Phase.STOPPED:
        oom = os.path.exists(f"{ContainerPaths(engine, config.backends.storage, config.id).persist_dir}/oom")
        state = state.replace(oom_killed=oom)
        events.container(engine, config, "died", code=state.exit_code)
    trouble = dismantle(engine, row)
    restart_at, restart_wait = _put_off(row)
    resting = state.at_rest(
        Phase.EXITED if state.exited else Phase.CONFIGURED,
        restart_at=restart_at,
        restart_wait=restart_wait,
        error=state.error or (str(trouble) if trouble else ""),
    )
    with engine.database.transaction():
        rows.put_state(engine.database, config.id, resting)
        intents.done(engine.database, config.id, intents.INIT)
    events.container(engine, config, "cleanup")
    if trouble is not None:
        raise trouble
    return row.replace(state=resting)


def _leftovers(state: ContainerState) -> bool:
    return bool(state.pid or state.netns or state.mountpoint or state.request)


def dismantle(engine: Engine, row: ContainerRow, unmounted: Callable[[], None] | None = None) -> SonataError | None:
    """Take runtime state, network, mounts and files away; the first trouble, after all steps were tried.

    The runtime's part goes on beside the others where no process is left that it might have to kill first.
    `unmounted` is a further step, for when nothing is mounted any more.
    """
    config = row.config
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    runtime = engine.runtime(config.backends.runtime).hook

    def delete() -> None:
        with trace.span("delete"):
            runtime.runtime_delete(ref=paths.ref, force=True)

    steps: list[tuple[str, Callable[[], object]]] = [
        ("disconnect", lambda: network.detach(engine, config, row.state)),
        ("unmount", lambda: rootfs.unmount(engine, config, paths)),
    ]
    if unmounted is not None:
        steps.append(("unmounted", unmounted))
    if config.namespaces.network.kind is NamespaceKind.CONTAINER:
        steps.append(("hosts", lambda: _withdraw(engine, config)))
    if row.state.phase in _ENDED:
        steps.append(("wait for delete", Background(delete).result))
    else:
        steps.insert(0, ("end", delete))
    steps.append(("cgroup", lambda: remove_cgroup(engine, row)))  # a runtime leaves it where the kernel says busy
    steps += [("poststop", lambda: _poststop(engine, paths)), ("files", lambda: _forget_files(engine, paths))]
    trouble: SonataError | None = None
    for name, step in steps:
        try:
            with trace.span(name):
                step()
        except SonataError as error:
            engine.log.info("cleanup_step_failed", container=config.id, error=error.message)
            trouble = trouble or error
    return trouble


def _withdraw(engine: Engine, config: ContainerConfig) -> None:
    from sonata.engine.containers.shared_hosts import withdraw

    withdraw(engine, config)


def _poststop(engine: Engine, paths: ContainerPaths) -> None:
    """Run the hooks of the stage `poststop` that `init` wrote down; what fails is logged only."""
    path = f"{paths.bundle}/poststop.json"
    if not os.path.exists(path):
        return
    from sonata.engine.containers.oci_hooks import run_poststop
    from sonata_core import json_text as json
    from sonata_core.codec import thaw

    with open(path, encoding="utf-8") as file:
        hooks = tuple(thaw(OciHook, entry) for entry in json.load(file))
    run_poststop(engine, paths, hooks)
    os.unlink(path)


def _forget_files(engine: Engine, paths: ContainerPaths) -> None:
    for path in (f"{paths.bundle}/attach", f"{paths.bundle}/ctl", f"{paths.bundle}/winsz", paths.pid_file):
        remove_file(path)
    if mounts.is_mounted(paths.shm):
        storage.unmount(engine, paths.shm)


def remove_file(path: str) -> None:
    """Remove a file. Absent is success."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def forget_exit(paths: ContainerPaths) -> None:
    """Remove what conmon wrote of an earlier run, before the next one begins."""
    for path in (paths.exit_file, f"{paths.persist_dir}/exit", f"{paths.persist_dir}/oom"):
        remove_file(path)


def remove_cgroup(engine: Engine, row: ContainerRow) -> None:
    """Remove the container's control group. Absent is success; a busy one is left for the next time."""
    group = cgroup_of(row)
    if group and cgroups.exists(group):
        try:
            cgroups.remove(group)
        except Conflict as error:
            engine.log.warning("cgroup_stays", container=row.config.id, error=error.message)
