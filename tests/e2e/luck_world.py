"""A store of its own for every test, real programs, and a look at the host before and after.

Commands run in a network namespace of the test module's own: its links, rules and ports are nobody else's.
"""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from both_ways import Root
from worker_host import LINKS

import sonata
from sonata.engine.paths import store_tag

PROGRAM = (sys.executable, "-I", "-S", f"{os.path.dirname(sonata.__file__)}/launch.py")
IMAGE = "localhost/box:latest"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# fmt: off
APPLETS = (
    "sh", "true", "false", "cat", "echo", "sleep", "id", "ls", "env", "kill", "head", "wc", "yes", "seq", "readlink",
    "grep", "touch", "test", "httpd", "nc", "ip", "wget", "mkdir", "mount", "stat", "df", "dd", "rm", "ln", "ps",
)
# fmt: on
CLONE_NEWNET = 0x40000000


class Done:
    """How a command ended."""

    def __init__(self, words: tuple[str, ...], code: int, out: str, err: str) -> None:
        self.words, self.code, self.out, self.err = words, code, out, err

    def __repr__(self) -> str:
        return f"sonata {' '.join(self.words)[-300:]} → {self.code}\nout: {self.out[-1500:]}\nerr: {self.err[-3000:]}"

    @property
    def id(self) -> str:
        return self.out.strip().splitlines()[-1] if self.out.strip() else ""


class World:
    """One private store and the commands on it."""

    def __init__(self, base: Path, who: Root | None = None) -> None:
        self.who = who or Root()
        self.base = base = self.who.folder(base)
        self.root, self.runroot, self.tmpdir = base / "root", base / "run", base / "tmp"
        self.env = {"PATH": PATH, "HOME": str(base / "home"), "TMPDIR": str(base / "scratch")}
        self.env |= {"CONTAINERS_CONF": str(base / "containers.conf")}
        if not self.who.ordinary:  # his namespaces are kept from test to test
            self.env["XDG_RUNTIME_DIR"] = str(base / "xdg")
        self.env["CONTAINERS_REGISTRIES_CONF"] = str(base / "registries.conf")
        for name in ("home", "scratch", "xdg"):
            (base / name).mkdir(parents=True, exist_ok=True)
        (base / "containers.conf").write_text('[engine]\ncgroup_manager = "cgroupfs"\n')
        (base / "registries.conf").write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
        self.started: list[subprocess.Popen[str]] = []

    @property
    def options(self) -> tuple[str, ...]:
        places = {
            "root": self.root,
            "runroot": self.runroot,
            "tmpdir": self.tmpdir,
            "volumepath": self.base / "volumes",
        }
        return tuple(f"--{name}={place}" for name, place in places.items())

    def argv(self, *words: str, **more: str) -> list[str]:
        """The words of a command; with variables that an ordinary user's world is not told otherwise."""
        if not self.who.ordinary:
            return [*PROGRAM, *self.options, *words]
        self.who.adopt(self.base, but=("root", "run", "tmp", "volumes"))
        return self.who.argv([*self.options, *words], **{**self.env, **more})

    def do(
        self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 60, **given: Any
    ) -> Done:  # fmt: skip
        """Run a command to its end."""
        given.setdefault("stdin", subprocess.DEVNULL)
        if "input" in given:
            del given["stdin"]
        done = subprocess.run(
            self.argv(*words, **(env or {})), env={**self.env, **(env or {})}, timeout=timeout, check=False,
            capture_output=True, text=True, errors="replace", **given,
        )  # fmt: skip
        assert "Traceback (most recent call last)" not in done.stderr, Done(
            words, done.returncode, done.stdout, done.stderr
        )
        return Done(words, done.returncode, done.stdout, done.stderr)

    def ok(self, *words: str, **given: Any) -> str:
        """Run a command that must succeed; what it said, stripped."""
        done = self.do(*words, **given)
        assert done.code == 0, done
        return done.out.strip()

    def fails(self, code: int, text: str, *words: str, **given: Any) -> Done:
        """Run a command that must fail with that code, saying that text."""
        done = self.do(*words, **given)
        assert done.code == code, done
        assert text in done.err, done
        assert done.err.startswith(("Error: ", "Warning: ")) or "\nError: " in done.err, done
        return done

    def background(self, *words: str, env: Mapping[str, str] | None = None, **given: Any) -> subprocess.Popen[str]:
        """Start a command, to be looked after by the test."""
        given.setdefault("stdin", subprocess.DEVNULL)
        given.setdefault("stdout", subprocess.PIPE)
        given.setdefault("stderr", subprocess.PIPE)
        whole = {**self.env, **(env or {})}
        made = subprocess.Popen(self.argv(*words, **(env or {})), env=whole, text=True, **given)
        self.started.append(made)
        return made

    def inspect(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("container", "inspect", name))[0]
        return found

    def status(self, name: str) -> str:
        return self.ok("container", "inspect", "--format", "{{.State.Status}}", name)

    def load(self, name: str = IMAGE, layers: list[bytes] | None = None, **config: Any) -> str:
        """Make an image of busybox (and more layers above it), and load it."""
        archive = self.base / "image.tar"
        write_archive(archive, name, [busybox_layer(), *(layers or [])], config)
        self.ok("load", "-q", "-i", str(archive))
        archive.unlink()
        return name

    def database(self) -> sqlite3.Connection:
        """The state, to look at or to damage."""
        found = next(self.root.glob("**/state.db"))
        return sqlite3.connect(found, isolation_level=None)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        connection = self.database()
        try:
            return connection.execute(f"SELECT * FROM {table}").fetchall()
        finally:
            connection.close()

    def clear(self) -> None:
        """End what the test left, as far as it can be ended."""
        for made in self.started:
            if made.poll() is None:
                made.kill()
            made.communicate()
        if self.root.exists():
            self.do("rm", "-a", "-f", "-t", "0")
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for place in sorted(self.mounts(), reverse=True):
            subprocess.run(self.who.within("umount", "-l", place), check=False, capture_output=True)

    def processes(self) -> dict[int, str]:
        return processes_naming(str(self.base))

    def mounts(self) -> list[str]:
        return [words[4] for words in self.who.mountinfo() if words[4].startswith(f"{self.base}/")]

    def footprint(self) -> dict[str, Any]:
        """All that may be left behind, by kind."""
        tag = store_tag(str(self.root))
        spaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
        return {
            "processes": sorted(self.processes().values()),
            "mounts": sorted(place for place in self.mounts() if place != str(self.root / "overlay")),
            "netns": sorted(name for name in spaces if tag in name),
            "links": _lines("ip", "-o", "link", "show", key=lambda line: line.split(":")[1].strip()),
            "rules": _rules(),
            "leases": self._state("lease"),
            "ports": self._state("port"),
            "containers": self._state("container"),
            "intents": self._state("intent"),
            "layers": self._records("layers", "layers"),
            "store containers": self._records("containers", "containers"),
            "folders": sorted(self._folders()),
            "cgroups": self._cgroups(),
        }

    def _state(self, table: str) -> list[str]:
        if not list(self.root.glob("**/state.db")):
            return []
        try:
            return sorted(str(row[0:3] if table != "container" else row[0]) for row in self.rows(table))
        except sqlite3.OperationalError:
            return []

    def _records(self, kind: str, name: str) -> list[str]:
        found = []
        for path in (*self.root.glob(f"*-{kind}/{name}.json"), *self.root.glob(f"*-{kind}/volatile-{name}.json")):
            found += [str(entry["id"]) for entry in json.loads(path.read_text() or "[]")]
        return sorted(found)

    def _folders(self) -> Iterator[str]:
        for pattern in ("*-containers/*/", "overlay/*/", "vfs/dir/*/", "overlay/tempdirs/*"):
            for place in self.root.glob(pattern):
                if place.name not in ("l", "tempdirs", "staging"):
                    yield str(place.relative_to(self.base))
        for place in self.runroot.glob("*-containers/*/"):
            yield str(place.relative_to(self.base))
        for kind in ("exits", "persist"):
            for place in self.base.glob(f"**/{kind}/*"):
                if len(place.name) == 64:
                    yield str(place.relative_to(self.base))
        for place in (self.base / "scratch").glob("*"):
            yield str(place.relative_to(self.base))

    def _cgroups(self) -> list[str]:
        known = {row[0] for row in self.rows("container")} if list(self.root.glob("**/state.db")) else set()
        found = Path("/sys/fs/cgroup").glob("*/libpod_parent/libpod-*")
        return sorted({place.name for place in found if place.name.split("-")[-1] in known})


def processes_naming(text: str) -> dict[int, str]:
    """Processes with that text on their command line, but for the tests' own."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words and "pytest" not in words and "docker-registry" not in words:
            found[int(name)] = words[:200]
    return found


def _lines(*argv: str, key: Callable[[str], str] = str) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return sorted(key(line) for line in done.stdout.splitlines())


_KEPT = ("HOSTPORT-MASQ", "HOSTPORT-SETMARK -j", "-j NETAVARK-HOSTPORT-DNAT", "-j NETAVARK_FORWARD", "NETAVARK_ISO")
"""Rules that netavark makes once, and that belong to no container."""


def _rules() -> list[str]:
    lines = [*_lines("iptables-save"), *_lines("ip6tables-save")]
    return [line for line in lines if line.startswith("-A") and not any(word in line for word in _KEPT)]


def settled(world: World, before: dict[str, Any], seconds: float = 20) -> dict[str, tuple[Any, Any]]:
    """What differs from before, once helpers had a moment to end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            after = world.footprint()
        except FileNotFoundError:  # a folder goes while it is looked at
            if time.monotonic() > deadline:
                raise
            continue
        changed = {kind: (before[kind], after[kind]) for kind in before if before[kind] != after[kind]}
        if not changed or time.monotonic() > deadline:
            return changed
        time.sleep(0.1)


class Unchanged:
    """`with Unchanged(world):` what is done within leaves nothing behind (kinds named in `but` excepted)."""

    def __init__(self, world: World, but: tuple[str, ...] = ()) -> None:
        self.world, self.but = world, but

    def __enter__(self) -> None:
        self.before = self.world.footprint()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            left = settled(self.world, {name: held for name, held in self.before.items() if name not in self.but})
            assert not left, left


def tar_of(*entries: tuple[str, Any] | tarfile.TarInfo) -> bytes:
    """A layer: `(name, bytes)` is a file, `(name, "→ x")` a symlink, `(name, None)` a folder; or a TarInfo as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            name, content = entry
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content.removeprefix("→ ")
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


_layer: list[bytes] = []


def busybox_layer() -> bytes:
    """A root file system of a static busybox."""
    if not _layer:
        busybox = shutil.which("busybox", path=PATH)
        if busybox is None:
            pytest.skip("needs busybox (Debian: busybox-static)")
        folders: list[Any] = [(name, None) for name in ("bin", "etc", "tmp", "proc", "sys", "dev", "root")]
        links: list[Any] = [(f"bin/{name}", "→ busybox") for name in APPLETS]
        users = b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n4242:x:77:78::/:/bin/sh\n"
        files: list[Any] = [
            ("bin/busybox", Path(busybox).read_bytes()),
            ("etc/passwd", users),
            ("etc/group", b"root:x:0:\nuser:x:1000:\nextra:x:2000:user\n"),
        ]
        _layer.append(tar_of(*folders, *files, *links))
    return _layer[0]


def write_archive(path: Path, name: str, layers: list[bytes], config: Mapping[str, Any]) -> None:
    """A docker-archive with one image."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    document = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }
    encoded = json.dumps(document).encode()
    image = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": image, "RepoTags": [name], "Layers": [f"{digest}.tar" for digest in digests]}]
    content: list[tuple[str, Any]] = [(f"{digest}.tar", layer) for digest, layer in zip(digests, layers, strict=True)]
    content += [(image, encoded), ("manifest.json", json.dumps(manifest).encode())]
    path.write_bytes(tar_of(*content))


def sample(cases: Iterable[Any], count: int) -> list[Any]:
    """Parameters of a test of which so many run always, the same ones, and all others are `slow`."""
    every = list(cases)
    chosen = set(random.Random(2026).sample(range(len(every)), min(count, len(every))))
    return [
        case if at in chosen else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
        for at, case in enumerate(every)
    ]


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def own_network() -> Iterator[None]:
    """This thread, and all that it starts, in a network namespace of its own."""
    if os.geteuid() != 0:
        yield
        return
    library = ctypes.CDLL(None, use_errno=True)
    old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert library.unshare(CLONE_NEWNET) == 0
        for argv in LINKS:  # an uplink that leads nowhere, for those who copy its address
            subprocess.run(argv, check=False)
        yield
    finally:
        assert library.setns(old, CLONE_NEWNET) == 0
        os.close(old)


@pytest.fixture
def world(tmp_path: Path, who: Root) -> Iterator[World]:
    """A store with the image `IMAGE` in it."""
    made = World(tmp_path, who)
    made.load()
    yield made
    made.clear()


@pytest.fixture
def bare(tmp_path: Path, who: Root) -> Iterator[World]:
    """A store with nothing in it, not even made."""
    made = World(tmp_path, who)
    yield made
    made.clear()
