"""An ordinary user's way in: which ids there are, whose namespace is joined, where the user's files lie."""

from __future__ import annotations

import os
import stat
import sys

from sonata.config.search import places_of
from sonata_core.errors import Denied, ExternalFailure, HostLacks, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import IdMap, IdMapping

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import NoReturn

    from sonata.config.values import Places
    from sonata.engine.engine import Engine

_SUB_LIMIT = 1 << 20
_SINGLE = (
    "Using rootless single mapping into the namespace. This might break some images. Check /etc/subuid and "
    "/etc/subgid for adding sub*ids if not using a network user"
)


def enter(environ: MutableMapping[str, str], *, quiet: bool = False) -> None:
    """Bring this process, which has one thread, into the user's namespaces; make them if there are none.

    `quiet`: say nothing where the user has no subordinate ids. Does nothing for root, and in a process that is there
    already. Raises HostLacks, Denied, UsageError, ExternalFailure.
    """
    uid = os.geteuid()
    if uid == 0 or environ.get("_CONTAINERS_USERNS_CONFIGURED"):
        return
    places = places_of(environ, uid)
    path = pause_file(places)
    environ["XDG_RUNTIME_DIR"] = places.runtime_dir
    try:
        _enter(environ, places, path, quiet=quiet)
    except OSError as error:  # a full disk, for one, or no process more
        raise _not_entered(error, places.runtime_dir) from error


def _enter(environ: MutableMapping[str, str], places: Places, path: str, *, quiet: bool) -> None:
    from sonata.host import rootless

    uid, gid = os.geteuid(), os.getegid()
    for _ in range(4):
        # Who else could write `pause.pid` could have this command join what is no keeper.
        pid = rootless.keeper(path) if _is_own(places) else 0
        if not pid:
            _make_folder(places, os.path.dirname(path))
            lost = rootless.survivor(uid)
            if lost and rootless.join(lost):
                rootless.keep(path, _program())
                environ.update(rootless.marks(uid, gid))
                return
            wanted = maps(uid, gid, environ)
            if len(wanted.uids) == 1 and not quiet:
                print(f"Warning: {_SINGLE}", file=sys.stderr)
            pid = rootless.create(path, wanted, _program())
        if rootless.join(pid):
            environ.update(rootless.marks(uid, gid))
            return
    raise ExternalFailure(f"cannot join the user namespace that {path} names", hint="sonata system migrate")


def pause_file(places: Places) -> str:
    """Where the pid of the process stands that keeps the user's namespaces."""
    return pause_name(places.runtime_dir)


def pause_name(runtime: str) -> str:
    """The same, below a runtime folder."""
    return f"{runtime}/libpod/tmp/pause.pid"


def delegated_group(engine: Engine) -> str:
    """The control group that is the user's to divide; empty for root, and where there is none."""
    if not engine.config.rootless or engine.facts.cgroup_version != 2:
        return ""
    from sonata.host import cgroups

    return cgroups.delegated() or (_with_systemd(engine) if engine.defaults.cgroup_manager == "cgroupfs" else "")


def usable_controllers(engine: Engine) -> list[str]:
    """Controllers of control groups: an ordinary user has those of version 2 that were handed over."""
    if not engine.config.rootless:
        return list(engine.facts.cgroup_controllers)
    if engine.facts.cgroup_version != 2:
        return []
    uid = engine.config.places.uid
    group = delegated_group(engine) or f"/user.slice/user-{uid}.slice/user@{uid}.service"
    try:
        with open(f"/sys/fs/cgroup{group}/cgroup.controllers", encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def _with_systemd(engine: Engine) -> str:
    """What is delegated to the systemd of the user's sessions: a login's processes are elsewhere, so we move to it."""
    from sonata.host import cgroups, systemd

    at = systemd.place(engine.config.places.runtime_dir, rootless=True)
    if not os.path.exists(at):
        return ""
    try:
        systemd.start_scope(at, f"sonata-{os.getpid()}.scope", os.getpid(), "user.slice")
    except ExternalFailure as error:
        engine.log.info("not_moved", trouble=error.message)
        return ""
    return cgroups.delegated()


def tell_of_session(engine: Engine) -> None:
    """Say, as Podman does, that control groups are not made by systemd though it is configured."""
    for text in (
        "The cgroupv2 manager is set to systemd but there is no systemd user session available",
        "For using systemd, you may need to log in using a user session",
        f"Alternatively, you can enable lingering with: `loginctl enable-linger {engine.config.places.uid}` "
        "(possibly as root)",
        "Falling back to --cgroup-manager=cgroupfs",
    ):
        engine.notify(text)


def entered(environ: Mapping[str, str]) -> bool:
    """Whether this process is in an ordinary user's namespace."""
    return bool(environ.get("_CONTAINERS_USERNS_CONFIGURED"))


def become(engine: Engine, words: tuple[str, ...]) -> NoReturn:
    """Replace this process by a program, with the store in its environment. Raises NotFound, Denied."""
    try:
        os.execvpe(words[0], list(words), program_environment(engine))  # noqa: S606
    except OSError as error:
        raise not_run(words[0], error) from error


def program_environment(engine: Engine) -> dict[str, str]:
    """What a program in the namespace gets of variables: ours, and the store."""
    storage = engine.config.storage
    more = {"CONTAINERS_GRAPHROOT": storage.graph_root, "CONTAINERS_RUNROOT": storage.run_root}
    return {**os.environ, **more}


def not_run(program: str, error: OSError) -> NotFound | Denied:
    """Podman's words for a program that cannot be run."""
    if isinstance(error, FileNotFoundError):
        where = "executable file not found in $PATH" if "/" not in program else "no such file or directory"
        return NotFound(f'exec: "{program}": {where}')
    return Denied(f"fork/exec {program}: {(error.strerror or '').lower()}")


def leave(engine: Engine) -> None:
    """End what keeps the user's namespaces, so that the next command makes them anew. Does nothing for root."""
    if engine.config.rootless:
        from sonata.host import rootless

        rootless.end(pause_file(engine.config.places))


def _make_folder(places: Places, folder: str) -> None:
    """The runtime folder and what is below; one that others could write to is not used."""
    runtime = places.runtime_dir
    try:
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        if not _is_own(places):
            raise Denied(
                f'path "{runtime}" exists and it is not writeable only by the current user',
                hint="set XDG_RUNTIME_DIR to a folder of the user's own, of mode 0700",
            )
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise Denied(
            f"{error.filename}: {(error.strerror or '').lower()}",
            hint="XDG_RUNTIME_DIR must name a folder of the user's own; log in anew, or `loginctl enable-linger`",
        ) from error


def _not_entered(error: OSError, runtime: str) -> HostLacks:
    import errno

    said = (error.strerror or str(error)).lower()
    if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        hint = "the user has as many processes or open files as he may: `ulimit -u`, `ulimit -n`"
        return HostLacks(f"cannot make the user's namespaces: {said}", hint=hint)
    hint = f"XDG_RUNTIME_DIR is {runtime}: have room there, or name another folder of the user's own"
    return HostLacks(f"write {error.filename or pause_name(runtime)}: {said}", hint=hint)


def _is_own(places: Places) -> bool:
    """Whether the runtime folder is there, and the user's: a link put there by somebody else is not."""
    try:
        seen, link = os.stat(places.runtime_dir), os.lstat(places.runtime_dir)
    except OSError:
        return False
    return seen.st_uid == places.uid and not stat.S_IMODE(seen.st_mode) & 0o022 and link.st_uid in (0, places.uid)


def _program() -> tuple[str, ...]:
    """What keeps the namespaces: a small program that waits for ever."""
    for path in ("/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit", "/usr/bin/catatonit"):
        if os.access(path, os.X_OK):
            return path, "-P"
    for path in ("/usr/bin/sleep", "/bin/sleep"):
        if os.access(path, os.X_OK):
            return path, "infinity"
    return sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"


def owners(uid: int, environ: MutableMapping[str, str]) -> tuple[str, str]:
    """By which words /etc/subuid and /etc/subgid may know a user."""
    return _name(uid, environ), str(uid)


def maps(uid: int, gid: int, environ: MutableMapping[str, str]) -> IdMapping:
    """The user is root there, and has the subordinate ids from 1 on: none, unless of both kinds. Raises UsageError."""
    uids, gids = (_ranges(path, owners(uid, environ)) for path in ("/etc/subuid", "/etc/subgid"))
    if not uids or not gids:
        uids = gids = ()
    for path, own, parts in (("/etc/subuid", uid, uids), ("/etc/subgid", gid, gids)):
        for part in parts:
            if part.host_id <= own < part.host_id + part.size:
                raise UsageError(
                    f'invalid configuration: the specified mapping {part.host_id}:{part.size} in "{path}" includes '
                    "the user UID"
                )
    return IdMapping(uids=_all(uid, uids), gids=_all(gid, gids))


def _all(own: int, parts: tuple[IdMap, ...]) -> tuple[IdMap, ...]:
    shifted = tuple(part.replace(container_id=part.container_id + 1) for part in parts)
    return (IdMap(container_id=0, host_id=own, size=1), *shifted)


def _name(uid: int, environ: MutableMapping[str, str]) -> str:
    if environ.get("USER"):
        return environ["USER"]
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _ranges(path: str, owners: tuple[str, ...]) -> tuple[IdMap, ...]:
    from sonata.plan.userns import sub_ids

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return sub_ids(file.read(_SUB_LIMIT), owners, in_order=False)
    except OSError:
        return ()
