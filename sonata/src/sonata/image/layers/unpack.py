"""Members of a layer put into a folder, so that none can reach outside it.

Every folder is resolved by the kernel inside the target (openat2) and then worked in through its
descriptor; last parts of names are never followed. Descriptors of folders are kept while the layer
cannot have changed what their names mean: whenever something is replaced or removed, all are let go.
"""

from __future__ import annotations

import os
import stat
from errno import EINVAL, ENOENT, ENOSYS, ENOTDIR, ENOTSUP, EOPNOTSUPP, EPERM, EXDEV

from fastcrc.crc64 import go_iso as crc64

from sonata.image.layers import whiteout
from sonata.image.layers.tarread import clean
from sonata_core.errors import Damaged, Denied
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.models.storage import LayerFormat
from sonata_core.sdk.safepath import make_folders, open_in_root, remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata.image.layers.tarread import Entry
    from sonata_core.models.process import IdMap, IdMapping
    from sonata_core.models.storage import UnpackTarget

_KEPT_FOLDERS = 64
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (ENOENT, ENOTDIR)
_NO_SUCH_WAY = (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EPERM)
"""Where one file system cannot copy from another, or a sandbox knows no such call."""
_AT_ONCE = 1 << 24
"""Bytes that the kernel copies before we look at signals."""
_REGULAR, _LINK, _SYMLINK, _CHAR, _BLOCK, _DIR, _FIFO, _GLOBAL = b"0123456g"


class Content(Protocol):
    """Where a member's bytes come from."""

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in pieces as they come."""


class OpenFile:
    """The content of a file that lies open: the kernel copies it, and nobody wants its CRC."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def pieces(self, size: int) -> Iterator[bytes]:
        """As of other content; only a special kind of member asks."""
        while size and (piece := os.read(self._fd, min(size, _AT_ONCE))):
            size -= len(piece)
            yield piece

    def copy(self, target: int, size: int) -> None:
        """Copy `size` bytes, fewer where the file has shrunk. Raises OSError."""
        for way in (self._reflink, self._send):
            try:
                while size and (done := way(target, min(size, _AT_ONCE))):
                    size -= done
            except OSError as error:
                if error.errno not in _NO_SUCH_WAY:
                    raise
        # The last word: file systems of the kernel's own, such as /sys, have nothing to say to the calls above.
        for piece in self.pieces(size):
            _write_all(target, piece)

    def _reflink(self, target: int, size: int) -> int:
        return os.copy_file_range(self._fd, target, size)

    def _send(self, target: int, size: int) -> int:
        return os.sendfile(target, self._fd, None, size)


class Owners:
    """Container ids to host ids. Raises Damaged for an id that the mapping lacks."""

    def __init__(self, mapping: IdMapping | None) -> None:
        self._maps = (mapping.uids, mapping.gids) if mapping is not None else ((), ())
        self._known: dict[tuple[int, int], tuple[int, int]] = {}

    def host(self, uid: int, gid: int) -> tuple[int, int]:
        """The owner on the host."""
        if not self._maps[0] and not self._maps[1]:
            return uid, gid
        found = self._known.get((uid, gid))
        if found is None:
            found = _mapped(self._maps[0], uid, "UID"), _mapped(self._maps[1], gid, "GID")
            self._known[uid, gid] = found
        return found


def _mapped(maps: tuple[IdMap, ...], wanted: int, word: str) -> int:
    if not maps:
        return wanted
    for part in maps:
        if part.container_id <= wanted < part.container_id + part.size:
            return part.host_id + wanted - part.container_id
    raise Damaged(f"container {word} {wanted} cannot be mapped to a host ID")


class Unpacker:
    """Writes into one target. Use as a context manager; call `finish` when all members are in."""

    def __init__(
        self, target: UnpackTarget, mapping: IdMapping | None, *, rootless: bool, any_owner: bool = False
    ) -> None:
        self._format = target.format
        self._owners = Owners(mapping)
        self._rootless = rootless
        self._any_owner = any_owner
        self._root = os.open(target.path, _FOLDER)
        self._folders: dict[bytes, int] = {}
        self._folder_times: dict[bytes, tuple[int, int]] = {}
        self._unpacked: set[bytes] = set()

    def __enter__(self) -> Unpacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        os.close(self._root)

    # -- folders ------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Let go of all kept folders: a name may mean another folder from now on."""
        for fd in self._folders.values():
            os.close(fd)
        self._folders.clear()

    def _keep(self, path: bytes, fd: int) -> None:
        if len(self._folders) >= _KEPT_FOLDERS:
            oldest = next(iter(self._folders))
            os.close(self._folders.pop(oldest))
        self._folders[path] = fd

    def _folder(self, path: bytes) -> int:
        """The folder of that (cleaned) path, made with its parents where it is missing."""
        fd = self._folders.get(path)
        if fd is not None:
            return fd
        if not path:
            return self._root
        try:
            fd = open_in_root(self._root, path, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            fd = make_folders(self._root, path, 0o755, self._own_implicit)
        self._keep(path, fd)
        return fd

    def _own_implicit(self, fd: int) -> None:
        """A folder that the layer forgot to mention belongs to root, with mode 0755 whatever the umask."""
        owner = self._owners.host(0, 0)
        os.chown(f"/proc/self/fd/{fd}", *owner)
        os.chmod(f"/proc/self/fd/{fd}", 0o755)  # noqa: S103

    def _existing_folder(self, path: bytes) -> int | None:
        """The folder of that path if there is one."""
        fd = self._folders.get(path)
        if fd is not None or not path:
            return self._root if fd is None else fd
        try:
            fd = open_in_root(self._root, path, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        self._keep(path, fd)
        return fd

    # -- members ------------------------------------------------------------------------------

    def put(self, entry: Entry, path: bytes, feed: Content) -> int:
        """Unpack one member and take its content off the feed. Returns the content's CRC.

        `path` is the cleaned name. Raises Damaged for what no layer may contain, Denied where an owner or
        a node is refused, OSError for trouble of the file system.
        """
        if entry.kind == _GLOBAL:
            return 0
        parent, _, base = path.rpartition(b"/")
        if not base:
            self._put_root(entry)
            return _skip(entry, feed)
        if base.startswith(whiteout.PREFIX) and self._format is not LayerFormat.OVERLAY_FUSE:
            self._put_whiteout(entry, parent, base)
            return _skip(entry, feed)
        if self._format is LayerFormat.PLAIN:
            if path.startswith(whiteout.META_PREFIX):
                return _skip(entry, feed)
            self._unpacked.add(path)
        try:
            folder = self._folder(parent)
        except OSError as error:
            if error.errno in _GONE and base.startswith(whiteout.PREFIX):
                return _skip(entry, feed)
            raise
        if entry.kind == _REGULAR:
            return self._put_file(entry, folder, base, feed)
        if entry.kind == _DIR:
            self._put_folder(entry, folder, base, path)
        else:
            self._put_other(entry, folder, base)
        return 0

    def _put_root(self, entry: Entry) -> None:
        """`./` counts only where no driver has decided on the root's mode and owner."""
        if entry.kind != _DIR:
            raise Damaged("the layer wants to replace its own root by something that is no folder")
        if self._format is not LayerFormat.PLAIN:
            return
        self._chown(entry, self._root)
        os.chmod(self._root, entry.mode & 0o7777)
        self._set_xattrs(entry, self._root)
        self._folder_times[b""] = (entry.atime, entry.mtime)

    def _clear(self, folder: int, base: bytes) -> None:
        """Remove what has the name. Kept folders are forgotten, as one of them may have lain below."""
        self._forget_all_but(folder)
        remove_tree(folder, base)

    def _forget_all_but(self, keep: int) -> None:
        for path, fd in list(self._folders.items()):
            if fd != keep:
                del self._folders[path]
                os.close(fd)

    def _put_file(self, entry: Entry, folder: int, base: bytes, feed: Content) -> int:
        mode = entry.mode & 0o7777
        # What it will be, so that most files need not be told once more; set-id bits wait until the owner is right.
        plain = mode & 0o777
        try:
            fd = os.open(base, _NEW_FILE, plain, dir_fd=folder)
        except FileExistsError:
            self._clear(folder, base)
            fd = os.open(base, _NEW_FILE, plain, dir_fd=folder)
        try:
            crc = _write_sparse(fd, entry, feed) if entry.sparse is not None else _write(fd, entry.size, feed)
            self._own(entry, fd, mode)
            os.utime(fd, ns=(entry.atime, entry.mtime))
            if entry.xattrs:
                self._set_xattrs(entry, fd)
        finally:
            os.close(fd)
        return crc

    def _put_folder(self, entry: Entry, folder: int, base: bytes, path: bytes) -> None:
        try:
            os.mkdir(base, 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(base, dir_fd=folder, follow_symlinks=False).st_mode):
                self._clear(folder, base)
                os.mkdir(base, 0o700, dir_fd=folder)
        fd = os.open(base, _FOLDER, dir_fd=folder)
        self._chown(entry, fd)
        os.fchmod(fd, entry.mode & 0o7777)
        if entry.xattrs:
            self._set_xattrs(entry, fd)
        self._folder_times[path] = (entry.atime, entry.mtime)
        if path in self._folders:
            os.close(fd)
        else:
            self._keep(path, fd)

    def _put_other(self, entry: Entry, folder: int, base: bytes) -> None:
        """Links, devices, fifos."""
        if self._rootless and entry.kind in (_CHAR, _BLOCK):
            return
        try:
            self._make_other(entry, folder, base)
        except FileExistsError:
            self._clear(folder, base)
            self._make_other(entry, folder, base)
        # the name is in a folder that only this layer fills; yet nothing here follows a link
        fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            self._chown_name(entry, folder, base)
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                os.chmod(f"/proc/self/fd/{fd}", entry.mode & 0o7777)
            os.utime(base, ns=(entry.atime, entry.mtime), dir_fd=folder, follow_symlinks=False)
            if entry.xattrs:
                self._set_xattrs(entry, b"/proc/self/fd/%d/%s" % (folder, base))
        finally:
            os.close(fd)

    def _make_other(self, entry: Entry, folder: int, base: bytes) -> None:
        kind = entry.kind
        if kind == _SYMLINK:
            if not entry.link:
                raise Damaged(f"{entry.name!r} in the layer is a symbolic link to nothing")
            os.symlink(entry.link, base, dir_fd=folder)
        elif kind == _LINK:
            self._make_link(entry, folder, base)
        elif kind == _FIFO:
            os.mkfifo(base, 0o600, dir_fd=folder)
        elif kind in (_CHAR, _BLOCK):
            form = stat.S_IFCHR if kind == _CHAR else stat.S_IFBLK
            os.mknod(base, 0o600 | form, os.makedev(entry.major, entry.minor), dir_fd=folder)
        else:
            raise Damaged(f"unhandled tar header type {kind} of {entry.name!r} in the layer")

    def _make_link(self, entry: Entry, folder: int, base: bytes) -> None:
        """Another name for a file of this layer; the target's last part is not followed."""
        parent, _, name = clean(entry.link).rpartition(b"/")
        if not name:
            raise Damaged(f"{entry.name!r} in the layer is a hard link to a folder")
        try:
            fd = open_in_root(self._root, parent, os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            raise _bad_link(entry, error) from error
        try:
            os.link(name, base, src_dir_fd=fd, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            raise _bad_link(entry, error) from error
        finally:
            os.close(fd)

    # -- owners and attributes ----------------------------------------------------------------

    def _own(self, entry: Entry, fd: int, mode: int) -> None:
        """Owner and mode of a new file, where it has others: each change is one of the journal's, looking is not."""
        found = os.fstat(fd)
        if (found.st_uid, found.st_gid) != self._owners.host(entry.uid, entry.gid):
            self._chown(entry, fd)
            os.fchmod(fd, mode)
        elif found.st_mode & 0o7777 != mode:
            os.fchmod(fd, mode)

    def _chown(self, entry: Entry, fd: int) -> None:
        try:
            os.fchown(fd, *self._owners.host(entry.uid, entry.gid))
        except OSError as error:
            self._unowned(entry, error)

    def _chown_name(self, entry: Entry, folder: int, base: bytes) -> None:
        uid, gid = self._owners.host(entry.uid, entry.gid)
        try:
            os.chown(base, uid, gid, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            self._unowned(entry, error)

    def _unowned(self, entry: Entry, error: OSError) -> None:
        """An owner that cannot be given: borne where storage.conf says `ignore_chown_errors`, else raised."""
        if not self._any_owner:
            raise _bad_owner(entry, error) from error

    def _set_xattrs(self, entry: Entry, place: int | bytes) -> None:
        """Extended attributes; those of overlayfs are no layer's to set, and SELinux labels come from the mount."""
        for name, value in (entry.xattrs or {}).items():
            if whiteout.is_overlay_xattr(name) or name == b"security.selinux":
                continue
            try:
                if isinstance(place, int):
                    os.setxattr(place, name, value)
                else:
                    os.setxattr(place, name, value, follow_symlinks=False)
            except OSError as error:
                if error.errno == ENOTSUP or (self._rootless and error.errno == EPERM):
                    continue
                raise Damaged(f"{entry.name!r} in the layer has the attribute {name!r}: {error.strerror}") from error

    # -- whiteouts ----------------------------------------------------------------------------

    def _put_whiteout(self, entry: Entry, parent: bytes, base: bytes) -> None:
        folder = self._existing_folder(parent) if self._format is LayerFormat.PLAIN else self._whiteout_folder(parent)
        if folder is None:
            return
        if base == whiteout.OPAQUE:
            self._hide_below(folder, parent)
            return
        if self._format is LayerFormat.PLAIN and not parent and base.startswith(whiteout.META_PREFIX):
            return
        name = whiteout.deleted_name(base)
        if not name:
            raise Damaged(f"{entry.name!r} in the layer deletes nothing that could have a name")
        if self._format is LayerFormat.PLAIN:
            self._clear(folder, name)
            return
        try:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=folder)
        except FileExistsError:
            raise Damaged(f"the layer both has and deletes {entry.name.replace(base, name)!r}") from None
        self._chown_name(entry, folder, name)

    def _whiteout_folder(self, parent: bytes) -> int | None:
        """The folder of a whiteout; None below something that this layer deleted, where it means nothing."""
        try:
            return self._folder(parent)
        except OSError as error:
            if error.errno == ENOTDIR:
                return None
            raise

    def _hide_below(self, folder: int, parent: bytes) -> None:
        """An opaque folder: marked for overlayfs, emptied of what lay there before in a merged tree."""
        if self._format is not LayerFormat.PLAIN:
            os.setxattr(f"/proc/self/fd/{folder}", whiteout.OPAQUE_XATTR[self._format], b"y")
            return
        waiting = [parent]
        while waiting:
            path = waiting.pop()
            fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                for name in os.listdir(fd):
                    inner = os.path.join(path, os.fsencode(name))
                    if inner not in self._unpacked:
                        self._clear(fd, os.fsencode(name))
                    elif stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                        waiting.append(inner)
            finally:
                os.close(fd)

    # -- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Set folders' times, which what was put into them has changed."""
        self._forget()
        for path, times in self._folder_times.items():
            try:
                fd = open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) if path else -1
            except OSError as error:
                if error.errno in _GONE:
                    continue  # replaced or deleted later in the layer
                raise
            try:
                os.utime(self._root if fd < 0 else fd, ns=times)
            finally:
                if fd >= 0:
                    os.close(fd)


def _bad_owner(entry: Entry, error: OSError) -> Exception:
    if error.errno not in (EINVAL, EPERM):
        return error
    return Denied(
        f"potentially insufficient UIDs or GIDs available in user namespace (requested {entry.uid}:{entry.gid} for "
        f"{os.fsdecode(entry.name)!r}): {error.strerror}",
        hint="check /etc/subuid and /etc/subgid for this user",
    )


def _bad_link(entry: Entry, error: OSError) -> Damaged:
    return Damaged(f"{entry.name!r} in the layer is a hard link to {entry.link!r}: {error.strerror}")


def _skip(entry: Entry, feed: Content) -> int:
    """Content of a member that is not kept; it counts in tar-split all the same."""
    crc = 0
    for piece in feed.pieces(entry.size):
        crc = crc64(piece, crc)
    return crc


def _write(fd: int, size: int, feed: Content) -> int:
    """Write a file's content. Returns its CRC."""
    if isinstance(feed, OpenFile):
        feed.copy(fd, size)
        return 0
    crc = 0
    for piece in feed.pieces(size):
        crc = crc64(piece, crc)
        _write_all(fd, piece)
    return crc


def _write_all(fd: int, data: bytes) -> None:
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def _write_sparse(fd: int, entry: Entry, feed: Content) -> int:
    """Write the pieces of a sparse file where they belong; holes stay holes."""
    crc = 0
    try:
        os.ftruncate(fd, entry.real_size)
    except OSError as error:
        raise Damaged(f"{entry.name!r} in the layer has a size of {entry.real_size} bytes: {error.strerror}") from error
    for offset, length in entry.sparse or ():
        os.lseek(fd, offset, os.SEEK_SET)
        for piece in feed.pieces(length):
            crc = crc64(piece, crc)
            _write_all(fd, piece)
    return crc
