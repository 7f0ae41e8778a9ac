"""What `create` or `run` would do, told without doing it: nothing is written, mounted, pulled or run.

The plan, the places and the spec come from the functions that create and start containers themselves. What those draw
(ids, names, addresses, ports, some paths) is drawn here too, and then shown as what it stands for: `‹container id›`.
"""

from __future__ import annotations

import os

from sonata.engine.containers import inside, network, network_foresee, provenance, rootfs
from sonata.engine.containers import spec as specs
from sonata.engine.containers.decide import planned
from sonata.engine.containers.layered import LayeredRoot
from sonata.engine.containers.materials import gather
from sonata.engine.images import foresee as images
from sonata.engine.paths import ContainerPaths
from sonata.model.container import MountKind, NamespaceKind
from sonata.state import containers as rows
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.storage import LayerRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.engine.containers.made import Mounted
    from sonata.engine.engine import Engine
    from sonata.engine.images.foresee import Foreseen
    from sonata.model.container import ContainerConfig
    from sonata.model.materials import Identity, Materials
    from sonata.model.request import RunRequest
    from sonata_core.models.hooks import OciHook
    from sonata_core.models.process import IdMap

HIDDEN = "*******"
"""The value of a secret variable, as the spec in the bundle has it too."""


class Drawn:
    """What is drawn at run time: the stand-in that the plan was made with → what it stands for."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def note(self, stand_in: str, meaning: str) -> str:
        """Have `stand_in` shown as `‹meaning›`."""
        self._names[stand_in] = f"‹{meaning}›"
        return stand_in

    def told(self, value: Any) -> Any:
        """Plain data with all signs in place, the longest stand-ins first."""
        if isinstance(value, str):
            for stand_in in sorted(self._names, key=len, reverse=True):
                value = value.replace(stand_in, self._names[stand_in])
            return value
        if isinstance(value, (list, tuple)):
            return [self.told(item) for item in value]
        if isinstance(value, dict):
            return {self.told(key): self.told(item) for key, item in value.items()}
        return value


def explain(engine: Engine, request: RunRequest, options: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """Everything that is known of the container before it is made; `options`: global options by the name of
    the setting that each stands for, with name and value.

    Raises what `create` would raise of the request.
    """
    drawn = Drawn()
    if request.pod or request.pod_id_file or request.init_ctr:
        from sonata.engine.pods.foreseen import foreseen

        request = foreseen(engine, request, drawn.note)
    image = images.foresee(engine, request)
    materials = _identity(engine, request, drawn)
    config = planned(engine, request, image.facts, materials)
    problems = _problems(engine, config)
    folders = _folders(engine, config, image)
    automatic = config.namespaces.user.kind is NamespaceKind.AUTO
    if automatic:
        config = _with_maps(engine, config, image, folders)
    for use in config.mounts:
        if use.anonymous:
            drawn.note(use.source, f"volume of {use.target}")
    spec, hooks = _spec(engine, config, folders, drawn, problems)
    id_maps = _id_maps(config)
    if automatic:
        _sign_maps(spec, id_maps)
    told = {
        "Image": image.shown(),
        "Policy": images.verdicts(engine, request, image),
        "Complete": image.record is not None or request.rootfs,
        "Spec": spec,
        "IDMappings": id_maps,
        "Mounts": _mounts(spec),
        "Network": network_foresee.foresee(engine, config),
        "Hooks": [_hook(hook) for hook in hooks],
        "Sources": provenance.sources(engine, request, image.facts, materials),
        "Settings": provenance.settings(engine, request, options),
        "Notices": [*image.notices, *config.notices, *problems],
    }
    found: dict[str, Any] = drawn.told(told)
    return {**found, "Drawn": signs_in(found)}


def signs_in(value: Any) -> list[str]:
    """Every `‹sign›` in plain data, sorted."""
    import re

    return sorted(set(re.findall("‹[^›]*›", repr(value))))


def _identity(engine: Engine, request: RunRequest, drawn: Drawn) -> Materials:
    """Materials with an identity that can be told from everything else in the plan."""
    found = gather(engine, request)
    ident = drawn.note(found.id, "container id")
    drawn.note(ident[:32], "container id, 32 digits")
    drawn.note(ident[:12], "container id, 12 digits")
    if not request.name:
        name = drawn.note(f"drawn_name_{os.urandom(8).hex()}", "name")
        drawn.note(name.replace("_", "-"), "name, - for _")
        found = found.replace(name=name)
    return found.replace(created=drawn.note(found.created, "time of creation"))


def _problems(engine: Engine, config: ContainerConfig) -> list[str]:
    """What would stop `create` after the plan."""
    found = []
    owner = rows.name_owner(engine.database, config.name)
    if owner:
        found.append(f'the name "{config.name}" is in use by {owner}')
    if config.cid_file and os.path.lexists(config.cid_file):
        found.append(f"container id file exists: {config.cid_file}")
    return found


def _with_maps(engine: Engine, config: ContainerConfig, image: Foreseen, folders: tuple[str, ...]) -> ContainerConfig:
    """With the maps of an automatic user namespace as they would be drawn now."""
    from sonata.engine.containers import userns

    with LayeredRoot(folders) as layered:
        return config.replace(id_mapping=userns.drawn(engine, config, image.record, layered.read))


def _sign_maps(spec: dict[str, Any], shown: dict[str, Any]) -> None:
    """Have ids of the host that were drawn shown as such."""
    for kind in ("uid", "gid"):
        for maps, key in ((spec["linux"][f"{kind}Mappings"], "hostID"), (shown[f"{kind.upper()}Map"], "HostID")):
            for number, one in enumerate(maps):
                one[key] = f"‹host {kind} {number + 1}›" if number else f"‹host {kind}›"


def _spec(
    engine: Engine, config: ContainerConfig, folders: tuple[str, ...], drawn: Drawn, problems: list[str]
) -> tuple[dict[str, Any], list[OciHook]]:
    """config.json as `init` writes it, before hooks of the stage `precreate` change it; and every hook that matches."""
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    from sonata.engine.pods.foreseen import pids, with_files

    root = rootfs.root_given(config, paths)
    if not config.rootfs:
        # Below the store, for whether the way there is open to the container's root depends on the folders above.
        graph, stand_in = engine.config.storage.graph_root, os.urandom(8).hex()
        root = drawn.note(f"{graph}/{config.backends.storage}/{stand_in}/merged", "root path")
    mounted = rootfs.places(engine, config, paths, root)
    path = network.new_namespace_path(engine, config)
    if path:
        drawn.note(path, "network namespace path")
    pid_of = pids(drawn.note)
    given = specs.inputs(engine, config, paths, mounted, path or specs.network_namespace(engine, config, pid_of))
    with LayeredRoot(folders) as layered:
        if any(use.kind is MountKind.ARTIFACT for use in config.mounts):
            config = _with_artifacts(engine, config, mounted, layered)
        who = inside.identity_in(config, layered.read)
        if folders:
            problems += _root_problems(config, layered, who)
    given = given.replace(
        files=with_files(engine, config, given.files),
        namespaces=specs.joined(engine, config, pid_of),
        rootfs=inside.rootfs_facts(mounted.entry, who),
        secret_env={use.env: HIDDEN for use in config.secrets if use.env},
    )
    spec, hooks = specs.assemble(engine, config, given)
    return specs.tuned(engine, config, spec), hooks


def _with_artifacts(engine: Engine, config: ContainerConfig, mounted: Mounted, root: LayeredRoot) -> ContainerConfig:
    """With the binds that a start would make of artifacts now."""
    from sonata.engine.containers.artifact_mounts import expanded

    config = expanded(engine, config, root.kind)
    rootfs.note_flags(config, mounted)
    return config


def _folders(engine: Engine, config: ContainerConfig, image: Foreseen) -> tuple[str, ...]:
    """The layers of the root, topmost first; none where the image is not there."""
    if config.rootfs:
        return (config.rootfs,)
    if image.record is None or not image.record.layer:
        return ()
    layer = engine.store.layer(image.record.layer)
    found: list[str] = []
    while True:
        facts = engine.storage.hook.storage_info(layer=LayerRef(store=layer.store, id=layer.id))
        found += facts.paths
        if facts.parent is None:  # none is below, or the driver keeps whole trees
            return tuple(found)
        layer = engine.store.layer(facts.parent)


def _root_problems(config: ContainerConfig, root: LayeredRoot, who: Identity) -> list[str]:
    """What a start would stumble on in the root filesystem."""
    try:
        inside.on_host(config, who.uid, who.gid)
        inside.require_working_directory(config, root.kind, [use.target for use in config.mounts])
    except SonataError as error:
        return [error.message]
    return []


def _id_maps(config: ContainerConfig) -> dict[str, Any]:
    maps = config.id_mapping
    return {
        "UserNamespace": str(config.namespaces.user.kind),
        "UIDMap": [_map(one) for one in maps.uids] if maps else [],
        "GIDMap": [_map(one) for one in maps.gids] if maps else [],
    }


def _map(one: IdMap) -> dict[str, int]:
    return {"ContainerID": one.container_id, "HostID": one.host_id, "Size": one.size}


def _mounts(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The spec's mounts, each with who owns its source on the host, where that is there already."""
    return [
        {
            "Type": mount["type"],
            "Source": mount["source"],
            "Destination": mount["destination"],
            "Options": mount["options"],
            "Owner": _owner(mount["source"]) if mount["type"] == "bind" else None,
        }
        for mount in spec["mounts"]
    ]


def _owner(path: str) -> dict[str, Any] | None:
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return {
        "UID": seen.st_uid,
        "GID": seen.st_gid,
        "User": _named("pwd", "getpwuid", seen.st_uid),
        "Group": _named("grp", "getgrgid", seen.st_gid),
        "Mode": f"{seen.st_mode & 0o7777:04o}",
    }


def _named(module: str, function: str, number: int) -> str:
    look_up: Callable[[int], tuple[str, ...]] = getattr(__import__(module), function)
    try:
        return look_up(number)[0]
    except KeyError:
        return ""


def _hook(hook: OciHook) -> dict[str, Any]:
    return {
        "Path": hook.path,
        "Args": list(hook.args),
        "Env": list(hook.env),
        "Timeout": hook.timeout,
        "Stages": list(hook.stages),
        "Origin": hook.origin,
    }
