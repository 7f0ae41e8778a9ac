"""Mounts, described: a backend returns them, only the engine makes them."""

from sonata_core.models.process import Command, IdMapping
from sonata_core.record import Record


class Mount(Record):
    """One mount. `options` are flags (`ro`, `nosuid`, …) and file system data (`lowerdir=…`).

    `target` is absolute; `transient` mounts are taken away once the plan's root is mounted
    (mapped lower layers); `helper` mounts by running a program instead of a system call.
    """

    type: str
    source: str
    target: str
    options: tuple[str, ...] = ()
    id_mapping: IdMapping | None = None
    helper: Command | None = None
    transient: bool = False


class MountPlan(Record):
    """How to see a layer: `root` is where its merged tree is once `mounts` are made, in order."""

    root: str
    mounts: tuple[Mount, ...] = ()
    writable: bool = True
