"""`pod create`: the pod is decided and written down, then its infra container is made; all of it or nothing."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.containers.make import make
from sonata.engine.containers.materials import gather
from sonata.engine.pods import infra, limits
from sonata.engine.system import pending
from sonata.engine.undo import Undo
from sonata.model.pod import PodRequest
from sonata.model.request import RunRequest
from sonata.plan import names
from sonata.plan.pod import plan_pod
from sonata.plan.values import require_name
from sonata.state import containers as rows
from sonata.state import intents, pods
from sonata_core import interrupts
from sonata_core.errors import SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import fields_of
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.pod import PodConfig
    from sonata.store.records import ImageRecord


def create(engine: Engine, request: PodRequest) -> PodConfig:
    """Create a pod with its infra container; nothing of it runs.

    Raises UsageError, AlreadyExists (its name), NotFound (image, network, container), HostLacks, and what a pull
    raises. A failed create leaves nothing behind.
    """
    with interrupts.Shield():
        pending.recover(engine)
        if request.replace_existing and not request.name:
            raise UsageError("cannot replace pod without --name being set")
        if request.name:
            require_name(request.name, "running pod create option: ")
        pod, config, image = decide(engine, request)
        if pods.has_name(engine.database, pod.name):
            if not request.replace_existing:
                raise pods.name_taken(pod.name)
            from sonata.engine.pods.remove import remove

            remove(engine, pods.find(engine.database, pod.name), force=True)
        make_pod(engine, pod, config, image)
        if request.pod_id_file:
            write_id(request.pod_id_file, pod.id)
        return pod


def decide(engine: Engine, request: PodRequest) -> tuple[PodConfig, ContainerConfig | None, ImageRecord | None]:
    """The pod that the request comes to, with its infra container and that one's image. Makes nothing."""
    named = request.name or free_name(engine)
    found = gather(
        engine,
        RunRequest(
            image="",
            name=named,
            label_file=request.label_file,
            blkio_weight=request.blkio_weight,
            blkio_weight_device=request.blkio_weight_device,
            device_read_bps=request.device_read_bps,
            device_write_bps=request.device_write_bps,
        ),
    )
    pod, notices = plan_pod(request, found, engine.facts, engine.defaults)
    pod = pod.replace(asked=asked(request))
    limits.require(engine, pod)
    if not wants_infra(request, pod):
        for notice in notices:
            engine.notify(notice)
        return pod, None, None
    config, image = infra.plan(engine, request, pod)
    for notice in (*notices, *config.notices):
        engine.notify(notice)
    return pod.replace(infra=config.id), config, image


_NOT_CLONED = ("caller_env", "create_command", "label", "label_file", "name", "pod_id_file", "replace_existing")


def asked(request: PodRequest) -> dict[str, Any]:
    """What was given of a request and is not one pod's alone."""
    plain = PodRequest()
    given = {name: getattr(request, name) for name in fields_of(PodRequest) if name not in _NOT_CLONED}
    return {name: value for name, value in given.items() if value != getattr(plain, name)}


def wants_infra(request: PodRequest, pod: PodConfig) -> bool:
    """Whether the pod that was planned from the request is to have an infra container."""
    from sonata.plan.pod import has_infra

    return has_infra(request, pod.share)


def free_name(engine: Engine) -> str:
    """A name that neither a pod nor a container has."""

    def taken(name: str) -> bool:
        return pods.has_name(engine.database, name) or bool(rows.name_owner(engine.database, name))

    return names.unused(lambda bound: int.from_bytes(os.urandom(8), "little") % bound, taken)


def make_pod(engine: Engine, pod: PodConfig, config: ContainerConfig | None, image: ImageRecord | None) -> None:
    """Write the pod down, with its control group and its infra container."""
    with engine.locks.hold(pod.id), Undo(engine.log) as undo:
        undo.push("lock", lambda: engine.locks.forget(pod.id))
        with engine.database.transaction():
            pods.insert(engine.database, pod)
            intents.put(engine.database, intents.Intent(id=pod.id, kind=intents.POD))
        undo.push("intent", lambda: intents.forget(engine.database, pod.id))
        undo.push("row", lambda: pods.remove(engine.database, pod.id))
        undo.push("cgroup", lambda: limits.remove(engine, pod))
        limits.ensure(engine, pod)
        if config is not None:
            make(engine, config, image)
        intents.done(engine.database, pod.id, intents.POD)
        undo.keep()
    events.pod(engine, pod.id, pod.name, "create")


def write_id(path: str, ident: str) -> None:
    """Write a pod's id to a file, in the place of what is there. Raises SonataError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SonataError(f"failed to write pod ID to file {path}: {(error.strerror or '').lower()}") from error
    try:
        write_whole(handle, ident.encode(), path)
    finally:
        os.close(handle)
