"""What the state database keeps of a container's present."""

from sonata.model.container import ContainerConfig
from sonata_core.lite import Any, Mapping
from sonata_core.record import Record


class ContainerState(Record):
    """What a container does now. Times are nanoseconds since the epoch, 0 for never.

    `boot` is the kernel's boot id under which this was written: under another one nothing of
    it is alive. A process is its pid and its start time, so that a recycled pid is never believed.
    """

    phase: str
    boot: str = ""
    pid: int = 0
    pid_start: int = 0
    conmon_pid: int = 0
    conmon_start: int = 0
    exit_code: int = 0
    exited: bool = False
    stopped_by_user: bool = False
    oom_killed: bool = False
    error: str = ""
    started: int = 0
    finished: int = 0
    restarts: int = 0
    restart_at: int = 0
    """When the policy starts it again; 0: it does not."""
    restart_wait: int = 0
    """How long the last such start was put off, in nanoseconds."""
    netns: str = ""
    request: Mapping[str, Any] = {}
    """The attach request that the network was made with, frozen."""
    attached: Mapping[str, Any] = {}
    """The attach result, frozen."""
    mountpoint: str = ""
    health: str = ""
    cgroup: str = ""
    prepared: bool = False
    """Volumes have had their first copy, the working directory exists."""

    def at_rest(self, phase: str, **changes: Any) -> "ContainerState":
        """Nothing of it is alive or attached any more."""
        nothing = dict.fromkeys(("pid", "pid_start", "conmon_pid", "conmon_start"), 0)
        return self.replace(phase=phase, **nothing, netns="", mountpoint="", request={}, attached={}, **changes)


class ContainerRow(Record):
    """A container with its present."""

    config: ContainerConfig
    state: ContainerState


class ExecState(Record):
    """An exec session."""

    id: str
    container: str
    command: tuple[str, ...] = ()
    user: str = ""
    terminal: bool = False
    running: bool = False
    pid: int = 0
    pid_start: int = 0
    exit_code: int = 0
    boot: str = ""
