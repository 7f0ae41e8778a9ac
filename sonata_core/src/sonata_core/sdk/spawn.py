"""Starting a program without `subprocess`: posix_spawn, with descriptors put where they are wanted.

`posix_spawn` cannot change the folder or the network namespace, and Python must not run code between
fork and exec in a threaded process; both are done by a throwaway thread that spawns from there. A
process that has one thread only just goes to the folder and comes back.
"""

from __future__ import annotations

import fcntl
import os

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk import syscalls

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
else:
    import _signal as signal

from sonata_core.record import Record


class SpawnOptions(Record):
    """Where and how a program starts.

    `fds` maps the program's descriptor numbers to ours; 0 to 2 are inherited unless named, all
    others of ours are closed on exec. `group` gives it a process group of its own, `session` a session. `binds` are
    shown, first at second, in a mount namespace of its own that hears of the others' mounts and is not heard.
    """

    fds: "Mapping[int, int]" = {}
    cwd: "str | None" = None
    netns: "str | None" = None
    group: bool = False
    session: bool = False
    binds: "Sequence[tuple[str, str]]" = ()


def spawn(argv: Sequence[str], env: Mapping[str, str], options: SpawnOptions) -> int:
    """Start `argv[0]` (an absolute path) and return its pid. Raises OSError.

    Signals that Python ignores are given their default action, and none is blocked.
    """
    raised: list[int] = []
    try:
        actions = [*_descriptor_actions(options.fds, raised), *_closings(options.fds)]
        extra: dict[str, Any] = {"setpgroup": 0} if options.group else {}
        if options.session:
            extra["setsid"] = True

        def start() -> int:
            return os.posix_spawn(
                argv[0],
                list(argv),
                env,
                file_actions=actions,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
                **extra,
            )

        return _start_there(start, options)
    finally:
        for descriptor in raised:
            os.close(descriptor)


def _start_there(start: Callable[[], int], options: SpawnOptions) -> int:
    """Call `start` in the folder and network namespace that are wanted."""
    if options.cwd is None and options.netns is None and not options.binds:
        return start()
    if (
        options.netns is None
        and not options.binds
        and options.cwd is not None
        and len(os.listdir("/proc/self/task")) == 1
    ):
        # Alone, nobody sees that we were elsewhere; loading ctypes would cost five times the spawn.
        here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.chdir(options.cwd)
            try:
                return start()
            finally:
                os.fchdir(here)
        finally:
            os.close(here)

    def elsewhere() -> int:
        if options.binds:
            show(options.binds)
        if options.cwd is not None:
            syscalls.unshare(syscalls.CLONE_FS)
            os.chdir(options.cwd)
        if options.netns is not None:
            enter_netns(options.netns)
        return start()

    return syscalls.in_thread(elsewhere)


def show(binds: Sequence[tuple[str, str]]) -> None:
    """Give the calling thread a mount namespace of its own, with each source bound at its place. Raises OSError."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", syscalls.MS_SLAVE | syscalls.MS_REC)
    for source, place in binds:
        syscalls.mount(source, place, syscalls.MS_BIND | syscalls.MS_REC)


def enter_netns(path: str) -> None:
    """Enter the network namespace at `path` with the calling thread. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(descriptor, syscalls.CLONE_NEWNET)
    finally:
        os.close(descriptor)


def is_netns(path: str) -> bool:
    """Whether a network namespace is pinned at `path`."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/thread-self/ns/net").st_dev
    except OSError:
        return False


def refuse_host_netns(path: str) -> None:
    """Raise UsageError if that network namespace is our own: a backend would take down the host's interfaces."""
    try:
        asked, own = os.stat(path), os.stat("/proc/thread-self/ns/net")
    except OSError:
        return
    if (asked.st_dev, asked.st_ino) == (own.st_dev, own.st_ino):
        raise UsageError(f"network namespace {path} is the host's own", "use --network host for that")


def _closings(fds: Mapping[int, int]) -> list[tuple[int, int]]:
    """Close actions for what our own caller left open to us without meaning it for the program: it may live long."""
    found: list[tuple[int, int]] = []
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if number > 2 and number not in fds and os.get_inheritable(number):
                # Opened before the limit was lowered, as by `ulimit -n`: there glibc refuses to close it.
                if number >= os.sysconf("SC_OPEN_MAX"):
                    os.set_inheritable(number, False)
                else:
                    found.append((os.POSIX_SPAWN_CLOSE, number))
        except OSError:  # the descriptor of that very listing
            continue
    return found


def _descriptor_actions(fds: Mapping[int, int], raised: list[int]) -> list[tuple[int, int, int]]:
    """dup2 actions; sources that a target would overwrite are first copied above all targets."""
    floor = max(fds, default=0) + 1
    actions = []
    for target, source in fds.items():
        origin = source
        if source < floor and source != target:
            origin = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, floor)
            raised.append(origin)
        actions.append((os.POSIX_SPAWN_DUP2, origin, target))
    return actions
