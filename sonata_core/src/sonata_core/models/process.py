"""Programs that Sonata runs on the host, and identifier maps."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class Command(Record):
    """A program to run to its end, described.

    `env` is the complete environment; None means PATH and XDG_RUNTIME_DIR only. `timeout` is in
    seconds; None waits for ever. `netns` is a path to enter first. With `binds` it gets a mount namespace of its
    own, in which the first of each pair is seen at the second's place, one after the other.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    input: bytes | None = None
    timeout: float | None = None
    cwd: str | None = None
    pass_fds: tuple[int, ...] = ()
    netns: str | None = None
    binds: tuple[tuple[str, str], ...] = ()


class CommandResult(Record):
    """What a program left: its exit code (negative: the signal) and its output."""

    code: int
    stdout: bytes
    stderr: bytes


class HelperProcess(Record):
    """A process that outlives the call which started it.

    `start_time` is field 22 of /proc/PID/stat, in clock ticks since boot, so that a recycled pid
    is never taken for the helper.
    """

    name: str
    pid: int
    start_time: int


class IdMap(Record):
    """One range of a user namespace's map; host ids are as the engine sees them."""

    container_id: int
    host_id: int
    size: int


class IdMapping(Record):
    """The maps of a user namespace."""

    uids: tuple[IdMap, ...] = ()
    gids: tuple[IdMap, ...] = ()
