"""`generate spec`: how a container was made, in the form of Podman's SpecGenerator (podman's pkg/specgen)."""

from __future__ import annotations

from sonata.engine.containers import health_log, lookup
from sonata.engine.containers.clone import free_name
from sonata.engine.containers.inspect_host import mount_options
from sonata.model.container import MountKind, NamespaceKind, NetworkMode
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, MountUse, NamespaceChoice
    from sonata.model.container_request import SpecRequest

_AS_BIND = (MountKind.BIND, MountKind.TMPFS, MountKind.DEVPTS, MountKind.RAMFS, MountKind.GLOB)


def spec_of(engine: Engine, container: str, request: SpecRequest) -> dict[str, Any]:
    """The specification, without what is empty. Raises NotFound."""
    try:
        config = lookup.load(engine, container).config
    except NotFound as error:
        told = f"could not find a pod or container with the id {container}: {error.message}"
        raise NotFound(told, name=container) from error
    name = free_name(engine, config.name) if request.new_name else config.name
    found = {"name": name, **_basic(config), **storage(config), **_security(config), **network(config)}
    found |= _health(config)
    found = {key: value for key, value in found.items() if value not in (None, "", 0, (), [], {}, False)}
    return {**found, **_always(config)}


def _always(config: ContainerConfig) -> dict[str, Any]:
    """Members that Podman writes although they are empty."""
    networks = {use.network: attachment(config, use) for use in config.network.networks}
    return {
        "init_container_type": config.init_type,
        "image": config.image_id,
        "shm_size": config.shm_size,
        "shm_size_systemd": config.shm_size_systemd,
        "privileged": config.security.privileged,
        "label_nested": False,
        "Networks": networks or None,
        "use_image_hostname": False,
        "use_image_hosts": config.network.base_hosts == "image",
    }


def _basic(config: ContainerConfig) -> dict[str, Any]:
    process, log = config.process, config.log
    return {
        "entrypoint": list(process.entrypoint),
        "command": list(process.command),
        "env": {key: process.env[key] for key in sorted(process.env)},
        "terminal": process.terminal,
        "stdin": process.stdin_open,
        "labels": dict(sorted(config.labels.items())),
        "annotations": dict(sorted(config.annotations.items())),
        "stop_signal": process.stop_signal if process.stop_signal != 15 else 0,
        "stop_timeout": process.stop_timeout if process.stop_timeout != 10 else None,
        "timeout": process.timeout,
        "log_configuration": {"driver": log.driver, **({"options": {"tag": log.tag}} if log.tag else {})},
        "restart_policy": config.restart.name if config.restart.name != "no" else "",
        "restart_tries": config.restart.retries,
        "oci_runtime": config.backends.runtime,
        "systemd": "true" if process.systemd else "",
        "sdnotifyMode": process.sdnotify,
        "pidns": _namespace(config.namespaces.pid),
        "utsns": _namespace(config.namespaces.uts),
        "hostname": config.hostname,
        "sysctl": dict(config.sysctl),
        "containerCreateCommand": list(config.create_command),
        "timezone": process.timezone,
        "dependencyContainers": list(config.requires),
        "personality": {"domain": process.personality} if process.personality else None,
        "init": process.init,
        "init_path": process.init_path,
    }


def _artifact(use: MountUse) -> dict[str, str]:
    asked = dict(option.split("=", 1) for option in use.options if "=" in option)
    return {"source": use.source, "destination": use.target, **asked}


def storage(config: ContainerConfig) -> dict[str, Any]:
    """Mounts, volumes and devices."""
    volumes = [_volume(use) for use in config.mounts if use.kind is MountKind.VOLUME]
    overlays = [use for use in config.mounts if use.kind is MountKind.OVERLAY]
    images = [use for use in config.mounts if use.kind is MountKind.IMAGE]
    return {
        "rootfs": config.rootfs,
        "rootfs_overlay": config.rootfs_overlay,
        "mounts": [_mount(use) for use in config.mounts if use.kind in _AS_BIND],
        "volumes": volumes,
        "overlay_volumes": [
            {"destination": use.target, "source": use.source, "options": list(use.options)} for use in overlays
        ],
        "image_volumes": [
            {"Destination": use.target, "Source": use.source, "ReadWrite": not use.read_only, "subPath": use.subpath}
            for use in images
        ],
        "artifact_volumes": [_artifact(use) for use in config.mounts if use.kind is MountKind.ARTIFACT],
        "devices": [{"path": f"{one.source}:{one.path}:{one.access}"} for one in config.devices],
        "ipcns": _namespace(config.namespaces.ipc),
        "work_dir": config.process.cwd if config.process.cwd_given else "",
        "chroot_directories": list(config.chroot_dirs),
        "secrets": [
            {"Source": use.name, "Target": use.target, "UID": use.uid, "GID": use.gid, "Mode": use.mode}
            for use in config.secrets
            if not use.env
        ],
        "secret_env": {use.env: use.name for use in config.secrets if use.env},
    }


def _mount(use: MountUse) -> dict[str, Any]:
    kind = "bind" if use.kind is MountKind.GLOB else str(use.kind)
    return {
        "destination": use.target,
        "type": kind,
        "source": use.source or kind,
        "options": [*(("ro",) if use.read_only else ()), *mount_options(use)],
    }


def _volume(use: MountUse) -> dict[str, Any]:
    return {
        "Name": use.source,
        "Dest": use.target,
        "Options": [*(("ro",) if use.read_only else ()), *mount_options(use)],
        "IsAnonymous": use.anonymous,
        "SubPath": use.subpath,
    }


def _security(config: ContainerConfig) -> dict[str, Any]:
    security, process = config.security, config.process
    return {
        "user": process.user,
        "groups": list(process.groups),
        "hostusers": list(process.host_users),
        "cap_add": list(security.cap_add),
        "cap_drop": list(security.cap_drop),
        "no_new_privileges": security.no_new_privileges,
        "apparmor_profile": security.apparmor,
        "selinux_opts": list(security.label_options),
        "seccomp_policy": security.seccomp_policy if security.seccomp_policy != "default" else "",
        "seccomp_profile_path": security.seccomp,
        "userns": _namespace(config.namespaces.user),
        "mask": list(security.mask),
        "unmask": list(security.unmask),
        "procfs_opts": list(security.proc_options),
        "read_only_filesystem": config.read_only,
        "read_write_tmpfs": config.read_only and config.read_only_tmpfs,
        "umask": process.umask,
        "cgroupns": _namespace(config.namespaces.cgroup),
        "cgroup_parent": config.cgroup_parent,
        "cgroups_mode": config.cgroups if config.cgroups != "enabled" else "",
        "resource_limits": {"devices": [{"allow": False, "access": "rwm"}], **config.resources},
        "r_limits": [
            {"type": limit.type.removeprefix("RLIMIT_"), "hard": limit.hard, "soft": limit.soft}
            for limit in config.rlimits
            if limit.given
        ],
        "oom_score_adj": process.oom_score_adj,
    }


def _namespace(choice: NamespaceChoice) -> dict[str, str]:
    """As Podman names where a namespace comes from."""
    words = {NamespaceKind.PRIVATE: "private", NamespaceKind.HOST: "host", NamespaceKind.NO_MAP: "no-map"}
    found = {"nsmode": words.get(choice.kind, str(choice.kind))}
    return {**found, "value": choice.value} if choice.value else found


def network(config: ContainerConfig) -> dict[str, Any]:
    """The network namespace, what is published, and servers of names."""
    network = config.network
    choice = config.namespaces.network
    mode = {NetworkMode.BRIDGE: "bridge", NetworkMode.NONE: "none", NetworkMode.HOST: "host"}.get(network.mode)
    return {
        "netns": {"nsmode": mode} if mode else _namespace(choice),
        "portmappings": [
            {
                "host_ip": port.host_ip,
                "container_port": port.container_port,
                "host_port": port.host_port,
                "range": port.range,
                "protocol": port.protocol,
            }
            for port in network.ports
        ],
        "expose": {int(text.partition("/")[0]): text.partition("/")[2] or "tcp" for text in network.exposed},
        "publish_image_ports": network.publish_all,
        "network_options": {str(network.mode): list(network.options)} if network.options else {},
        "dns_server": list(network.dns_servers),
        "dns_search": list(network.dns_search),
        "dns_option": list(network.dns_options),
        "hostadd": list(network.add_hosts),
    }


def attachment(config: ContainerConfig, use: Any) -> dict[str, Any]:
    """What was asked for on one network."""
    found: dict[str, Any] = {
        "static_ips": list(use.static_ips),
        "aliases": [*use.aliases, config.id[:12]],
        "interface_name": use.interface,
        "static_mac": use.mac,
        "options": dict(use.options),
    }
    return {key: value for key, value in found.items() if value}


def _health(config: ContainerConfig) -> dict[str, Any]:
    check = config.healthcheck
    if check is None:
        return {"healthLogDestination": "local", "healthMaxLogCount": 5, "healthMaxLogSize": 500}
    return {
        "healthconfig": health_log.described(check),
        "startupHealthConfig": health_log.described_startup(check) if check.startup else None,
        "health_check_on_failure_action": ("none", "invalid", "kill", "restart", "stop").index(check.on_failure),
        "healthLogDestination": check.log_destination,
        "healthMaxLogCount": check.max_log_count,
        "healthMaxLogSize": check.max_log_size,
    }
