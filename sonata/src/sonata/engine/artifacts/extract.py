"""`artifact extract`: an artifact's files, verified, into a folder or a file of the host."""

from __future__ import annotations

import os
import stat
from errno import EINVAL, EISDIR, ENOENT, EOPNOTSUPP

from sonata.engine.artifacts.stored import get, open_store
from sonata.image.artifact import chosen, file_name
from sonata_core.errors import SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import copy_verified, write_all

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.artifact_store import ArtifactStore
    from sonata_core.models.image import Descriptor


def extract(engine: Engine, name: str, target: str, *, digest: str = "", title: str = "") -> None:
    """Write one blob to `target`, or all of them into it where it is a folder.

    A file has its name when it is whole and verified. Titles come from strangers: none leads out of the
    folder, and a symbolic link in it is replaced, not followed. Raises NotFound, UsageError, Damaged.
    """
    store = open_store(engine)
    artifact = get(engine, name)
    if not artifact.document.layers and not (digest or title):
        raise UsageError("the artifact has no blobs, nothing to extract")
    found = chosen(artifact, digest, title)
    if os.path.isdir(target):
        named = [(blob, file_name(blob, own)) for blob, own in found]
        folder = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for blob, own in named:
                _write(store, blob, folder, own, f"{target.rstrip('/')}/{own}")
        finally:
            os.close(folder)
        return
    if len(found) > 1:
        raise UsageError(
            f'the artifact consists of several blobs and the target "{target}" is not a directory and neither '
            "digest or title was specified to only copy a single blob"
        )
    _to_file(store, found[0][0], target)


def _to_file(store: ArtifactStore, blob: Descriptor, target: str) -> None:
    """To the very file that the user named, following the links that lead there: a device or pipe is written to."""
    if target.endswith("/"):
        raise _trouble(target, "is a directory")
    try:
        seen = os.stat(target)
        if _is_output(seen):
            # Also a file that `/dev/stdout` is redirected to: it is the caller's, and more may go there.
            _copy(store, blob, 1)
            return
        if not stat.S_ISREG(seen.st_mode):
            _into(store, blob, target)
            return
    except FileNotFoundError:
        pass  # it is made
    parent, name = os.path.split(os.path.realpath(target))
    try:
        folder = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _trouble(target, error.strerror or "") from error
    try:
        _write(store, blob, folder, name, target)
    finally:
        os.close(folder)


def _is_output(seen: os.stat_result) -> bool:
    try:
        return os.path.samestat(seen, os.fstat(1))
    except OSError:  # it was closed
        return False


def _into(store: ArtifactStore, blob: Descriptor, target: str) -> None:
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _trouble(target, error.strerror or "") from error
    try:
        _copy(store, blob, fd)
    finally:
        os.close(fd)


def _copy(store: ArtifactStore, blob: Descriptor, fd: int) -> None:
    with store.open_blob(blob) as stream:
        copy_verified(stream, lambda chunk: write_all(fd, chunk), blob)


def _write(store: ArtifactStore, blob: Descriptor, folder: int, name: str, shown: str) -> None:
    """Without a name until it is whole: `name` is one part of a path, and neither link nor rename follows a link."""
    try:
        fd, temporary = _nameless(folder)
    except OSError as error:
        raise _trouble(shown, error.strerror or "") from error
    try:
        _copy(store, blob, fd)
        temporary = temporary or _linked(fd, folder, name)
        if temporary:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException as error:
        if temporary:
            os.unlink(temporary, dir_fd=folder)
        if isinstance(error, OSError):
            raise _trouble(shown, error.strerror or "") from error
        raise
    finally:
        os.close(fd)


def _nameless(folder: int) -> tuple[int, str]:
    """A new file that goes with the process, however that ends; with a name where the file system has no such thing."""
    try:
        return os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666, dir_fd=folder), ""
    except OSError as error:
        if error.errno not in (EOPNOTSUPP, EISDIR, EINVAL, ENOENT):
            raise
    name = f".{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o666, dir_fd=folder), name


def _linked(fd: int, folder: int, name: str) -> str:
    """Give the file its name; where something has it already another, from which it is moved over that."""
    try:
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=folder)
        return ""
    except FileExistsError:
        temporary = f".{os.urandom(8).hex()}"
        os.link(f"/proc/self/fd/{fd}", temporary, dst_dir_fd=folder)
        return temporary


def _trouble(target: str, text: str) -> SonataError:
    return UsageError(f"failed to create target file: open {target}: {text.lower()}")
