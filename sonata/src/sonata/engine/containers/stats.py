"""`stats`: what containers use, from their control groups and /proc."""

from __future__ import annotations

import os
import time

from sonata.engine.containers import present
from sonata.engine.containers.select import select
from sonata.engine.paths import cgroup_of
from sonata.host import cgroups
from sonata.model.container import NetworkMode
from sonata.model.stats import ContainerStats, Traffic
from sonata.plan.lifecycle import Phase
from sonata.state import containers as rows
from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.watch_request import StatsRequest
    from sonata.state.rows import ContainerRow

_LIVE = (Phase.RUNNING, Phase.PAUSED)


def sample(
    engine: Engine, request: StatsRequest, before: Mapping[str, ContainerStats] | None = None
) -> list[ContainerStats]:
    """What the containers use now. `before` is the last sample by id: processor time counts from there.

    Named containers that do not run use nothing. Raises NotFound, Unsupported for a named container without
    a control group, and where no container of this user has one.
    """
    require_groups(engine)
    wanted, named = request.select, bool(request.select.names or request.select.latest)
    try:
        found = [rows.get(engine.database, ident) for ident, _ in select(engine, wanted)]
    except NotFound as error:
        raise NotFound(f"unable to get list of containers: {error.message}", error.hint) from error
    made = []
    total = memory_total()
    for row in (present.corrected(engine, one) for one in found):
        if not named and not wanted.all and row.state.phase not in _LIVE:
            continue
        if row.config.cgroups == "disabled":
            if named:
                raise Unsupported(
                    f"cannot run stats on container {row.config.id} as it did not create a cgroup: "
                    "this container does not have a cgroup"
                )
            continue
        made.append(_stats(row, (before or {}).get(row.config.id), total))
    return made


def require_groups(engine: Engine, whose: str = "") -> None:
    """Raises Unsupported where containers have no control groups to be measured by."""
    if not cgroups.granted(engine.facts):
        raise Unsupported(f"{whose}stats is not supported in rootless mode without cgroups v2")


def _stats(row: ContainerRow, before: ContainerStats | None, total: int) -> ContainerStats:
    if row.state.phase not in _LIVE:
        return ContainerStats(id=row.config.id, name=row.config.name)
    usage = cgroups.usage(_group(row))
    now = time.time_ns()
    started = row.state.started
    since, earlier = (before.taken, before.cpu_ns) if before and before.taken > started else (started, 0)
    limit = usage.memory_limit if 0 < usage.memory_limit < total else total
    return ContainerStats(
        id=row.config.id,
        name=row.config.name,
        taken=now,
        cpu=_percent(usage.cpu_ns - earlier, now - since),
        average_cpu=_percent(usage.cpu_ns, now - started),
        cpu_ns=usage.cpu_ns,
        cpu_system_ns=usage.cpu_system_ns,
        memory=max(usage.memory - usage.idle_cache, 0),
        memory_limit=limit,
        pids=usage.pids,
        io_read=usage.io_read,
        io_written=usage.io_written,
        network=traffic(row.state.pid) if _has_network(row.config) else {},
    )


def _has_network(config: ContainerConfig) -> bool:
    """A pod's network counts for each of its containers, as in Podman; another container's or the host's does not."""
    mode = config.network.mode
    return mode is not NetworkMode.HOST and (mode is not NetworkMode.CONTAINER or bool(config.pod))


def _group(row: ContainerRow) -> str:
    known = cgroup_of(row)
    if known:
        return known
    groups = cgroups.of_process(row.state.pid)
    return groups.get("memory") or groups.get("") or ""


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if part > 0 and whole > 0 else 0.0


def memory_total() -> int:
    """Bytes of memory that the host has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def traffic(pid: int) -> dict[str, Traffic]:
    """What went through the interfaces of a process's network namespace; the loopback does not count."""
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()[2:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        words = [int(word) for word in rest.split()]
        if name.strip() == "lo" or len(words) < 12:
            continue
        found[name.strip()] = Traffic(
            rx_bytes=words[0],
            rx_packets=words[1],
            rx_errors=words[2],
            rx_dropped=words[3],
            tx_bytes=words[8],
            tx_packets=words[9],
            tx_errors=words[10],
            tx_dropped=words[11],
        )
    return found
