"""Taking an ended container away altogether. Works on a half-made one."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.containers import rest
from sonata.engine.paths import ContainerPaths
from sonata.plan.lifecycle import Phase
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
        intents.put(database, intents.Intent(id=config.id, kind=intents.REMOVE, detail=detail))
        rows.put_state(database, config.id, row.state.replace(phase=Phase.REMOVING))
    if row.state.phase != Phase.EXITED or row.state.netns or row.state.mountpoint:
        if row.state.phase == Phase.STOPPED:
            events.container(engine, config, "died", code=row.state.exit_code)
        trouble = rest.dismantle(engine, row, lambda: storage.delete_container_layer(engine, config.id))
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
    rest.forget_exit(paths)


def remove_volumes(engine: Engine, names: list[str]) -> None:
    """Remove the anonymous volumes of a container that is gone; one that another took over stays."""
    if not names:
        return
    from sonata.engine.volumes.erasing import erase

    for name in names:
        try:
            erase(engine, name)
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
