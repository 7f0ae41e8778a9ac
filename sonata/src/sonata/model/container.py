"""A container as it was decided once: what `plan` made of a request, kept in `state` for good."""

from sonata_core.lite import Any, Mapping, StrEnum
from sonata_core.models.net import PortMapping
from sonata_core.models.process import IdMapping
from sonata_core.record import Record


class NamespaceKind(StrEnum):
    """Where a namespace comes from."""

    PRIVATE = "private"
    HOST = "host"
    CONTAINER = "container"
    """`value` is the other container's id."""
    PATH = "path"
    """`value` is a file to enter."""
    POD = "pod"
    """`value` is the id of the pod's infra container."""
    NONE = "none"
    """The network: private with nothing in it. IPC: private without /dev/shm."""
    SHAREABLE = "shareable"
    """IPC: private, and others may join."""
    KEEP_ID = "keep-id"
    NO_MAP = "nomap"
    AUTO = "auto"


class NamespaceChoice(Record):
    """One namespace, decided."""

    kind: NamespaceKind
    value: str = ""


class Namespaces(Record):
    """All of them. `network` says how the container gets its network namespace, not what is in it."""

    cgroup: NamespaceChoice
    ipc: NamespaceChoice
    network: NamespaceChoice
    pid: NamespaceChoice
    user: NamespaceChoice
    uts: NamespaceChoice


class MountKind(StrEnum):
    """What lies at a mount's destination."""

    BIND = "bind"
    VOLUME = "volume"
    """`source` is the volume's name."""
    TMPFS = "tmpfs"
    IMAGE = "image"
    """`source` is an image's name: mounted, with an overlay on top."""
    OVERLAY = "overlay"
    """`-v …:O`: an overlay over the folder `source`."""
    GLOB = "glob"
    DEVPTS = "devpts"
    RAMFS = "ramfs"
    ARTIFACT = "artifact"


class MountUse(Record):
    """One mount that the user or the image asked for.

    `options` are as the user gave them, without those that became fields here; `plan.spec` adds
    what is always there. `anonymous` volumes go with the container.
    """

    kind: MountKind
    target: str
    source: str = ""
    options: tuple[str, ...] = ()
    read_only: bool = False
    anonymous: bool = False
    subpath: str = ""
    relabel: str = ""
    """`z` shared, `Z` private, empty none."""
    chown: bool = False
    id_map: str | None = None
    """`""`: the container's own maps; `uids=…;gids=…` others; None: none."""
    copy: bool = True
    """A volume's first use copies what the image has at `target` into it."""
    upper_dir: str = ""
    work_dir: str = ""
    overlay: bool = False
    """A volume under an overlay of the container's own: what is written does not reach the volume."""
    image_id: str = ""
    """Of an image mount: what `source` named when the container was made."""
    volume_options: Mapping[str, str] = {}
    """`volume-opt=…`: options that a volume is made with if there is none yet."""
    origin: str = "user"
    """`user`, `image` (VOLUME), `volumes-from`, `default`."""


class NetworkMode(StrEnum):
    """What is in the container's network namespace."""

    BRIDGE = "bridge"
    """Attached to named networks."""
    SLIRP4NETNS = "slirp4netns"
    PASTA = "pasta"
    NONE = "none"
    HOST = "host"
    CONTAINER = "container"
    PATH = "path"
    PRIVATE = "private"
    POD = "pod"


class NetworkUse(Record):
    """An attachment that is wanted: to `network` (name or id as given, `""` for the default)."""

    network: str
    interface: str = ""
    static_ips: tuple[str, ...] = ()
    mac: str = ""
    aliases: tuple[str, ...] = ()
    options: Mapping[str, str] = {}


class NetworkConfig(Record):
    """The network side of a container. `options` are the mode's own (`slirp4netns:mtu=…`).

    A port with `host_port` 0 has no host port yet: `plan.ports.assign` gives it one.
    """

    mode: NetworkMode
    networks: tuple[NetworkUse, ...] = ()
    options: tuple[str, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    exposed: tuple[str, ...] = ()
    """`80/tcp`: what the image and `--expose` name."""
    publish_all: bool = False
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    add_hosts: tuple[str, ...] = ()
    manage_hosts: bool = True
    manage_resolv: bool = True
    manage_hostname: bool = True
    base_hosts: str = ""
    """`""` the host's file, `image`, `none`, or a path."""


class Capabilities(Record):
    """Names with `CAP_`, sorted. For a user that is not root, only `bounding` and what was added count."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class SecurityConfig(Record):
    """What the process may do."""

    privileged: bool = False
    capabilities: Capabilities = Capabilities()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp: str = ""
    """`""` the default profile, `unconfined`, or the path of a profile."""
    seccomp_policy: str = "default"
    apparmor: str = ""
    label_options: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    unmask: tuple[str, ...] = ()
    proc_options: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    """As given, for `inspect`."""


class Device(Record):
    """A device node of the host as it is seen in the container. `access` is of `rwm`, `mode` is st_mode."""

    source: str
    path: str
    access: str = "rwm"
    type: str = "c"
    major: int = 0
    minor: int = 0
    mode: int = 0o020666
    uid: int = 0
    gid: int = 0


class Rlimit(Record):
    """A process limit by its spec name (`RLIMIT_NOFILE`); -1 is unlimited. `given`: by the user."""

    type: str
    soft: int
    hard: int
    given: bool = True


class LogConfig(Record):
    """Where output goes. `max_size` in bytes, 0: the engine's own bound; -1: unlimited. `max_files` with older ones."""

    driver: str
    path: str = ""
    max_size: int = 0
    max_files: int = 1
    tag: str = ""
    labels: Mapping[str, str] = {}


class RestartPolicy(Record):
    """`name` is no, always, on-failure or unless-stopped; `retries` bounds on-failure, 0: no bound."""

    name: str = "no"
    retries: int = 0


class StartupCheck(Record):
    """A check that must succeed `successes` times before the health check proper begins."""

    test: tuple[str, ...]
    interval: int
    timeout: int
    retries: int = 0
    successes: int = 0


class Healthcheck(Record):
    """`test` is in Docker's form (`CMD`, …, or `CMD-SHELL`, line, or `NONE`); times in nanoseconds."""

    test: tuple[str, ...] = ()
    interval: int = 30_000_000_000
    timeout: int = 30_000_000_000
    start_period: int = 0
    retries: int = 3
    on_failure: str = "none"
    log_destination: str = "local"
    max_log_count: int = 5
    max_log_size: int = 500
    startup: StartupCheck | None = None


class SecretUse(Record):
    """A secret: a file at `target`, or with `env` a variable of that name."""

    name: str
    target: str = ""
    env: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = 0o444


class Backends(Record):
    """The plugins that this container was made with."""

    runtime: str
    storage: str
    network: str = ""
    cgroup_manager: str = "cgroupfs"


class ProcessConfig(Record):
    """The first process. `entrypoint` and `command` are final; `args` is what is run."""

    args: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str = "/"
    cwd_given: bool = False
    """With `--workdir`: must exist. Without: is made."""
    user: str = ""
    groups: tuple[str, ...] = ()
    terminal: bool = False
    stdin_open: bool = False
    umask: str = "0022"
    timezone: str = ""
    init: bool = False
    init_path: str = ""
    systemd: bool = False
    stop_signal: int = 15
    stop_timeout: int = 10
    timeout: int = 0
    oom_score_adj: int | None = None
    personality: str = ""
    sdnotify: str = "container"
    preserve_fds: int = 0
    passwd: bool = True
    passwd_entry: str = ""
    group_entry: str = ""
    host_users: tuple[str, ...] = ()


class ContainerConfig(Record):
    """A container, decided: from here to the spec nothing is looked up in options or defaults again."""

    id: str
    name: str
    created: str
    """RFC 3339 with nanoseconds."""
    image: str = ""
    """The image's name as it is shown; empty for a root filesystem."""
    image_id: str = ""
    image_given: str = ""
    """What the user typed."""
    rootfs: str = ""
    rootfs_overlay: bool = False
    rootfs_id_map: str | None = None
    hostname: str = ""
    """As given; empty: the id's first twelve digits, or as the UTS namespace says."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    process: ProcessConfig
    security: SecurityConfig = SecurityConfig()
    namespaces: Namespaces
    id_mapping: IdMapping | None = None
    network: NetworkConfig
    mounts: tuple[MountUse, ...] = ()
    image_volumes: str = "anonymous"
    devices: tuple[Device, ...] = ()
    device_rules: tuple[Mapping[str, Any], ...] = ()
    cdi_devices: tuple[str, ...] = ()
    """Qualified names (`vendor.com/class=name`), looked up at each start."""
    host_devices: bool = False
    """Every device of the host: privileged."""
    sysctl: Mapping[str, str] = {}
    shm_size: int = 65536000
    shm_size_systemd: int = 0
    read_only: bool = False
    read_only_tmpfs: bool = True
    resources: Mapping[str, Any] = {}
    """`linux.resources` of the runtime specification, without devices."""
    rlimits: tuple[Rlimit, ...] = ()
    rlimits_host: bool = False
    """`--ulimit host`."""
    rdt_class: str = ""
    cgroups: str = "enabled"
    cgroup_parent: str = ""
    secrets: tuple[SecretUse, ...] = ()

    log: LogConfig
    restart: RestartPolicy = RestartPolicy()
    healthcheck: Healthcheck | None = None
    auto_remove: bool = False
    auto_remove_image: bool = False
    pid_file: str = ""
    conmon_pid_file: str = ""
    cid_file: str = ""
    pod: str = ""
    """The id of its pod."""
    infra: bool = False
    """It is its pod's infra container."""
    init_type: str = ""
    requires: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    chroot_dirs: tuple[str, ...] = ()
    backends: Backends
    create_command: tuple[str, ...] = ()
    noted: Mapping[str, str] = {}
    """Options that tools read back from `io.podman.annotations.*`: seccomp, pids-limit, cpuset, …"""
    notices: tuple[str, ...] = ()
    """What the user should be told once (limits that were dropped, …)."""
    revision: int = 1
    """Of this record's form."""
