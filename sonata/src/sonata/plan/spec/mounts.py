"""The mounts of a spec: the kernel's file systems, the engine's files, what was asked for."""

from __future__ import annotations

from sonata.model.container import MountKind, NamespaceKind
from sonata.model.materials import OURS
from sonata.plan.adjust import depth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.container import ContainerConfig, Device, MountUse
    from sonata.model.materials import SpecInputs
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts
    from sonata_core.models.process import IdMap

    Mount = dict[str, Any]

_PROPAGATION = frozenset(["shared", "rshared", "private", "rprivate", "slave", "rslave", "unbindable", "runbindable"])
_GUARDED = ("nosuid", "noexec", "nodev")
_PTS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")
_TTY = 5
"""The group of terminals."""
_TMPFS_DEFAULTS = ("rw", "rprivate", "nosuid", "nodev", "tmpcopyup")


def build(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> list[Mount]:
    """All mounts, ordered by how deep their destinations lie (stable)."""
    asked = [_asked(use, config, inputs, facts) for use in config.mounts if inputs.sources.get(use.target) != ""]
    asked += _devices(config, inputs, facts)
    places = {mount["destination"] for mount in asked}
    below = tuple(place + "/" for place in places if place == "/dev")
    own = [
        mount
        for mount in (
            *_kernel(config, inputs, facts),
            *_files(config, inputs),
            *_tmpfs(config),
            *_systemd(config, facts),
        )
        if mount["destination"] not in places and not mount["destination"].startswith(below)
    ]
    return sorted(_unique(asked + own), key=depth)


def _unique(mounts: list[Mount]) -> list[Mount]:
    """One mount per destination: a later one (systemd's) takes the place of an earlier one."""
    return list({mount["destination"]: mount for mount in mounts}.values())


def _mount(destination: str, kind: str, source: str, options: tuple[str, ...] | list[str]) -> Mount:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def _kernel(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> list[Mount]:
    # The owner of a user namespace may mount nothing that belongs to the host's namespaces.
    user = facts.rootless or config.namespaces.user.kind != NamespaceKind.HOST
    proc_options = config.security.proc_options or ("nosuid", "noexec", "nodev")
    dev = ["nosuid", "strictatime", "mode=755", "size=65536k"]
    if config.read_only and not config.read_only_tmpfs:
        dev.append("ro")
    proc = _mount("/proc", "proc", "proc", proc_options)
    if user and (config.namespaces.pid.kind == NamespaceKind.HOST or inputs.namespaces.get("pid") == OURS):
        proc = _mount("/proc", "bind", "/proc", ("rbind", "nosuid", "noexec", "nodev"))
    queue = _mount("/dev/mqueue", "mqueue", "mqueue", _GUARDED)
    if user and (config.namespaces.ipc.kind == NamespaceKind.HOST or inputs.namespaces.get("ipc") == OURS):
        queue = _mount("/dev/mqueue", "bind", "/dev/mqueue", ("bind", *_GUARDED))
    return [
        proc,
        _mount("/dev", "tmpfs", "tmpfs", dev),
        _sys(config, facts),
        _mount("/dev/pts", "devpts", "devpts", _pts(config, facts)),
        *((queue,) if queue["type"] != "bind" or inputs.host_queues else ()),
        *_cgroup(config, facts),
    ]


def _pts(config: ContainerConfig, facts: HostFacts) -> tuple[str, ...]:
    """The kernel refuses a group that the namespace has not: one of a user without subordinate ids, for one."""
    for mapping in (config.id_mapping, facts.id_mapping):
        gids: tuple[IdMap, ...] = mapping.gids if mapping else ()
        if gids and not any(part.container_id <= _TTY < part.container_id + part.size for part in gids):
            return _PTS
    return (*_PTS, f"gid={_TTY}")


def sees_host_sys(config: ContainerConfig, facts: HostFacts) -> bool:
    """Whether /sys is the host's: whose network is another user namespace's may mount none of its own."""
    if facts.rootless and config.namespaces.network.kind is NamespaceKind.HOST:
        return True
    foreign = (NamespaceKind.HOST, NamespaceKind.CONTAINER, NamespaceKind.PATH, NamespaceKind.POD)
    return config.namespaces.user.kind is not NamespaceKind.HOST and config.namespaces.network.kind in foreign


def _sys(config: ContainerConfig, facts: HostFacts) -> Mount:
    writable = "rw" if config.security.privileged else "ro"
    if sees_host_sys(config, facts):
        return _mount("/sys", "bind", "/sys", ("rprivate", *_GUARDED, writable, "rbind"))
    if config.security.privileged:
        return _mount("/sys", "sysfs", "sysfs", ("rprivate", *_GUARDED, "rw"))
    return _mount("/sys", "sysfs", "sysfs", (*_GUARDED, "ro"))


def _cgroup(config: ContainerConfig, facts: HostFacts) -> list[Mount]:
    writable = config.security.privileged
    if facts.cgroup_version == 2 and config.process.systemd:
        writable = True
    mode = "rw" if writable else "ro"
    if sees_host_sys(config, facts):
        return [_mount("/sys/fs/cgroup", "cgroup", "/sys/fs/cgroup", ("rprivate", *_GUARDED, mode))]
    options = ("rprivate", *_GUARDED, "relatime", mode)
    return [_mount("/sys/fs/cgroup", "cgroup", "cgroup", options)]


def _devices(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> list[Mount]:
    """Who may not make nodes (ordinary users) sees the host's through binds."""
    options = ("slave", "nosuid", "noexec", "rw", "rbind")
    both = (*host_nodes(config, inputs, facts), *config.devices)
    nodes = {device.path: device for device in both if facts.rootless or bound(device, config)}
    return [_mount(path, "bind", device.source, options) for path, device in nodes.items()]


def host_nodes(config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> tuple[Device, ...]:
    """The host's nodes of a privileged container: its virtual consoles not for ordinary users, nor for a systemd."""
    if not facts.rootless and not config.process.systemd:
        return inputs.host_devices
    console = "/dev/tty"
    return tuple(
        device
        for device in inputs.host_devices
        if not (device.path.startswith(console) and device.path.removeprefix(console).isdigit())
    )


def bound(device: Device, config: ContainerConfig) -> bool:
    """Whether a node is bound: in a user namespace runtimes can show one by its own path only."""
    return device.path != device.source and config.namespaces.user.kind is not NamespaceKind.HOST


def _files(config: ContainerConfig, inputs: SpecInputs) -> list[Mount]:
    files = inputs.files
    result = []
    options = ["bind", "rprivate"] + (["ro", *_GUARDED] if config.read_only else [])
    for destination, source in (
        ("/etc/resolv.conf", files.resolv_conf),
        ("/etc/hosts", files.hosts),
        ("/etc/hostname", files.hostname),
        ("/run/.containerenv", files.containerenv),
        ("/etc/passwd", files.passwd),
        ("/etc/group", files.group),
        ("/etc/localtime", files.localtime),
        ("/run/secrets", files.secrets),
        *files.secret_files.items(),
        *((f"{folder.rstrip('/')}/etc/resolv.conf", files.resolv_conf) for folder in config.chroot_dirs),
        *((f"{folder.rstrip('/')}/etc/hosts", files.hosts) for folder in config.chroot_dirs),
    ):
        if source and not (destination == "/run/.containerenv" and any(use.target == "/run" for use in config.mounts)):
            result.append(_mount(destination, "bind", source, options))
    if files.shm:
        sealed = ("ro",) if config.read_only and not config.read_only_tmpfs else ()
        result.append(_mount("/dev/shm", "bind", files.shm, ("bind", "rprivate", *sealed, *_GUARDED)))  # noqa: S108
    if config.process.init and files.init:
        result.append(_mount("/run/podman-init", "bind", files.init, ("bind", "ro", "private")))
    return result


def _tmpfs(config: ContainerConfig) -> list[Mount]:
    if not (config.read_only and config.read_only_tmpfs):
        return []
    return [_mount(place, "tmpfs", "tmpfs", _TMPFS_DEFAULTS) for place in ("/run", "/tmp", "/var/tmp")]  # noqa: S108


def _systemd(config: ContainerConfig, facts: HostFacts) -> list[Mount]:
    if not config.process.systemd:
        return []
    sized = (*_TMPFS_DEFAULTS, f"size={config.shm_size_systemd}") if config.shm_size_systemd else _TMPFS_DEFAULTS
    places = ("/run", "/run/lock", "/tmp", "/var/log/journal")  # noqa: S108
    result = [_mount(place, "tmpfs", "tmpfs", sized) for place in places]
    if facts.cgroup_version == 1:
        place = "/sys/fs/cgroup/systemd"
        result.append(_mount(place, "bind", place, ("bind", "rprivate")))
    return result


def _asked(use: MountUse, config: ContainerConfig, inputs: SpecInputs, facts: HostFacts) -> Mount:
    if use.kind == MountKind.TMPFS:
        return _mount(use.target, "tmpfs", "tmpfs", _tmpfs_options(use, inputs))
    if use.kind == MountKind.RAMFS:
        return _mount(use.target, "ramfs", "ramfs", use.options)
    if use.kind == MountKind.DEVPTS:
        options = use.options if use.options or use.target != "/dev/pts" else _pts(config, facts)
        return _mount(use.target, "devpts", "devpts", options)
    source = inputs.sources.get(use.target, use.source)
    if use.kind in (MountKind.IMAGE, MountKind.OVERLAY) or use.overlay:
        access = ("ro",) if use.read_only else ()
        return _mount(use.target, "bind", source, (*access, "rprivate", "rbind"))
    flags = ("nosuid", "nodev") if use.kind == MountKind.VOLUME else inputs.source_flags.get(use.source, ())
    return _mount(use.target, "bind", source, _bind_options(use.options, flags))


def _tmpfs_options(use: MountUse, inputs: SpecInputs) -> list[str]:
    options = [text for text in use.options if text != "notmpcopyup"]
    options += [] if _PROPAGATION & set(options) else ["rprivate"]
    options += [] if {"suid", "nosuid"} & set(options) else ["nosuid"]
    options += [] if {"dev", "nodev"} & set(options) else ["nodev"]
    if not {"tmpcopyup", "notmpcopyup"} & set(use.options) and use.kind == MountKind.TMPFS:
        options.append("tmpcopyup")
    if use.chown:
        options += [f"uid={inputs.rootfs.uid}", f"gid={inputs.rootfs.gid}"]
    return options


def _bind_options(given: tuple[str, ...], flags: tuple[str, ...]) -> list[str]:
    """The user's in order, then what is missing: propagation, the source's own flags, the bind itself."""
    options = [text for text in given if text != "no-dereference"]
    seen = set(options)
    if not _PROPAGATION & seen:
        options.append("private" if "bind" in seen else "rprivate")
    for flag in ("nosuid", "nodev", "noexec"):
        if flag in flags and not {flag, flag.removeprefix("no")} & seen:
            options.append(flag)
    if not {"bind", "rbind"} & seen:
        options.append("rbind")
    return options


def id_map(parts: tuple[IdMap, ...]) -> list[dict[str, int]]:
    """A map in the specification's form."""
    return [{"containerID": part.container_id, "hostID": part.host_id, "size": part.size} for part in parts]
