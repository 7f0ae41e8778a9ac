"""An ordinary user's life on a private host: the same world, seen and used without privilege."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from private_host import LAUNCH, Ended, PrivateHost, host_needs

UID = 1777
NAME = "ordinary"
ROWS = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
PROGRAM = (sys.executable, "-I", "-S", str(LAUNCH))


def user_needs() -> list[pytest.MarkDecorator]:
    """The marks of a test file that wants an ordinary user."""
    missing = [program for program in ("newuidmap", "setpriv") if not os.path.exists(f"/usr/bin/{program}")]
    return [*host_needs(), pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")]


class OrdinaryHost(PrivateHost):
    """A private host whose commands are an ordinary user's, with that user's own folders and no privilege at all."""

    uid, name, first = UID, NAME, 100000

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.init_words = (str(self.uid), self.name, str(self.first), *(["lan"] if "-n" in self.separate else []))
        self.graph = f"/home/{self.name}/.local/share/containers/storage"
        self.run_root = f"/run/user/{self.uid}/containers"

    def environment(self, **more: str) -> list[str]:
        """The words of env(1) that give the user's usual environment and nothing else."""
        known = {
            "HOME": f"/home/{self.name}",
            "USER": self.name,
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "XDG_RUNTIME_DIR": f"/run/user/{self.uid}",
            **more,
        }
        return ["env", "-i", "-C", f"/home/{self.name}", *(f"{name}={value}" for name, value in known.items())]

    def user_argv(self, *words: str, **more: str) -> list[str]:
        """The argument list that runs a program as the user."""
        become = ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--inh-caps=-all"]
        return self.inside(*become, *self.environment(**more), *words)

    def argv(self, *words: str) -> list[str]:
        return self.user_argv(*PROGRAM, *words)

    def as_user(self, *words: str, **more: str) -> Ended:
        """Run any program as the user."""
        return self.program(self.user_argv(*words, **more))

    def as_root(self, *words: str) -> Ended:
        """Run any program as this host's root."""
        return self.program(self.inside(*words))

    def home(self, *path: str) -> Path:
        """A path in the user's home, as it is reached from outside of the host."""
        return Path(f"/proc/{self.pid}/root/home/{self.name}", *path)

    def runtime(self, *path: str) -> Path:
        """A path in the user's runtime folder, as it is reached from outside of the host."""
        return Path(f"/proc/{self.pid}/root/run/user/{self.uid}", *path)

    def pull(self) -> None:
        """Have the image."""
        self.ok("pull", "-q", "--tls-verify=false", self.image)

    def keeper(self) -> str:
        """The process that keeps the user's namespaces, by its number on this host; empty for none."""
        try:
            return self.runtime("libpod/tmp/pause.pid").read_text()
        except FileNotFoundError:
            return ""

    def busy(self) -> dict[int, str]:
        return {pid: words for pid, words in self.proc().items() if str(pid) != self.keeper()}

    def rows(self, query: str) -> list[tuple[object, ...]]:
        state = f"{self.graph}/sonata/state.db"  # SQLite would not find it by way of /proc
        told = self.as_root(sys.executable, "-I", "-c", ROWS, state, query).out
        found: list[tuple[object, ...]] = ast.literal_eval(told)
        return found

    def mounts(self) -> list[tuple[str, str]]:
        """What is mounted on this host, or what is in the user's own namespace once there is one."""
        keeper = self.keeper()
        if not keeper:
            return super().mounts()
        enter = ("nsenter", "-t", keeper, "-U", "-m", "--preserve-credentials")
        inside = self.lines(*enter, "cat", "/proc/self/mountinfo")
        return [(line.split()[0], line.split()[4]) for line in inside]

    def user_processes(self) -> list[str]:
        """Command lines of all processes of the user or of his subordinate ids, sorted."""
        ids = (self.uid, *range(self.first, self.first + 65536))
        shown = subprocess.run(["ps", "-eo", "uid,args", "--no-headers"], capture_output=True, text=True, check=True)
        rows = [line.split(None, 1) for line in shown.stdout.splitlines()]
        return sorted(words for uid, words in rows if int(uid) in ids)
