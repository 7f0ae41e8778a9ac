"""What every test gets: needs that are said aloud, a place of its own, and a check that it left nothing behind.

Needs are markers. A test that cannot run here is skipped with the need that is lacking; a marker that nobody
knows is an error (`--strict-markers`), and so is a need that is misspelt or misused.

    needs_root              changes namespaces, mounts or the network of this host
    needs_userns            needs a user namespace of its own
    needs_peer              compares with Podman, Buildah or Skopeo
    needs_peer("skopeo")    ... with these programs, all of them
    needs_kernel("5.11")    needs this kernel or a newer one

`heavy` tests keep a processor busy for seconds, `slow` ones for longer: the quick check leaves out both.

As root, each worker of a run (`-n 2`) has a host of its own: tests/e2e/worker_host.py.

Tests with one of the fixtures `who` and `host_kind` run both ways, as root and as an ordinary user, but for those that
are marked `rootful("why it makes no sense for ordinary users")`. Of the second way a quarter is run always, in
tests/e2e an eighth; the rest is slow. Which files run as root alone, and why, says tests/house/test_both_ways.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from worker_host import WorkerHost

CLONE_NEWUSER = 0x10000000
OUTSIDE = ("test_thirdparty.py", "test_wheels.py")
"""Test files, beside those of guests, that ask for packages: on the machine's own network, one at a time."""

_capable: dict[str, bool] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A fresh base folder for every run, short enough for the names of sockets below it.

    Ctrl-C reaches what the tests start, also where the run itself was started in the background, by a
    shell that has such processes ignore it.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _keep_bytecode(config.rootpath / ".cache/bytecode")
    if hasattr(config, "workerinput"):
        host = WorkerHost()
        if os.geteuid() == 0 and host.enter():
            config.stash[_HOST] = host
    elif config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="sonata-t-", dir="/tmp")
        config.stash[_OURS] = config.option.basetemp


def _keep_bytecode(folder: Path) -> None:
    """Have this process, and none that it starts, keep compiled test modules: their assertions take long."""
    sys.pycache_prefix = str(folder)
    sys.dont_write_bytecode = False


_OURS = pytest.StashKey[str]()
_HOST = pytest.StashKey[WorkerHost]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--failed-to FILE`: the names of tests that failed, a line each (`tools/second_look.py`)."""
    parser.addoption("--failed-to", metavar="FILE", help="write the names of failed tests to FILE")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After a run that went well its folder goes; after any other it stays, to be looked at."""
    made = session.config.stash.get(_OURS, None)
    if made and exitstatus == 0:
        shutil.rmtree(made, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write down what failed, for those who asked."""
    if config.option.failed_to:
        stats = terminalreporter.stats
        names = dict.fromkeys(report.nodeid for word in ("failed", "error") for report in stats.get(word, ()))
        Path(config.option.failed_to).write_text("\n".join(names))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lacks a need; leave out what makes no sense for ordinary users."""
    items[:] = [item for item in items if not (_is_ordinary(item) and item.get_closest_marker("rootful"))]
    _sample(item for item in items if _is_ordinary(item))
    for item in items:
        for lacking in _lacks(item):
            item.add_marker(pytest.mark.skip(reason=lacking))
        if "e2e" in item.path.parts:
            item.add_marker(pytest.mark.e2e)


def _is_ordinary(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    return call is not None and "ordinary" in (call.params.get("who"), call.params.get("host_kind"))


def _sample(items: Iterable[pytest.Item]) -> None:
    """Leave one set of parameters of every fourth test to every check, in tests/e2e of every eighth."""
    seen: set[tuple[Path, str]] = set()
    for item in items:
        name = str(getattr(item, "originalname", item.name))
        share = 8 if "e2e" in item.path.parts else 4
        if (item.path, name) in seen or zlib.crc32(name.encode()) % share:
            item.add_marker(pytest.mark.slow)
        seen.add((item.path, name))


@pytest.fixture(scope="module", params=["root", "ordinary"])
def who(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Who runs the commands: see tests/e2e/both_ways.py."""
    from both_ways import Ordinary, Root, SharedHost, lacking

    if request.param == "root":
        yield Root()
        return
    if os.geteuid() != 0 or lacking():
        pytest.skip(lacking() or "needs_root: run as root")
    with SharedHost(str(tmp_path_factory.mktemp("who"))) as host:
        yield Ordinary(host)


@pytest.fixture(scope="module", params=["root", "ordinary"])
def host_kind(request: pytest.FixtureRequest) -> Any:
    """On what host of their own a test's commands run: PrivateHost, or that of an ordinary user."""
    from both_ways import lacking
    from ordinary import OrdinaryHost
    from private_host import PrivateHost

    if request.param == "root":
        return PrivateHost
    if os.geteuid() != 0 or lacking():
        pytest.skip(lacking() or "needs_root: run as root")
    return OrdinaryHost


@pytest.fixture
def world(tmp_path: Path, who: Any) -> Iterator[Any]:
    """Folders, a root file system and the program: see sonata/tests/live_world.py. Modules may have one of theirs."""
    from live_world import LiveWorld

    made = LiveWorld(str(tmp_path), who)
    yield made
    made.end()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The test's folder, where the user who runs its commands may go."""
    if "who" not in request.fixturenames:
        return tmp_path
    place: Path = request.getfixturevalue("who").folder(tmp_path)
    return place


def _lacks(item: pytest.Item) -> Iterator[str]:
    for mark in item.iter_markers():
        if not mark.name.startswith("needs_"):
            continue
        need = NEEDS.get(mark.name)
        if need is None:
            raise pytest.UsageError(f"{item.nodeid}: nobody knows the need {mark.name!r}")
        reason = need(*mark.args)
        if reason:
            yield reason


def _root() -> str:
    return "" if os.geteuid() == 0 else "needs_root: run as root"


def _peer(*programs: str) -> str:
    missing = [name for name in programs or ("skopeo",) if shutil.which(name) is None]
    return f"needs_peer: {', '.join(missing)} not installed" if missing else ""


def _userns() -> str:
    if "userns" not in _capable:
        child = os.fork()
        if child == 0:
            os._exit(1 if ctypes.CDLL(None).unshare(CLONE_NEWUSER) else 0)
        _capable["userns"] = os.waitpid(child, 0)[1] == 0
    return "" if _capable["userns"] else "needs_userns: user namespaces are switched off here"


def _kernel(version: str) -> str:
    have = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
    want = tuple(int(part) for part in version.split(".")[:2])
    return "" if have >= want else f"needs_kernel: {version}, this is {os.uname().release}"


NEEDS = {"needs_root": _root, "needs_peer": _peer, "needs_userns": _userns, "needs_kernel": _kernel}


@pytest.fixture(autouse=True, scope="module")
def alone_on_this_host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers take turns at files whose tests share what the machine has once (`--dist loadfile`).

    Those are few, since each worker has a host of its own, and many where none can be made.
    """
    path: Path = request.path
    host = request.config.stash.get(_HOST, None)
    outside = path.name in OUTSIDE or "guest" in path.parts
    alone = outside or (host is None and "e2e" in path.parts)
    if not alone or not hasattr(request.config, "workerinput"):
        yield
        return
    with (tmp_path_factory.getbasetemp().parent / "host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with host.outside() if host and outside else contextlib.nullcontext():
            yield


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail a test that leaks an environment variable, a descriptor, a mount or a process."""
    base = str(tmp_path_factory.getbasetemp())
    environ, descriptors, mounts = dict(os.environ), _descriptors(), _mounts(base)
    rooted = request.node.get_closest_marker("needs_root") is not None
    processes = _processes(base) if rooted else set()
    yield
    trouble = [*_changed(environ, dict(os.environ)), *_new_descriptors(descriptors)]
    if rooted:
        trouble += _new_processes(base, processes)
    # After that: a monitor's clean-up has the store mounted until its end.
    trouble += [f"mount {place}" for place in sorted(_mounts(base) - mounts)]
    if trouble:
        pytest.fail("left behind: " + "; ".join(trouble), pytrace=False)


def _changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return [f"environment variable {name}" for name in sorted(names) if not name.startswith("PYTEST_")]


def _descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the listing's own descriptor
            continue
    return found


def _new_descriptors(before: dict[str, str]) -> list[str]:
    new = _descriptors().items() - before.items()
    if new:
        gc.collect()
        new = _descriptors().items() - before.items()
    return [f"descriptor {number} → {target}" for number, target in sorted(new) if not target.startswith("/dev/")]


def _mounts(base: str) -> set[str]:
    places = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return {place for place in places if place.startswith(base)}


def _processes(base: str) -> set[tuple[int, str]]:
    """Processes whose command line names this run's folder: monitors, helpers, registries."""
    found = set()
    mark = base.encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if mark in words and b"pytest" not in words and b"execnet" not in words:
            found.add((int(name), words.replace(b"\0", b" ").decode(errors="replace")[:160]))
    return found


def _new_processes(base: str, before: set[tuple[int, str]]) -> list[str]:
    """Helpers may take a moment to end, and more of it on a busy machine."""
    deadline = time.monotonic() + 10
    while new := _processes(base) - before:
        if time.monotonic() > deadline:
            return [f"process {pid}: {words}" for pid, words in sorted(new)]
        time.sleep(0.05)
    return []
