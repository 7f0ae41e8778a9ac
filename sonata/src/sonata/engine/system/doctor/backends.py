"""Plugins: which can be used here, which cannot and why, and whether enough of them can."""

from __future__ import annotations

from sonata.engine.plugins.listing import PROBES, survey
from sonata.engine.system.doctor.finding import Finding, error, note, warning
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sonata.engine.engine import Engine
    from sonata_core.catalog import Listed
    from sonata_core.groups import Group

_WITHOUT = {
    "runtime": "no container can be run",
    "storage": "no image can be kept",
    "net": "containers have no network but the host's",
    "transport": "nothing can be pulled",
    "hooks": "",
}


def check(engine: Engine) -> Iterator[Finding]:
    """Every group in turn."""
    for group in PROBES:
        try:
            yield from check_group(group, survey(engine, group))
        except SonataError as failure:
            yield error(
                f"plugins-{group.name}", f"{group.name} plugins cannot be listed", failure.message, _install(group)
            )


def check_group(group: Group, rows: Iterable[Listed]) -> Iterator[Finding]:
    """What is wrong with the plugins of a group."""
    listed = list(rows)
    usable = [row for row in listed if row.status == "ok"]
    if not usable and group.distributions and _WITHOUT[group.name]:
        reasons = "; ".join(f"{row.name}: {row.reason}" for row in listed) or "none is installed"
        make = warning if group.name == "net" else error
        yield make(
            f"{group.name}-none",
            f"no {group.name} backend can be used: {_WITHOUT[group.name]}",
            reasons,
            _install(group),
        )
    for row in listed:
        if row.status == "broken":
            yield warning(
                f"plugin-{group.name}-{row.name}",
                f"the {group.name} plugin {row.name} is broken",
                row.reason,
                f"pip install --force-reinstall {row.distribution}",
            )
        elif row.status == "unavailable" and not (group.name == "storage" and row.name == "overlay"):
            # Why overlay cannot be used, the attempt to mount one says better.
            yield note(
                f"plugin-{group.name}-{row.name}",
                f"the {group.name} backend {row.name} cannot be used here",
                row.reason,
                row.hint or f"apt-get install {row.name}",
            )


def _install(group: Group) -> str:
    return "pip install " + " ".join(group.distributions)
