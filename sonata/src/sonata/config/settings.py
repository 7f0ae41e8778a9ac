"""The table of settings: one row for each key of containers.conf and storage.conf that Sonata honours.

Read only when a configuration file has changed, and to make sonata.conf(5). Keys and defaults are
those of containers.conf(5) and containers-storage.conf(5); where a default differs, the help says why.
"""

from __future__ import annotations

from sonata.model.defaults import DEFAULT_CAPABILITIES
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BIN_DIRS = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/sbin",
    "/bin",
    "/run/current-system/sw/bin",
)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError("want a string")
    return value


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("want true or false")
    return value


def flag_text(value: object) -> str:
    """true or false, which storage.conf also writes as strings; kept as a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return text(value)


def number(value: object) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("want a whole number")
    return value


def natural(value: object) -> int:
    """A whole number, zero or more."""
    if number(value) < 0:
        raise ValueError("want zero or more")
    return number(value)


def size(value: object) -> int:
    """Bytes: a whole number, or a string with a unit of 1024: `64m`."""
    if not isinstance(value, str):
        return natural(value)
    lower = value.strip().lower()
    digits = lower.rstrip("kmgtpib")
    unit = lower[len(digits) :].replace("ib", "").rstrip("b") or ""
    try:
        return int(float(digits) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        raise ValueError("want a size such as 65536k") from None


def size_text(value: object) -> str:
    """A size as `size` reads it, kept as it is written."""
    size(value)
    return str(value)


def octal(value: object) -> str:
    """Up to four octal digits, as a string."""
    digits = text(value)
    if not 1 <= len(digits) <= 4 or digits.strip("01234567"):
        raise ValueError("want octal digits such as 0022")
    return digits


def words(value: object) -> tuple[str, ...]:
    """A list of strings. `{append=true}` among them is taken away by the reader."""
    if not isinstance(value, list):
        raise ValueError("want a list of strings")
    return tuple(text(item) for item in value)


def capabilities(value: object) -> tuple[str, ...]:
    """A list of capabilities, with or without CAP_, in either case."""
    return tuple("CAP_" + word.upper().removeprefix("CAP_") for word in words(value))


def text_table(value: object) -> dict[str, str]:
    """A table of strings; true, false and numbers are taken for strings."""
    if not isinstance(value, dict):
        raise ValueError("want a table of strings")
    return {key: flag_text(item) if not isinstance(item, int) else str(item).lower() for key, item in value.items()}


def words_table(value: object) -> dict[str, tuple[str, ...]]:
    """A table of lists of strings."""
    if not isinstance(value, dict):
        raise ValueError("want a table of lists")
    return {key: words(item) for key, item in value.items()}


def pools(value: object) -> tuple[tuple[str, int], ...]:
    """Tables with `base` and `size`: networks from which subnets are cut, and their prefix length."""
    if not isinstance(value, list):
        raise ValueError("want a list of {base, size}")
    return tuple(_pool(item) for item in value)


def _pool(item: object) -> tuple[str, int]:
    from ipaddress import ip_network

    if not isinstance(item, dict) or set(item) != {"base", "size"}:
        raise ValueError("want tables of base and size")
    base = ip_network(text(item["base"]), strict=False)
    if not base.prefixlen <= natural(item["size"]) <= base.max_prefixlen:
        raise ValueError(f"size {item['size']} does not fit into {base}")
    return str(base), natural(item["size"])


def subnet(value: object) -> str:
    """A network: address and prefix length."""
    from ipaddress import ip_network

    return str(ip_network(text(value), strict=False))


def one_of(*allowed: str) -> Callable[[object], str]:
    """A parser of one of the given words."""

    def choice(value: object) -> str:
        if text(value) not in allowed:
            raise ValueError("want one of " + ", ".join(word or '""' for word in allowed))
        return text(value)

    choice.__doc__ = ", ".join(word or '""' for word in allowed)
    return choice


def _programs(name: str) -> list[str]:
    return [f"{folder}/{name}" for folder in _BIN_DIRS]


class Setting:
    """A row: `key` as the file's `table` spells it; `default` as a value that `parse` returns."""

    __slots__ = ("default", "env", "field", "help", "key", "parse", "table")

    def __init__(self, table: str, key: str, parse: Callable[[object], Any], default: Any, about: str) -> None:
        self.table = table
        self.key = key
        self.parse = parse
        self.default = default
        self.help, _, self.env = about.partition("|")
        self.field = key.replace("-", "_")


def _rows(table: str, *rows: tuple[str, Callable[[object], Any], Any, str]) -> Iterable[Setting]:
    return (Setting(table, *row) for row in rows)


CONTAINERS = tuple(
    _rows(
        "containers",
        ("annotations", words, (), "Annotations of every container, `key=value`."),
        ("apparmor_profile", text, "", "AppArmor profile; empty: the engine's own where AppArmor is on."),
        (
            "base_hosts_file",
            text,
            "",
            "File that /etc/hosts starts from: a path, `image` or `none`; empty: the host's.",
        ),
        (
            "cgroupns",
            one_of("", "private", "host"),
            "",
            "Cgroup namespace; empty: private with cgroup v2, else the host's.",
        ),
        ("cgroups", one_of("enabled", "disabled", "no-conmon"), "enabled", "Whether a container gets cgroups."),
        ("cgroup_conf", words, (), "Cgroup v2 files to write, `file=value`."),
        ("container_name_as_hostname", flag, False, "The container's name is its host name."),
        ("default_capabilities", capabilities, DEFAULT_CAPABILITIES, "Capabilities of a container that names none."),
        ("default_sysctls", words, ("net.ipv4.ping_group_range=0 0",), "Sysctls, `name=value`."),
        ("default_ulimits", words, (), "Resource limits, `name=soft:hard`."),
        ("devices", words, (), "Devices, `source:target:permissions`."),
        ("dns_servers", words, (), "Name servers instead of the host's."),
        ("dns_options", words, (), "Resolver options instead of the host's."),
        ("dns_searches", words, (), "Search domains instead of the host's."),
        ("env", words, (_PATH,), "Environment of every container, `NAME=value`."),
        ("env_host", flag, False, "Pass the host's environment into containers."),
        ("host_containers_internal_ip", text, "", "Address of host.containers.internal; `none`: no such name."),
        ("http_proxy", flag, True, "Pass proxy variables into containers."),
        ("init", flag, False, "Run an init program as process 1."),
        ("init_path", text, "", "That init program; empty: catatonit from the helper folders."),
        ("interface_name", one_of("", "device"), "", "How interfaces in a container are named."),
        ("ipcns", one_of("shareable", "host", "private", "none"), "shareable", "IPC namespace."),
        ("keyring", flag, True, "Give each container a kernel keyring."),
        ("label", flag, True, "SELinux labels, where the host has SELinux."),
        (
            "log_driver",
            one_of("k8s-file", "journald", "json-file", "none", "passthrough", "passthrough-tty"),
            "k8s-file",
            "Where output goes. Always a file by default, so that its size can be bounded.",
        ),
        ("log_path", text, "", "Folder of log files; empty: beside the container."),
        (
            "log_size_max",
            number,
            64 << 20,
            "Bytes after which a log starts anew, so that none fills a disk; -1: never.",
        ),
        ("log_tag", text, "", "Template of the tag of journal entries."),
        ("mounts", words, (), "Mounts of every container, as `--mount` takes them."),
        ("netns", text, "", "Network mode; empty or `private`: bridge as root, a user-mode network otherwise."),
        ("no_hosts", flag, False, "Leave /etc/hosts as the image has it."),
        ("oom_score_adj", number, None, "OOM score adjustment of containers."),
        ("pids_limit", number, 2048, "Processes in a container; 0 or -1: no limit."),
        ("pidns", one_of("private", "host"), "private", "PID namespace."),
        ("privileged", flag, False, "Every container is privileged."),
        ("read_only", flag, False, "Root file systems are read-only."),
        (
            "seccomp_profile",
            text,
            "",
            "Seccomp profile; empty: seccomp.json in /etc/containers, /usr/share/containers.",
        ),
        ("shm_size", size_text, "65536k", "Size of /dev/shm."),
        ("tz", text, "", "Time zone; `local`: the host's."),
        ("umask", octal, "0022", "File mode mask."),
        ("userns", text, "", "User namespace mode; empty: the host's.|PODMAN_USERNS"),
        ("userns_size", natural, 0, "Ids of an automatic user namespace; 0: what the image needs."),
        ("utsns", one_of("private", "host"), "private", "UTS namespace."),
        ("volumes", words, (), "Volumes of every container, as `--volume` takes them."),
    )
)

_CONMON = (
    "/usr/libexec/podman/conmon",
    "/usr/local/libexec/podman/conmon",
    "/usr/local/lib/podman/conmon",
    "/usr/bin/conmon",
    "/usr/sbin/conmon",
    "/usr/local/bin/conmon",
    "/usr/local/sbin/conmon",
    "/run/current-system/sw/bin/conmon",
)
_HELPERS = ("/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman")
_RUNTIMES = {name: tuple(_programs(name)) for name in ("crun", "runc", "youki", "runsc", "krun")}
_RUNTIMES["kata"] = tuple(_programs("kata-runtime"))

ENGINE = tuple(
    _rows(
        "engine",
        ("add_compression", words, (), "Compressions in which `manifest push` adds instances to a list."),
        (
            "cdi_spec_dirs",
            words,
            ("/etc/cdi", "/var/run/cdi"),
            "Folders of CDI device specifications, later ones win.",
        ),
        (
            "cgroup_manager",
            one_of("", "systemd", "cgroupfs"),
            "",
            "Who makes cgroups; empty: systemd where the host was booted with it, else the runtime itself.",
        ),
        (
            "compression_format",
            one_of("", "gzip", "zstd", "zstd:chunked"),
            "",
            "Compression of layers that are pushed; empty: gzip.",
        ),
        ("compression_level", natural, 0, "Its level; 0: the format's own."),
        ("conmon_env_vars", words, (_PATH,), "Environment of the monitor."),
        ("conmon_path", words, _CONMON, "Paths of the monitor; the first that exists is used, then PATH."),
        ("debug_image", text, "", "Image with tools for `sonata debug`; empty: those of the host."),
        ("detach_keys", text, "ctrl-p,ctrl-q", "Keys that detach a terminal."),
        ("env", words, (), "Environment of the engine itself, `NAME=value`."),
        ("events_logfile_path", text, "", "File of events; empty: events.log in the engine's run folder."),
        ("events_logfile_max_size", size, 1000000, "Bytes after which the file of events is rotated."),
        (
            "events_container_create_inspect_data",
            flag,
            False,
            "The event of a container's making holds all that `inspect` shows of it.",
        ),
        (
            "events_logger",
            one_of("journald", "file", "none"),
            "file",
            "Where events go. Always a file by default, so that `sonata events` needs no journal.",
        ),
        ("healthcheck_events", flag, True, "Each health check is an event."),
        ("exit_command_delay", natural, 300, "Seconds before an exited exec session is forgotten."),
        ("helper_binaries_dir", words, _HELPERS, "Folders of helper programs.|CONTAINERS_HELPER_BINARY_DIR"),
        ("hooks_dir", words, ("/usr/share/containers/oci/hooks.d",), "Folders of OCI hooks, later ones win."),
        ("image_copy_tmp_dir", text, "/var/tmp", "Folder of large temporary files; `storage`: in the store.|TMPDIR"),  # noqa: S108
        ("image_default_transport", text, "docker://", "Transport of names that have none."),
        (
            "image_layer_max_ratio",
            natural,
            1000,
            "Largest unpacked size of a layer beyond 4 GiB, as a multiple of its packed size; 0: any.",
        ),
        ("image_layer_max_size", size, 1 << 40, "Largest unpacked size of a layer in bytes; 0: any."),
        ("image_parallel_copies", natural, 0, "Layers copied at once; 0: as many as the engine finds useful."),
        ("image_volume_mode", one_of("anonymous", "tmpfs", "ignore"), "anonymous", "What an image's VOLUME becomes."),
        ("infra_command", text, "", "Command of pods' infra containers; empty: catatonit, or the infra image's own."),
        ("infra_image", text, "", "Image of pods' infra containers; empty: the host's catatonit, without an image."),
        ("init_path", text, "", "As containers.init_path, which goes before it."),
        ("multi_image_archive", flag, False, "`save` takes each name for an image, as with `--multi-image-archive`."),
        ("network_cmd_path", text, "", "Path of slirp4netns or pasta; empty: from the helper folders or PATH."),
        ("network_cmd_options", words, (), "Options of slirp4netns."),
        ("no_pivot_root", flag, False, "Change root without pivot_root, for a root on a RAM disk."),
        ("pod_exit_policy", one_of("continue", "stop"), "continue", "What a pod does when its last container ends."),
        ("pull_policy", one_of("always", "missing", "newer", "never"), "missing", "When an image is pulled."),
        ("registry_block_seconds", natural, 600, "How long a registry may take for 256 KiB of a body."),
        ("registry_head_seconds", natural, 120, "How long a registry may take to begin an answer."),
        (
            "registry_trusted_realms",
            words,
            (),
            "Hosts of token servers that may be given the password of a registry elsewhere.",
        ),
        ("retry", natural, 3, "How often a transfer is tried again."),
        ("retry_delay", text, "", "Pause between tries, such as `5s`; empty: growing from two seconds."),
        ("runtime", text, "", "OCI runtime, a name or a path; empty: crun, else the next that works here."),
        ("runtimes", words_table, _RUNTIMES, "Paths of each runtime; a name given here replaces that name's paths."),
        ("runtimes_flags", words_table, {}, "Flags for each runtime, without dashes."),
        ("ssh_config", text, "", "Configuration of ssh for `image scp`; empty: ssh's own."),
        ("static_dir", text, "", "Folder of persistent state; empty: in the graph root."),
        ("stop_timeout", natural, 10, "Seconds from the stop signal to SIGKILL."),
        ("tmp_dir", text, "", "Folder of volatile state; empty: in the run root."),
        ("volume_path", text, "", "Folder of volumes; empty: `volumes` in the graph root."),
        ("volume_plugin_timeout", natural, 5, "Seconds that a volume driver may take for an answer."),
        ("volume_plugins", text_table, {}, "Sockets of volume drivers that speak Docker's protocol, by name."),
    )
)

_POOLS = (
    ("10.89.0.0/16", 24),
    ("10.90.0.0/15", 24),
    ("10.92.0.0/14", 24),
    ("10.96.0.0/11", 24),
    ("10.128.0.0/9", 24),
)

NETWORK = tuple(
    _rows(
        "network",
        ("network_backend", text, "", "Backend of bridge networks; empty: netavark."),
        (
            "netavark_plugin_dirs",
            words,
            tuple(f"/usr/{place}/netavark" for place in ("local/libexec", "libexec", "local/lib", "lib")),
            "Folders of netavark's plugins.",
        ),
        (
            "cni_plugin_dirs",
            words,
            (*(f"/usr/{place}/cni" for place in ("local/libexec", "libexec", "local/lib", "lib")), "/opt/cni/bin"),
            "Folders of CNI plugins, for the network backend cni.",
        ),
        (
            "firewall_driver",
            one_of("", "nftables", "iptables", "firewalld", "none"),
            "",
            "Firewall that netavark drives; empty: what it finds.",
        ),
        ("default_network", text, "podman", "Name of the default network."),
        ("default_subnet", subnet, "10.88.0.0/16", "Addresses of the default network."),
        ("default_subnet_pools", pools, _POOLS, "Where addresses of new networks are taken from."),
        ("default_rootless_network_cmd", one_of("pasta", "slirp4netns"), "pasta", "User-mode network."),
        ("pasta_options", words, (), "Options of pasta."),
        (
            "network_config_dir",
            text,
            "",
            "Folder of other engines' networks; empty: /etc/containers/networks, with the backend cni /etc/cni/net.d.",
        ),
        ("dns_bind_port", natural, 0, "Port of the containers' name server; 0: 53."),
        ("default_host_ips", words, (), "Host addresses of published ports that name none."),
    )
)

SECRETS = tuple(
    _rows(
        "secrets",
        ("driver", one_of("file", "pass", "shell"), "file", "Driver of new secrets."),
        ("opts", text_table, {}, "Options of that driver."),
    )
)

STORAGE = tuple(
    _rows(
        "storage",
        (
            "driver",
            text,
            "",
            "Storage driver; empty: what lies in the graph root, else the first that works here.|STORAGE_DRIVER",
        ),
        ("driver_priority", words, (), "Order in which drivers are tried."),
        ("graphroot", text, "", "Folder of images and containers; empty: /var/lib/containers/storage as root."),
        ("runroot", text, "", "Folder of volatile data; empty: /run/containers/storage as root."),
        ("imagestore", text, "", "Folder of images apart from containers."),
        ("rootless_storage_path", text, "", "Graph root of ordinary users; $HOME, $UID and $USER are replaced."),
        ("transient_store", flag, False, "Containers' records do not outlive a boot."),
    )
)

_DRIVER_KEYS: tuple[tuple[str, Callable[[object], Any], Any, str], ...] = (
    ("mountopt", text, "", "Mount options."),
    ("mount_program", text, "", "Program that mounts instead of the kernel."),
    ("size", text, "", "Refused: layers of containers have no quotas."),
    (
        "ignore_chown_errors",
        flag_text,
        "",
        "A file whose owner cannot be set stays the user's own; else that ends the pull.",
    ),
    ("force_mask", text, "", "Refused: files in layers get the modes of their image."),
    ("skip_mount_home", flag_text, "", "Do not make the driver's folder a mount of its own."),
    ("use_composefs", flag_text, "", "Refused: composefs is not supported."),
)

STORAGE_OPTIONS = (
    *_rows(
        "storage.options",
        ("additionalimagestores", words, (), "Read-only stores, in order."),
        ("imagestore", text, "", "As storage.imagestore, which goes before it."),
        (
            "pull_options",
            text_table,
            {},
            "Options of pulls: enable_partial_images fetches only the pieces of files that are wanting.",
        ),
        ("disable-volatile", flag_text, "", "Never mount with `volatile`."),
        ("root-auto-userns-user", text, "containers", "User of /etc/subuid whose ranges `--userns auto` draws from."),
        ("auto-userns-min-size", natural, 1024, "Fewest ids of an automatic user namespace."),
        ("auto-userns-max-size", natural, 65536, "Most ids that one gets unasked; 0: without bound."),
        *_DRIVER_KEYS,
    ),
    *_rows(
        "storage.options.overlay",
        *_DRIVER_KEYS,
        ("inodes", text, "", "Refused: layers of containers have no quotas."),
        (
            "sync",
            one_of("", "none", "filesystem"),
            "",
            "filesystem: wait for a new layer's files on the disk before its record; else for the records alone.",
        ),
    ),
    *_rows(
        "storage.options.vfs",
        (
            "ignore_chown_errors",
            flag_text,
            "",
            "A file whose owner cannot be set stays the user's own; else that ends the pull.",
        ),
        (
            "sync",
            one_of("", "none", "filesystem"),
            "",
            "filesystem: wait for a new layer's files on the disk before its record; else for the records alone.",
        ),
    ),
)

CONTAINERS_CONF = CONTAINERS + ENGINE + NETWORK + SECRETS
STORAGE_CONF = STORAGE + STORAGE_OPTIONS

ENVIRONMENT = (
    ("CONTAINERS_CONF", "Path of containers.conf; drop-in files are then not read."),
    ("CONTAINERS_CONF_OVERRIDE", "A containers.conf that is read last."),
    ("CONTAINERS_HELPER_BINARY_DIR", "First folder of helper programs."),
    ("CONTAINERS_POLICY_JSON", "Path of policy.json."),
    ("CONTAINERS_REGISTRIES_CONF", "Path of registries.conf; drop-in files are then not read."),
    ("CONTAINERS_REGISTRIES_CONF_OVERRIDE", "A registries.conf that is read last."),
    ("CONTAINERS_STORAGE_CONF", "Path of storage.conf; drop-in files are then not read."),
    ("CONTAINERS_STORAGE_CONF_OVERRIDE", "A storage.conf that is read last."),
    ("DOCKER_CONFIG", "Folder of Docker's config.json, where credentials are looked for."),
    ("NETAVARK_FW", "Firewall driver, where containers.conf names none."),
    ("PODMAN_USERNS", "User namespace mode, as containers.userns."),
    ("REGISTRY_AUTH_FILE", "File of credentials; no other is then read."),
    ("STORAGE_DRIVER", "Storage driver, as storage.driver."),
    (
        "STORAGE_OPTS",
        "Options of storage drivers, `driver.key=value` with commas between; the file's are then ignored.",
    ),
    ("TMPDIR", "Folder of large temporary files, as engine.image_copy_tmp_dir."),
    ("XDG_CACHE_HOME", "Folder of an ordinary user's caches."),
    ("XDG_CONFIG_HOME", "Folder of configuration; ~/.config where it is not set."),
    ("XDG_DATA_HOME", "Folder of an ordinary user's data; ~/.local/share where it is not set."),
    ("XDG_RUNTIME_DIR", "Folder of volatile data of an ordinary user."),
)
"""Variables that are read, and what for."""
