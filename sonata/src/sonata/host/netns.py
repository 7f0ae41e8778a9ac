"""Network namespaces that stay: pinned by a bind mount; those below /run/netns are found by `ip netns` too."""

from __future__ import annotations

import errno
import fcntl
import os

from sonata.host import kernel as k
from sonata.host.mounts import mounted_at
from sonata_core.errors import Denied, ExternalFailure, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk import syscalls

if TYPE_CHECKING:
    from sonata.host.kernel import Kernel

_SELF = "/proc/thread-self/ns/net"


def create(kernel: Kernel, path: str, *, shown: bool = True) -> None:
    """Make a network namespace, kept at `path`, a name from `new_path`, until `remove`.

    `shown`: in every mount namespace, for which the folder becomes a mount of its own. Raises Denied without the
    privilege, ExternalFailure otherwise.
    """

    def work() -> None:
        kernel.unshare(syscalls.CLONE_NEWNET)
        kernel.mount(_SELF, path, "", k.MS_BIND, "")

    _pin(kernel, path, lambda: syscalls.in_thread(work), shown=shown)


def pin(kernel: Kernel, pid: int, path: str) -> None:
    """Keep the namespace of a running process at `path`, a name from `new_path`. Raises NotFound if it is gone."""
    source = f"/proc/{pid}/ns/net"
    if not os.path.exists(source):
        raise NotFound(f"process {pid} is gone, and its network namespace with it")
    _pin(kernel, path, lambda: kernel.mount(source, path, "", k.MS_BIND, ""))


def new_path(folder: str, tag: str = "") -> str:
    """A name below `folder` that nothing has yet; nothing is made. `tag`, eight hex digits, goes first: whose it is."""
    text = tag + os.urandom(16).hex()[len(tag) :]
    return f"{folder}/netns-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def remove(kernel: Kernel, path: str) -> None:
    """Let the namespace go. An absent one is fine; so is a file that was never mounted on."""
    try:
        while True:
            kernel.umount(path, k.MNT_DETACH | k.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            raise _failure(path, error) from error
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failure(path, error) from error


def exists(path: str) -> bool:
    """Is there a namespace at `path`, rather than nothing or a plain file left by a crash or a boot?"""
    try:
        here, above = os.stat(path), os.stat(os.path.dirname(path))
    except OSError:
        return False
    return here.st_dev != above.st_dev


def _pin(kernel: Kernel, path: str, mount: object, *, shown: bool = True) -> None:
    assert callable(mount)
    try:
        if shown:
            _prepare_folder(kernel, os.path.dirname(path))
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        os.close(descriptor)
        try:
            mount()
        except BaseException:
            os.unlink(path)
            raise
    except OSError as error:
        raise _failure(path, error) from error


def _prepare_folder(kernel: Kernel, folder: str) -> None:
    """A shared mount of its own, so that what is pinned shows in every mount namespace and can be let go in each."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mounted_at(folder) is None:
            kernel.mount(folder, folder, "", k.MS_BIND | k.MS_REC, "")
            kernel.mount("", folder, "", k.MS_SHARED | k.MS_REC, "")
    finally:
        os.close(lock)


def _failure(path: str, error: OSError) -> Denied | ExternalFailure:
    text = f"network namespace {path}: {error.strerror}"
    return Denied(text) if error.errno in (errno.EPERM, errno.EACCES) else ExternalFailure(text)
