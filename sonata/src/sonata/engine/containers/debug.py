"""`debug`: a helper container with tools, in the namespaces of a container that has none."""

from __future__ import annotations

from sonata.engine.containers import lookup
from sonata.engine.containers.run import Ended, run_attached
from sonata.engine.containers.streams import Sides
from sonata.host import process
from sonata.model.container import NamespaceKind
from sonata.model.request import RunRequest
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase
from sonata_core.errors import Conflict
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import Namespaces
    from sonata.model.container_request import DebugRequest
    from sonata.state.rows import ContainerRow

LABEL = "io.sonata.debug"
"""Label of helper containers: the id of the container that they look at."""

_LIVE = (Phase.RUNNING, Phase.PAUSED)


def debug(engine: Engine, request: DebugRequest, sides: Sides) -> Ended:
    """Run the tools and follow them to their end; nothing of the helper is left then.

    Without an image they are the host's. Raises Conflict unless the container runs or is paused, and what `run` raises.
    """
    row = lookup.load(engine, request.name)
    if row.state.phase not in _LIVE or not row.state.pid:
        raise Conflict(
            f"can only debug running or paused containers: container {request.name} is "
            f"{lifecycle.shown(Phase(row.state.phase))}: container state improper",
            hint=f"sonata start {row.config.name}; or look at its files: sonata mount {row.config.name}",
            object=request.name,
        )
    return run_attached(engine, helper(row, request, _tools(engine, request)), sides, needed=False)


def _tools(engine: Engine, request: DebugRequest) -> dict[str, Any]:
    image = request.image or engine.config.engine.debug_image
    if image:
        return {"image": image}
    from sonata.engine.containers import debug_host

    return debug_host.tools(engine)


def helper(row: ContainerRow, request: DebugRequest, tools: dict[str, Any]) -> RunRequest:
    """The helper container: as `run` would be asked for it."""
    target, security = row.config, row.config.security
    joined = _joined(target.id, target.namespaces, row.state.pid)
    told = (f"SONATA_TARGET={target.id}", f"SONATA_TARGET_ROOT=/proc/{_number_inside(row.state.pid)}/root")
    return RunRequest(
        env=told,
        command=request.command or tuple(request.shell.split()),
        entrypoint="",
        label=(f"{LABEL}={target.id}",),
        interactive=request.interactive,
        tty=request.tty,
        user=request.user or "0:0",
        init=False,
        systemd="false",
        rm=True,
        pull=request.pull,
        quiet=request.quiet,
        log_driver="none",
        no_healthcheck=True,
        privileged=security.privileged,
        cap_drop=("ALL",),
        cap_add=tuple(sorted({*security.capabilities.bounding, "CAP_SYS_PTRACE"})),
        create_command=request.create_command,
        **joined,
        **tools,
    )


def _joined(ident: str, spaces: Namespaces, pid: int) -> dict[str, Any]:
    """Options that join the target's namespaces; those that it shares with the host are the host's."""
    found: dict[str, Any] = {}
    for option, kind, choice in (
        ("pid", "pid", spaces.pid),
        ("uts", "uts", spaces.uts),
        ("ipc", "ipc", spaces.ipc),
        ("cgroupns", "cgroup", spaces.cgroup),
        ("userns", "user", spaces.user),
        ("network", "net", spaces.network),
    ):
        if choice.kind is NamespaceKind.HOST:
            word = "" if option == "userns" else "host"
        elif choice.kind is NamespaceKind.CONTAINER and option in ("ipc", "network"):
            word = f"container:{choice.value}"  # whose /dev/shm and /etc/hosts these are
        elif option == "ipc" and choice.kind is not NamespaceKind.SHAREABLE:
            word = f"ns:/proc/{pid}/ns/{kind}"  # private: others may not join, but whoever debugs does
        else:
            word = f"container:{ident}"
        if word:
            found[option] = (word,) if option == "network" else word
    return found


def _number_inside(pid: int) -> int:
    """The process's number in its own pid namespace. Raises Conflict where it is gone."""
    found = process.number_inside(pid)
    if not found:
        raise Conflict("the container ended meanwhile: container state improper", hint="start it again")
    return found
