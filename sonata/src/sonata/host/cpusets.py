"""Whether the processors and memory nodes that a container asks for are there."""

from __future__ import annotations

from sonata_core.errors import UsageError

_CPUS = ("/sys/fs/cgroup/cpuset/cpuset.effective_cpus", "/sys/fs/cgroup/cpuset.cpus.effective")
_MEMS = ("/sys/fs/cgroup/cpuset/cpuset.effective_mems", "/sys/fs/cgroup/cpuset.mems.effective")


def require(cpus: str, mems: str) -> None:
    """Raises UsageError, in Podman's words, for what this host lacks. Where it does not tell, nothing is refused."""
    for asked, files, what in ((cpus, _CPUS, "CPUs"), (mems, _MEMS, "memory nodes")):
        there = _told(files) if asked else ""
        if there and not is_within(asked, there):
            raise UsageError(f"requested {what} are not available - requested {asked}, available: {there}")


def _told(files: tuple[str, ...]) -> str:
    for path in files:
        try:
            with open(path, encoding="ascii") as file:
                return file.read(4096).strip()
        except OSError:
            continue
    return ""


def is_within(asked: str, there: str) -> bool:
    """Is every number of one list such as `0-3,7` in the other? Ranges are compared, never written out."""
    have = _ranges(there)
    return all(any(first <= low and high <= last for first, last in have) for low, high in _ranges(asked))


def _ranges(text: str) -> list[tuple[int, int]]:
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.append((int(first), int(last or first)))
    return found
