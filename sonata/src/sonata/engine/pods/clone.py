"""`pod clone`: another pod from the options of the first one, with copies of its containers."""

from __future__ import annotations

from sonata.engine.containers.clone import copied, free_name, image_of
from sonata.engine.containers.make import make
from sonata.engine.pods.create import create
from sonata.engine.pods.members import levels, members
from sonata.engine.pods.remove import remove
from sonata.engine.pods.start import start
from sonata.model.container import MountUse, NamespaceChoice, SecurityConfig
from sonata.model.pod import PodConfig, PodRequest
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core import interrupts
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig


def clone(engine: Engine, pod: PodConfig, given: Mapping[str, object], name: str = "") -> PodConfig:
    """Make a pod as another one, with those options of `pod create` changed that are `given`; nothing of it runs.

    The containers are copied with fresh root filesystems and names of their own. Raises what making a pod raises.
    """
    with interrupts.Shield():
        found = members(engine, pod)
        made = create(engine, _request(engine, pod, given, name))
        try:
            infra = rows.get(engine.database, made.infra).config if made.infra else None
            ids = {pod.infra: made.infra}
            for row in (row for level in levels(engine, found) for row in level):
                if row.config.infra:
                    continue
                copy = _member(engine, row.config, (pod, made), infra, ids)
                copy = copy if infra is None else _inheriting(copy, infra, given)
                ids[row.config.id] = copy.id
                make(engine, copy, image_of(engine, copy))
        except BaseException:
            with interrupts.Shield(firm=True):
                _take_back(engine, made)
            raise
    return made


def _take_back(engine: Engine, made: PodConfig) -> None:
    try:
        remove(engine, made, force=True, timeout=0)
    except SonataError as error:
        engine.log.warning("pod_stays", pod=made.id, error=error.message)


_USERS = frozenset(("gidmap", "subgidname", "subuidname", "uidmap", "userns"))
"""Options of which those that are given go in the place of all that the original had."""


def _request(engine: Engine, pod: PodConfig, given: Mapping[str, object], name: str) -> PodRequest:
    known = fields_of(PodRequest)
    asked = {key: _value(value) for key, value in pod.asked.items() if key in known}
    if not _USERS.isdisjoint(given):
        asked = {key: value for key, value in asked.items() if key not in _USERS}
    labels = tuple(f"{key}={value}" for key, value in pod.labels.items())
    merged: dict[str, Any] = {**asked, "label": labels, **given}
    if "label" in given:
        merged["label"] = (*labels, *_words(given["label"]))
    if pod.infra and "infra_name" not in given:
        merged["infra_name"] = free_name(engine, rows.get(engine.database, pod.infra).config.name)
    return PodRequest(**{**merged, "name": name or free_pod_name(engine, pod.name)})


def _value(value: object) -> object:
    """As requests have it: JSON knows no tuples."""
    return tuple(value) if isinstance(value, list) else value


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, (list, tuple)) else ()


def free_pod_name(engine: Engine, name: str) -> str:
    """`NAME-clone`, or with the first number behind it that is free."""
    base, number = f"{name}-clone", 1
    free = base
    while pods.has_name(engine.database, free):
        free, number = f"{base}{number}", number + 1
    return free


def _member(
    engine: Engine,
    config: ContainerConfig,
    both: tuple[PodConfig, PodConfig],
    infra: ContainerConfig | None,
    ids: Mapping[str, str],
) -> ContainerConfig:
    """The copy of a container, moved from one pod to another: what named the old one's containers names the new."""
    pod, made = both
    copy = copied(engine, config, free_name(engine, config.name))
    spaces = copy.namespaces
    moved = {
        kind: NamespaceChoice(kind=choice.kind, value=ids.get(choice.value, choice.value))
        for kind in ("cgroup", "ipc", "network", "pid", "user", "uts")
        for choice in (getattr(spaces, kind),)
    }
    annotations = {key: ids.get(value, value) for key, value in copy.annotations.items()}
    copy = copy.replace(
        pod=made.id,
        namespaces=spaces.replace(**moved),
        annotations=annotations,
        requires=tuple(ids.get(one, one) for one in copy.requires),
        mounts=_mounts(copy.mounts, infra),
        cgroup_parent=made.cgroup() if copy.cgroup_parent == pod.cgroup() else copy.cgroup_parent,
    )
    if made.restart is not None and copy.restart == pod.restart:
        copy = copy.replace(restart=made.restart)
    if infra is not None and "uts" in made.share and moved["uts"].value == infra.id:
        copy = copy.replace(hostname=infra.hostname)
    if infra is not None and moved["user"].value == infra.id:
        copy = copy.replace(id_mapping=infra.id_mapping)
    return copy


def _inheriting(copy: ContainerConfig, infra: ContainerConfig, given: Mapping[str, object]) -> ContainerConfig:
    """With what members get of the options that were given for the new pod, as its infra container has it."""
    changes: dict[str, object] = {}
    if "shm_size" in given:
        changes["shm_size"] = infra.shm_size
    if "shm_size_systemd" in given:
        changes["shm_size_systemd"] = infra.shm_size_systemd
    if "device" in given:
        own = {one.path for one in copy.devices}
        changes["devices"] = (*copy.devices, *(one for one in infra.devices if one.path not in own))
    if "device" in given or "gpus" in given:
        changes["cdi_devices"] = tuple(dict.fromkeys((*copy.cdi_devices, *infra.cdi_devices)))
    if "security_opt" in given:
        kept = {"privileged", "capabilities", "cap_add", "cap_drop", "seccomp_policy"}
        new = {name: getattr(infra.security, name) for name in fields_of(SecurityConfig) if name not in kept}
        changes["security"] = copy.security.replace(**new)
    return copy.replace(**changes)


def _mounts(mounts: tuple[MountUse, ...], infra: ContainerConfig | None) -> tuple[MountUse, ...]:
    """With those that come from the pod as the new pod has them."""
    own = tuple(use for use in mounts if use.origin != "pod")
    if infra is None:
        return own
    taken = {use.target for use in own}
    new = (use for use in infra.mounts if use.origin != "infra" and use.target not in taken)
    return (*own, *(use.replace(origin="pod", anonymous=False) for use in new))


def clone_and(
    engine: Engine, pod: PodConfig, given: Mapping[str, object], name: str, *, destroy: bool, begin: bool
) -> PodConfig:
    """Clone a pod; then remove the original, and start the new one, if asked. Raises what went wrong first."""
    made = clone(engine, pod, given, name)
    troubles = remove(engine, pod, force=True) if destroy else []
    if not troubles and begin:
        troubles = start(engine, made)
    if troubles:
        raise troubles[0]
    return made
