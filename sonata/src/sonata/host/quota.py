"""Project quotas: how much a folder and all below it may take, where the file system counts that (ext4, XFS)."""

from __future__ import annotations

import fcntl
import os
import struct
import zlib

from sonata.host.linux import quotactl_fd
from sonata_core.errors import HostLacks

_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
"""FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR (linux/fs.h)."""
_ATTRIBUTES = struct.Struct("=IIIII8s")
_INHERIT = 0x200
"""FS_XFLAG_PROJINHERIT: what is made inside belongs to the project too."""
_PROJECT = 2
_GET_QUOTA, _SET_LIMIT = ord("X") << 8 | 3, ord("X") << 8 | 4
"""Q_XGETQUOTA and Q_XSETQLIM (linux/dqblk_xfs.h); other file systems understand them as well."""
_QUOTA = struct.Struct("=bbHI6QiiHHbbbbQQQiHh8s")
_HARD_SOFT_BLOCKS, _HARD_SOFT_INODES = 0b1100, 0b0011
_BLOCK = 512
_TRIES = 64


def limit_folder(folder: str, size: int, inodes: int) -> None:
    """Let an empty folder take `size` bytes and `inodes` files at most; 0: as many as there are.

    Raises HostLacks where the file system or the kernel (quotactl_fd, Linux 5.14) does not count.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        project = _unused_project(handle, folder)
        flags, *rest = _ATTRIBUTES.unpack(fcntl.ioctl(handle, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))
        rest[2] = project
        fcntl.ioctl(handle, _SET_ATTRIBUTES, _ATTRIBUTES.pack(flags | _INHERIT, *rest))
        quotactl_fd(handle, _SET_LIMIT << 8 | _PROJECT, project, bytearray(limits(project, size, inodes)))
    except OSError as error:
        raise HostLacks(
            "volume options size and inodes not supported. Filesystem does not support Project Quota",
            hint=f"{folder}: {error.strerror}; mount it with the option prjquota",
        ) from error
    finally:
        os.close(handle)


def limits(project: int, size: int, inodes: int) -> bytes:
    """A `struct fs_disk_quota` that sets the limits which are not 0."""
    blocks = -(-size // _BLOCK)
    mask = (_HARD_SOFT_BLOCKS if size else 0) | (_HARD_SOFT_INODES if inodes else 0)
    numbers = (blocks, blocks, inodes, inodes, 0, 0)
    return _QUOTA.pack(1, _PROJECT, mask, project, *numbers, *[0] * 14, bytes(8))


def _unused_project(handle: int, folder: str) -> int:
    """A number of a project that nothing belongs to and that has no limits."""
    for number in range(_TRIES):
        project = zlib.crc32(f"{folder}\0{number}".encode("utf-8", "surrogateescape")) | 0x40000000
        told = bytearray(_QUOTA.size)
        try:
            quotactl_fd(handle, _GET_QUOTA << 8 | _PROJECT, project, told)
        except FileNotFoundError:
            return project
        if not any(_QUOTA.unpack(bytes(told))[4:10]):
            return project
    raise OSError("no free project number")
