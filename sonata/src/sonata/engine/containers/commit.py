"""`commit`: what a container has become, as an image."""

from __future__ import annotations

import json
import time

from sonata.engine import changes, events
from sonata.engine.containers import lookup, small
from sonata.engine.containers.export import Root
from sonata.engine.images import making
from sonata.image import compose
from sonata.image.instructions import apply_changes
from sonata.image.layers.diff import changes_tar, tree_tar
from sonata.image.platform import host_platform
from sonata.image.progress import Quiet
from sonata.image.reference import local_name
from sonata.model.times import rfc3339
from sonata.plan.lifecycle import Phase
from sonata_core.errors import Conflict, Damaged, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.storage import LayerFormat, LayerRef
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata_core.models.ids import LayerId

FORMATS = ("oci", "docker")


class CommitRequest(Record):
    """How the image is to be. `config` is a Docker config in JSON whose members replace the container's.

    `source_date_epoch`, in seconds, stands for every time in the image, which tells nothing of the container then: the
    same content gives the same image.
    """

    name: str = ""
    change: tuple[str, ...] = ()
    author: str = ""
    message: str = ""
    format: str = "oci"
    config: str = ""
    pause: bool = False
    squash: bool = False
    include_volumes: bool = False
    source_date_epoch: int | None = None


def commit(engine: Engine, container: str, request: CommitRequest, progress: Progress | None = None) -> str:
    """Make an image of a container; its id. A running container is frozen meanwhile if `pause` says so.

    Raises UsageError for formats, changes and names; NotFound.
    """
    row = lookup.load(engine, container)
    if request.format not in FORMATS:
        raise UsageError(f'unrecognized image format "{request.format}"')
    if request.message and request.format != "docker":
        raise UsageError("messages are only compatible with the docker image format (-f docker)")
    if row.config.rootfs:
        raise UsageError("cannot commit a container that uses an exploded rootfs")
    name = str(local_name(request.name)) if request.name else ""
    before = _overridden(_own(row.config, request), request.config)
    inner = apply_changes(before, request.change)
    if request.format == "oci":
        _tell_left_out(engine, request.change)
    progress = progress or Quiet()
    progress.message("Getting image source signatures")
    paused = request.pause and row.state.phase == Phase.RUNNING and _paused(engine, row)
    try:
        made = _Base(engine, row, request)
        layer = made.add_layer()
    finally:
        if paused:
            small.unpause(engine, row.config.id)
    for one in made.layers:
        progress.blob(one.diff_digest, "done" if one is layer else "exists", one.diff_size, one.diff_size)
    epoch = request.source_date_epoch
    created = rfc3339(time.time_ns() if epoch is None else epoch * 1_000_000_000)
    described = _describe(engine, row, request, made, created).replace(inner=inner, before=before)
    composed = compose.docker(described) if request.format == "docker" else compose.oci(described)
    image = making.add_image(engine, composed, layer.id, created, name)
    for state in ("config", "done"):
        progress.blob(Digest(f"sha256:{image.id}"), state, 0, 0)
    progress.message("Writing manifest to image destination")
    events.container(engine, row.config, "commit")
    return str(image.id)


def _tell_left_out(engine: Engine, changes: tuple[str, ...]) -> None:
    """Say it in Buildah's words where an OCI image has no room for an instruction."""
    for word in ("HEALTHCHECK", "SHELL", "ONBUILD"):
        if any(change.split()[:1] == [word] for change in changes):
            engine.notify(f"{word} is not supported for OCI image format and will be ignored. Must use `docker` format")


def _paused(engine: Engine, row: ContainerRow) -> bool:
    try:
        small.pause(engine, row.config.id)
    except Conflict:
        return False  # it ended meanwhile
    return True


class _Base:
    """What the container stands on, and the layers that the new image will have."""

    def __init__(self, engine: Engine, row: ContainerRow, request: CommitRequest) -> None:
        self._engine = engine
        self._row = row
        self._squash = request.squash
        self._epoch = request.source_date_epoch
        self.image: ImageRecord | None = engine.store.find_image(row.config.image_id) if row.config.image_id else None
        self.layers: list[LayerRecord] = []

    def add_layer(self) -> LayerRecord:
        """Put the container's own layer into the store, on its image's, or everything as one layer."""
        from sonata.image.layers.compress import Pieces

        engine = self._engine
        record = engine.store.find_container(self._row.config.id)
        if record is None:
            raise NotFound(f"container {self._row.config.id} has no layer in the store")
        own = engine.store.layer(record.layer)
        pieces = self._whole() if self._squash else self._changes(own)
        parent = None if self._squash else own.parent
        if self._row.config.id_mapping is not None:
            from sonata.engine.containers.shifting import unmapped

            parent = unmapped(engine, parent)
        layer = making.add_layer(engine, Pieces(pieces), parent)
        self.layers = [*self._chain(parent), layer]
        return layer

    def _chain(self, top: LayerId | None) -> list[LayerRecord]:
        known = self._engine.store.layers()
        found: list[LayerRecord] = []
        while top is not None:
            found.append(known[top])
            top = known[top].parent
        return found[::-1]

    def _whole(self) -> Iterator[bytes]:
        with Root(self._engine, self._row) as path:
            yield from tree_tar(path, mapping=self._row.config.id_mapping, mtime=self._epoch, root=False)

    def _changes(self, own: LayerRecord) -> Iterator[bytes]:
        mapping = self._row.config.id_mapping
        targets = self._engine.storage.hook.storage_contents(layer=LayerRef(store=own.store, id=own.id))
        if len(targets) == 1 and targets[0].format is not LayerFormat.PLAIN:
            yield from tree_tar(targets[0].path, targets[0].format, mapping=mapping, mtime=self._epoch, root=False)
            return
        base = self._engine.store.layer(own.parent) if own.parent else None
        found = changes.layer_changes(self._engine, own, base)
        with Root(self._engine, self._row) as path:
            yield from changes_tar(path, found, mapping=mapping, mtime=self._epoch)


def _describe(engine: Engine, row: ContainerRow, request: CommitRequest, base: _Base, created: str) -> compose.Made:
    document = _document(engine, base.image)
    item: dict[str, Any] = {"created": created}
    if request.author:
        item["author"] = request.author
    item["created_by"] = "/bin/sh"
    if row.config.image:
        item["comment"] = f"FROM {row.config.image}"
    history = [] if request.squash else [one for one in document.get("history") or () if isinstance(one, dict)]
    if not request.squash and sum(not one.get("empty_layer") for one in history) != len(base.layers) - 1:
        history = [{"created": created, "created_by": "unknown"} for _ in base.layers[1:]]
    host = host_platform(engine.facts.machine)
    return compose.Made(
        created=created,
        architecture=str(document.get("architecture") or host.architecture),
        os=str(document.get("os") or "linux"),
        variant=str(document.get("variant") or ""),
        author=request.author or str(document.get("author") or ""),
        comment=request.message,
        container=row.config.id if request.source_date_epoch is None else "",
        parent=f"sha256:{base.image.id}" if base.image is not None and not request.squash else "",
        history=(*history, item),
        layers=tuple(compose.LayerBlob(digest=one.diff_digest, size=one.diff_size) for one in base.layers),
        annotations={"org.opencontainers.image.created": created},
    )


def _document(engine: Engine, image: ImageRecord | None) -> dict[str, Any]:
    """The config of the image below, as it is written."""
    if image is None:
        return {}
    key = f"sha256:{image.id}"
    if key not in image.big_data:
        return {}
    found = json.loads(engine.store.image_data(image, key))
    return found if isinstance(found, dict) else {}


def _own(config: ContainerConfig, request: CommitRequest) -> dict[str, Any]:
    """The container as an image's config, with Docker's keys in Docker's order."""
    process = config.process
    ports = {f"{port.container_port + at}/{port.protocol}" for port in config.network.ports for at in range(port.range)}
    ports |= set(config.network.exposed)
    wanted = [use for use in config.mounts if request.include_volumes or use.anonymous or use.origin == "image"]
    inner: dict[str, Any] = {
        "User": process.user,
        "ExposedPorts": {port: {} for port in sorted(ports)},
        "Env": [f"{key}={value}" for key, value in process.env.items()],
        "Cmd": list(process.command),
        "Image": config.image,
        "Volumes": {target: {} for target in sorted(use.target for use in wanted)},
        "WorkingDir": process.cwd,
        "Entrypoint": list(process.entrypoint),
        "Labels": dict(sorted(config.labels.items())),
    }
    return {key: value for key, value in inner.items() if value}


def _overridden(inner: dict[str, Any], text: str) -> dict[str, Any]:
    """With what a config file says: lists of names are added to, the rest is replaced. Raises Damaged."""
    if not text:
        return inner
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Damaged(f"parsing override configuration: {error}") from error
    if not isinstance(found, dict):
        raise Damaged("parsing override configuration: it is no JSON object")
    merged = {**inner, **{key: value for key, value in found.items() if value}}
    for key in ("Labels", "Volumes", "ExposedPorts"):
        if isinstance(inner.get(key), dict) and isinstance(found.get(key), dict):
            merged[key] = dict(sorted({**inner[key], **found[key]}.items()))
    env = [*(inner.get("Env") or ()), *(found.get("Env") or ())]
    if all(isinstance(one, str) for one in env):
        merged["Env"] = [
            f"{name}={value}" for name, value in dict(one.split("=", 1) for one in env if "=" in one).items()
        ]
    return merged
