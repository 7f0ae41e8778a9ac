"""Why a runtime would not, where its own words do not tell: what of this host is in the way."""

from __future__ import annotations

import os

from sonata.host import procfs
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata_core.models.runtime import RuntimeFailure
from sonata_core.errors import CommandNotExecutable, CommandNotFound, ProcessRefused
from sonata_core.models.runtime import FailureKind

if TYPE_CHECKING:
    from sonata_core.models.runtime import RuntimeFailure


def reason(failure: RuntimeFailure, rootfs: str) -> str | None:
    """What to do about it; None where nothing is known. `rootfs`: the container's root folder."""
    covered = procfs.covered() if "`proc`" in failure.text or '"/proc"' in failure.text else ()
    if covered:
        return procfs.way_out(covered)
    if "ermission denied" in failure.text and rootfs and os.statvfs(rootfs).f_flag & os.ST_NOEXEC:
        return f"{rootfs} is on a file system that is mounted noexec: remount it, or name another --root"
    return None


def refusal(failure: RuntimeFailure, rootfs: str = "") -> ProcessRefused:
    """The error for a runtime that would not. `rootfs`: the root folder that it was given."""
    kinds = {FailureKind.NOT_FOUND: CommandNotFound, FailureKind.DENIED: CommandNotExecutable}
    return kinds.get(failure.kind, ProcessRefused)(failure.text, hint=reason(failure, rootfs))
