"""What the engine knows of the host it runs on, probed once and passed on."""

from sonata_core.models.process import IdMapping
from sonata_core.record import Record

CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)
"""Names of the kernel's capabilities without CAP_, in the order of their numbers (linux/capability.h)."""


class HostFacts(Record):
    """The host. `capabilities` are names without CAP_ of the engine's effective set."""

    uid: int
    gid: int
    rootless: bool
    kernel: str
    machine: str
    boot_id: str
    cgroup_version: int
    """1, 2, or 0 where none is mounted. A hybrid host counts as 1."""
    cgroup_hybrid: bool = False
    """Cgroup v1 hierarchies beside a v2 mount that still has controllers of its own."""
    cgroup_controllers: tuple[str, ...] = ()
    systemd: bool = False
    """systemd is process 1."""
    capabilities: tuple[str, ...] = ()
    id_mapping: IdMapping | None = None
    """The maps of the user namespace that the engine runs in; None in the first one."""
    nofile_limit: tuple[int, int] = (1024, 1024)
    nproc_limit: tuple[int, int] = (1024, 1024)
    selinux: bool = False
    apparmor: bool = False
    path: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    """Where the engine looks for helper programs."""
    helper_dirs: tuple[str, ...] = (
        "/usr/local/libexec/podman",
        "/usr/local/lib/podman",
        "/usr/libexec/podman",
        "/usr/lib/podman",
    )
