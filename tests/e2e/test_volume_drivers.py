"""Volumes of drivers outside: Docker's volume plugin protocol, spoken by a driver that was written for the test."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from volume_world import FULL, VolumeWorld

from sonata.engine.volumes.drivers import Driver
from sonata_core.errors import Damaged, ExternalFailure, SonataError, TimedOut

needs_containers = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]


class TestDriver(socketserver.ThreadingUnixStreamServer):
    """A driver whose volumes are folders. It counts who has mounted them, and keeps what it was asked."""

    __test__ = False
    daemon_threads = True

    def __init__(self, path: Path, folder: Path) -> None:
        super().__init__(str(path), _Handler)
        self.folder = folder
        self.volumes: dict[str, dict[str, str]] = {}
        self.mounts: dict[str, set[str]] = {}
        self.asked: list[str] = []
        self.broken: Callable[[str], dict[str, Any] | None] = lambda target: None
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, target: str, question: dict[str, Any]) -> dict[str, Any]:
        verb, name = target.rpartition(".")[2], str(question.get("Name", ""))
        self.asked.append(f"{verb} {name}".strip())
        wrong = self.broken(verb)
        if wrong is not None:
            return wrong
        if verb == "Activate":
            return {"Implements": ["VolumeDriver"]}
        if verb == "List":
            return {"Volumes": [{"Name": one, "Mountpoint": ""} for one in self.volumes]}
        if verb == "Create":
            self.volumes[name] = question["Opts"]
            (self.folder / name).mkdir(exist_ok=True)
            return {"Err": ""}
        if name not in self.volumes:
            return {"Err": f"no volume {name}"}
        return self._of_volume(verb, name, question)

    def _of_volume(self, verb: str, name: str, question: dict[str, Any]) -> dict[str, Any]:
        if verb == "Get":
            return {"Volume": {"Name": name, "Mountpoint": "", "Status": {"opts": self.volumes[name]}}}
        if verb == "Mount":
            self.mounts.setdefault(name, set()).add(question["ID"])
            return {"Mountpoint": str(self.folder / name)}
        if verb == "Unmount":
            self.mounts.get(name, set()).discard(question["ID"])
        elif verb == "Remove":
            del self.volumes[name]
        return {"Err": ""}


class _Handler(BaseHTTPRequestHandler):
    server: TestDriver

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        answer = self.server.answer(self.path.lstrip("/"), question)
        text = json.dumps(answer).encode()
        self.send_response(500 if answer.get("Err") else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


class DrivenWorld(VolumeWorld):
    """A world whose configuration names the driver `folders`, and one that is not there."""

    def __init__(self, base: Path) -> None:
        (base / "content").mkdir()
        self.driver = TestDriver(base / "d.sock", base / "content")
        self.conf = base / "containers.conf"
        drivers = f'[engine]\nvolume_plugin_timeout = 2\n[engine.volume_plugins]\nfolders = "{base}/d.sock"\n'
        self.conf.write_text(f'{drivers}absent = "{base}/none.sock"\n')
        os.environ["CONTAINERS_CONF"] = str(self.conf)
        super().__init__(base)

    def close(self) -> None:
        self.driver.broken = lambda target: None
        super().close()
        self.driver.shutdown()
        self.driver.server_close()
        del os.environ["CONTAINERS_CONF"]

    def row(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.out("volume", "inspect", name))
        return found[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenWorld]:
    made = DrivenWorld(tmp_path_factory.mktemp("d"))
    yield made
    made.close()


def live(test: Callable[..., None]) -> Callable[..., None]:
    for mark in needs_containers:
        test = mark(test)
    return test


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 15
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@live
def test_a_volume_is_mounted_with_its_first_user_and_unmounted_with_its_last(world: DrivenWorld) -> None:
    assert world.out("volume", "create", "-d", "folders", "-o", "kind=fast", "-o", "o=timeout=3,x", "vol") == "vol"
    assert world.driver.volumes["vol"] == {"kind": "fast", "o": "x"}
    found = world.row("vol")
    assert (found["Driver"], found["Timeout"], found["Mountpoint"], found["MountCount"]) == ("folders", 3, "", 0)
    assert found["Status"] == {"opts": {"kind": "fast", "o": "x"}}
    world.driver.asked.clear()
    world.sleeper("one", "-v", "vol:/v")
    world.sleeper("two", "-v", "vol:/v")
    assert world.row("vol")["MountCount"] == 2
    assert world.row("vol")["Mountpoint"] == str(world.base / "content/vol")
    world.out("exec", "one", "busybox", "touch", "/v/f")
    assert world.out("exec", "two", "ls", "/v") == "f"
    world.out("rm", "-ft0", "one")
    assert len(world.driver.mounts["vol"]) == 1
    world.out("rm", "-ft0", "two")
    assert world.driver.mounts["vol"] == set()
    verbs = [line.split()[0] for line in world.driver.asked]
    assert (verbs.count("Mount"), verbs.count("Unmount")) == (1, 1)
    assert world.out("volume", "rm", "vol") == "vol"
    assert world.driver.volumes == {}


@live
def test_an_empty_volume_is_filled_but_its_owner_is_the_drivers_affair(world: DrivenWorld) -> None:
    world.out("volume", "create", "-d", "folders", "fill")
    before = (world.base / "content/fill").stat()
    assert world.inside("-v", "fill:/data", "cat /data/file") == "hello"
    after = (world.base / "content/fill").stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    world.out("volume", "rm", "fill")


@live
def test_what_is_killed_lets_go(world: DrivenWorld) -> None:
    world.out("volume", "create", "-d", "folders", "hit")
    world.sleeper("victim", "-v", "hit:/v")
    found = json.loads(world.out("inspect", "victim"))[0]
    for pid in (int(Path(found["ConmonPidFile"]).read_text()), found["State"]["Pid"]):
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: world.out("ps", "-q", "--filter", "name=victim") == "")
    world.out("rm", "-f", "victim")
    assert (world.row("hit")["MountCount"], world.driver.mounts["hit"]) == (0, set())
    world.out("volume", "rm", "hit")


@live
def test_by_hand_and_archives(world: DrivenWorld) -> None:
    world.out("volume", "create", "-d", "folders", "hand")
    assert world.out("volume", "mount", "hand") == str(world.base / "content/hand")
    (world.base / "content/hand/x").write_text("")
    assert world.out("volume", "unmount", "hand") == "hand"
    assert world.driver.mounts["hand"] == set()
    tar = world.raw("volume", "export", "hand")
    world.out("volume", "create", "-d", "folders", "copy")
    world.raw("volume", "import", "copy", "-", stdin=tar)
    assert os.listdir(world.base / "content/copy") == ["x"]
    assert world.driver.mounts["copy"] == set()
    world.out("volume", "rm", "hand", "copy")


@live
def test_what_a_driver_has_already_is_taken(world: DrivenWorld) -> None:
    world.driver.volumes["theirs"] = {}
    (world.base / "content/theirs").mkdir()
    world.driver.asked.clear()
    world.out("volume", "create", "-d", "folders", "theirs")
    assert "Create theirs" not in world.driver.asked
    world.out("volume", "rm", "theirs")


@live
def test_reload(world: DrivenWorld) -> None:
    world.driver.volumes.update({"new1": {}, "new2": {}})
    done = world("volume", "reload")
    assert done.stdout.decode() == "Added:\nnew1\nnew2\n"
    assert b'failed to read volumes from plugin "absent": cannot access plugin absent socket' in done.stderr
    assert world.out("volume", "ls", "-q", "--filter", "driver=folders").split() == ["new1", "new2"]
    world.out("create", "--name", "needs", "-v", "new1:/x", "--image-volume", "ignore", FULL, "true")
    world.driver.volumes.clear()
    done = world("volume", "reload")
    assert (done.stdout.decode(), done.returncode) == ("Removed:\nnew2\n", 125)
    assert b"new1 was removed from its plugin but containers still require it" in done.stderr
    world.out("rm", "needs")
    assert world("volume", "reload").stdout.decode() == "Removed:\nnew1\n"


@live
def test_trouble_with_a_driver_leaves_nothing_half_made(world: DrivenWorld) -> None:
    said = world.refused("volume", "create", "-d", "absent", "x").splitlines()[0]
    assert said.startswith(
        "Error: volume x uses volume plugin absent but it could not be retrieved: cannot access plugin"
    )
    world.driver.broken = lambda verb: {"Err": "out of space"} if verb == "Create" else None
    said = world.refused("volume", "create", "-d", "folders", "x")
    where = "on /VolumeDriver.Create on volume x in volume plugin folders"
    assert said == f'Error: creating volume "x" in plugin folders: {where}: out of space'
    assert "x" not in world.out("volume", "ls", "-q").split()
    world.driver.broken = lambda verb: {"Err": "no"} if verb == "Mount" else None
    world.out("volume", "create", "-d", "folders", "y")
    code, text = world.run_refused("-v", "y:/v")
    assert (code, text.endswith("on /VolumeDriver.Mount on volume y in volume plugin folders: no")) == (126, True)
    assert world.row("y")["MountCount"] == 0
    world.driver.broken = lambda verb: {"Mountpoint": "/etc/passwd"} if verb == "Mount" else None
    code, text = world.run_refused("-v", "y:/v")
    assert "which is no folder" in text
    world.driver.broken = lambda verb: {"Err": "busy"} if verb == "Remove" else None
    assert "could not be removed from plugin folders" in world.refused("volume", "rm", "y")
    assert "y" in world.out("volume", "ls", "-q").split()
    world.driver.broken = lambda verb: None
    world.out("volume", "rm", "y")


@live
def test_prune_goes_on_past_a_driver_that_refuses(world: DrivenWorld) -> None:
    world.out("volume", "create", "-d", "folders", "a-stays")
    world.out("volume", "create", "b-goes")
    world.driver.broken = lambda verb: {"Err": "busy"} if verb == "Remove" else None
    assert world.out("volume", "prune", "-f", "--all") == "b-goes"
    world.driver.broken = lambda verb: None
    assert world.out("volume", "prune", "-f", "--all") == "a-stays"


@live
def test_a_volume_whose_driver_is_gone_can_be_removed(world: DrivenWorld) -> None:
    world.out("volume", "create", "-d", "folders", "orphan")
    kept = world.conf.read_text()
    world.conf.write_text("")
    try:
        assert "no volume plugin with name folders available" in world.refused("volume", "inspect", "orphan")
        assert "orphan" in world.out("volume", "ls", "-q").split()
        said = world.refused("volume", "rm", "orphan")
        assert said.startswith("Error: cannot remove volume orphan from plugin folders, but it has been removed")
        assert "orphan" not in world.out("volume", "ls", "-q").split()
    finally:
        world.conf.write_text(kept)


# -- hostile answers -------------------------------------------------------------------------------


class Hostile:
    """A socket that answers every connection with the same bytes."""

    def __init__(self, path: Path, speak: Callable[[socket.socket], None]) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.speak = speak
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with link:
                try:
                    link.recv(65536)
                    self.speak(link)
                except OSError:
                    continue

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def http(body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n") -> Callable[[socket.socket], None]:
    return lambda link: link.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def raw(rest: bytes) -> Callable[[socket.socket], None]:
    return lambda link: link.sendall(b"HTTP/1.1 200 OK\r\n" + rest)


def endless(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        link.sendall(b" " * 65536)


def dripping(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        link.sendall(b"a")
        time.sleep(0.05)


def silent(link: socket.socket) -> None:
    link.recv(1)


@pytest.mark.parametrize(
    ("speak", "kind", "said"),
    [
        (http(b'{"Implements": ["NetworkDriver"]}'), ExternalFailure, "instead provides NetworkDriver: plugin is not"),
        (http(b'{"Implements": 7}'), ExternalFailure, "does not implement volume plugin"),
        (http(b"[]"), Damaged, "no JSON object"),
        (http(b"not json"), Damaged, "its answer is no JSON"),
        (http(b"[" * 100_000), Damaged, "its answer is no JSON"),
        (http(b'{"Err": "evil\\u001b[31m\\ntext"}'), ExternalFailure, "evil?[31m?text"),
        (http(b'{"Err": "' + b"x" * 100_000 + b'"}'), ExternalFailure, "x" * 1000),
        (http(b"{}", b"HTTP/1.1 500 No\r\n"), ExternalFailure, "empty error from plugin"),
        (http(b"", b"SSH-2.0-x\r\n"), Damaged, "does not speak HTTP"),
        (raw(b"Content-Length: 50\r\n\r\n{}"), Damaged, "hung up in the middle"),
        (raw(b"Content-Length: -1\r\n\r\n{}"), Damaged, "gives its answer the length"),
        (raw(b"Content-Length: 9999999\r\n\r\n"), Damaged, "more than"),
        (raw(b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Damaged, "encoding"),
        (lambda link: link.close(), Damaged, "does not speak HTTP"),
        (endless, Damaged, "answers with more than"),
        (dripping, TimedOut, "gave no answer within"),
        (silent, TimedOut, "gave no answer within"),
    ],
)  # fmt: skip
def test_hostile_answers_are_bounded_and_refused(
    tmp_path: Path, speak: Callable[[socket.socket], None], kind: type[SonataError], said: str
) -> None:
    path = tmp_path / "h.sock"
    hostile = Hostile(path, speak)
    begun = time.monotonic()
    try:
        with pytest.raises(kind) as refused:
            Driver("evil", str(path), 0.5)
    finally:
        hostile.close()
    assert said in refused.value.message
    assert len(refused.value.message) < 1500
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("Mount", {"Mountpoint": "relative"}),
        ("Mount", {"Mountpoint": ""}),
        ("Mount", {"Mountpoint": 7}),
        ("Mount", {}),
        ("Mount", {"Mountpoint": "/" + "x" * 5000}),
        ("Mount", {"Mountpoint": "/etc\0/x"}),
        ("Mount", {"Mountpoint": "/nonexistent"}),
        ("List", {"Volumes": "x"}),
        ("List", {"Volumes": [{"Name": "../../etc"}]}),
        ("List", {"Volumes": [{"Name": "a\nb"}]}),
        ("List", {"Volumes": ["x"]}),
        ("List", {"Volumes": [{"Name": "x" * 300}]}),
        ("List", {"Volumes": [{"Name": "x"}] * 10_001}),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path: Path, verb: str, answer: dict[str, Any]) -> None:
    driver = TestDriver(tmp_path / "d.sock", tmp_path)
    driver.broken = lambda asked: answer if asked == verb else None
    driver.volumes["v"] = {}
    try:
        found = Driver("odd", str(tmp_path / "d.sock"), 2)
        with pytest.raises(Damaged):
            found.mount("v") if verb == "Mount" else found.names()
    finally:
        driver.shutdown()
        driver.server_close()


def test_a_path_that_is_no_socket_or_has_nobody_behind_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExternalFailure, match="is not a unix socket: target does not appear to be a valid plugin"):
        Driver("f", str(tmp_path / "file"), 1)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / "dead"))
    dead.close()
    with pytest.raises(ExternalFailure, match="connection refused"):
        Driver("f", str(tmp_path / "dead"), 1)


@live
def test_the_clean_up_after_a_container_reads_the_configuration_of_the_command(world: DrivenWorld) -> None:
    """It is conmon that runs it, in another folder: a driver that only CONTAINERS_CONF names hears of the end."""
    world.out("volume", "create", "-d", "folders", "heard")
    named = os.environ["CONTAINERS_CONF"]
    os.environ["CONTAINERS_CONF"] = os.path.relpath(named)
    try:
        world.out("run", "-d", "--name", "ends", "--network", "none", "-v", "heard:/o", FULL, "true")
    finally:
        os.environ["CONTAINERS_CONF"] = named
    assert "Mount heard" in world.driver.asked
    assert eventually(lambda: world.driver.mounts["heard"] == set())
    assert eventually(lambda: world.row("heard")["MountCount"] == 0)
    world.out("rm", "ends")


@live
def test_commands_that_are_killed_at_any_moment_leave_no_user_behind(world: DrivenWorld) -> None:
    """A tmpfs and a driver's volume: whatever was killed, the next commands bring the counts back to nothing."""
    world.out("volume", "create", "-o", "type=tmpfs", "ram")
    world.out("volume", "create", "-d", "folders", "outside")
    words = ("run", "--rm", "--network", "none", "-v", "ram:/r", "-v", "outside:/o", FULL, "true")
    began = time.monotonic()
    world.out(*words)
    whole = time.monotonic() - began
    for moment in range(1, 11):
        started = subprocess.Popen([*world.program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * moment / 11)
        started.kill()
        started.wait()
    world.out(*words)
    assert eventually(lambda: world.out("ps", "-q") == ""), world.out("ps", "-a")
    for name in ("ram", "outside"):
        assert eventually(lambda name=name: world.row(name)["MountCount"] == 0), name
    assert not os.path.ismount(world.row("ram")["Mountpoint"])
    assert eventually(lambda: world.driver.mounts["outside"] == set())
    world.out("rm", "-fa")  # one that was killed between its container's end and the removal leaves that
    assert world.out("volume", "rm", "ram", "outside").split() == ["ram", "outside"]


@live
def test_creation_that_is_killed_can_be_done_again(world: DrivenWorld) -> None:
    kinds = (("-d", "image", "-o", f"image={FULL}"), ("-d", "folders"), ("-o", "type=tmpfs"))
    for number, kind in enumerate(kinds):
        words = ("volume", "create", *kind, f"again{number}")
        began = time.monotonic()
        world.out(*words)
        whole = time.monotonic() - began
        world.out("volume", "rm", f"again{number}")
        for moment in range(1, 6):
            started = subprocess.Popen([*world.program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(whole * moment / 6)
            started.kill()
            started.wait()
            world("volume", "rm", f"again{number}")
            world.out("ps", "-q")
            assert world.out(*words) == f"again{number}"
            world.out("volume", "rm", f"again{number}")
    assert "+volume" not in world.out("ps", "-a", "--external")
