"""Running commands and timing them, the programs by turns, so that a noisy machine is noisy for both."""

from __future__ import annotations

import os
import select
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Program(NamedTuple):
    """One of the two: its command line up to the verb, and what it needs after `run`."""

    name: str
    prefix: tuple[str, ...]
    run: tuple[str, ...] = ()

    def __call__(self, *words: str) -> list[str]:
        return [*self.prefix, *words]

    def do(self, *words: str) -> str:
        """Run to the end, untimed; what it printed. Raises RuntimeError with what it said."""
        done = subprocess.run(self(*words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"{' '.join(self(*words))}: {done.stderr.strip()}")
        return done.stdout.strip()


class Taken(NamedTuple):
    """One run: seconds, and the peak memory in bytes; 0 for a run that was over before it was looked for."""

    seconds: float
    memory: int


class Result(NamedTuple):
    """The runs of one row by one program."""

    runs: tuple[Taken, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def least(self) -> float:
        """Seconds."""
        return min(run.seconds for run in self.runs)

    @property
    def memory(self) -> int:
        """The greatest peak, in bytes."""
        return max(run.memory for run in self.runs)


Act = Callable[[], Taken]
_SETTLED_MS = 200
_LOOK_MS = 5


def once(argv: Sequence[str]) -> Taken:
    """Run one command with its output thrown away. Raises RuntimeError where it fails."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=actions)
    peak = _watch(pid)
    _, status = os.waitpid(pid, 0)
    taken = Taken(time.perf_counter() - began, peak)
    os.close(null)
    if status:
        raise RuntimeError(f"{' '.join(argv)}: wait status {status}")
    return taken


def _watch(pid: int) -> int:
    """The most memory in bytes that a process of ours has until it ends; runs of milliseconds are left in peace.

    What wait4 tells would be at least what this process had when it started the other one.
    """
    peak, handle = 0, os.pidfd_open(pid)
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    wait = _SETTLED_MS
    try:
        while not ended.poll(wait):
            peak, wait = _peak(pid) or peak, _LOOK_MS
    finally:
        os.close(handle)
    return peak


def _peak(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            found = [line.split()[1] for line in file if line.startswith("VmHWM")]
    except OSError:
        return 0
    return int(found[0]) * 1024 if found else 0


def together(several: Sequence[Sequence[str]]) -> Taken:
    """Run commands at once, until all have ended."""
    began = time.perf_counter()
    running = [
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for argv in several
    ]
    said = [one.communicate()[1] for one in running]
    taken = Taken(time.perf_counter() - began, 0)
    for one, text in zip(running, said, strict=True):
        if one.returncode:
            raise RuntimeError(f"{one.args!r}: {text.decode(errors='replace')}")
    return taken


def by_turns(acts: Sequence[Act], times: int, warm: int = 1) -> list[Result]:
    """Each act `times` times after `warm` runs that do not count; by turns, the first first."""
    runs: list[list[Taken]] = [[] for _ in acts]
    for turn in range(warm + times):
        for place, act in enumerate(acts):
            taken = act()
            if turn >= warm:
                runs[place].append(taken)
    return [Result(tuple(one)) for one in runs]


def quiet(root: str, patience: float = 20.0) -> None:
    """Wait until no process names a store on its command line any more: every exit command has ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and _named(root):
        time.sleep(0.002)


def _named(root: str) -> bool:
    text = root.encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if text in file.read(65536):
                        return True
            except OSError:
                continue
    return False
