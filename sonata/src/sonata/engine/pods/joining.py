"""Containers that are to be in a pod: `--pod`, `--pod new:NAME`, `--pod-id-file`, `--init-ctr`."""

from __future__ import annotations

from sonata.engine.pods.create import create as create_pod
from sonata.engine.pods.members import listed, members, status_of
from sonata.engine.pods.remove import remove as remove_pod
from sonata.engine.pods.select import read_id_file
from sonata.engine.system import pending
from sonata.model.pod import PodRequest
from sonata.plan import restart
from sonata.plan.pod import member_request, new_pod
from sonata.state import containers as rows
from sonata.state import pods
from sonata_core import interrupts
from sonata_core.errors import SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.model.request import RunRequest
    from sonata.state.rows import ContainerRow

NEW = "new:"
"""How `--pod` asks for a pod that is to be made."""


def create_member(
    engine: Engine, request: RunRequest, create: Callable[[Engine, RunRequest], ContainerRow]
) -> ContainerRow:
    """Have a container made in its pod. A pod that is made for it goes again if the container cannot be made.

    Raises NotFound, UsageError, and what making either raises.
    """
    pending.recover(engine)
    request = named(request)
    if not request.pod.startswith(NEW):
        pod = pods.find(engine.database, request.pod)
        return create(engine, as_member(engine, request, pod))
    wanted, left = divided(request)
    pod = create_pod(engine, wanted)
    try:
        return create(engine, as_member(engine, left, pod))
    except BaseException:
        with interrupts.Shield(firm=True):
            _take_back(engine, pod)
        raise


def divided(request: RunRequest) -> tuple[PodRequest, RunRequest]:
    """The request of the pod that `--pod new:NAME` asks for, and what is left for its container. Raises UsageError."""
    if request.init_ctr:
        raise UsageError(
            "--init-ctr needs a pod that is there already", hint="`sonata pod create` first: its start runs them"
        )
    if request.rm:
        restart.require_removable(request.restart)
    return new_pod(request, request.pod.removeprefix(NEW), PodRequest)


def _take_back(engine: Engine, pod: PodConfig) -> None:
    try:
        remove_pod(engine, pod, force=True, timeout=0)
    except SonataError as error:
        engine.log.warning("pod_stays", pod=pod.id, error=error.message)


def named(request: RunRequest) -> RunRequest:
    """With the pod named by `pod`. Raises UsageError."""
    if request.init_ctr:
        if not (request.pod or request.pod_id_file):
            raise UsageError("must specify pod value with init-ctr")
        if request.init_ctr not in ("always", "once"):
            raise UsageError("init-ctr value must be 'always' or 'once'")
        if request.restart not in ("", "no", "never") or request.rm:
            raise UsageError(
                "init containers run once at each start of their pod: they take neither --restart nor --rm"
            )
    if request.pod_id_file:
        if request.pod:
            raise UsageError("cannot specify both --pod and --pod-id-file")
        return request.replace(pod=read_id_file(request.pod_id_file), pod_id_file="")
    return request


def as_member(engine: Engine, request: RunRequest, pod: PodConfig) -> RunRequest:
    """The request of a container in this pod. Raises UsageError."""
    if request.init_ctr and status_of(listed(members(engine, pod))) in ("Running", "Degraded"):
        raise UsageError("cannot add init-ctr to a running pod")
    infra = rows.get(engine.database, pod.infra).config if pod.infra else None
    return member_request(request, pod, infra)
