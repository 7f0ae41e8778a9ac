"""User namespaces made for their maps alone: what an id-mapped mount points to."""

from __future__ import annotations

import os
import sys

from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from sonata_core.models.process import IdMap, IdMapping

# A user namespace can only be made by a single-threaded process, so it is one that we spawn.
_HELPER = """\
import ctypes, os
if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
    os._exit(ctypes.get_errno())
os.write(1, b"x")
os.read(0, 1)
"""


def open_mapping(mapping: IdMapping) -> int:
    """A descriptor of a user namespace with these maps; the caller closes it. Raises ExternalFailure."""
    ours_in, theirs_in = os.pipe2(os.O_CLOEXEC)
    theirs_out, ours_out = os.pipe2(os.O_CLOEXEC)
    try:
        argv = (sys.executable, "-I", "-S", "-c", _HELPER)
        try:
            pid = spawn(argv, {}, SpawnOptions(fds={0: theirs_out, 1: theirs_in}))
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            if os.read(ours_in, 1) != b"x":
                raise ExternalFailure("a user namespace for mapped mounts: the kernel refuses one")
            return _write_maps(pid, mapping)
        finally:
            os.close(ours_out)
            ours_out = -1
            os.waitpid(pid, 0)
    except OSError as error:
        raise ExternalFailure(f"a user namespace for mapped mounts: {error.strerror}") from error
    finally:
        os.close(ours_in)
        if ours_out >= 0:
            os.close(ours_out)


def map_text(maps: tuple[IdMap, ...]) -> str:
    """The lines of /proc/PID/uid_map."""
    return "".join(f"{entry.container_id} {entry.host_id} {entry.size}\n" for entry in maps)


def _write_maps(pid: int, mapping: IdMapping) -> int:
    for name, maps in (("uid_map", mapping.uids), ("gid_map", mapping.gids)):
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, map_text(maps).encode())  # one write: the kernel takes no second
        finally:
            os.close(descriptor)
    return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
