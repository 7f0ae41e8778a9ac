"""What a host looks like: compared before and after, to find what a plugin left behind."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SETTLE = 8.0
"""Seconds that the kernel may take to delete links and namespaces."""


class World:
    """Mounts, processes and files, and with `network` the links and firewall rules of this thread's namespace.

    A mount or an orphaned process is ours if it names a path below `near`: others are at work on the host
    too. `files` are the folders whose content is compared. `difference` says in words what another look
    shows that this one did not.
    """

    def __init__(self, near: str, files: tuple[str, ...] = (), *, network: bool = False) -> None:
        self._near = near
        self._files = files
        self._network = network
        self.before = self._look()

    def _look(self) -> dict[str, frozenset[str]]:
        found = {
            "mount": frozenset(one for one in mounts() if self._near in one),
            "process": processes(self._near),
            "file": frozenset(path for folder in self._files for path in files(folder)),
        }
        if self._network:
            found.update({"link": links(), "firewall rule": firewall()})
        return found

    def difference(self, but: Mapping[str, Callable[[str], bool]] | None = None) -> list[str]:
        """What is there now and was not, and the reverse. The kernel is given a few seconds to finish.

        `but` names, by kind, what may appear: a cache, a log.
        """
        deadline = time.monotonic() + _SETTLE
        while True:
            now = self._look()
            found = []
            for kind, was in self.before.items():
                allowed = (but or {}).get(kind, _nothing)
                found += [f"{kind} left behind: {one}" for one in sorted(now[kind] - was) if not allowed(one)]
                if kind != "process":
                    found += [f"{kind} is gone: {one}" for one in sorted(was - now[kind]) if not allowed(one)]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def check(self, but: Mapping[str, Callable[[str], bool]] | None = None) -> None:
        """Raise AssertionError that names every difference."""
        found = self.difference(but)
        assert not found, "the world is not as before:\n" + "\n".join(found)


def _nothing(_one: str) -> bool:
    return False


def mounts() -> frozenset[str]:
    """Every mount's type and target."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        rows = [line.split() for line in file]
    return frozenset(f"{row[row.index('-') + 1]} at {row[4]} ({row[0]})" for row in rows)


def links() -> frozenset[str]:
    """Names of the network links of this thread's namespace."""
    return frozenset(str(link["ifname"]) for link in json.loads(_output("ip", "-j", "link") or "[]"))


def firewall() -> frozenset[str]:
    """All rules of both families, without counters; a rule that is there twice is told from one that is there once."""
    found: dict[str, int] = {}
    for family in ("iptables", "ip6tables"):
        table = ""
        for line in _output(f"{family}-save").splitlines():
            if line.startswith("*"):
                table = line
            elif line.startswith((":", "-")):
                rule = f"{family} {table} {line.partition(' [')[0] if line.startswith(':') else line}"
                found[rule] = found.get(rule, 0) + 1
    return frozenset(f"{rule} (×{count})" for rule, count in found.items())


def processes(near: str) -> frozenset[str]:
    """Our descendants, and orphans whose command line names a path below `near`: pid, start time and command."""
    rows: dict[int, tuple[int, str, str]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    head, _, tail = file.read().rpartition(")")
                with open(f"/proc/{name}/cmdline", "rb") as line:
                    command = line.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            fields = tail.split()
            if fields[0] not in ("Z", "X"):
                rows[int(name)] = (int(fields[1]), fields[19], command.strip() or head.partition("(")[2])
    ours = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, _, _) in rows.items() if parent in ours and pid not in ours}
        grown = bool(more)
        ours |= more
    helpers = {pid for pid, (_, _, command) in rows.items() if near in command}
    return frozenset(f"{pid}@{rows[pid][1]} {rows[pid][2]}" for pid in (ours | helpers) - {os.getpid()} if pid in rows)


def files(folder: str) -> list[str]:
    """Paths of all that lies below a folder."""
    return [os.path.join(top, name) for top, dirs, names in os.walk(folder) for name in (*dirs, *names)]


def _output(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ""
