"""Whether a new /proc can be mounted: the kernel refuses an ordinary user one that shows more than those he has."""

from __future__ import annotations

_EMPTY = ("/proc/sys/fs/binfmt_misc",)
"""Folders of /proc that are nothing but places to mount on."""


def covered(mountinfo: str = "") -> tuple[str, ...]:
    """What is mounted over parts of /proc, if of every /proc here some part is covered; empty: all is well.

    `mountinfo`: proc_pid_mountinfo(5), else this process's own. Source: mount_too_revealing() of Linux.
    """
    if not mountinfo:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mountinfo = file.read()
    rows = [line.split() for line in mountinfo.splitlines() if " - " in line]
    whole = {row[0]: row[4] for row in rows if row[3] == "/" and row[row.index("-") + 1] == "proc"}
    over: dict[str, list[str]] = {ident: [] for ident in whole}
    for row in rows:
        if row[1] in over and row[4] not in _EMPTY:
            over[row[1]].append(row[4])
    if not over or not all(over.values()):
        return ()
    places = {place for found in over.values() for place in found}
    return tuple(sorted(places - set(whole.values()) or places))


def way_out(places: tuple[str, ...]) -> str:
    """What mends it."""
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return (
        f"{places[0]}{more} of this host's /proc is covered, so the kernel allows no other: umount that; of an outer "
        "container, start it with --security-opt unmask=ALL (Docker: systempaths=unconfined)"
    )
