"""Pods in `--explain`: a container's request as it would be in its pod, also in one that is yet to be made."""

from __future__ import annotations

from sonata.engine.containers import files, present
from sonata.engine.paths import ContainerPaths
from sonata.engine.pods.create import decide
from sonata.engine.pods.joining import NEW, as_member, divided, named
from sonata.model.container import NamespaceKind
from sonata.plan.lifecycle import Phase
from sonata.plan.values import require_name
from sonata.state import containers as rows
from sonata.state import pods
from sonata.state.rows import ContainerState
from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.containers.spec import PidOf
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig, NamespaceChoice
    from sonata.model.materials import RuntimeFiles
    from sonata.model.request import RunRequest

    Note = Callable[[str, str], str]


def foreseen(engine: Engine, request: RunRequest, note: Note) -> RunRequest:
    """The request as it would be in its pod. A new pod is written down for this command alone, which must only look.

    `note` has what is drawn shown as what it stands for. Raises NotFound, UsageError, AlreadyExists, Unsupported.
    """
    request = named(request)
    if not request.pod.startswith(NEW):
        return as_member(engine, request, pods.find(engine.database, request.pod))
    wanted, left = divided(request)
    require_name(wanted.name, "running pod create option: ")
    if pods.has_name(engine.database, wanted.name):
        raise pods.name_taken(wanted.name)
    if engine.config.engine.infra_image:
        raise Unsupported(
            "what a pod that is yet to be made comes to cannot be explained where infra_image is set",
            hint="`sonata pod create` it first",
        )
    pod, infra, _ = decide(engine, wanted)
    engine.database.imagine()
    pods.insert(engine.database, pod)
    _sign(note, pod.id, "pod id")
    if infra is not None:
        rows.insert(
            engine.database, infra, ContainerState(phase=Phase.CONFIGURED, boot=engine.facts.boot_id), rows.Uses()
        )
        _sign(note, infra.id, "infra container id")
    return as_member(engine, left, pod)


def _sign(note: Note, ident: str, meaning: str) -> None:
    note(ident, meaning)
    note(ident[:12], f"{meaning}, 12 digits")


def pids(note: Note) -> PidOf:
    """The first process of a container that namespaces are shared with: one that does not run yet has a sign."""

    def pid_of(engine: Engine, choice: NamespaceChoice) -> int:
        other = present.corrected(engine, rows.get(engine.database, choice.value))
        # No process has so high a number; the container's own makes it one of its kind.
        stand_in = (1 << 40) + int(other.config.id[:12], 16)
        if not other.state.pid:
            whose = "the infra container" if other.config.infra else other.config.name
            note(str(stand_in), f"process of {whose}")
        return other.state.pid or stand_in

    return pid_of


def with_files(engine: Engine, config: ContainerConfig, made: RuntimeFiles) -> RuntimeFiles:
    """With the files of the network that a container to be joined has once it runs."""
    if config.namespaces.network.kind is not NamespaceKind.CONTAINER:
        return made
    holder = rows.get(engine.database, config.namespaces.network.value).config
    run = ContainerPaths(engine, holder.backends.storage, holder.id).run_dir
    return made.replace(
        hosts=f"{run}/hosts" if holder.network.manage_hosts and config.network.manage_hosts else made.hosts,
        resolv_conf=f"{run}/resolv.conf" if files.wants_resolv(holder) and files.wants_resolv(config) else "",
    )
