"""A request becomes a container: every option read, every default applied, once."""

from __future__ import annotations

from sonata.model.container import (
    Backends,
    ContainerConfig,
    Healthcheck,
    MountUse,
    NamespaceKind,
    NetworkConfig,
    NetworkMode,
    ProcessConfig,
    SecretUse,
)
from sonata.plan import (
    env,
    health,
    namespaces,
    naming,
    network,
    ports,
    resources,
    restart,
    security,
    signals,
    sysctl,
    ulimits,
    volumes,
)
from sonata.plan.devices import cdi_names
from sonata.plan.devices import decide as decide_devices
from sonata.plan.logs import log_config
from sonata.plan.values import go_quote, is_digits, require_name, size
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.model.container import Namespaces
    from sonata.model.defaults import Defaults
    from sonata.model.materials import ImageFacts, Materials
    from sonata.model.request import RunRequest
    from sonata_core.lite import Any
    from sonata_core.models.host import HostFacts

_INITS = ("/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init")
_SYSTEMD_STOP = 37


def plan_container(
    request: RunRequest, image: ImageFacts, materials: Materials, facts: HostFacts, defaults: Defaults
) -> ContainerConfig:
    """What the container will be. Pure: the same arguments give the same config.

    Raises UsageError, with Podman's texts, for options that make no sense.
    """
    require_name(materials.name)
    _check(request)
    net = network.decide(request, materials, facts, defaults)
    chosen = namespaces.decide(request, net.namespace(), materials, facts, defaults)
    id_mapping = None
    limits, notices = resources.decide(request, materials, facts, defaults)
    rlimits, rlimits_host = ulimits.decide(request.ulimit, defaults.default_ulimits)
    process = _no_lower_score(_process(request, image, materials, defaults), materials, facts, notices)
    if chosen.user.kind is not NamespaceKind.HOST:
        from sonata.plan import usermode

        process = usermode.process(request, chosen.user, process, facts)
        user, id_mapping = usermode.maps(request, chosen.user, materials, facts)
        chosen = chosen.replace(user=user)
    net_config = _network(request, image, net, notices, defaults)
    privileged = defaults.privileged if request.privileged is None else request.privileged
    devices, device_rules = decide_devices(request, materials, facts, defaults)
    return ContainerConfig(
        id=materials.id,
        name=materials.name,
        created=materials.created,
        image=image.name,
        image_id=image.id,
        image_given=request.image,
        hostname=_hostname(request, materials, defaults),
        labels=env.labels(image.labels, materials.label_files, request.label, request.caller_env),
        annotations=_annotations(request, defaults),
        process=process,
        security=security.decide(request, process.user, facts, defaults),
        namespaces=chosen,
        id_mapping=id_mapping,
        network=net_config,
        mounts=_mounts(request, image, materials, defaults),
        image_volumes=_image_volumes(request, defaults),
        devices=devices,
        device_rules=device_rules,
        cdi_devices=cdi_names(request, defaults),
        host_devices=privileged,
        sysctl=sysctl.decide(request.sysctl, _default_sysctls(request, defaults, chosen), chosen),
        resources={} if request.cgroups == "disabled" else limits,
        rlimits=rlimits,
        rlimits_host=rlimits_host,
        rdt_class=request.rdt_class,
        cgroups=_cgroups(request, defaults),
        cgroup_parent=resources.group_parent(request, materials, facts, defaults),
        secrets=tuple(_secret(text) for text in request.secret),
        log=log_config(request, materials, defaults),
        restart=restart.parse(request.restart),
        requires=_requires(request, materials),
        healthcheck=_healthcheck(request, image),
        notices=tuple(notices),
        **_plain(request, defaults),
    )


_NOTIFIERS = ("conmon", "container", "healthy", "ignore")


def _healthcheck(request: RunRequest, image: ImageFacts) -> Healthcheck | None:
    found = health.decide(request, image.healthcheck)
    if request.sdnotify not in _NOTIFIERS:
        raise UsageError(
            f"invalid config provided: invalid argument: invalid sdnotify value {go_quote(request.sdnotify)}: "
            "must be conmon, container, healthy or ignore"
        )
    if request.sdnotify == "healthy" and (found is None or found.test[:1] in ((), ("NONE",))):
        raise UsageError('invalid argument: sdnotify policy "healthy" requires a healthcheck to be set')
    return found


def _plain(request: RunRequest, defaults: Defaults) -> dict[str, Any]:
    """Fields that are taken over with little thought."""
    rootfs, overlay, id_map = _rootfs(request)
    return {
        "rootfs": rootfs,
        "rootfs_overlay": overlay,
        "rootfs_id_map": id_map,
        "shm_size": _shm(request.shm_size) if request.shm_size else size(defaults.shm_size, base=1000),
        "shm_size_systemd": _shm(request.shm_size_systemd) if request.shm_size_systemd else 0,
        "read_only": defaults.read_only if request.read_only is None else request.read_only,
        "read_only_tmpfs": (defaults.read_only_tmpfs if request.read_only_tmpfs is None else request.read_only_tmpfs),
        "auto_remove": request.rm or request.rmi,
        "auto_remove_image": request.rmi,
        "pid_file": request.pidfile,
        "conmon_pid_file": request.conmon_pidfile,
        "cid_file": request.cidfile,
        "pod": request.pod,
        "init_type": request.init_ctr,
        "noted": _noted(request),
        "volumes_from": request.volumes_from,
        "chroot_dirs": tuple(volumes.clean(f"/{path}") for path in request.chrootdirs),
        "create_command": request.create_command,
        "backends": Backends(
            runtime=defaults.runtime,
            storage=defaults.storage_driver,
            network=defaults.network_backend,
            cgroup_manager=defaults.cgroup_manager,
        ),
    }


def _noted(request: RunRequest) -> dict[str, str]:
    """What Podman writes down among its annotations for `inspect` and `generate kube`."""
    result: dict[str, str] = {}
    if request.pids_limit is not None:
        result["pids-limit"] = str(request.pids_limit)
    if request.cpuset_cpus:
        result["cpuset"] = request.cpuset_cpus
    if request.userns:
        result["userns"] = request.userns
    if request.volumes_from:
        result["volumes-from"] = ";".join(request.volumes_from)
    for text in request.security_opt:
        key, _, value = text.partition("=" if "=" in text else ":")
        if key in ("seccomp", "apparmor", "label"):
            result[key] = value
    return result


def _default_sysctls(request: RunRequest, defaults: Defaults, chosen: Namespaces) -> tuple[str, ...]:
    """Without those of a network that is the pod's: its infra container has set them, unless it has the host's."""
    if not request.inherits or chosen.network.kind is not NamespaceKind.CONTAINER:
        return defaults.default_sysctls
    return tuple(text for text in defaults.default_sysctls if not text.startswith("net."))


def _requires(request: RunRequest, materials: Materials) -> tuple[str, ...]:
    """Ids of the containers that must run before this one. Raises UsageError for those of other pods."""
    names = [name for entry in request.requires for name in entry.split(",") if name]
    for one in (materials.containers[name] for name in names):
        if one.pod == request.pod:
            continue
        told = f"container has joined pod {request.pod} and dependency container {one.id} is not a member of the pod"
        if not request.pod:
            told = f"container dependency {one.id} is part of a pod, but container is not"
        raise UsageError(f"running container create option: {told}: invalid argument")
    return tuple(dict.fromkeys(materials.containers[name].id for name in names))


def _check(request: RunRequest) -> None:
    if request.rm:
        restart.require_removable(request.restart)
    if request.umask and (
        not is_digits(request.umask) or set(request.umask) - set("01234567") or len(request.umask) > 4
    ):
        raise UsageError(f"running container create option: invalid umask string {request.umask}: invalid argument")
    if request.systemd.lower() not in ("true", "false", "always", "t", "f", "1", "0"):
        raise UsageError(
            'invalid config provided: --systemd values must be one of "true, false, always": invalid configuration'
        )
    if "keep-groups" in request.group_add and len(request.group_add) > 1:
        raise UsageError("the '--group-add keep-groups' option is not allowed with any other --group-add options")
    if request.oom_score_adj is not None and not -1000 <= request.oom_score_adj <= 1000:
        raise UsageError(f"invalid value {request.oom_score_adj} for --oom-score-adj: it lies between -1000 and 1000")
    if request.personality and request.personality not in ("LINUX", "LINUX32"):
        raise UsageError(f"invalid personality {go_quote(request.personality)}: use LINUX or LINUX32")


def _no_lower_score(
    process: ProcessConfig, materials: Materials, facts: HostFacts, notices: list[str]
) -> ProcessConfig:
    """An ordinary user's processes are spared by the kernel no more than the engine itself is."""
    asked, own = process.oom_score_adj, materials.oom_score_adj
    if not facts.rootless or asked is None or asked >= own:
        return process
    notices.append(f"Requested oom_score_adj={asked} is lower than the current one, changing to {own}")
    return process.replace(oom_score_adj=own)


def _cgroups(request: RunRequest, defaults: Defaults) -> str:
    mode = request.cgroups or defaults.cgroups
    if mode not in ("enabled", "disabled", "no-conmon", "split"):
        raise UsageError(f"running container create option: invalid cgroup mode {go_quote(mode)}: invalid argument")
    if mode == "disabled" and request.cgroup_parent:
        raise UsageError("cannot set cgroup parent if not creating cgroups: invalid argument")
    if mode == "split":
        raise UsageError(
            "--cgroups=split is not supported: it moves the caller and its other processes into a new cgroup",
            hint="name the cgroup that the container is to be below with --cgroup-parent",
        )
    return mode


def _shm(text: str) -> int:
    try:
        return size(text)
    except UsageError as error:
        raise UsageError(f"unable to translate --shm-size: {error.message}") from None


def _rootfs(request: RunRequest) -> tuple[str, bool, str | None]:
    if not request.rootfs:
        return "", False, None
    if not request.image:
        raise UsageError("must set root filesystem source to either image or rootfs: invalid argument")
    path, colon, rest = request.image.rpartition(":")
    options = rest.split(",") if colon else []
    if not colon or any(option != "O" and option.partition("=")[0] != "idmap" for option in options):
        path, options = request.image, []
    path = volumes.clean(path if path.startswith("/") else f"{request.caller_dir}/{path}")
    id_map = next((option.partition("=")[2] for option in options if option.partition("=")[0] == "idmap"), None)
    return path, "O" in options, id_map


def _hostname(request: RunRequest, materials: Materials, defaults: Defaults) -> str:
    if not request.hostname and defaults.container_name_as_hostname:
        return materials.name.replace("_", "-")
    if any(char in request.hostname for char in "\n\0 /"):
        raise UsageError(f"invalid hostname {go_quote(request.hostname)}: blanks and slashes have no place in it")
    return request.hostname


def _annotations(request: RunRequest, defaults: Defaults) -> dict[str, str]:
    result: dict[str, str] = {}
    for text in (*defaults.annotations, *request.annotation):
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError("annotations must be formatted KEY=VALUE", hint=f"{go_quote(text)} is not")
        result[key] = value
    return result


def _process(request: RunRequest, image: ImageFacts, materials: Materials, defaults: Defaults) -> ProcessConfig:
    entrypoint, command = _command(request, image)
    args = entrypoint + command
    init = defaults.init if request.init is None else request.init
    systemd = _systemd(request, args)
    stop_signal = request.stop_signal or image.stop_signal
    return ProcessConfig(
        args=args,
        entrypoint=entrypoint,
        command=command,
        env=_environment(request, image, materials, defaults),
        cwd=volumes.clean("/" + (request.workdir or image.working_dir)),
        cwd_given=bool(request.workdir),
        user=request.user or image.user,
        groups=request.group_add,
        terminal=request.tty,
        stdin_open=request.interactive,
        umask=request.umask or defaults.umask,
        timezone=request.tz or defaults.tz,
        init=init,
        init_path=request.init_path or defaults.init_path,
        systemd=systemd,
        stop_signal=signals.number(stop_signal) if stop_signal else _SYSTEMD_STOP if systemd else 15,
        stop_timeout=defaults.stop_timeout if request.stop_timeout is None else request.stop_timeout,
        timeout=request.timeout,
        oom_score_adj=defaults.oom_score_adj if request.oom_score_adj is None else request.oom_score_adj,
        personality=request.personality,
        sdnotify=request.sdnotify,
        preserve_fds=request.preserve_fds,
        passwd=request.passwd,
        passwd_entry=request.passwd_entry,
        group_entry=request.group_entry,
        host_users=request.hostuser,
    )


def _command(request: RunRequest, image: ImageFacts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    given = request.command or ()
    if request.entrypoint is None:
        return image.entrypoint, given or image.cmd
    return _entrypoint(request.entrypoint), given


def _entrypoint(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        from json import loads

        try:
            words = loads(text)
        except ValueError:
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
    return (text,) if text else ()


def _systemd(request: RunRequest, args: tuple[str, ...]) -> bool:
    mode = request.systemd.lower()
    if mode == "always":
        return True
    if mode in ("false", "f", "0") or not args:
        return False
    return args[0] in _INITS or args[0].rpartition("/")[2] == "systemd"


def _environment(request: RunRequest, image: ImageFacts, materials: Materials, defaults: Defaults) -> dict[str, str]:
    caller = request.caller_env
    result = env.entries(defaults.env, caller)
    result["container"] = "podman"
    if request.tty:
        result["TERM"] = "xterm"
    result.update(env.entries((text for text in image.env if "=" in text and text[0] != "="), {}))
    if request.unsetenv_all:
        result.clear()
    for name in request.unsetenv:
        result.pop(name, None)
    if defaults.env_host if request.env_host is None else request.env_host:
        result.update(caller)
    if defaults.http_proxy if request.http_proxy is None else request.http_proxy:
        result.update(env.proxies(caller))
    result.update(env.expand(request.env_merge, result))
    for text in materials.env_files:
        result.update(env.file_entries(text, caller))
    result.update(env.entries(request.env, caller))
    return result


def _network(
    request: RunRequest, image: ImageFacts, net: network.Choice, notices: list[str], defaults: Defaults
) -> NetworkConfig:
    published = ports.parse_all(request.publish)
    exposed = ports.exposed((*image.exposed_ports, *request.expose))
    if request.publish_all:
        published = ports.publish_exposed(published, exposed)
    if published and net.mode in (NetworkMode.HOST, NetworkMode.NONE, NetworkMode.CONTAINER, NetworkMode.PATH):
        kind = "ns" if net.mode == NetworkMode.PATH else net.mode
        notices.append(
            f'Port mappings have been discarded because "{kind}" network namespace mode does not support them'
        )
        published = ()
    hosts_off = defaults.no_hosts if request.no_hosts is None else request.no_hosts
    naming.require_consistent(request, net.mode, hosts_off=hosts_off)
    return NetworkConfig(
        mode=net.mode,
        networks=net.networks,
        options=net.options,
        ports=published,
        exposed=exposed,
        publish_all=request.publish_all,
        dns_servers=naming.servers(request.dns),
        dns_search=naming.searched(request.dns_search),
        dns_options=request.dns_option,
        add_hosts=tuple(naming.added_host(text) for text in request.add_host),
        manage_hosts=not hosts_off,
        manage_resolv=request.dns != ("none",) and net.mode != NetworkMode.NONE,
        manage_hostname=not (defaults.no_hostname if request.no_hostname is None else request.no_hostname),
        base_hosts=_base_hosts(request, defaults),
    )


def _base_hosts(request: RunRequest, defaults: Defaults) -> str:
    given = request.hosts_file
    if given in ("", "none", "image") or given.startswith("/"):
        return given or defaults.base_hosts_file
    return volumes.clean(f"{request.caller_dir}/{given}")


def _image_volumes(request: RunRequest, defaults: Defaults) -> str:
    return request.image_volume or defaults.image_volume_mode


def _mounts(request: RunRequest, image: ImageFacts, materials: Materials, defaults: Defaults) -> tuple[MountUse, ...]:
    where, container_id = request.caller_dir, materials.id
    own = volumes.unify(
        (
            [volumes.parse(text, where, container_id) for text in request.volume],
            _parsed(request.mount, where, container_id),
            [volumes.parse_tmpfs(text) for text in request.tmpfs],
        )
    )
    others = [mount for text in request.volumes_from for mount in _others(text, materials)]
    if request.inherits:
        others += [mount.replace(origin="pod") for mount in volumes.from_others(_of_pod(request, materials), ())]
    of_image = volumes.of_image(image.volumes, _image_volumes(request, defaults), container_id)
    of_defaults = [
        *(volumes.parse(text, where, container_id) for text in defaults.volumes),
        *_parsed(defaults.mounts, where, container_id),
    ]
    return volumes.supersede(own, others, of_image, of_defaults)


def _parsed(texts: Sequence[str], where: str, container_id: str) -> list[MountUse]:
    """What `--mount` says, whose grammar is loaded where it is used."""
    if not texts:
        return []
    from sonata.plan import mounts

    return [mounts.parse(text, where, container_id) for text in texts]


def _others(text: str, materials: Materials) -> list[MountUse]:
    name, options = volumes.volumes_from(text)
    if name not in materials.containers:
        raise UsageError(f"looking up container {go_quote(name)} for volumes-from: no such container")
    return volumes.from_others(materials.containers[name].mounts, options)


def _of_pod(request: RunRequest, materials: Materials) -> list[MountUse]:
    """The mounts of the pod's infra container, but for its own program."""
    return [mount for mount in materials.containers[request.inherits].mounts if mount.origin != "infra"]


def _secret(text: str) -> SecretUse:
    from sonata.plan.secrets import parse

    return parse(text)
