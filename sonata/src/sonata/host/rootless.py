"""The user and mount namespace in which an ordinary user is root: made once, kept by a process that waits, joined.

`pause.pid` is where Podman has it too, so that both live in the same namespaces and see each other's mounts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time

from sonata.host.commands import run
from sonata_core.errors import CommandFailed, Conflict, ExternalFailure, HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command, IdMap, IdMapping
from sonata_core.sdk import syscalls
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
else:
    import _signal as signal

_BOTH = syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS
_PR_SET_DUMPABLE = 4
_NAMES = ("catatonit", "sleep", "podman", "podman pause")
"""What a process that keeps the namespaces may be called: ours, or Podman's."""
_PATIENCE = 30.0
"""Seconds that a process may take to become the one that keeps them."""

# Makes the namespaces, waits for the maps, becomes root, and then the program that waits for ever.
_KEEPER = """\
import ctypes, os, sys
library = ctypes.CDLL(None, use_errno=True)
if library.unshare(0x10020000):
    os.write(1, b"%d" % ctypes.get_errno())
    os._exit(1)
os.write(1, b"x")
if os.read(0, 1) != b"0":
    os._exit(1)
library.mount(b"none", b"/", None, ctypes.c_ulong(0x84000), None)
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
os.chdir("/")
null = os.open("/dev/null", os.O_RDWR)
os.dup2(null, 0)
os.dup2(null, 2)
os.write(1, b"r")
os.dup2(null, 1)
os.execv(sys.argv[1], sys.argv[1:])
"""


def keeper(path: str, *, joined: bool = False) -> int:
    """The pid in `pause.pid`, where it is that of a process that keeps namespaces; else 0.

    Namespaces that this process is not in; or, `joined`, those that it is in.
    """
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read(32))
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().rstrip("\n")
        # Of another user's process, which has a number that was ours, even this is hidden.
        apart = os.readlink(f"/proc/{pid}/ns/user") != _own_namespace()
        _require_alive(pid)
    except (OSError, ValueError):
        return 0
    return pid if pid > 1 and name in _NAMES and apart is not joined else 0


def _require_alive(pid: int) -> None:
    """Raise OSError for a process that ended and was not waited for yet: only its user namespace is shown still."""
    os.readlink(f"/proc/{pid}/ns/mnt")


def _own_namespace() -> str:
    return os.readlink("/proc/self/ns/user")


def is_callers() -> bool:
    """Whether this process was started in its user namespace, as below `unshare`, and has not joined it.

    That stands in the variables it was given, and not in who started it: `unshare` becomes its program.
    """
    with open("/proc/self/environ", "rb") as file:
        return b"\0_CONTAINERS_USERNS_CONFIGURED=" in b"\0" + file.read()


def survivor(uid: int) -> int:
    """A monitor of this user's containers that lives in namespaces whose keeper is gone; 0 for none."""
    here = _own_namespace()
    for name in os.listdir("/proc"):
        try:
            if not name.isdigit() or os.stat(f"/proc/{name}").st_uid != uid:
                continue
            with open(f"/proc/{name}/comm", encoding="utf-8", errors="replace") as file:
                if file.read() == "conmon\n" and os.readlink(f"/proc/{name}/ns/user") != here:
                    _require_alive(int(name))
                    return int(name)
        except OSError:  # gone meanwhile, or hidden from us
            continue
    return 0


def keep(path: str, program: tuple[str, ...]) -> None:
    """Have a program keep the namespaces that this process is in; write `path`, unless another one is named there."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        pid = spawn(program, {}, SpawnOptions(fds={0: null, 1: null, 2: null}, cwd="/", session=True))
    finally:
        os.close(null)
    _publish(path, pid)


def join(pid: int) -> bool:
    """Enter the namespaces of that process with this one, which must have one thread. False: they are gone.

    Raises ExternalFailure when the kernel refuses.
    """
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = "/"
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        syscalls.setns(process, _BOTH)
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return False
        raise ExternalFailure(f"cannot join the user namespace of process {pid}: {error.strerror}") from error
    finally:
        os.close(process)
    # Entering another mount namespace leaves one in its root folder.
    try:
        os.chdir(here)
    except OSError:
        os.chdir("/")
    _be_seen()
    return True


def _be_seen() -> None:
    """Whoever changes credentials is hidden from helpers such as newuidmap, which look at /proc/PID."""
    import ctypes

    zero = ctypes.c_ulong(0)
    syscalls.call("prctl", _PR_SET_DUMPABLE, ctypes.c_ulong(1), zero, zero, zero)


def create(path: str, maps: IdMapping, program: tuple[str, ...]) -> int:
    """Make the namespaces, have `program` keep them, and write `path`; its pid, or that of whoever was faster.

    A mapping of one id only is written by ourselves; others by newuidmap(1) and newgidmap(1). Raises HostLacks,
    ExternalFailure.
    """
    answers, theirs_out = os.pipe2(os.O_CLOEXEC)
    theirs_in, words = os.pipe2(os.O_CLOEXEC)
    try:
        argv = (sys.executable, "-I", "-S", "-c", _KEEPER, *program)
        try:
            pid = spawn(argv, {}, SpawnOptions(fds={0: theirs_in, 1: theirs_out}, session=True))
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        try:
            _require_made(os.read(answers, 8))
            _write_maps(pid, maps)
            os.write(words, b"0")
            if os.read(answers, 1) != b"r" or not _has_become(pid):
                raise ExternalFailure("cannot set up the user namespace: its first process ended")
            return _publish(path, pid)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    finally:
        os.close(answers)
        os.close(words)


def _has_become(pid: int) -> bool:
    """Wait until that child is the program that keeps: by its name others know it. False: it ended."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            if file.read().rstrip("\n") in _NAMES:
                return True
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False
        time.sleep(0.001)
    return False


def _require_made(answer: bytes) -> None:
    if answer == b"x":
        return
    number = int(answer) if answer.isdigit() else 0
    reasons = {
        errno.EPERM: "they are switched off: see sysctl kernel.unprivileged_userns_clone, AppArmor or seccomp",
        errno.ENOSPC: "there are as many user namespaces as sysctl user.max_user_namespaces allows",
    }
    raise HostLacks(
        f"cannot clone: {os.strerror(number) if number else 'the process ended'}",
        hint=reasons.get(number, "`sonata doctor` says what this host lacks for ordinary users"),
    )


def _write_maps(pid: int, maps: IdMapping) -> None:
    if len(maps.uids) == 1 and len(maps.gids) == 1 and maps.uids[0].size == maps.gids[0].size == 1:
        for name, text in (("setgroups", "deny"), ("uid_map", _line(maps.uids[0])), ("gid_map", _line(maps.gids[0]))):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        return
    for program, parts in (("newuidmap", maps.uids), ("newgidmap", maps.gids)):
        _run_helper(program, pid, parts)


def _line(part: IdMap) -> str:
    return f"{part.container_id} {part.host_id} {part.size}\n"


def _run_helper(name: str, pid: int, parts: tuple[IdMap, ...]) -> None:
    program = _in_path(name)
    if not program:
        raise HostLacks(
            f'command required for rootless mode with multiple IDs: exec: "{name}": executable file not found in $PATH',
            hint="install the package uidmap",
        )
    words = [str(number) for part in parts for number in (part.container_id, part.host_id, part.size)]
    try:
        result = run(Command(argv=(program, str(pid), *words), env={}, timeout=60))
    except CommandFailed as error:
        raise ExternalFailure(f'cannot set up namespace using "{program}": {error.message}') from error
    if result.code == 0:
        return
    said = result.stderr.decode(errors="replace").strip()
    if not os.stat(program).st_mode & 0o6000 and not _has_capabilities(program):
        raise HostLacks(
            f'cannot set up namespace using "{program}": should have setuid or have filecaps setuid: '
            f"exit status {result.code}",
            hint=f"chmod u+s {program}, or install the package uidmap anew",
        )
    raise ExternalFailure(
        f'cannot set up namespace using "{program}": {said or f"exit status {result.code}"}',
        hint=_why_overlapping(parts) or _why_plain(program) or (None if said else "install the package uidmap anew"),
    )


def _why_overlapping(parts: tuple[IdMap, ...]) -> str:
    """Ranges of the user's that hold the same ids: the kernel takes each id once."""
    from itertools import pairwise

    for one, other in pairwise(sorted(parts, key=lambda part: part.host_id)):
        if other.host_id < one.host_id + one.size:
            shown = f"{one.host_id}:{one.size} and {other.host_id}:{other.size}"
            return f"the user's ranges {shown} in /etc/subuid or /etc/subgid overlap: take one of the lines away"
    return ""


def _why_plain(program: str) -> str:
    """Why a program that should has no privilege; empty where nothing is known."""
    if os.statvfs(program).f_flag & os.ST_NOSUID:
        return f"{program} is on a file system that is mounted nosuid"
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        if "\nNoNewPrivs:\t1" in file.read():
            return "this process may gain no privileges: run Sonata without no_new_privs (NoNewPrivileges=)"
    return ""


def _has_capabilities(program: str) -> bool:
    try:
        return bool(os.getxattr(program, "security.capability"))
    except OSError:
        return False


def _in_path(name: str) -> str:
    for folder in (os.environ.get("PATH") or os.defpath).split(":"):
        if folder.startswith("/") and os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    return ""


def _publish(path: str, pid: int) -> int:
    """Name the keeper in `path`, unless another one was named meanwhile: then ours ends."""
    temporary = f"{path}.{os.getpid()}"
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(temporary, "w", encoding="ascii") as file:
            file.write(str(pid))
        # Or what one takes for stale would be what the other has just written.
        fcntl.flock(folder, fcntl.LOCK_EX)
        for _ in range(8):
            try:
                os.link(temporary, path)
            except FileExistsError:
                other = keeper(path)
                if other:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    return other
                _forget_stale(path)
            else:
                return pid
    finally:
        os.close(folder)
        _forget_stale(temporary)
    raise Conflict(f"{path} is replaced again and again", hint="remove it")


def _forget_stale(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def end(path: str) -> bool:
    """Have the keeper of this process's namespaces end, and forget it; False where there is none.

    What runs in the namespaces goes on.
    """
    pid = keeper(path, joined=True)
    if pid:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    _forget_stale(path)
    return bool(pid)


def marks(uid: int, gid: int) -> Mapping[str, str]:
    """Variables that tell programs of ours, and Podman, that they are in the namespace already, and for whom."""
    return {
        "_CONTAINERS_USERNS_CONFIGURED": "done",
        "_CONTAINERS_ROOTLESS_UID": str(uid),
        "_CONTAINERS_ROOTLESS_GID": str(gid),
    }
