"""What configuration files and environment amount to: one record per table of the files.

Fields carry no defaults: those stand in the table of settings (`settings.py`), which a warm start
does not read.
"""

from sonata_core.lite import Mapping
from sonata_core.record import Record

CHOOSING = (
    "CONTAINERS_CONF",
    "CONTAINERS_CONF_OVERRIDE",
    "CONTAINERS_HELPER_BINARY_DIR",
    "CONTAINERS_POLICY_JSON",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_REGISTRIES_CONF_OVERRIDE",
    "CONTAINERS_STORAGE_CONF",
    "CONTAINERS_STORAGE_CONF_OVERRIDE",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_CONFIG",
    "HOME",
    "NETAVARK_FW",
    "REGISTRY_AUTH_FILE",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "_CONTAINERS_ROOTLESS_GID",
    "_CONTAINERS_ROOTLESS_UID",
    "_CONTAINERS_USERNS_CONFIGURED",
)
"""Variables that choose configuration and places: what we start for later must see them as this command did.

The last ones are the marks of an ordinary user's namespace: without them its root would pass for the host's.
"""


class ContainerSettings(Record):
    """`[containers]` of containers.conf: what a new container gets unless it asks otherwise."""

    annotations: tuple[str, ...]
    apparmor_profile: str
    base_hosts_file: str
    cgroupns: str
    cgroups: str
    cgroup_conf: tuple[str, ...]
    container_name_as_hostname: bool
    default_capabilities: tuple[str, ...]
    default_sysctls: tuple[str, ...]
    default_ulimits: tuple[str, ...]
    devices: tuple[str, ...]
    dns_servers: tuple[str, ...]
    dns_options: tuple[str, ...]
    dns_searches: tuple[str, ...]
    env: tuple[str, ...]
    env_host: bool
    host_containers_internal_ip: str
    http_proxy: bool
    init: bool
    init_path: str
    interface_name: str
    ipcns: str
    keyring: bool
    label: bool
    log_driver: str
    log_path: str
    log_size_max: int
    """Bytes; -1: without bound."""
    log_tag: str
    mounts: tuple[str, ...]
    netns: str
    no_hosts: bool
    oom_score_adj: int | None
    pids_limit: int
    pidns: str
    privileged: bool
    read_only: bool
    seccomp_profile: str
    shm_size: str
    tz: str
    umask: str
    userns: str
    userns_size: int
    """Ids of an automatic user namespace that names no size; 0: what the image needs."""
    utsns: str
    volumes: tuple[str, ...]


class EngineSettings(Record):
    """`[engine]` of containers.conf."""

    add_compression: tuple[str, ...]
    cdi_spec_dirs: tuple[str, ...]
    cgroup_manager: str
    """`systemd`, `cgroupfs`, or empty: systemd where the host was booted with it."""
    compression_format: str
    compression_level: int
    conmon_env_vars: tuple[str, ...]
    conmon_path: tuple[str, ...]
    debug_image: str
    detach_keys: str
    env: tuple[str, ...]
    events_logfile_path: str
    events_logfile_max_size: int
    events_container_create_inspect_data: bool
    events_logger: str
    exit_command_delay: int
    healthcheck_events: bool
    helper_binaries_dir: tuple[str, ...]
    hooks_dir: tuple[str, ...]
    image_copy_tmp_dir: str
    image_default_transport: str
    image_layer_max_ratio: int
    image_layer_max_size: int
    image_parallel_copies: int
    """0: as many as the engine finds useful."""
    image_volume_mode: str
    infra_command: str
    infra_image: str
    init_path: str
    multi_image_archive: bool
    network_cmd_path: str
    """Of the program that it is named after."""
    network_cmd_options: tuple[str, ...]
    no_pivot_root: bool
    pod_exit_policy: str
    pull_policy: str
    registry_block_seconds: int
    registry_head_seconds: int
    registry_trusted_realms: tuple[str, ...]
    retry: int
    retry_delay: str
    runtime: str
    """A name, a path, or empty: the first of the default order that works here."""
    runtimes: Mapping[str, tuple[str, ...]]
    runtimes_flags: Mapping[str, tuple[str, ...]]
    ssh_config: str
    static_dir: str
    stop_timeout: int
    tmp_dir: str
    volume_path: str
    volume_plugin_timeout: int
    volume_plugins: Mapping[str, str]
    """Name of a volume driver → path of its socket."""


class NetworkSettings(Record):
    """`[network]` of containers.conf."""

    network_backend: str
    netavark_plugin_dirs: tuple[str, ...]
    cni_plugin_dirs: tuple[str, ...]
    firewall_driver: str
    default_network: str
    default_subnet: str
    default_subnet_pools: tuple[tuple[str, int], ...]
    """Pairs of a base network and the prefix length of what is cut from it."""
    default_rootless_network_cmd: str
    pasta_options: tuple[str, ...]
    network_config_dir: str
    dns_bind_port: int
    default_host_ips: tuple[str, ...]


class SecretSettings(Record):
    """`[secrets]` of containers.conf: what `secret create` uses where it is not told."""

    driver: str
    opts: Mapping[str, str]


class StorageSettings(Record):
    """storage.conf."""

    driver: str
    """Empty: what lies in the graph root, else the first of the default order that works here."""
    driver_asked: bool
    """The command line names it, and no file or variable."""
    driver_priority: tuple[str, ...]
    graph_root: str
    run_root: str
    image_store: str
    transient: bool
    additional_stores: tuple[str, ...]
    options: Mapping[str, Mapping[str, str]]
    """Per driver: its own table over the common options. `""` holds the common ones alone."""
    pull_options: Mapping[str, str]
    auto_userns_user: str = "containers"
    auto_userns_min: int = 1024
    auto_userns_max: int = 65536


class EnginePaths(Record):
    """Folders and files that Sonata itself decides on, from the settings and the environment."""

    static_dir: str
    """`<graphroot>/sonata`: the state database and what outlives a boot."""
    run_dir: str
    """`<runroot>/sonata`: bundles, sockets, pid files; may vanish at boot."""
    cache_dir: str
    """What may vanish at any time: memos, partial blobs' index, compiled filters."""
    volume_path: str
    network_config_dir: str
    cni_config_dir: str
    """Where CNI's configuration lists are."""
    network_run_dir: str
    netns_dir: str
    """Where network namespaces are pinned."""
    roots_dir: str
    """Where the root of a user namespace finds its root filesystem if folders above that are closed to it."""
    tmp_dir: str
    """Where large temporary files go."""
    events_log: str
    seccomp_profile: str
    """The profile for containers that name none; empty where no file exists."""
    init_path: str
    """The program for `--init` as configured; empty: catatonit from the helper folders."""
    alias_file: str
    """Short names that pulls have settled."""


class Places(Record):
    """Where configuration is looked for."""

    uid: int
    home: str
    user: str
    """`$XDG_CONFIG_HOME/containers`; empty where there is neither that variable nor a home."""
    etc: str = "/etc/containers"
    usr: str = "/usr/share/containers"
    docker_certs: str = "/etc/docker/certs.d"
    data: str = ""
    """`$XDG_DATA_HOME`; empty: below the home."""
    cache: str = "/var/cache"
    """Where caches lie, each in a folder of its own."""
    runtime_dir: str = ""
    """`$XDG_RUNTIME_DIR`, or what stands in for it."""


class EngineConfig(Record):
    """The whole configuration of one command."""

    rootless: bool
    containers: ContainerSettings
    engine: EngineSettings
    network: NetworkSettings
    secrets: SecretSettings
    storage: StorageSettings
    paths: EnginePaths
    places: Places
    environment: Mapping[str, str]
    """The few variables that are asked for later: credentials, policy, proxies, locale of files."""
    files: tuple[str, ...]
    """Files that were read, in order."""
    unknown: tuple[str, ...]
    """`file: table.key` of keys that Sonata does not honour."""
