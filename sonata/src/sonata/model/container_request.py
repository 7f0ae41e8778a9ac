"""What a door asks of containers that exist: field names are options' long names."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class Selection(Record):
    """Which containers a command means: names and id prefixes, all, the latest, files, filters.

    `filter` holds `KEY=VALUE` texts as given; `cidfile` paths of files that hold an id.
    """

    names: tuple[str, ...] = ()
    all: bool = False
    latest: bool = False
    cidfile: tuple[str, ...] = ()
    filter: tuple[str, ...] = ()


class ExecRequest(Record):
    """`exec`: `command` in the container `name`; `wait` is seconds to wait for it to run."""

    name: str = ""
    command: tuple[str, ...]
    latest: bool = False
    cidfile: str = ""
    detach: bool = False
    detach_keys: str | None = None
    env: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    interactive: bool = False
    no_session: bool = False
    preserve_fd: tuple[int, ...] = ()
    preserve_fds: int = 0
    privileged: bool = False
    tty: bool = False
    user: str = ""
    wait: int = 0
    workdir: str = ""
    caller_env: Mapping[str, str] = {}


class DebugRequest(Record):
    """`debug`: `command` (empty: `shell`) from the image of tools, in the namespaces of container `name`."""

    name: str
    command: tuple[str, ...] = ()
    detach_keys: str | None = None
    image: str = ""
    interactive: bool = False
    pull: str | None = None
    quiet: bool = False
    shell: str = "/bin/sh"
    tty: bool = False
    user: str = ""
    create_command: tuple[str, ...] = ()


class StartRequest(Record):
    """`start`. `sig_proxy` None: as `attach`."""

    select: Selection
    attach: bool = False
    detach_keys: str | None = None
    interactive: bool = False
    sig_proxy: bool | None = None


class AttachContainerRequest(Record):
    """`attach`."""

    name: str = ""
    latest: bool = False
    detach_keys: str | None = None
    no_stdin: bool = False
    sig_proxy: bool = True


class StopRequest(Record):
    """`stop`. `time` in seconds, None: as each container says, negative: for ever."""

    select: Selection
    ignore: bool = False
    time: int | None = None


class RestartRequest(Record):
    """`restart`. `time` as of stop; `running`: only those that run."""

    select: Selection
    running: bool = False
    time: int | None = None


class KillRequest(Record):
    """`kill`. `signal` is a name with or without SIG, in any case, or a number."""

    select: Selection
    signal: str = "KILL"


class RemoveRequest(Record):
    """`rm`. `volumes`: anonymous volumes too; `depend`: containers that need it too."""

    select: Selection
    depend: bool = False
    force: bool = False
    ignore: bool = False
    storage: bool = False
    time: int | None = None
    volumes: bool = False


class CloneRequest(Record):
    """`container clone`: `image` in the place of the original's; `destroy` the original, if it runs with `force`.

    `pod`: the name of the pod that it is to be in; empty: as the original.
    """

    name: str = ""
    image: str = ""
    destroy: bool = False
    force: bool = False
    pod: str = ""
    run: bool = False


class SpecRequest(Record):
    """`generate spec`: with a `new_name`, on few lines if `compact`."""

    compact: bool = False
    new_name: bool = True


class WaitRequest(Record):
    """`wait`. `interval` is a Go duration or milliseconds; `condition` defaults to stopped."""

    select: Selection
    condition: tuple[str, ...] = ()
    exit_first_match: bool = False
    ignore: bool = False
    interval: str = "250ms"


class LogsRequest(Record):
    """`logs`. `since` and `until` are times as typed; `tail` -1: all."""

    select: Selection
    color: bool = False
    details: bool = False
    follow: bool = False
    names: bool = False
    since: str = ""
    tail: int = -1
    timestamps: bool = False
    until: str = ""


class ListRequest(Record):
    """`ps`: which rows and in which order; `last` N newest, -1: no limit."""

    all: bool = False
    external: bool = False
    filter: tuple[str, ...] = ()
    last: int = -1
    latest: bool = False
    ns: bool = False
    pod: bool = False
    size: bool = False
    sort: str = "created"
    sync: bool = False
