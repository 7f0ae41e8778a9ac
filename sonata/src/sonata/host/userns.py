"""User namespaces made for their maps alone: what an id-mapped mount points to."""

from __future__ import annotations

import os
import sys

from sonata.host.facts import id_mapping
from sonata.model.idranges import split
from sonata_core.errors import ExternalFailure, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

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
    return _in_helper(_HELPER, {}, "a user namespace for mapped mounts", lambda pid: _write_maps(pid, mapping))


def _in_helper(program: str, fds: dict[int, int], what: str, work: Callable[[int], T]) -> T:
    """Call `work` with the process id of a helper that is in another user namespace."""
    ours_in, theirs_in = os.pipe2(os.O_CLOEXEC)
    theirs_out, ours_out = os.pipe2(os.O_CLOEXEC)
    try:
        argv = (sys.executable, "-I", "-S", "-c", program)
        try:
            pid = spawn(argv, {}, SpawnOptions(fds={0: theirs_out, 1: theirs_in, **fds}))
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            if os.read(ours_in, 1) != b"x":
                raise ExternalFailure(f"{what}: the kernel refuses")
            return work(pid)
        finally:
            os.close(ours_out)
            ours_out = -1
            os.waitpid(pid, 0)
    except OSError as error:
        raise ExternalFailure(f"{what}: {error.strerror}") from error
    finally:
        os.close(ours_in)
        if ours_out >= 0:
            os.close(ours_out)


_READER = """\
import ctypes, os
if ctypes.CDLL(None, use_errno=True).setns(3, 0x10000000):
    os._exit(ctypes.get_errno())
os.write(1, b"x")
os.read(0, 1)
"""


def maps_of(path: str) -> IdMapping | None:
    """The maps of the user namespace that a file shows; None for our own. Raises ExternalFailure, NotFound."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(
            f"cannot find specified user namespace path: faccessat {path}: {(error.strerror or '').lower()}"
        ) from error
    try:
        seen, own = os.fstat(descriptor), os.stat("/proc/self/ns/user")
        if (seen.st_dev, seen.st_ino) == (own.st_dev, own.st_ino):
            return None
        return _in_helper(_READER, {3: descriptor}, f"user namespace {path}", _read_maps)
    finally:
        os.close(descriptor)


def _read_maps(pid: int) -> IdMapping:
    found = []
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", encoding="ascii") as file:
            rows = [tuple(int(word) for word in line.split()) for line in file]
        found.append(tuple(IdMap(container_id=inside, host_id=outside, size=size) for inside, outside, size in rows))
    return IdMapping(uids=found[0], gids=found[1])


def map_text(maps: tuple[IdMap, ...]) -> str:
    """The lines of /proc/PID/uid_map."""
    return "".join(f"{entry.container_id} {entry.host_id} {entry.size}\n" for entry in maps)


def _write_maps(pid: int, mapping: IdMapping) -> int:
    outer = id_mapping()
    if outer is not None:
        mapping = mapping.replace(uids=split(mapping.uids, outer.uids), gids=split(mapping.gids, outer.gids))
    for name, maps in (("uid_map", mapping.uids), ("gid_map", mapping.gids)):
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, map_text(maps).encode())  # one write: the kernel takes no second
        finally:
            os.close(descriptor)
    return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
