"""What the engine looks up on behalf of the planner, which looks up nothing itself."""

from sonata.model.container import ContainerConfig, Device, Healthcheck
from sonata_core.lite import Any, Mapping
from sonata_core.models.process import IdMapping
from sonata_core.record import Record


class ImageFacts(Record):
    """What an image's config says; all empty for a root filesystem."""

    id: str = ""
    name: str = ""
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None


class Materials(Record):
    """Given to `plan_container`: identity, and the contents of what the request only names."""

    id: str
    """64 hexadecimal digits, random."""
    name: str
    created: str
    """RFC 3339 with nanoseconds."""
    env_files: tuple[str, ...] = ()
    """Texts of `--env-file`, in order."""
    label_files: tuple[str, ...] = ()
    devices: Mapping[str, tuple[Device, ...]] = {}
    """For each host path that `--device` names: the node, or every node below the folder."""
    containers: Mapping[str, ContainerConfig] = {}
    """For each container that an option names (namespaces, volumes-from), as named."""
    blkio_weight: bool = False
    """Whether the host has a file for block I/O weights."""
    sub_uids: str = ""
    """The text of /etc/subuid, where an option names a range of it."""
    sub_gids: str = ""
    sub_owners: Mapping[str, tuple[str, ...]] = {}
    """For each name of such an option: how its lines in these files may begin."""
    user_namespace: IdMapping | None = None
    """The maps of the namespace of `--userns ns:PATH`."""
    cgroup_delegated: str = ""
    """The control group that an ordinary user may divide."""
    oom_score_adj: int = -1000
    """The engine's own, where an option names one."""
    log_path: str = ""
    """Where the k8s-file log lies unless the request says otherwise."""


class RootfsFacts(Record):
    """The mounted root, and the user as resolved inside it (`plan.users.resolve`)."""

    path: str
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


class RuntimeFiles(Record):
    """Files that the engine has made for this start; empty: not mounted."""

    resolv_conf: str = ""
    hosts: str = ""
    hostname: str = ""
    containerenv: str = ""
    shm: str = ""
    """A mounted tmpfs, or the host's /dev/shm."""
    passwd: str = ""
    group: str = ""
    localtime: str = ""
    secrets: str = ""
    secret_files: Mapping[str, str] = {}
    """Secrets with a target outside /run/secrets: target → file."""
    init: str = ""
    """The init program on the host."""


class NetPaths(Record):
    """The network as the spec needs it. Empty `netns` with a private mode: the runtime makes one."""

    netns: str = ""
    hostname: str = ""
    """The host's name, for containers that share its UTS or network namespace."""


OURS = "ours"
"""In place of a path: the joined namespace is the engine's own."""


class SpecInputs(Record):
    """Given to `runtime_spec` at each start: what the engine has prepared."""

    rootfs: RootfsFacts
    net: NetPaths = NetPaths()
    files: RuntimeFiles = RuntimeFiles()
    sources: Mapping[str, str] = {}
    """For volumes, images and overlays: a mount's target → the folder to bind there; empty: no mount."""
    source_flags: Mapping[str, tuple[str, ...]] = {}
    """For a bind's source: which of nodev, nosuid, noexec its own filesystem is mounted with."""
    namespaces: Mapping[str, str] = {}
    """Paths of joined namespaces by spec name: `ipc`, `pid`, `uts`, `user`, `cgroup`, `network`; or OURS."""
    host_devices: tuple[Device, ...] = ()
    """For privileged containers: the host's device nodes."""
    host_queues: bool = True
    """Whether the host has a /dev/mqueue, to be shown to those who share its queues."""
    secret_env: Mapping[str, str] = {}
    seccomp: Mapping[str, Any] | None = None
    """The profile as parsed from JSON; None: unconfined."""
    selinux_process: str = ""
    selinux_mount: str = ""


class Identity(Record):
    """A resolved user. `known`: there is a passwd entry; `name` is its name or the number."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = "/"
    name: str = ""
    known: bool = False
    group_known: bool = True


class HostsInput(Record):
    """What hosts is written from. `addresses` are the container's own, `names` its host name and name.

    `base` is the text of the base file; `gateway` the address of `host.containers.internal`, empty
    for none. `add` are entries `name[;name…]:address` or `…:host-gateway`.
    """

    base: str = ""
    add: tuple[str, ...] = ()
    gateway: str = ""
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class ResolvInput(Record):
    """What resolv.conf is written from.

    `network` are servers of the container's networks, which alone count where there are any;
    `given` the user's or the configuration's; `helper` a user-mode network's own forwarder;
    `host` the text of the host's file; `own_namespace`, `ipv6`: of the container's network.
    """

    network: tuple[str, ...] = ()
    network_search: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    helper: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    host: str = ""
    own_namespace: bool = True
    ipv6: bool = False
