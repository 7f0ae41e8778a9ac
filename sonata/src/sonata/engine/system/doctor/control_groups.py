"""Control groups: which version, which controllers, and whether groups can be made."""

from __future__ import annotations

import os

from sonata.engine.system.doctor.finding import Finding, error, warning
from sonata.host import cgroups
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata_core.models.host import HostFacts

_WANTED = {
    1: {"cpu": "--cpus", "cpuset": "--cpuset-cpus", "memory": "--memory", "pids": "--pids-limit", "devices": "devices"},
    2: {"cpu": "--cpus", "cpuset": "--cpuset-cpus", "memory": "--memory", "pids": "--pids-limit"},
}
_REFUSED_BY_RUNTIMES = ("devices",)


class Groups(Record):
    """What was seen. `refusals`: folder and reason for every tree in which no group could be made."""

    version: int
    hybrid: bool
    controllers: tuple[str, ...]
    unified: str = ""
    """Controllers that version 2 has beside version 1."""
    refusals: tuple[tuple[str, str], ...] = ()


def probe(facts: HostFacts, root: str = cgroups.ROOT) -> Groups:
    """Look, and try to make a group in every tree."""
    refusals = []
    for tree in cgroups.trees(root) if facts.cgroup_version else ():
        if facts.rootless:
            break
        path = f"{tree}/sonata-doctor-{os.getpid()}"
        try:
            os.mkdir(path)
            os.rmdir(path)
        except OSError as trouble:
            refusals.append((tree, trouble.strerror or str(trouble)))
    try:
        with open(f"{root}/unified/cgroup.controllers", encoding="ascii") as file:
            unified = file.read().strip()
    except OSError:
        unified = ""
    return Groups(
        version=facts.cgroup_version,
        hybrid=facts.cgroup_hybrid,
        controllers=facts.cgroup_controllers,
        unified=unified,
        refusals=tuple(refusals),
    )


def check(groups: Groups) -> Iterator[Finding]:
    """What is wrong with them."""
    if groups.version == 0:
        yield error(
            "cgroup-absent",
            "no control groups are mounted",
            "/sys/fs/cgroup has neither cgroup.controllers nor a folder for any controller",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        )
        return
    if groups.hybrid:
        yield warning(
            "cgroup-hybrid",
            "control groups of both versions share the controllers; crun cannot run, runc can",
            f"/sys/fs/cgroup/unified/cgroup.controllers: {groups.unified}",
            " && ".join(
                f"mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
                for name in groups.unified.split()
            ),
        )
    for tree, reason in groups.refusals:
        yield error(
            "cgroup-read-only",
            "no control group can be made",
            f"mkdir below {tree}: {reason}",
            f"mount -o remount,rw {tree}",
        )
    for name, feature in _WANTED[groups.version].items():
        if name not in groups.controllers:
            yield _missing(groups.version, name, feature)


def _missing(version: int, name: str, feature: str) -> Finding:
    if version == 1:
        mend = f"mkdir -p /sys/fs/cgroup/{name} && mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}"
    else:
        mend = f"echo +{name} > /sys/fs/cgroup/cgroup.subtree_control"
    make = error if name in _REFUSED_BY_RUNTIMES else warning
    return make(
        f"cgroup-{name}",
        f"the controller {name} is missing: {feature} has no effect or is refused",
        f"cgroup version {version} has no {name}",
        mend,
    )
