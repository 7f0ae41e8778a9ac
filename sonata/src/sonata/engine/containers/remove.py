"""Removing containers."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.containers import cleanup, ending, present
from sonata.engine.containers.stop import end_process
from sonata.engine.paths import ContainerPaths
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core import trace
from sonata_core.errors import InUse, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow

_ALIVE = (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING, Phase.INITIALISED)


def remove(
    engine: Engine,
    container: str,
    *,
    force: bool = False,
    volumes: bool = False,
    timeout: int | None = None,
    with_pod: bool = False,
) -> str:
    """Remove one container; its id. `force` stops it first. Raises NotFound, Conflict, InUse.

    An infra container goes `with_pod` only.
    """
    row = present.load(engine, container)
    if row.config.infra and not with_pod:
        raise InUse(
            f"container {row.config.id} is the infra container of pod {row.config.pod} and cannot be removed "
            "without removing the pod",
            hint=f"sonata pod rm {row.config.pod[:12]}",
        )
    with ending.Attended(engine, row):
        ident = _remove(engine, row, force=force, volumes=volumes, timeout=timeout)
    if row.config.pod and not with_pod:
        from sonata.engine.pods.ending import member_ended

        member_ended(engine, row.config)
    return ident


def remove_user(engine: Engine, container: str, *, timeout: int | None = None) -> None:
    """Remove by force a container that uses what is to go; an infra container goes with its pod. Absent is success."""
    try:
        config = rows.get(engine.database, container).config
        if not config.infra:
            remove(engine, container, force=True, timeout=timeout)
            return
        from sonata.engine.pods.remove import remove as remove_pod
        from sonata.state import pods

        remove_pod(engine, pods.get(engine.database, config.pod), force=True, timeout=timeout)
    except NotFound:
        return


def _remove(engine: Engine, row: ContainerRow, *, force: bool, volumes: bool, timeout: int | None) -> str:
    ident = row.config.id
    with engine.locks.hold(ident) as held:
        row = present.corrected(engine, rows.get(engine.database, ident))
        phase = Phase(row.state.phase)
        if not force:
            lifecycle.require(phase, Verb.REMOVE, ident)
        require_unneeded(engine, ident)
        if phase in _ALIVE:
            state = row.state.replace(phase=Phase.STOPPING, stopped_by_user=True)
            row = row.replace(state=state)
            rows.put_state(engine.database, ident, state, durable=False)
            held.release()
    if phase in _ALIVE:
        seconds = row.config.process.stop_timeout if timeout is None else timeout
        patience = 0.0 if phase in (Phase.PAUSED, Phase.INITIALISED) else None if seconds < 0 else float(seconds)
        if phase is Phase.PAUSED:
            _thaw(engine, row)
        end_process(engine, row, patience)
        ending.wait_exit_file(engine, row)
    with engine.locks.hold(ident):
        try:
            row = present.corrected(engine, rows.get(engine.database, ident))
        except NotFound:
            engine.locks.forget(ident)
            return ident
        remove_ended(engine, row, volumes=volumes or row.config.auto_remove)
        engine.locks.forget(ident)
    return ident


def _thaw(engine: Engine, row: ContainerRow) -> None:
    from sonata_core.hookspecs.runtime import RuntimePause

    ref = ContainerPaths(engine, row.config.backends.storage, row.config.id).ref
    engine.runtime(row.config.backends.runtime).require(RuntimePause).runtime_resume(ref=ref)


def require_unneeded(engine: Engine, container: str) -> None:
    """Raises InUse if another container needs this one."""
    others = rows.dependents(engine.database, container)
    if others:
        raise InUse(
            f"container {container} has dependent containers which must be removed before it: "
            f"{', '.join(others)}: container already exists",
            hint="`sonata rm --depend` removes them too",
        )


def remove_ended(engine: Engine, row: ContainerRow, *, volumes: bool) -> None:
    """Remove a container that does not run, under its lock. Works on a half-made one.

    An intent is kept until all is gone, so that a killed removal is finished by the next command.
    """
    config = row.config
    database = engine.database
    code = row.state.exit_code if row.state.exited else None
    anonymous = [use.source for use in config.mounts if use.anonymous] if volumes else []
    detail = {"volumes": volumes, "driver": config.backends.storage, "anonymous": anonymous}
    with database.transaction(durable=False):
        intents.put(database, intents.Intent(id=config.id, kind="remove", detail=detail))
        rows.put_state(database, config.id, row.state.replace(phase=Phase.REMOVING))
    if row.state.phase != Phase.EXITED or row.state.netns or row.state.mountpoint:
        if row.state.phase == Phase.STOPPED:
            events.container(engine, config, "died", code=row.state.exit_code)
        trouble = cleanup.dismantle(engine, row, lambda: storage.delete_container_layer(engine, config.id))
        if row.state.phase == Phase.STOPPED:
            events.container(engine, config, "cleanup")
        if trouble is not None:
            engine.log.info("removing_after_trouble", container=config.id, error=trouble.message)
    with trace.span("remove files"):
        remove_files(engine, config.backends.storage, config.id)
    with database.transaction(durable=not config.auto_remove):
        rows.remove(database, config.id, code)
        if not anonymous:
            intents.forget(database, config.id)
    if anonymous:
        remove_volumes(engine, anonymous)
        intents.forget(database, config.id)
    events.container(engine, config, "remove", code=code)


def remove_files(engine: Engine, driver: str, container: str) -> None:
    """Everything of a container that lies in the store and in the run folder. Absent is success."""
    paths = ContainerPaths(engine, driver, container)
    storage.delete_container(engine, container)
    for folder in (paths.home, paths.run_home, paths.persist_dir):
        remove_tree(folder)
    cleanup.forget_exit(paths)


def remove_volumes(engine: Engine, names: list[str]) -> None:
    """Remove the anonymous volumes of a container that is gone; one that another took over stays."""
    if not names:
        return
    from sonata.engine.volumes.remove import remove as remove_volume

    for name in names:
        try:
            remove_volume(engine, name)
        except InUse:
            # Another container took it over with --volumes-from.
            continue
        except (NotFound, SonataError) as error:
            engine.log.info("anonymous_volume_stays", volume=name, error=error.message)


def remove_image(engine: Engine, config: ContainerConfig) -> None:
    """`--rmi`: the image of a container that is gone goes too, unless others use it; then that is said."""
    from sonata.engine.images.remove import remove as remove_one

    try:
        remove_one(engine, config.image or config.image_id)
    except SonataError as error:
        engine.notify(f"Failed to remove image: {error.message}")
