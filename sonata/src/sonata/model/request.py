"""What a door asks for when it creates or runs a container: options as given, nothing decided.

A field is an option's long name with `_` for `-`, so that every door can fill a request from a
table (`--replace` alone is `replace_existing`). Options whose value has a grammar of its own stay
strings: `plan` is where they are read.
`None` means that the option was not given, wherever that differs from its default.
The options stand in groups, each of which adds its own to the one before: slots allow one line of
descent only.
"""

from sonata.model.image_request import PullOptions
from sonata_core.lite import Mapping


class ProcessOptions(PullOptions):
    """The process and its environment. `entrypoint` None: the image's; `""`: none."""

    entrypoint: str | None = None
    env: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    env_host: bool | None = None
    env_merge: tuple[str, ...] = ()
    http_proxy: bool | None = None
    init: bool | None = None
    init_path: str = ""
    interactive: bool = False
    stop_signal: str = ""
    stop_timeout: int | None = None
    systemd: str = "true"
    timeout: int = 0
    tty: bool = False
    tz: str = ""
    unsetenv: tuple[str, ...] = ()
    unsetenv_all: bool = False
    workdir: str = ""


class StorageOptions(ProcessOptions):
    """What is mounted."""

    chrootdirs: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    image_volume: str | None = None
    mount: tuple[str, ...] = ()
    read_only: bool | None = None
    read_only_tmpfs: bool | None = None
    tmpfs: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()


class SecurityOptions(StorageOptions):
    """Privileges."""

    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    group_entry: str = ""
    passwd: bool = True
    passwd_entry: str = ""
    personality: str = ""
    privileged: bool | None = None
    seccomp_policy: str = "default"
    secret: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctl: tuple[str, ...] = ()
    umask: str = ""
    user: str = ""


class NetworkOptions(SecurityOptions):
    """Networks, ports and names. `network` is None where the option was not given."""

    add_host: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_option: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    hostname: str = ""
    hosts_file: str = ""
    ip: str = ""
    ip6: str = ""
    mac_address: str = ""
    network: tuple[str, ...] | None = None
    network_alias: tuple[str, ...] = ()
    no_hostname: bool | None = None
    no_hosts: bool | None = None
    publish: tuple[str, ...] = ()
    publish_all: bool = False


class NamespaceOptions(NetworkOptions):
    """Namespaces and identifier maps."""

    cgroupns: str = ""
    gidmap: tuple[str, ...] = ()
    hostuser: tuple[str, ...] = ()
    ipc: str = ""
    pid: str = ""
    subgidname: str = ""
    subuidname: str = ""
    uidmap: tuple[str, ...] = ()
    userns: str = ""
    uts: str = ""


class ResourceOptions(NamespaceOptions):
    """Limits. Sizes are strings with a unit (`64m`); times are microseconds."""

    blkio_weight: str = ""
    blkio_weight_device: tuple[str, ...] = ()
    cgroup_conf: tuple[str, ...] = ()
    cgroup_parent: str = ""
    cgroups: str | None = None
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    cpu_shares: int = 0
    cpus: float = 0.0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    device_cgroup_rule: tuple[str, ...] = ()
    device_read_bps: tuple[str, ...] = ()
    device_read_iops: tuple[str, ...] = ()
    device_write_bps: tuple[str, ...] = ()
    device_write_iops: tuple[str, ...] = ()
    kernel_memory: str = ""
    memory: str = ""
    memory_reservation: str = ""
    memory_swap: str = ""
    memory_swappiness: int = -1
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    pids_limit: int | None = None
    rdt_class: str = ""
    shm_size: str = ""
    shm_size_systemd: str = ""
    ulimit: tuple[str, ...] = ()


class HealthOptions(ResourceOptions):
    """`--health-*`: times are Go durations, `health_cmd` is a shell line or a JSON array."""

    health_cmd: str | None = None
    health_interval: str | None = None
    health_log_destination: str | None = None
    health_max_log_count: int | None = None
    health_max_log_size: int | None = None
    health_on_failure: str | None = None
    health_retries: int | None = None
    health_start_period: str | None = None
    health_timeout: str | None = None
    health_startup_cmd: str | None = None
    health_startup_interval: str | None = None
    health_startup_retries: int | None = None
    health_startup_success: int | None = None
    health_startup_timeout: str | None = None
    no_healthcheck: bool = False


class RunRequest(HealthOptions):
    """Everything that `create` and `run` may ask. `image` is a name, or a folder with `rootfs`.

    `command` is None where the user gave none. `caller_env` and `caller_dir` are the door's own
    environment and working directory: `-e NAME` and relative paths are resolved against them.
    """

    image: str
    command: tuple[str, ...] | None = None
    annotation: tuple[str, ...] = ()
    cidfile: str = ""
    conmon_pidfile: str = ""
    inherits: str = ""
    """The id of the infra container whose mounts this one gets; doors leave it empty."""
    init_ctr: str = ""
    label: tuple[str, ...] = ()
    label_file: tuple[str, ...] = ()
    log_driver: str = ""
    log_opt: tuple[str, ...] = ()
    name: str = ""
    pidfile: str = ""
    pod: str = ""
    pod_id_file: str = ""
    pull: str | None = None
    quiet: bool = False
    replace_existing: bool = False
    """`--replace`."""
    requires: tuple[str, ...] = ()
    restart: str = ""
    rm: bool = False
    rmi: bool = False
    rootfs: bool = False
    sdnotify: str = "container"

    attach: tuple[str, ...] = ()
    detach: bool = False
    detach_keys: str | None = None
    preserve_fd: tuple[int, ...] = ()
    preserve_fds: int = 0
    sig_proxy: bool | None = None

    caller_env: Mapping[str, str] = {}
    caller_dir: str = "/"
    create_command: tuple[str, ...] = ()
    """The command line that asked, for `inspect`."""
