"""The spec of one start: planned, adjusted by participants, written into the bundle."""

from __future__ import annotations

import os

from sonata.engine.containers import files, inside, network
from sonata.engine.containers.made import Prepared
from sonata.model.container import NamespaceKind, NetworkMode
from sonata.model.materials import OURS, NetPaths, RootfsFacts, SpecInputs
from sonata.plan import adjust
from sonata.plan.seccomp import DEFAULT_PROFILE
from sonata.plan.spec.runtime import host_name, runtime_spec
from sonata.state import containers as rows
from sonata_core import json_text as json
from sonata_core.errors import Conflict, NotFound, UsageError
from sonata_core.groups import HOOKS
from sonata_core.hookspecs.hooks import OciHooks, SpecAdjust
from sonata_core.hookspecs.runtime import RuntimeTune
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.hooks import OciHook, SpecAdjustment
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.engine.containers.made import Mounted
    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig, NamespaceChoice

    PidOf = Callable[[Engine, NamespaceChoice], int]

_ENGINE_STAGES = ("precreate", "poststop")
_KINDS = {"cgroup": "cgroup", "ipc": "ipc", "network": "net", "pid": "pid", "user": "user", "uts": "uts"}


def prepare(engine: Engine, config: ContainerConfig, paths: ContainerPaths, mounted: Mounted, netns: str) -> Prepared:
    """Write config.json. The caller closes `root`, the opened root filesystem."""
    root = os.open(mounted.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        who = inside.identity(config, root)
        inside.working_directory(config, root, who, [use.target for use in config.mounts])
        inside.link_mtab(config, root)
        inside.add_entries(config, root, who)
        inside.on_host(config, who.uid, who.gid)
        if any(use.chown for use in config.mounts):
            from sonata.engine.containers import owners

            owners.give_away(config, mounted, who)
        given = inputs(engine, config, paths, mounted, netns)
        given = given.replace(namespaces=joined(engine, config), rootfs=inside.rootfs_facts(mounted.entry, who))
        hostname = host_name(config, given)
        files.lay(engine, config, given.files, hostname)
        if config.id_mapping is not None:
            from sonata.engine.containers import userns

            userns.own_files(config, given.files)
        if config.secrets:
            from sonata.engine.containers import secrets

            secrets.lay(engine, config, paths)
            given = given.replace(secret_env=secrets.variables(engine, config.secrets))
        spec, hooks = assemble(engine, config, given)
        spec = tuned(engine, config, _changed_by_hooks(engine, paths, spec, hooks))
        _keep(paths, spec, secret=bool(given.secret_env))
    except BaseException:
        os.close(root)
        raise
    return Prepared(spec, given.files, root, hostname)


def inputs(engine: Engine, config: ContainerConfig, paths: ContainerPaths, mounted: Mounted, netns: str) -> SpecInputs:
    """What the spec is made from, but for the user in the root, secrets' values and joined namespaces. Makes nothing.

    `netns`: the path of the network namespace that the engine makes or joins, if it does either.

    Raises Conflict, NotFound, UsageError, HostLacks.
    """
    if network.made_by_runtime(config):
        netns = ""
    made = files.places(engine, config, paths, mounted.shm)
    if config.secrets:
        from sonata.engine.containers import secrets

        folder, others = secrets.places(config, paths)
        made = made.replace(secrets=folder, secret_files=others)
    return SpecInputs(
        rootfs=RootfsFacts(path=mounted.entry),
        net=NetPaths(netns=netns, hostname=files.uts_name(config)),
        files=made,
        sources=mounted.sources,
        source_flags=mounted.flags,
        host_devices=_host_devices() if config.host_devices else (),
        host_queues=os.path.isdir("/dev/mqueue"),
        seccomp=_seccomp(engine, config),
    )


def assemble(engine: Engine, config: ContainerConfig, given: SpecInputs) -> tuple[dict[str, Any], list[OciHook]]:
    """The spec with what participants of the hooks group add, and their hooks. Runs and writes nothing."""
    spec = runtime_spec(config, given, engine.facts)
    if config.resources.get("blockIO"):
        from sonata.engine.containers import block_weight

        if block_weight.is_only_bfqs(engine.facts.cgroup_version):
            linux = spec["linux"]
            spec = {**spec, "linux": {**linux, "resources": block_weight.without(linux["resources"])}}
    if engine.config.environment.get("NOTIFY_SOCKET"):
        from sonata.engine.containers import notify

        if notify.passed_on(engine, config):
            spec = notify.inject(engine, config, spec)
    if engine.config.environment.get("LISTEN_FDS"):
        from sonata.engine.containers import descriptors

        spec = descriptors.announced(engine.config.environment, spec)
    if config.cdi_devices:
        from sonata.engine.containers.cdi import inject

        spec = inject(engine, config.cdi_devices, spec)
    if not engine.catalog.names(HOOKS):
        return spec, []
    annotations: Mapping[str, str] = spec.get("annotations", {})
    answers = engine.hooks.gather(OciHooks.oci_hooks, spec=spec, annotations=annotations)
    found = [hook for _, some in answers for hook in some]
    asked = engine.hooks.gather(SpecAdjust.oci_adjust, spec=spec, annotations=annotations)
    changes = [change for _, change in asked if change is not None]
    for_runtime = [SpecAdjustment(origin=hook.origin, hooks=(_without_engine_stages(hook),)) for hook in found]
    return adjust.merge(spec, [*changes, *(one for one in for_runtime if one.hooks[0].stages)]), found


def _changed_by_hooks(
    engine: Engine, paths: ContainerPaths, spec: dict[str, Any], found: list[OciHook]
) -> dict[str, Any]:
    """Run the hooks of the stage `precreate`, and keep those of `poststop` for later."""
    early = [hook for hook in found if "precreate" in hook.stages]
    late = [hook for hook in found if "poststop" in hook.stages]
    if late:
        from sonata_core.codec import freeze

        _write(f"{paths.bundle}/poststop.json", freeze(late))
    if early:
        from sonata.engine.containers.oci_hooks import run_precreate

        spec = run_precreate(engine, paths, spec, early)
    return spec


def _without_engine_stages(hook: OciHook) -> OciHook:
    return hook.replace(stages=tuple(stage for stage in hook.stages if stage not in _ENGINE_STAGES))


def tuned(engine: Engine, config: ContainerConfig, spec: dict[str, Any]) -> dict[str, Any]:
    """With what the runtime's own plugin adds."""
    slot = engine.runtime(config.backends.runtime)
    if not slot.offers(RuntimeTune):
        return spec
    change = slot.require(RuntimeTune).runtime_adjust(spec=spec)
    return spec if change is None else {**spec, "annotations": {**spec.get("annotations", {}), **change.annotations}}


def _seccomp(engine: Engine, config: ContainerConfig) -> Mapping[str, Any] | None:
    """The profile as parsed; None for unconfined. Raises UsageError."""
    wanted = config.security.seccomp
    if wanted == "unconfined" or config.security.privileged:
        return None
    if config.security.seccomp_policy == "image":
        from sonata.engine.containers.seccomp_image import profile_of

        return profile_of(config)
    path = wanted or engine.config.paths.seccomp_profile or DEFAULT_PROFILE
    try:
        with open(path, encoding="utf-8") as file:
            profile: dict[str, Any] = json.load(file)
    except FileNotFoundError as error:
        raise UsageError(f"opening seccomp profile failed: open {path}: no such file or directory") from error
    except (ValueError, OSError) as error:
        raise UsageError(f"loading seccomp profile {path} failed: {error}") from error
    return profile


def joined(engine: Engine, config: ContainerConfig, pid_of: PidOf | None = None) -> dict[str, str]:
    """Paths of the namespaces of other containers that this one joins, but for the network's.

    `pid_of`: as `running_pid`, which is the default. Raises Conflict if one does not run.
    """
    pid_of = pid_of or running_pid
    spaces = config.namespaces
    found: dict[str, str] = {}
    for name, choice in (
        ("cgroup", spaces.cgroup),
        ("ipc", spaces.ipc),
        ("pid", spaces.pid),
        ("user", spaces.user),
        ("uts", spaces.uts),
    ):
        if choice.kind in (NamespaceKind.CONTAINER, NamespaceKind.POD):
            found[name] = f"/proc/{pid_of(engine, choice)}/ns/{_KINDS[name]}"
            if engine.facts.id_mapping is not None and name != "user" and _is_ours(found[name]):
                found[name] = OURS
        elif choice.kind is NamespaceKind.PATH:
            found[name] = choice.value
    return found


def _is_ours(path: str) -> bool:
    """Whether a namespace is this process's own: in a user namespace nobody may enter the host's, in which he is."""
    try:
        return os.readlink(path) == os.readlink(f"/proc/self/ns/{os.path.basename(path)}")
    except OSError:
        return False


def running_pid(engine: Engine, choice: NamespaceChoice) -> int:
    """The first process of the container that a namespace is shared with. Raises Conflict, NotFound."""
    from sonata.engine.containers import present

    other = present.corrected(engine, rows.get(engine.database, choice.value))
    if not other.state.pid:
        raise Conflict(
            f"container {other.config.id} is not running, can't get its namespaces: container state improper",
            hint=f"sonata start {other.config.name}",
        )
    return other.state.pid


def network_namespace(engine: Engine, config: ContainerConfig, pid_of: PidOf | None = None) -> str:
    """The path of a network namespace that is joined; empty where none is. Raises NotFound, Conflict."""
    choice = config.namespaces.network
    if config.network.mode not in (NetworkMode.CONTAINER, NetworkMode.PATH, NetworkMode.POD):
        return ""
    if config.network.mode is not NetworkMode.PATH:
        return f"/proc/{(pid_of or running_pid)(engine, choice)}/ns/net"
    if not os.path.exists(choice.value):
        raise NotFound(f"network namespace {choice.value}: no such file or directory")
    return choice.value


def _host_devices() -> tuple[Any, ...]:
    from sonata.engine.containers.materials import nodes_at

    left_out = ("/dev/console", "/dev/fd", "/dev/ptmx", "/dev/tty")
    return tuple(node for node in nodes_at("/dev") if node.path not in left_out)


def _keep(paths: ContainerPaths, spec: dict[str, Any], *, secret: bool) -> None:
    if not secret:
        _write(paths.config, spec)
        return
    from sonata.engine.containers import secrets

    secrets.write_spec(paths, _text(spec))


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode(errors="surrogateescape")


def _write(path: str, value: object) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_whole(handle, _text(value), path)
    finally:
        os.close(handle)
