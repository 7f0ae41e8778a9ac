"""What passes between the engine and an OCI runtime's plugin."""

from sonata_core.lite import Any, Mapping, StrEnum
from sonata_core.models.ids import ContainerId
from sonata_core.record import Record

Resources = Mapping[str, Any]
"""The `linux.resources` object of the OCI runtime specification."""


class ContainerRef(Record):
    """A container as a runtime knows it: its bundle (persistent) and its volatile folder."""

    id: ContainerId
    bundle: str
    run_dir: str


class LaunchVerb(StrEnum):
    """What the monitor runs the runtime for."""

    CREATE = "create"
    EXEC = "exec"
    RESTORE = "restore"


class LaunchRequest(Record):
    """Asks how the runtime is to be invoked. `log_path` is where it must write its JSON log."""

    verb: LaunchVerb
    ref: ContainerRef
    log_path: str
    terminal: bool = False
    systemd_cgroup: bool = False
    cgroups_disabled: bool = False
    no_pivot: bool = False
    no_new_keyring: bool = False
    preserve_fds: int = 0
    flags: tuple[str, ...] = ()
    """Global flags that the user or containers.conf gave, without their dashes."""


class Launch(Record):
    """The parts of an invocation; the monitor composes and runs it.

    The line becomes `program global_args… VERB --bundle … --pid-file … verb_args… ID`.
    """

    program: str
    global_args: tuple[str, ...] = ()
    verb_args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}


class RuntimeStatus(StrEnum):
    """The states of the OCI runtime specification, and absence."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ABSENT = "absent"


class RuntimeState(Record):
    """A container as its runtime sees it; `pid` is 0 where there is no process."""

    status: RuntimeStatus
    pid: int = 0


class RuntimeFacts(Record):
    """A runtime program. `cgroup_hybrid`: it runs where cgroup v1 and v2 share the controllers."""

    program: str
    version: str
    version_text: str = ""
    spec_version: str = "1.0.2"
    cgroup_versions: tuple[int, ...] = (1, 2)
    cgroup_hybrid: bool = True
    user_namespaces: bool = True
    id_mapped_mounts: bool = False
    checkpoint: bool = False


class FailureKind(StrEnum):
    """Why the runtime could not create or exec."""

    NOT_FOUND = "not-found"
    DENIED = "denied"
    OTHER = "other"


class RuntimeFailure(Record):
    """A failed create or exec, understood. `text` is what the user is shown."""

    kind: FailureKind
    text: str
