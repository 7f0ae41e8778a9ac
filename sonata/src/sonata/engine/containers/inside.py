"""Looking into a container's mounted root: who the user is, and that the working directory exists."""

from __future__ import annotations

import os

from sonata.model.materials import Identity, RootfsFacts
from sonata.plan import files as texts
from sonata.plan import users
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole
from sonata_core.sdk.safepath import exists_in_root, make_folders, open_in_root, read_in_root, stat_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.model.container import ContainerConfig

_LIMIT = 8 << 20
_FOLDER = 0o040000
"""S_IFDIR, without the weight of `stat`."""


def identity(config: ContainerConfig, root: int, user: str | None = None) -> Identity:
    """The user, resolved in the root's own passwd and group files. Raises NotFound, UsageError."""
    return identity_in(config, lambda path: _read(root, path), user)


def identity_in(config: ContainerConfig, read: Callable[[str], bytes], user: str | None = None) -> Identity:
    """As `identity`, of a root whose files `read` gives: empty for one that is not there."""
    passwd, group = read("etc/passwd"), read("etc/group")
    if config.process.host_users:
        from sonata.engine.containers.host_users import entries

        passwd = b"\n".join((passwd, *(line.encode() for line in entries(config, passwd))))
    who = users.resolve(config.process.user if user is None else user, passwd, group, config.process.groups)
    if user is None and _is_kept(config):
        from sonata.engine.containers.host_users import kept_group

        who = who.replace(groups=kept_group(config, who))
    if config.namespaces.user.kind == "nomap" and 0 not in who.groups:
        who = who.replace(groups=(0, *who.groups))  # as Podman has it
    added = texts.passwd_line(config, who) if user is None and _may_add(config) else ""
    return who.replace(home=texts.home_of(added)) if added else who


def _is_kept(config: ContainerConfig) -> bool:
    return config.namespaces.user.kind == "keep-id" and config.id_mapping is not None


def _read(root: int, path: str) -> bytes:
    try:
        return read_in_root(root, path, _LIMIT)
    except OSError:
        return b""


def rootfs_facts(path: str, who: Identity) -> RootfsFacts:
    """For the spec."""
    return RootfsFacts(path=path, uid=who.uid, gid=who.gid, groups=who.groups, home=who.home)


def working_directory(config: ContainerConfig, root: int, who: Identity, targets: Iterable[str]) -> None:
    """Make the image's working directory; insist that the user's exists. Raises NotFound, UsageError."""

    def kind(path: str) -> int:
        from stat import S_IFMT

        return S_IFMT(stat_in_root(root, path).st_mode) if exists_in_root(root, path) else 0

    missing = require_working_directory(config, kind, targets)
    if missing:
        # Folders are opened without the right to read them: they are owned by way of /proc.
        own = "/proc/self/fd/"
        uid, gid = on_host(config, who.uid, who.gid)
        os.close(make_folders(root, missing, 0o755, lambda made: os.chown(f"{own}{made}", uid, gid)))


def require_working_directory(config: ContainerConfig, kind: Callable[[str], int], targets: Iterable[str]) -> str:
    """The folder that is to be made, empty for none. `kind` gives the file type of a path in the root, 0 for nothing.

    Raises NotFound for a given one that is not there, UsageError for one that is no folder.
    """
    cwd = os.path.normpath(config.process.cwd)
    if cwd == "/" or any(cwd == target or cwd.startswith(target.rstrip("/") + "/") for target in targets):
        return ""
    found = kind(cwd)
    if not found and config.process.cwd_given:
        raise NotFound(f'workdir "{config.process.cwd}" does not exist on container {config.id}')
    if found not in (0, _FOLDER):
        raise UsageError(f'workdir "{config.process.cwd}" exists on container {config.id}, but is not a directory')
    return "" if found else cwd


def on_host(config: ContainerConfig, uid: int, gid: int) -> tuple[int, int]:
    """A user and group of the container as the host knows them. Raises NotFound for one that is not mapped."""
    if config.id_mapping is None:
        return uid, gid
    from sonata.engine.containers import userns

    return userns.host_ids(config, uid, gid)


def add_entries(config: ContainerConfig, root: int, who: Identity) -> None:
    """Give a user or group that the image does not know a line in its passwd and group, as Podman does."""
    if not _may_add(config):
        return
    line = texts.passwd_line(config, who) and texts.passwd_line(config, who, _account(who.uid))
    lines = [("etc/passwd", line), ("etc/group", texts.group_line(config, who) if config.process.user else "")]
    if config.process.host_users:
        from sonata.engine.containers.host_users import entries

        lines += [("etc/passwd", f"{line}\n") for line in entries(config, _read(root, "etc/passwd"))]
    if _is_kept(config):
        from sonata.engine.containers.host_users import with_group

        lines = with_group(config, lines, _read(root, "etc/group"))
    for path, line in lines:
        if line:
            _append(config, root, path, line)


def _account(uid: int) -> tuple[str, str] | None:
    """What the host calls the user of a number, as Podman has it since 5.0."""
    import pwd

    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return None
    return found.pw_name, found.pw_gecos.partition(",")[0]


def _may_add(config: ContainerConfig) -> bool:
    return not (config.read_only and config.rootfs) and not any(use.target == "/etc/passwd" for use in config.mounts)


def link_mtab(config: ContainerConfig, root: int) -> None:
    """Have `/etc/mtab` lead to the kernel's table of mounts where the image has no such file, as Podman does.

    What cannot be made is left out: an image whose `/etc` is no folder, a root on a read-only file system.
    """

    def own(made: int) -> None:
        # Opened without the right to read: owned by way of /proc. The runtime makes files in it as the mapped root.
        os.chown(f"/proc/self/fd/{made}", *on_host(config, 0, 0))

    try:
        etc = make_folders(root, "etc", 0o755, own if config.id_mapping is not None else None)
    except OSError:
        return
    try:
        os.symlink("/proc/mounts", "mtab", dir_fd=etc)
        if config.id_mapping is not None:
            os.chown("mtab", *on_host(config, 0, 0), dir_fd=etc, follow_symlinks=False)
    except (OSError, NotFound):
        return
    finally:
        os.close(etc)


def _append(config: ContainerConfig, root: int, path: str, line: str) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_CREAT
    try:
        handle = open_in_root(root, path, flags, 0o644)
    except OSError:
        return
    try:
        import stat

        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            return
        content = os.pread(handle, _LIMIT, 0)
        if not content and config.id_mapping is not None:
            os.fchown(handle, *on_host(config, 0, 0))
        known = [entry for entry in content.splitlines() if entry == line.rstrip("\n").encode()]
        if not known:
            text = line if not content or content.endswith(b"\n") else "\n" + line
            write_whole(handle, text.encode(), path)
    finally:
        os.close(handle)
