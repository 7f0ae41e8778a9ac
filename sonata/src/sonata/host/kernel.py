"""The kernel calls that Sonata makes, as a protocol: `linux.LinuxKernel` makes them, a double records them."""

from __future__ import annotations

from sonata_core.lite import Protocol

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_NOSYMFOLLOW = 256
MS_DIRSYNC = 128
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x00100000

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = 0o2000000
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
MOVE_MOUNT_F_EMPTY_PATH = 0x4


class Kernel(Protocol):
    """System calls that concern mounts and namespaces. All raise OSError; descriptors are close-on-exec."""

    def mount(self, source: str, target: str, fstype: str, flags: int, data: str) -> None:
        """mount(2)."""

    def umount(self, target: str, flags: int) -> None:
        """umount2(2)."""

    def fsopen(self, fstype: str) -> int:
        """fsopen(2): a descriptor to configure a file system with (Linux 5.2)."""

    def fsconfig_string(self, context: int, key: str, value: str) -> None:
        """fsconfig(FSCONFIG_SET_STRING); the kernel takes at most 255 bytes."""

    def fsconfig_flag(self, context: int, key: str) -> None:
        """fsconfig(FSCONFIG_SET_FLAG)."""

    def fsconfig_create(self, context: int) -> None:
        """fsconfig(FSCONFIG_CMD_CREATE); the OSError carries the kernel's own message if it left one."""

    def fsmount(self, context: int, attributes: int) -> int:
        """fsmount(2): a descriptor of the mount, attached nowhere."""

    def move_mount(self, descriptor: int, target: str) -> None:
        """move_mount(2) of a detached mount onto `target`."""

    def open_tree(self, path: str, recursive: bool) -> int:
        """open_tree(2) with OPEN_TREE_CLONE: a detached copy of a mount."""

    def mount_setattr(self, descriptor: int, attributes: int, recursive: bool, userns: int) -> None:
        """mount_setattr(2) on a detached mount: `attributes` set, mapped as `userns` if that is not -1 (5.12)."""

    def open_path(self, path: str) -> int:
        """open(2) with O_PATH."""

    def close(self, descriptor: int) -> None:
        """close(2)."""

    def setns(self, descriptor: int, kind: int) -> None:
        """setns(2), of the calling thread."""

    def unshare(self, flags: int) -> None:
        """unshare(2), of the calling thread."""

    def prctl(self, option: int, argument: int) -> int:
        """prctl(2) with one argument."""
