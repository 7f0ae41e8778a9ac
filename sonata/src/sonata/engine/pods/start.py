"""`pod start`: init containers one after another to their ends, then the others, each after what it needs."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.containers import ending, lookup
from sonata.engine.containers import start as containers
from sonata.engine.containers.stop import settle
from sonata.engine.pods.members import levels, members
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import Conflict, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.pod import PodConfig
    from sonata.state.rows import ContainerRow


def start(engine: Engine, pod: PodConfig) -> list[SonataError]:
    """Start the pod's containers; what went wrong with each that did not start. Those that run are left alone.

    Raises NotFound for a pod without containers, Conflict where an init container fails.
    """
    found = members(engine, pod)
    if not found:
        raise NotFound(
            f"no containers in pod {pod.id} have no dependencies, cannot start pod: no such container", name=pod.name
        )
    _run_init_containers(engine, found)
    troubles = _start_in_order(engine, [row for row in found if not row.config.init_type])
    if not troubles:
        events.pod(engine, pod.id, pod.name, "start")
    return troubles


def _start_in_order(engine: Engine, found: list[ContainerRow]) -> list[SonataError]:
    troubles: list[SonataError] = []
    failed: set[str] = set()
    for row in (row for level in levels(engine, found) for row in level):
        ident = row.config.id
        if row.state.phase == Phase.RUNNING:
            continue
        if failed.intersection(rows.needed_by(engine.database, ident)):
            failed.add(ident)
            told = f"a dependency of container {ident} failed to start: container state improper"
            troubles.append(Conflict(f"starting container {ident}: {told}"))
            continue
        try:
            _require_startable(row)
            containers.start(engine, ident)
        except SonataError as error:
            failed.add(ident)
            error.message = f"starting container {ident}: {error.message}"
            troubles.append(error)
    return troubles


def _require_startable(row: ContainerRow) -> None:
    if row.state.phase == Phase.PAUSED:
        raise Conflict(f"cannot start paused container {row.config.id}: container state improper")


def _run_init_containers(engine: Engine, found: list[ContainerRow]) -> None:
    for row in found:
        if row.config.init_type and row.state.phase != Phase.RUNNING:
            code = run_to_end(engine, row.config.id)
            if code:
                raise Conflict(f"init container {row.config.id} exited with code {code}")
            if row.config.init_type == "once":
                from sonata.engine.containers.remove import remove

                remove(engine, row.config.id, volumes=True)


def run_to_end(engine: Engine, container: str) -> int:
    """Start a container, wait for its end without any lock, clean up; its exit code."""
    row = lookup.load(engine, container)
    with ending.Attended(engine, row):
        containers.start(engine, container)
        row = rows.get(engine.database, container)
        if row.state.pid:
            ending.wait_dead(row, None)
            ending.wait_exit_file(engine, row)
        settle(engine, container)
    return ending.exit_code(engine, container)
