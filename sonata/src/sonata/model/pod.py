"""A pod as it was decided, and what a door asks of pods."""

from sonata.model.container import RestartPolicy
from sonata.model.request import ResourceOptions
from sonata_core.lite import Any, Mapping
from sonata_core.record import Record

INFRA_PROGRAM = "/catatonit"
"""Where the infra container sees the host's program that waits for ever and reaps."""


class PodConfig(Record):
    """Containers that share namespaces, a control group and a fate.

    What is shared belongs to the infra container, an ordinary container without an image that only waits;
    what members inherit of its options is kept here as it was typed.
    """

    id: str
    name: str
    created: str
    """RFC 3339 with nanoseconds."""
    labels: Mapping[str, str] = {}
    hostname: str = ""
    """As given; empty: the pod's name."""
    infra: str = ""
    """The infra container's id; empty: there is none, and nothing is shared."""
    share: tuple[str, ...] = ()
    """Namespaces that members join, sorted: cgroup, ipc, net, pid, user, uts."""
    share_parent: bool = True
    """Members are below the pod's own control group, which has its limits."""
    cgroup_parent: str = ""
    cgroup_manager: str = "cgroupfs"
    resources: Mapping[str, Any] = {}
    """`linux.resources` of the runtime specification, for the pod's control group."""
    exit_policy: str = "continue"
    """`stop`: the pod is stopped when the last of its containers has ended."""
    restart: RestartPolicy | None = None
    """The policy of members that name none."""
    device: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    shm_size: str = ""
    shm_size_systemd: str = ""
    create_command: tuple[str, ...] = ()
    asked: Mapping[str, Any] = {}
    """The request's options by name, as far as they were given: a clone is made from them."""
    revision: int = 1
    """Of this record's form."""

    def cgroup(self) -> str:
        """The path of the pod's control group; empty where it has none of its own."""
        if not self.share_parent:
            return ""
        if self.cgroup_manager == "systemd":
            return self.slice()
        return f"{(self.cgroup_parent or '/libpod_parent').rstrip('/')}/{self.id}"

    def slice(self) -> str:
        """The name of the systemd slice that stands for the control group."""
        parent = (self.cgroup_parent or "machine.slice").removesuffix(".slice")
        return f"{parent}-libpod_pod_{self.id}.slice"


class PodRequest(ResourceOptions):
    """`pod create`: options of the infra container, limits of the pod, and what members inherit.

    `infra` None: not said; there is one unless nothing is shared. `share` None: ipc, net and uts.
    """

    exit_policy: str = ""
    infra: bool | None = None
    infra_command: str | None = None
    infra_conmon_pidfile: str = ""
    infra_image: str = ""
    infra_name: str = ""
    label: tuple[str, ...] = ()
    label_file: tuple[str, ...] = ()
    name: str = ""
    pod_id_file: str = ""
    replace_existing: bool = False
    """`--replace`."""
    restart: str = ""
    share: str | None = None
    share_parent: bool = True

    caller_env: Mapping[str, str] = {}
    caller_dir: str = "/"
    create_command: tuple[str, ...] = ()


class PodSelection(Record):
    """Which pods a command means: names and id prefixes, all, the latest, files that hold an id."""

    names: tuple[str, ...] = ()
    all: bool = False
    latest: bool = False
    pod_id_file: tuple[str, ...] = ()


class PodMember(Record):
    """A container of a pod, as lists of pods show it."""

    id: str
    name: str
    state: str
    restarts: int = 0
    init: bool = False


class ListedPod(Record):
    """A row of `pod ps`. `created` in nanoseconds since the epoch."""

    id: str
    name: str
    created: int
    created_text: str
    status: str
    cgroup: str
    infra: str
    labels: Mapping[str, str]
    networks: tuple[str, ...]
    members: tuple[PodMember, ...]
