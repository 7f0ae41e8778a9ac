"""Making the container that was decided: its row, its volumes, its files and its writable layer."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.containers.erasing import remove_files, remove_volumes
from sonata.engine.containers.rootfs import storage_maps
from sonata.engine.paths import ContainerPaths
from sonata.engine.undo import Undo
from sonata.model.container import ContainerConfig, MountKind, NamespaceKind
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata.state import intents
from sonata.state.rows import ContainerRow, ContainerState
from sonata.store.records import NewContainer
from sonata_core import trace
from sonata_core.errors import AlreadyExists, SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import ContainerId, ImageId
from sonata_core.sdk.folders import make_private, write_whole

if TYPE_CHECKING:
    from types import TracebackType

    from sonata.engine.engine import Engine
    from sonata.model.container import MountUse
    from sonata.store.records import ImageRecord
    from sonata_core.sdk.locks import FileLock


def make(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> ContainerRow:
    """Make the container that was decided: its row, its files and its writable layer; all of it or nothing."""
    with engine.locks.hold(config.id), Undo(engine.log) as undo:
        undo.push("lock", lambda: engine.locks.forget(config.id))
        if config.cid_file:
            _write_cid(config.cid_file, config.id)
            undo.push("cidfile", lambda: os.unlink(config.cid_file))
        ids: FileLock | None = None
        if config.namespaces.user.kind is NamespaceKind.AUTO:
            from sonata.engine.containers import userns

            ids, config = userns.claim(engine, config, image)
            undo.push("ids", ids.close)
        with trace.span("record"):
            row = _insert(engine, config)
        undo.push("intent", lambda: intents.forget(engine.database, config.id))
        undo.push("volumes", lambda: _remove_anonymous(engine, config))
        undo.push("row", lambda: rows.remove(engine.database, config.id, None))
        undo.push("files", lambda: remove_files(engine, config.backends.storage, config.id))
        with trace.span("layer"):
            _make_layer(engine, config, image)
        if ids is not None:
            ids.close()
        row = row.replace(state=row.state.replace(phase=Phase.CONFIGURED))
        with engine.database.transaction(durable=not config.auto_remove):
            rows.put_state(engine.database, config.id, row.state)
            intents.done(engine.database, config.id, intents.CREATE)
        undo.keep()
    events.created(engine, config, _inspected(engine, row))
    return row


def _insert(engine: Engine, config: ContainerConfig) -> ContainerRow:
    """Write the container down, with the volumes that it needs and what it depends on."""
    config = _named(engine, config)
    networks = [use.network for use in config.network.networks]
    volumes = [use for use in config.mounts if use.kind is MountKind.VOLUME]
    state = ContainerState(phase=Phase.CREATING, boot=engine.facts.boot_id)
    needs = [*config.requires, *_joined(config)]
    detail: dict[str, Any] = {"driver": config.backends.storage}
    begun = intents.Intent(id=config.id, kind=intents.CREATE, detail=detail)
    with _Volumes(engine, begun, volumes), engine.database.transaction():
        rows.insert(engine.database, config, state, rows.Uses(needs, [use.source for use in volumes], networks))
        intents.put(engine.database, begun)
    return ContainerRow(config=config, state=state)


def _named(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """The container with its networks' own names, in place of the beginnings of ids that were given."""
    if not config.network.networks:
        return config
    from sonata.engine.networks.lookup import definition_of

    uses = tuple(use.replace(network=definition_of(engine, use.network).name) for use in config.network.networks)
    return config.replace(network=config.network.replace(networks=uses))


def _remove_anonymous(engine: Engine, config: ContainerConfig) -> None:
    remove_volumes(engine, [use.source for use in config.mounts if use.anonymous])


class _Volumes:
    """The volumes that are not there yet are made. After an error those without a name of their own are gone again.

    That they belong to this container is known first: nobody would find those of a command that was killed.
    """

    def __init__(self, engine: Engine, begun: intents.Intent, uses: list[MountUse]) -> None:
        self._engine, self._begun, self._uses = engine, begun, uses
        self._anonymous = [use.source for use in uses if use.anonymous]

    def __enter__(self) -> None:
        if not self._uses:
            return
        from sonata.engine.volumes.use import ensure_volume

        if self._anonymous:
            detail = {**self._begun.detail, "anonymous": self._anonymous}
            intents.put(self._engine.database, self._begun.replace(detail=detail))
        try:
            for use in self._uses:
                ensure_volume(self._engine, use)
        except BaseException:
            self._undo()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()

    def _undo(self) -> None:
        if self._anonymous:
            remove_volumes(self._engine, self._anonymous)
            intents.forget(self._engine.database, self._begun.id)


def _joined(config: ContainerConfig) -> list[str]:
    spaces = config.namespaces
    choices = (spaces.cgroup, spaces.ipc, spaces.network, spaces.pid, spaces.user, spaces.uts)
    return [choice.value for choice in choices if choice.kind is NamespaceKind.CONTAINER]


def _make_layer(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> None:
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    if image is not None:
        maps, layer, shifted = storage_maps(config), image.layer, False
        if maps is not None:
            from sonata.engine.containers import shifting

            layer, shifted = shifting.base(engine, image, maps)
        transient = engine.config.storage.transient
        if transient:
            from sonata.engine.containers.transient import forget_dead

            forget_dead(engine)
        engine.store.create_container(
            NewContainer(
                id=ContainerId(config.id),
                name=config.name,
                image=ImageId(image.id),
                image_layer=layer,
                metadata=_metadata(config),
                volatile=config.auto_remove or transient,
                transient=transient,
                id_mapping=maps,
                shifted=shifted,
            )
        )
    for folder in (paths.bundle, paths.run_dir):
        make_private(folder)


def _inspected(engine: Engine, row: ContainerRow) -> str:
    if not engine.config.engine.events_container_create_inspect_data:
        return ""
    from sonata.engine.containers.describe import describe
    from sonata_core import json_text as json

    return json.dumps(describe(engine, row), separators=(",", ":"), ensure_ascii=False)


def _metadata(config: ContainerConfig) -> str:
    from sonata_core import json_text as json

    known = {"image-name": config.image, "image-id": config.image_id, "name": config.name}
    return json.dumps({**known, "created-at": int(time.time())}, separators=(",", ":"))


def _write_cid(path: str, container: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise AlreadyExists(
            f"container id file exists. Ensure another container is not using it or delete {path}",
        ) from error
    except OSError as error:
        raise SonataError(f"creating idfile: open {path}: {(error.strerror or '').lower()}") from error
    try:
        write_whole(handle, container.encode(), path)
    finally:
        os.close(handle)
