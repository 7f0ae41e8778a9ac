"""Who runs the commands of a test: root, or an ordinary user with nothing but subordinate ids.

A test world takes a caller (fixture `who` of conftest.py) and asks it for its program, its folders, and to whom they
belong. The ordinary user lives on a host of his own that shares processes and network with the machine, so that a test
sees his processes by their numbers, and serves registries that he reaches.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ordinary import PROGRAM, OrdinaryHost, user_needs

IDS = 65536
FIRST = 0x20000000
"""Subordinate ids far from those that anybody on this machine has."""


class Root:
    """Root: commands as they are."""

    ordinary = False
    uid = 0

    def argv(
        self, words: Iterable[str], env: Mapping[str, str] | None = None, cwd: str = "", **more: str
    ) -> list[str]:  # fmt: skip
        """The argument list that runs `sonata WORDS`, with `more` variables.

        `env` and `cwd` are the caller's to give to the process.
        """
        added = ["/usr/bin/env", *(f"{name}={value}" for name, value in more.items())] if more else []
        return [*added, sys.executable, "-m", "sonata", *words]

    def peer(self, *words: str) -> list[str]:
        """The argument list that runs another program."""
        return [*words]

    def within(self, *words: str) -> list[str]:
        """The argument list that runs a program in the namespaces of his containers' mounts."""
        return [*words]

    def mounting(self, words: Iterable[str]) -> list[str]:
        """The argument list of a `sonata WORDS` that mounts: in those namespaces, which alone may."""
        return self.within(*self.argv(words))

    def seen(self, path: str) -> Path:
        """What is mounted there, as it is reached from the test."""
        return Path(path)

    def mountinfo(self) -> list[list[str]]:
        """The words of each line about the mounts that his containers stand on."""
        return [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]

    def given(self, **more: object) -> dict[str, object]:
        """What of the keyword arguments of `subprocess.run` the caller has to give."""
        return more

    def folder(self, path: Path) -> Path:
        """A folder for this caller's files; the one that is given, where he may enter it."""
        return path

    def give(self, *places: str) -> None:
        """Have him own these, and all below."""

    def adopt(self, place: Path, but: Sequence[str] = ()) -> None:
        """Have him own what a test has put there as root; not in the folders of these names."""

    def owner(self, number: int) -> int:
        """Which id the host knows a container's user by, who is given by his number in it."""
        return number


class Ordinary(Root):
    """An ordinary user on that host: commands have his environment, and only what a test adds to it."""

    ordinary = True

    def __init__(self, host: SharedHost) -> None:
        self.host = host
        self.uid = host.uid
        self.known = dict(os.environ)

    def argv(
        self, words: Iterable[str], env: Mapping[str, str] | None = None, cwd: str = "", **more: str
    ) -> list[str]:  # fmt: skip
        wanted = env or {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        added = {name: value for name, value in wanted.items() if self.known.get(name) != value}
        added.update(more)
        return self.host.user_argv(*(["env", "-C", cwd] if cwd else []), *PROGRAM, *words, **added)

    def peer(self, *words: str) -> list[str]:
        return self.host.user_argv(*words)

    def within(self, *words: str) -> list[str]:
        return self.argv(["unshare", *words])

    def mounting(self, words: Iterable[str]) -> list[str]:
        return self.within(*PROGRAM, *words)

    def pause(self) -> int:
        """The process that keeps his namespaces; 0 for none."""
        try:
            return int(self.host.runtime("libpod/tmp/pause.pid").read_text())
        except FileNotFoundError:
            return 0

    def seen(self, path: str) -> Path:
        return Path(f"/proc/{self.pause()}/root{path}")

    def mountinfo(self) -> list[list[str]]:
        pause = self.pause()
        try:
            text = Path(f"/proc/{pause}/mountinfo").read_text() if pause else ""
        except OSError:  # it was killed
            text = ""
        return [line.split() for line in text.splitlines()]

    def given(self, **more: object) -> dict[str, object]:
        return {name: value for name, value in more.items() if name not in ("env", "cwd")}

    def folder(self, path: Path) -> Path:
        if path.is_relative_to(self.host.base):
            return path
        made = Path(self.host.base, "places", path.name)
        number = 0
        while made.exists():
            number += 1
            made = made.with_name(f"{path.name}{number}")
        made.mkdir(parents=True)
        self.give(str(made))
        return made

    def give(self, *places: str) -> None:
        for place in places:
            os.lchown(place, self.uid, self.uid)
            for top, folders, files in os.walk(place):
                for name in (*folders, *files):
                    os.lchown(f"{top}/{name}", self.uid, self.uid)

    def adopt(self, place: Path, but: Sequence[str] = ()) -> None:
        for top, folders, files in os.walk(place):
            folders[:] = [name for name in folders if top != str(place) or name not in but]
            for name in ("", *folders, *files):
                path = os.path.join(top, name)
                if os.lstat(path).st_uid == 0:
                    os.lchown(path, self.uid, self.uid)

    def owner(self, number: int) -> int:
        return FIRST + number - 1 if number else self.uid


class SharedHost(OrdinaryHost):
    """A host that has only its files for itself: processes and network are the machine's."""

    separate = ("-m",)

    def __init__(self, base: str) -> None:
        self.uid = 30000 + os.getpid() % 30000
        self.name = f"u{self.uid}"
        self.first = FIRST
        super().__init__(base)
        os.chmod(base, 0o755)  # the folder above it is root's alone everywhere but on this host

    def __exit__(self, *error: object) -> None:
        super().__exit__(None, None, None)
        self.end_all()

    def end_all(self) -> None:
        """Kill all processes of the user, his namespaces' keeper too, and wait until they are gone."""
        deadline = time.monotonic() + 20
        while left := self.left():
            assert time.monotonic() < deadline, f"processes that do not end: {left}"
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)

    def left(self) -> list[int]:
        """Processes of the user, and of those whose ids are his."""
        found = []
        for name in os.listdir("/proc"):
            try:
                uid = os.stat(f"/proc/{name}").st_uid if name.isdigit() else 0
            except OSError:
                continue
            if (uid == self.uid or FIRST <= uid < FIRST + IDS) and not is_dead(name):
                found.append(int(name))
        return found


def is_dead(pid: str) -> bool:
    """Whether nothing but its exit code is left of a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def lacking() -> str:
    """What this machine lacks for an ordinary user; empty for nothing."""
    for mark in user_needs():
        if mark.name == "skipif" and mark.args[0]:
            return str(mark.kwargs["reason"])
    probe = subprocess.run(["unshare", "-U", "true"], capture_output=True, check=False)
    return "needs user namespaces" if probe.returncode else ""
