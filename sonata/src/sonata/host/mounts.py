"""Making the mounts that a storage driver describes, and taking them away again."""

from __future__ import annotations

import errno
import os

from sonata.host import kernel as k
from sonata_core.errors import CommandFailed, Denied, ExternalFailure, HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.host.kernel import Kernel
    from sonata_core.models.mount import Mount, MountPlan
    from sonata_core.models.process import Command, CommandResult

    RunCommand = Callable[[Command], CommandResult]

_FLAGS = {
    "ro": k.MS_RDONLY,
    "rw": 0,
    "nosuid": k.MS_NOSUID,
    "suid": 0,
    "nodev": k.MS_NODEV,
    "dev": 0,
    "noexec": k.MS_NOEXEC,
    "exec": 0,
    "sync": k.MS_SYNCHRONOUS,
    "dirsync": k.MS_DIRSYNC,
    "remount": k.MS_REMOUNT,
    "noatime": k.MS_NOATIME,
    "nodiratime": k.MS_NODIRATIME,
    "relatime": k.MS_RELATIME,
    "strictatime": k.MS_STRICTATIME,
    "nosymfollow": k.MS_NOSYMFOLLOW,
    "bind": k.MS_BIND,
    "rbind": k.MS_BIND | k.MS_REC,
    "defaults": 0,
}
_PROPAGATION = {
    "private": k.MS_PRIVATE,
    "rprivate": k.MS_PRIVATE | k.MS_REC,
    "shared": k.MS_SHARED,
    "rshared": k.MS_SHARED | k.MS_REC,
    "slave": k.MS_SLAVE,
    "rslave": k.MS_SLAVE | k.MS_REC,
    "unbindable": k.MS_UNBINDABLE,
    "runbindable": k.MS_UNBINDABLE | k.MS_REC,
}
_PAGE = 4096
_STRING_LIMIT = 255
"""The longest value that fsconfig takes."""


class MountInfo(Record):
    """One line of /proc/self/mountinfo."""

    id: int
    parent: int
    target: str
    fstype: str
    source: str
    options: str
    super_options: str


def make(kernel: Kernel, plan: MountPlan, run_command: RunCommand) -> None:
    """Make the plan's mounts in order, then take its transient ones away.

    All or nothing: after an error what was made is unmounted. Raises HostLacks, Denied, or
    ExternalFailure.
    """
    made: list[str] = []
    try:
        for mount in plan.mounts:
            make_one(kernel, mount, run_command)
            made.append(mount.target)
    except BaseException:
        for target in reversed(made):
            unmount(kernel, target)
        raise
    for mount in reversed(plan.mounts):
        if mount.transient:
            unmount(kernel, mount.target)


def unmake(kernel: Kernel, plan: MountPlan) -> None:
    """Take the plan's mounts away, last first. What is not mounted is fine."""
    for mount in reversed(plan.mounts):
        unmount(kernel, mount.target)


def make_one(kernel: Kernel, mount: Mount, run_command: RunCommand) -> None:
    """Make one mount. Raises HostLacks, Denied, or ExternalFailure."""
    if mount.helper is not None:
        result = run_command(mount.helper)
        if result.code:
            text = result.stderr.decode(errors="replace").strip()
            raise CommandFailed(
                f"mounting {mount.target}: {mount.helper.argv[0]} exits with {result.code}: {text}",
                argv=mount.helper.argv,
                code=result.code,
                stderr=text,
            )
        return
    flags, propagation, data = split_options(mount.options)
    try:
        if mount.id_mapping is not None:
            _mount_mapped(kernel, mount, flags)
        elif flags & k.MS_BIND or mount.type == "bind":
            _mount_bind(kernel, mount, flags | k.MS_BIND)
        elif len(",".join(data)) < _PAGE - 1:
            kernel.mount(mount.source, mount.target, mount.type, flags, ",".join(data))
        else:
            _mount_long(kernel, mount, flags, data)
        for change in propagation:
            kernel.mount("", mount.target, "", change, "")
    except OSError as error:
        raise _failure(mount, error) from error


def split_options(options: tuple[str, ...]) -> tuple[int, tuple[int, ...], tuple[str, ...]]:
    """Flags of mount(2), propagation changes to make after it, and the file system's own data."""
    flags = 0
    propagation: list[int] = []
    data: list[str] = []
    for option in options:
        if option in _FLAGS:
            flags |= _FLAGS[option]
        elif option in _PROPAGATION:
            propagation.append(_PROPAGATION[option])
        elif option:
            data.append(option)
    return flags, tuple(propagation), tuple(data)


def unmount(kernel: Kernel, target: str) -> bool:
    """Detach what is mounted at `target`; False if nothing is, or it does not exist. Raises Denied, ExternalFailure."""
    try:
        kernel.umount(target, k.MNT_DETACH | k.UMOUNT_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            return False
        kind = Denied if error.errno in (errno.EPERM, errno.EACCES) else ExternalFailure
        raise kind(f"unmounting {target}: {error.strerror}") from error
    return True


def unmount_unused(kernel: Kernel, target: str) -> bool:
    """Take the mount at `target` away if nothing uses it; False where something does, or nothing is mounted there."""
    try:
        kernel.umount(target, k.UMOUNT_NOFOLLOW)
    except OSError:
        return False
    return True


def unmount_below(kernel: Kernel, folder: str) -> int:
    """Detach everything mounted at or below `folder`, deepest first; returns how many."""
    return sum(unmount(kernel, mount.target) for mount in reversed(mounts_below(folder)))


def mount_table(mark: bytes = b"") -> tuple[MountInfo, ...]:
    """All mounts of this process's mount namespace, in the kernel's order; those only whose line has `mark` in it."""
    with open("/proc/self/mountinfo", "rb") as file:
        content = file.read()
    if mark not in content:
        return ()
    return tuple(parse_mountinfo(line) for line in content.splitlines() if mark in line)


def parse_mountinfo(line: bytes) -> MountInfo:
    """A line of mountinfo (proc(5)); spaces and the like are octal escapes in it."""
    first, _, last = line.partition(b" - ")
    before, after = first.split(b" "), last.split(b" ")
    return MountInfo(
        id=int(before[0]),
        parent=int(before[1]),
        target=_unescape(before[4]),
        options=before[5].decode(),
        fstype=after[0].decode(),
        source=_unescape(after[1]),
        super_options=os.fsdecode(after[2]) if len(after) > 2 else "",
    )


def mounts_below(folder: str) -> tuple[MountInfo, ...]:
    """Mounts at `folder` (a real path) or below it, parents before children."""
    inside = folder.rstrip("/") + "/"
    likely = mount_table(b" " + _escape(folder.rstrip("/")))
    return tuple(mount for mount in likely if mount.target == folder or mount.target.startswith(inside))


def mounted_at(target: str) -> MountInfo | None:
    """What is mounted at exactly `target` (a real path), the uppermost if there are several."""
    found = None
    for mount in mount_table(b" " + _escape(target) + b" "):
        if mount.target == target:
            found = mount
    return found


def is_mounted(target: str) -> bool:
    """Is `target` the root of a mount? Two `stat` calls; a bind mount within one file system needs the table."""
    try:
        here, above = os.lstat(target), os.lstat(f"{target}/..")
    except OSError:
        return False
    return here.st_dev != above.st_dev or mounted_at(os.path.realpath(target)) is not None


def is_own_mount(folder: str) -> bool:
    """As `is_mounted`, for a folder that may be bound onto itself: the kernel's number of its mount tells."""
    return _mount_number(folder) != _mount_number(f"{folder}/..")


def _mount_number(path: str) -> bytes:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            text = file.read()
    finally:
        os.close(fd)
    return text.partition(b"mnt_id:")[2].split()[0]


def _mount_bind(kernel: Kernel, mount: Mount, flags: int) -> None:
    kernel.mount(mount.source, mount.target, "", flags & (k.MS_BIND | k.MS_REC), "")
    others = flags & ~(k.MS_BIND | k.MS_REC)
    if others:  # the first call ignores them (mount(2))
        kernel.mount("", mount.target, "", k.MS_REMOUNT | k.MS_BIND | others, "")


def _mount_mapped(kernel: Kernel, mount: Mount, flags: int) -> None:
    """Bind with the owners shifted: a detached copy, mapped as a user namespace made for it, then attached."""
    from sonata.host.userns import open_mapping

    assert mount.id_mapping is not None
    recursive = bool(flags & k.MS_REC)
    tree = kernel.open_tree(mount.source, recursive)
    try:
        userns = open_mapping(mount.id_mapping)
        try:
            kernel.mount_setattr(tree, _attributes(flags), recursive, userns)
        finally:
            kernel.close(userns)
        kernel.move_mount(tree, mount.target)
    finally:
        kernel.close(tree)


def _mount_long(kernel: Kernel, mount: Mount, flags: int, data: tuple[str, ...]) -> None:
    """More data than the page that mount(2) takes: configured piece by piece."""
    held: list[int] = []
    context = -1
    try:
        context = kernel.fsopen(mount.type)
        kernel.fsconfig_string(context, "source", mount.source or mount.type)
        for option in data:
            key, equals, value = option.partition("=")
            if not equals:
                kernel.fsconfig_flag(context, key)
            elif mount.type == "overlay" and key == "lowerdir":
                for layer in split_lower(value):
                    kernel.fsconfig_string(context, "lowerdir+", _short(kernel, layer, held))
            elif mount.type == "overlay" and key in ("upperdir", "workdir"):
                kernel.fsconfig_string(context, key, _short(kernel, value, held))
            else:
                kernel.fsconfig_string(context, key, value)
        kernel.fsconfig_create(context)
        tree = kernel.fsmount(context, _attributes(flags))
        held.append(tree)
        kernel.move_mount(tree, mount.target)
    except OSError as error:
        # `lowerdir+` came with Linux 6.5 to 6.7; before that the names can be made short enough.
        if mount.type != "overlay" or error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise
        _mount_shortened(kernel, mount, flags, data)
    finally:
        for descriptor in (*held, context):
            if descriptor >= 0:
                kernel.close(descriptor)


def _mount_shortened(kernel: Kernel, mount: Mount, flags: int, data: tuple[str, ...]) -> None:
    """An overlay by mount(2), each folder named by a descriptor: 16 bytes a layer."""
    held: list[int] = []
    try:
        options = []
        for option in data:
            key, _, value = option.partition("=")
            if key == "lowerdir":
                layers = [kernel.open_path(layer) for layer in split_lower(value)]
                held += layers
                option = "lowerdir=" + ":".join(f"/proc/self/fd/{layer}" for layer in layers)  # noqa: PLW2901
            options.append(option)
        text = ",".join(options)
        if len(text) >= _PAGE:
            raise HostLacks(f"{len(held)} layers are more than this kernel can mount", hint="Linux 6.7 takes 500")
        kernel.mount(mount.source, mount.target, mount.type, flags, text)
    finally:
        for descriptor in held:
            kernel.close(descriptor)


def split_lower(value: str) -> list[str]:
    """The folders of an overlay's `lowerdir`: separated by colons, `\\` quotes the next character."""
    layers, current, quoted = [], "", False
    for character in value:
        if quoted:
            current, quoted = current + character, False
        elif character == "\\":
            quoted = True
        elif character == ":":
            layers.append(current)
            current = ""
        else:
            current += character
    return [*layers, current]


def _short(kernel: Kernel, path: str, held: list[int]) -> str:
    if len(os.fsencode(path)) <= _STRING_LIMIT:
        return path
    held.append(kernel.open_path(path))
    return f"/proc/self/fd/{held[-1]}"


def _attributes(flags: int) -> int:
    pairs = (
        (k.MS_RDONLY, k.MOUNT_ATTR_RDONLY),
        (k.MS_NOSUID, k.MOUNT_ATTR_NOSUID),
        (k.MS_NODEV, k.MOUNT_ATTR_NODEV),
        (k.MS_NOEXEC, k.MOUNT_ATTR_NOEXEC),
    )
    return sum(attribute for flag, attribute in pairs if flags & flag)


def _failure(mount: Mount, error: OSError) -> Denied | ExternalFailure | HostLacks:
    if mount.id_mapping is not None and error.errno in (errno.EPERM, errno.EACCES):
        return Denied(
            f"mounting {mount.source} with other owners (idmap): {error.strerror}",
            hint="the kernel lets an ordinary user shift owners on file systems of their own only; `:U` changes them",
        )
    text = f"mounting {mount.type} from {mount.source} at {mount.target}: {error.strerror}"
    if error.errno in (errno.EPERM, errno.EACCES):
        return Denied(text)
    if error.errno in (errno.ENODEV, errno.ENOSYS):
        return HostLacks(text, hint=f"this kernel has no {mount.type}, or its module is not loaded")
    return ExternalFailure(text)


def _escape(path: str) -> bytes:
    """A path as mountinfo has it: a host of many containers has many lines, of which few are worth taking apart."""
    raw = os.fsencode(path)
    for character in b"\\ \t\n":
        raw = raw.replace(b"%c" % character, b"\\%03o" % character)
    return raw


def _unescape(field: bytes) -> str:
    if b"\\" not in field:
        return os.fsdecode(field)
    parts = field.split(b"\\")
    return os.fsdecode(parts[0] + b"".join(bytes((int(part[:3], 8),)) + part[3:] for part in parts[1:]))
