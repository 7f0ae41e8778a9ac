"""A host of the test's own: namespaces for mounts, processes, network and names, a fresh /run, a store, a registry.

What is left behind shows exactly, whatever else this machine does meanwhile; and all of it goes with the first process.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

import sonata

LAUNCH = Path(sonata.__file__).with_name("launch.py")
INIT = Path(__file__).with_name("private_init.py")
APPLETS = (
    "sh",
    "true",
    "false",
    "cat",
    "echo",
    "sleep",
    "stty",
    "head",
    "wc",
    "id",
    "kill",
    "ls",
    "httpd",
    "sha256sum",
)
LONG = bool(os.environ.get("SONATA_LONG"))
NEEDED = ("conmon", "unshare", "nsenter", "ip", "iptables-save")


def host_needs() -> list[pytest.MarkDecorator]:
    """The marks of a test file that wants a private host."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return [pytest.mark.needs_root, pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")]


class Ended:
    """How a command ended, and what it said."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out.decode(errors="replace").rstrip("\n")
        self.err = err.decode(errors="replace").rstrip("\n")
        self.raw = out

    def __repr__(self) -> str:
        return f"<{self.code} out={self.out!r} err={self.err!r}>"


class PrivateHost:
    """`with PrivateHost(folder) as host: host("run", …)`; `host.world()` is all that a command can leave behind."""

    init_words: tuple[str, ...] = ()
    separate: tuple[str, ...] = ("-m", "-n", "-p", "-i", "-u")

    def __init__(self, base: str) -> None:
        self.base = base
        self.graph, self.run_root = f"{base}/graph", "/run/store"  # Podman refuses a long name for the second
        self.group = f"/sonata_e2e_{os.getpid()}_{abs(hash(base)) % 10**6}"
        self.rootfs = f"{base}/rootfs"
        self.registry = ""
        self.pid = 0
        os.makedirs(f"{base}/image-bb")
        make_rootfs(self.rootfs)
        Path(f"{base}/image-bb/1.tar").write_bytes(packed(self.rootfs))

    def __enter__(self) -> Self:
        unshare = ["unshare", *self.separate, "--fork", "--kill-child"]
        unshare += ["--mount-proc"] if "-p" in self.separate else []
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._outer = subprocess.Popen(
            [*unshare, sys.executable, str(INIT), self.base, *self.init_words], env=environ, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not os.path.exists(f"{self.base}/registry"):
            assert self._outer.poll() is None, "the private host did not come up"
            assert time.monotonic() < deadline, "the private host is slow to come up"
            time.sleep(0.01)
        self.registry = Path(f"{self.base}/registry").read_text()
        self.pid = children(self._outer.pid)[0]
        self.image = f"{self.registry}/bb:1"
        self._inherited = {number for number, _ in self.mounts()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._outer.wait()
        remove_groups(self.group)

    def inside(self, *words: str) -> list[str]:
        """The argument list that runs a program on this host."""
        return ["nsenter", "-t", str(self.pid), *self.separate, "--", *words]

    def argv(self, *words: str) -> list[str]:
        """The argument list that runs `sonata WORDS` on this host, in its store."""
        where = ["--root", self.graph, "--runroot", self.run_root]
        return self.inside(sys.executable, "-I", "-S", str(LAUNCH), *where, *words)

    def __call__(self, *words: str, stdin: bytes = b"", timeout: float = 120) -> Ended:
        """Run `sonata WORDS`."""
        return self.program(self.argv(*words), stdin, timeout)

    def program(self, argv: list[str], stdin: bytes = b"", timeout: float = 120) -> Ended:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, stdin: bytes = b"") -> str:
        """Run `sonata WORDS`, which must succeed; what it printed."""
        done = self(*words, stdin=stdin)
        assert done.code == 0, (words, done)
        return done.out

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """Begin `sonata WORDS`, to be killed or waited for."""
        return subprocess.Popen(
            self.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def killed_after(self, seconds: float, *words: str) -> Ended:
        """Begin a command and kill it, not its children, so many seconds after it was started."""
        started = self.begin(*words)
        pid = first_child(started)
        if pid:
            time.sleep(seconds)
            kill(pid)
        # Whoever it started may keep its output open; what it had said by now is all that counts.
        started.wait(60)
        out, err = drained(started.stdout), drained(started.stderr)
        return Ended(started.returncode, out, err)

    def proc(self) -> dict[int, str]:
        """Every process but the first, by its number inside, with its command line. The dead do not count."""
        found: dict[int, str] = {}
        root = f"/proc/{self.pid}/root/proc"
        for name in os.listdir(root):
            if not name.isdigit() or name == "1":
                continue
            try:
                words = Path(f"{root}/{name}/cmdline").read_bytes()
                if words:
                    found[int(name)] = words.replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
        return found

    def busy(self) -> dict[int, str]:
        """The same but for what runs for good."""
        return self.proc()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query of the state says."""
        database = sqlite3.connect(f"file:{self.graph}/sonata/state.db?mode=ro", uri=True)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()

    def listed(self, place: str) -> list[str]:
        """The names in a folder of this host."""
        try:
            return sorted(os.listdir(f"/proc/{self.pid}/root{place}"))
        except FileNotFoundError:
            return []

    def world(self) -> dict[str, list[str]]:
        """All that commands may leave behind, by kind. Kernel and helpers get some seconds to come to rest."""
        found = {
            "processes": [] if self.quiet() else sorted(self.busy().values()),
            "runtime": [*self.listed("/run/crun"), *self.listed("/run/runc")],
            "namespaces": self.listed("/run/netns"),
            "links": sorted(line.split(":")[1] for line in self.lines("ip", "-o", "link")),
            "rules": [line for line in self.lines("iptables-save") if line.startswith("-A")],
            "mounts": sorted(place for number, place in self.mounts() if number not in self._inherited),
            "groups": sorted(groups(self.group)),
            "aardvark": self.listed("/run/containers/networks/aardvark-dns"),
            "layers": [name for name in self.listed(f"{self.graph}/overlay") if len(name) == 64],
            "links of layers": self.listed(f"{self.graph}/overlay/l"),
            "folders": [name for name in self.listed(f"{self.graph}/overlay-containers") if len(name) == 64],
            "half-made layers": self.listed(f"{self.graph}/overlay/staging"),
            "temporary files": self.listed("/var/tmp"),
            "locks": self.listed(f"{self.run_root}/sonata/locks"),
            "run folders": [name for name in self.listed(f"{self.run_root}/overlay-containers") if len(name) == 64],
        }
        for table in ("container", "container_state", "name", "lease", "port", "intent", "exec", "needs", "pod"):
            found[f"table {table}"] = [str(row) for row in self.rows(f"SELECT * FROM {table}")]
        return found

    def mounts(self) -> list[tuple[str, str]]:
        """Number and place of every mount that is seen on this host."""
        lines = Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()
        return [(line.split()[0], line.split()[4]) for line in lines]

    def lines(self, *words: str) -> list[str]:
        return self.program(self.inside(*words)).out.splitlines()

    def quiet(self, seconds: float = 10) -> bool:
        """Wait until only what runs for good is left of the processes."""
        deadline = time.monotonic() + seconds
        while self.busy():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """What is there now and was not, and the other way round."""
    changed = {}
    for kind, had in before.items():
        has = after[kind]
        gone = [f"- {item}" for item in had if item not in has]
        new = [f"+ {item}" for item in has if item not in had]
        if gone or new:
            changed[kind] = gone + new
    return changed


def make_rootfs(place: str) -> None:
    for folder in ("bin", "proc", "dev", "sys", "etc", "tmp"):
        os.makedirs(f"{place}/{folder}")
    shutil.copy(shutil.which("busybox") or "/bin/busybox", f"{place}/bin/busybox")
    for name in APPLETS:
        os.symlink("busybox", f"{place}/bin/{name}")


def packed(folder: str, junk: int = 0) -> bytes:
    """A folder as a tar; with so many bytes that compress badly in a file of it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        if folder:
            tar.add(folder, arcname=".")
        if junk:
            entry = tarfile.TarInfo(f"junk-{junk}")
            entry.size = junk
            tar.addfile(entry, io.BytesIO(os.urandom(junk)))
    return made.getvalue()


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def first_child(started: subprocess.Popen[bytes]) -> int:
    """The process that nsenter made, once it is there. 0 if it has ended."""
    while started.poll() is None:
        try:
            found = children(started.pid)
        except OSError:
            break
        if found:
            return found[0]
        time.sleep(0.0005)
    return 0


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def drained(stream: object) -> bytes:
    """What a pipe holds now, without waiting for its end; closes it."""
    assert isinstance(stream, io.BufferedReader)
    os.set_blocking(stream.fileno(), False)
    try:
        return stream.raw.read(1 << 20) or b""  # type: ignore[attr-defined]
    except BlockingIOError:
        return b""
    finally:
        stream.close()


def groups(name: str) -> Iterator[str]:
    """Control groups below ours, in every hierarchy."""
    for hierarchy in ("", *os.listdir("/sys/fs/cgroup")):
        top = os.path.normpath(f"/sys/fs/cgroup/{hierarchy}{name}")
        for folder, _, _ in os.walk(top):
            if folder not in (top, f"{top}/conmon"):  # the monitors' own group is kept, as Podman keeps it
                yield folder


def remove_groups(name: str) -> None:
    for hierarchy in ("", *os.listdir("/sys/fs/cgroup")):
        top = os.path.normpath(f"/sys/fs/cgroup/{hierarchy}{name}")
        for folder, _, _ in os.walk(top, topdown=False):
            for _ in range(200):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:  # the last of its processes is still on its way out
                    time.sleep(0.01)
