"""Making the mounts that a storage plugin describes, as the engine does, by the kernel's newer calls.

`fsopen` and its kin have no one-page limit on options, so that 128 layers can be mounted; owners are
shifted with `mount_setattr` (Linux 5.12; overlay's lower layers 5.19).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

from sonata_testkit.clauses import not_run

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sonata_core.models.mount import Mount, MountPlan
    from sonata_core.models.process import IdMapping

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_CLONE, _MOVE_EMPTY = 1, 4
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_IDMAP = 0x00100000
_FLAGS = {"ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8}
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


class Mounted:
    """A plan's mounts, made; unmade at the end. `root` is where the layer is seen."""

    def __init__(self, plan: MountPlan) -> None:
        self._plan = plan
        self.root = plan.root

    def __enter__(self) -> Self:
        made = []
        try:
            for mount in self._plan.mounts:
                make(mount)
                made.append(mount.target)
        except BaseException:
            for target in reversed(made):
                unmount(target)
            raise
        for mount in reversed(self._plan.mounts):
            if mount.transient:
                unmount(mount.target)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for mount in reversed(self._plan.mounts):
            if not mount.transient:
                unmount(mount.target)


def make(mount: Mount) -> None:
    """Make one mount. Raises OSError."""
    if mount.helper is not None:
        subprocess.run(mount.helper.argv, check=True, capture_output=True)
    elif mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options:
        _bind(mount)
    else:
        _new(mount)


def unmount(target: str) -> None:
    """Take away what is mounted at `target`; nothing there is fine."""
    _libc.umount2(os.fsencode(target), _MNT_DETACH)


def _new(mount: Mount) -> None:
    context = _call(_FSOPEN, mount.type.encode(), 1)
    held = [context]
    attributes = 0
    try:
        _call(_FSCONFIG, context, _SET_STRING, b"source", mount.source.encode() or b"none", 0)
        for option in mount.options:
            if option in _FLAGS:
                attributes |= _FLAGS[option]
                continue
            key, equals, value = option.partition("=")
            if not equals:
                if key != "rw":
                    _call(_FSCONFIG, context, _SET_FLAG, key.encode(), None, 0)
                continue
            many = mount.type == "overlay" and key == "lowerdir"
            for each in _split(value) if many else [value]:
                _call(_FSCONFIG, context, _SET_STRING, b"lowerdir+" if many else key.encode(), _short(each, held), 0)
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        tree = _call(_FSMOUNT, context, 1, attributes)
        held.append(tree)
        _call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(mount.target), _MOVE_EMPTY)
    finally:
        for descriptor in held:
            os.close(descriptor)


def _bind(mount: Mount) -> None:
    tree = _call(_OPEN_TREE, _AT_FDCWD, os.fsencode(mount.source), _CLONE | os.O_CLOEXEC)
    try:
        wanted = _Attributes(set=sum(_FLAGS.get(option, 0) for option in mount.options))
        if mount.id_mapping is not None:
            wanted.set |= _IDMAP
            wanted.userns = _user_namespace(mount.id_mapping)
        try:
            if wanted.set:
                _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(wanted), ctypes.sizeof(wanted))
        finally:
            if mount.id_mapping is not None:
                os.close(wanted.userns)
        _call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(mount.target), _MOVE_EMPTY)
    finally:
        os.close(tree)


def _user_namespace(mapping: IdMapping) -> int:
    """A descriptor of a user namespace with these maps, which nothing else lives in."""
    holder = subprocess.Popen(
        ["unshare", "--user", "sh", "-c", "echo; read _"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"\n":
            not_run("needs user namespaces")
        for kind, maps in (("uid", mapping.uids), ("gid", mapping.gids)):
            text = "".join(f"{part.container_id} {part.host_id} {part.size}\n" for part in maps)
            with open(f"/proc/{holder.pid}/{kind}_map", "w", encoding="ascii") as file:
                file.write(text)
        return os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        holder.communicate(b"\n")


def _call(number: int, *arguments: object) -> int:
    converted = [
        ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) if isinstance(one, int) else one
        for one in arguments
    ]
    result = int(_libc.syscall(ctypes.c_long(number), *converted))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _short(path: str, held: list[int]) -> bytes:
    """fsconfig takes values of 255 bytes: a longer path goes through a descriptor."""
    text = os.fsencode(path.replace("\\:", ":").replace("\\,", ",").replace("\\\\", "\\"))
    if len(text) < 256 or not path.startswith("/"):
        return text
    held.append(os.open(text, os.O_PATH | os.O_CLOEXEC))
    return f"/proc/self/fd/{held[-1]}".encode()


def _split(value: str) -> list[str]:
    """The folders of an overlay's lowerdir: colons part them, a backslash quotes the next character."""
    parts, quoted = [""], False
    for character in value:
        if character == ":" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
        quoted = character == "\\" and not quoted
    return parts
