"""Capabilities: the names that the kernel knows, and what `--cap-add` and `--cap-drop` leave."""

from __future__ import annotations

from sonata.plan.values import go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
    "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
ALL = tuple("CAP_" + name for name in _WORDS.split())


def normalise(names: Iterable[str]) -> list[str]:
    """`chown` → `CAP_CHOWN`; `all` stays `ALL`. Raises UsageError (`"CAP_X": unknown capability`)."""
    result = []
    for given in names:
        name = given.upper()
        if name != "ALL":
            name = name if name.startswith("CAP_") else "CAP_" + name
            if name not in ALL:
                raise UsageError(f"{go_quote(name)}: unknown capability")
        result.append(name)
    return result


def merge(base: Iterable[str], add: Iterable[str], drop: Iterable[str]) -> tuple[str, ...]:
    """The bounding set, sorted: `base` without what is dropped, with what is added."""
    adds, drops = normalise(add), normalise(drop)
    if "ALL" in adds and "ALL" in drops:
        raise UsageError("adding all caps and removing all caps not allowed")
    for name in adds:
        if name != "ALL" and name in drops:
            raise UsageError(f"capability {go_quote(name)} cannot be dropped and added")
    if "ALL" in drops:
        return tuple(sorted(set(adds)))
    start = set(ALL) if "ALL" in adds else set(normalise(base)) | set(adds)
    return tuple(sorted(start - set(drops)))
