"""Defaults for containers, as containers.conf gives them; the values here are Podman's built-in ones."""

from sonata_core.record import Record

DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)


class Defaults(Record):
    """Table `[containers]` of containers.conf and what of `[engine]` and `[network]` a container is made with.

    Sizes and limits stay in the files' own grammar; `plan` reads them as it reads options.
    """

    annotations: tuple[str, ...] = ()
    apparmor_profile: str = ""
    base_hosts_file: str = ""
    cgroup_conf: tuple[str, ...] = ()
    cgroupns: str = ""
    """Empty: private on cgroup v2, host on v1."""
    cgroups: str = "enabled"
    container_name_as_hostname: bool = False
    default_capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    default_sysctls: tuple[str, ...] = ("net.ipv4.ping_group_range=0 0",)
    default_ulimits: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    env: tuple[str, ...] = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)
    env_host: bool = False
    http_proxy: bool = True
    host_containers_internal_ip: str = ""
    init: bool = False
    init_path: str = ""
    ipcns: str = "shareable"
    label: bool = True
    log_driver: str = "k8s-file"
    log_path: str = ""
    log_size_max: int = -1
    log_tag: str = ""
    mounts: tuple[str, ...] = ()
    netns: str = ""
    """Empty: bridge as root, pasta or slirp4netns otherwise."""
    no_hosts: bool = False
    no_hostname: bool = False
    oom_score_adj: int | None = None
    pidns: str = "private"
    pids_limit: int = 2048
    prepare_volume_on_create: bool = False
    privileged: bool = False
    read_only: bool = False
    read_only_tmpfs: bool = True
    seccomp_profile: str = ""
    shm_size: str = "65536k"
    tz: str = ""
    umask: str = "0022"
    userns: str = ""
    utsns: str = "private"
    volumes: tuple[str, ...] = ()

    cgroup_manager: str = "cgroupfs"
    default_network: str = "podman"
    health_interval: str = "30s"
    image_volume_mode: str = "anonymous"
    network_backend: str = "netavark"
    pod_exit_policy: str = "continue"
    rootless_network: str = "pasta"
    runtime: str = "crun"
    stop_timeout: int = 10
    storage_driver: str = "overlay"
    detach_keys: str = "ctrl-p,ctrl-q"
