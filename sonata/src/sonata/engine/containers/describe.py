"""Everything about one container, with Podman's keys in Podman's order."""

from __future__ import annotations

from sonata.engine.containers import filters, present
from sonata.engine.containers.inspect_host import (
    host_config,
    mount_options,
    port_bindings,
    propagation,
    volumes_and_binds,
)
from sonata.engine.containers.inspect_network import network_settings
from sonata.engine.graph import graph_driver
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.model.container import MountKind, NamespaceKind, NetworkMode
from sonata.model.times import ZERO, rfc3339
from sonata.plan import signals
from sonata.state import containers as rows
from sonata.state import objects, sessions
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, Healthcheck, MountUse
    from sonata.state.rows import ContainerRow


def describe(engine: Engine, row: ContainerRow, *, size: bool = False) -> dict[str, Any]:
    """The object that `inspect` shows for a container. `size` adds SizeRw and SizeRootFs."""
    config, state = row.config, row.state
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    record = engine.store.find_container(config.id)
    args = config.process.args
    holder = network_holder(engine, row)
    files = ContainerPaths(engine, holder.config.backends.storage, holder.config.id).run_dir
    managed = holder.config.network.manage_resolv
    shown: dict[str, Any] = {
        "Id": config.id,
        "Created": config.created,
        "Path": args[0] if args else "",
        "Args": list(args[1:]),
        "State": _state(engine, row),
        "Image": config.image_id,
        "ImageDigest": _digest(engine, config.image_id),
        "ImageName": config.image,
        "Rootfs": config.rootfs,
        "Pod": config.pod,
        "ResolvConfPath": f"{files}/resolv.conf" if managed else "",
        "HostnamePath": f"{paths.run_dir}/hostname",
        "HostsPath": f"{files}/hosts" if holder.config.network.manage_hosts else "",
        "StaticDir": paths.bundle,
        "OCIConfigPath": paths.config,
        "OCIRuntime": config.backends.runtime,
        "ConmonPidFile": config.conmon_pid_file or paths.conmon_pid_file,
        "PidFile": config.pid_file or paths.pid_file,
        "Name": config.name,
        "RestartCount": state.restarts,
        "Driver": config.backends.storage,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": config.security.apparmor,
        "EffectiveCaps": list(config.security.capabilities.effective),
        "BoundingCaps": list(config.security.capabilities.bounding),
        "ExecIDs": _sessions(engine, config.id),
        "GraphDriver": graph_driver(engine, record.layer if record else None, state.mountpoint),
        "Mounts": [mount_shown(engine, use) for use in volumes_and_binds(config)],
        "Dependencies": rows.needed_by(engine.database, config.id),
        "NetworkSettings": network_settings(engine, holder),
        "Namespace": "",
        "IsInfra": config.infra,
        "IsService": False,
        "KubeExitCodePropagation": "invalid",
        "lockNumber": 0,
        "Config": _config(engine, row),
        "HostConfig": host_config(config, paths.log),
        "UseImageHosts": config.network.base_hosts == "image",
        "UseImageHostname": False,
    }
    if size:
        from sonata.engine.containers.size import sizes

        shown["SizeRw"], shown["SizeRootFs"] = sizes(engine, row)
    return shown


def network_holder(engine: Engine, row: ContainerRow) -> ContainerRow:
    """The container whose network this one has: itself, or the one whose namespace it joins."""
    if row.config.network.mode is not NetworkMode.CONTAINER:
        return row
    try:
        return present.corrected(engine, rows.get(engine.database, row.config.namespaces.network.value))
    except NotFound:
        return row


def _digest(engine: Engine, image: str) -> str:
    found = engine.store.find_image(image) if image else None
    return str(found.digest) if found else ""


def _state(engine: Engine, row: ContainerRow) -> dict[str, Any]:
    state = row.state
    shown = filters.shown_state(row)
    return {
        "OciVersion": "1.0.2",
        "Status": shown,
        "Running": shown == "running",
        "Paused": shown == "paused",
        "Restarting": present.is_awaited(engine, row),
        "OOMKilled": state.oom_killed,
        "Dead": False,
        "Pid": state.pid,
        "ConmonPid": state.conmon_pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": rfc3339(state.started) if state.started else ZERO,
        "FinishedAt": rfc3339(state.finished) if state.finished else ZERO,
        **_health(engine, row),
        "CgroupPath": _cgroup_path(engine, row),
        "CheckpointedAt": ZERO,
        "RestoredAt": ZERO,
    }


def _cgroup_path(engine: Engine, row: ContainerRow) -> str:
    if not row.state.pid:
        return ""
    if row.state.cgroup:
        return row.state.cgroup
    from sonata.plan.spec.linux import cgroups_path

    return cgroups_path(row.config, engine.facts)


def _health(engine: Engine, row: ContainerRow) -> dict[str, Any]:
    if row.config.healthcheck is None:
        return {}
    from sonata.engine.containers import health_log

    if not health_log.is_checked(row.config.healthcheck):
        return {}
    if not row.state.started:
        return {"Health": {"Status": "", "FailingStreak": 0, "Log": None}}
    return {"Health": health_log.read(engine, row.config)}


def _healthcheck(check: Healthcheck | None) -> dict[str, Any]:
    """What is checked, and how."""
    shown: dict[str, Any] = {}
    if check is not None:
        from sonata.engine.containers import health_log

        if check.startup is not None:
            shown["StartupHealthCheck"] = health_log.described_startup(check)
        shown["Healthcheck"] = health_log.described(check)
    return {
        **shown,
        "HealthcheckOnFailureAction": check.on_failure if check else "none",
        "HealthLogDestination": check.log_destination if check else "local",
        "HealthcheckMaxLogCount": check.max_log_count if check else 5,
        "HealthcheckMaxLogSize": check.max_log_size if check else 500,
    }


def mount_shown(engine: Engine, use: MountUse) -> dict[str, Any]:
    """One entry of `Mounts`."""
    volume = objects.volume_named(engine.database, use.source) if use.kind is MountKind.VOLUME else None
    shown: dict[str, Any] = {"Type": str(use.kind) if use.kind in (MountKind.VOLUME, MountKind.IMAGE) else "bind"}
    if volume is not None:
        shown["Name"] = use.source
    shown["Source"] = (volume.mountpoint or volume.mounted_at) if volume else use.source
    shown["Destination"] = use.target
    shown["Driver"] = volume.driver if volume else ""
    shown["Mode"] = use.relabel
    shown["Options"] = None if use.kind is MountKind.IMAGE else mount_options(use)
    shown["RW"] = not use.read_only
    shown["Propagation"] = propagation(use)
    if use.subpath:
        shown["SubPath"] = use.subpath
    return shown


def _config(engine: Engine, row: ContainerRow) -> dict[str, Any]:
    shown = _process_config(row)
    if row.config.secrets:
        from sonata.engine.containers import secrets

        files, variables = secrets.shown(engine, row.config)
        shown["Env"] += variables
        if files:
            shown["Secrets"] = files
    return shown


def _process_config(row: ContainerRow) -> dict[str, Any]:
    config = row.config
    process = config.process
    return {
        "Hostname": hostname(config),
        "Domainname": "",
        "User": process.user,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": process.terminal,
        "OpenStdin": process.stdin_open,
        "StdinOnce": False,
        "Env": [f"{key}={value}" for key, value in process.env.items()],
        "Cmd": list(process.command) or None,
        "Image": config.image,
        "Volumes": None,
        "WorkingDir": process.cwd,
        "Entrypoint": list(process.entrypoint) or None,
        "OnBuild": None,
        "Labels": dict(sorted(config.labels.items())),
        "Annotations": dict(sorted(config.annotations.items())),
        "StopSignal": signals.name(process.stop_signal),
        **_healthcheck(config.healthcheck),
        "CreateCommand": list(config.create_command),
        "Umask": process.umask,
        "Timeout": process.timeout,
        "StopTimeout": process.stop_timeout,
        "Passwd": process.passwd,
        **({"ChrootDirs": list(config.chroot_dirs)} if config.chroot_dirs else {}),
        **({"SystemdMode": True} if process.systemd else {}),
        "sdNotifyMode": process.sdnotify,
        **({"ExposedPorts": {port: {} for port in exposed_ports(config)}} if exposed_ports(config) else {}),
    }


def hostname(config: ContainerConfig) -> str:
    """The hostname as the container sees it; empty where it is the host's."""
    if config.hostname:
        return config.hostname
    return config.id[:12] if config.namespaces.uts.kind is NamespaceKind.PRIVATE else ""


def exposed_ports(config: ContainerConfig) -> list[str]:
    """`80/tcp`: what the image and the user name, and what is published."""
    return sorted(port_bindings(config, exposed=True))


def _sessions(engine: Engine, container: str) -> list[str]:
    """Ids of the exec sessions that run; the row of one whose command was killed may still be there."""
    found = sessions.of_container(engine.database, container)
    return [
        one.id
        for one in found
        if one.running and one.boot == engine.facts.boot_id and process.alive(one.pid, one.pid_start)
    ]
