"""`artifact add`: files of the host become an artifact, or part of one."""

from __future__ import annotations

import os
import stat
import time

from sonata.engine.artifacts.stored import open_store
from sonata.image.artifact import longer_manifest, new_layers, new_manifest, title_of
from sonata_core.errors import AlreadyExists, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name
from sonata_core.sdk.content import file_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.engine import Engine
    from sonata.image.artifact_store import ArtifactChange
    from sonata.model.artifact import NewFiles
    from sonata_core.models.image import Descriptor, ManifestBytes


def add(
    engine: Engine, name: str, paths: Sequence[str], more: NewFiles, *, append: bool = False, replace: bool = False
) -> str:
    """Put files under a name, as a new artifact or behind the files of one; the digest of its manifest.

    All of it is seen, or nothing. Raises AlreadyExists (the artifact, or a file's title), NotFound,
    UsageError, Denied, Unavailable.
    """
    require_name(name)
    store = open_store(engine)
    with store.changing() as change:
        if append:
            name, digest = change.find(name)
            old = store.read(name, digest)
            titles = [title_of(blob) for blob in old.document.layers]
            layers = new_layers(titles, _copied(change, paths, more.file_type), more)
            manifest: ManifestBytes = longer_manifest(old.manifest, layers)
        else:
            if change.has(name) and not replace:
                raise AlreadyExists(f"{name}: artifact already exists", name=name)
            layers = new_layers((), _copied(change, paths, more.file_type), more)
            manifest = new_manifest(layers, more.replace(created=more.created or _now()))
            change.put_empty()
        change.put(name, manifest)
        change.commit()
        change.sweep()
    return manifest.digest.partition(":")[2]


def require_name(name: str) -> None:
    """Raise UsageError for what is no name. Podman stores `B:AD`, and can list nothing from then on."""
    if not name:
        raise UsageError("artifact name cannot be empty")
    try:
        parse_name(name)
    except UsageError as error:
        raise UsageError(f"Invalid image {name}", hint=error.hint) from error


def _copied(change: ArtifactChange, paths: Sequence[str], file_type: str) -> list[tuple[str, Descriptor]]:
    return [(path, _copy(change, path, file_type)) for path in paths]


def _copy(change: ArtifactChange, path: str, file_type: str) -> Descriptor:
    try:
        # A FIFO is waited for, as by any program that is given one.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise file_error(f"open {path}", error) from error
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(
                f"read {path}: is a directory", hint="name its files one by one, or put them into an archive"
            )
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise UsageError(f"{path} is neither a file nor a pipe")
        return change.put_file(fd, file_type)
    finally:
        os.close(fd)


def _now() -> str:
    whole, rest = divmod(time.time_ns(), 10**9)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{rest:09}".rstrip("0").rstrip(".") + "Z"
