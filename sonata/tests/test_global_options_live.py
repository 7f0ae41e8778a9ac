"""Options before the command: each is seen at work, or refused with its reason."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import pstats
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from live_world import NEEDS, LiveWorld

pytestmark = NEEDS


def test_debug_is_the_level_of_that_name(world: LiveWorld) -> None:
    assert world.run("volume", "ls").stderr == ""
    for words in (("-D",), ("--debug",), ("--log-level=debug",)):
        assert "[debug" in world.run(*words, "volume", "ls").stderr
    assert world.run("-D=false", "volume", "ls").stderr == ""


def test_the_profile_of_a_command_names_its_functions(world: LiveWorld) -> None:
    cpu, memory = f"{world.base}/cpu", f"{world.base}/memory"
    world.ok(f"--cpu-profile={cpu}", f"--memory-profile={memory}", "volume", "create", "v")
    called = {name for _, _, name in pstats.Stats(cpu).stats}  # type: ignore[attr-defined]
    assert {"command", "add_volume"} <= called
    first, *lines = Path(memory).read_text().splitlines()
    assert int(first.split()[1]) > 100_000
    assert any("/sonata/" in line for line in lines)
    failed = world.run(f"--cpu-profile={cpu}", "volume", "inspect", "nope")
    assert failed.returncode == 125
    assert "add_volume" not in {name for _, _, name in pstats.Stats(cpu).stats}  # type: ignore[attr-defined]


def test_a_module_goes_before_the_files(world: LiveWorld, tmp_path: Path) -> None:
    modules = tmp_path / "conf/containers/containers.conf.modules"
    modules.mkdir(parents=True)
    (tmp_path / "conf/containers/containers.conf").write_text('[containers]\nenv = ["A=file", "B=file"]\n')
    (modules / "one.conf").write_text('[containers]\nenv = ["A=one"]\nannotations = ["x=y"]\n')
    (tmp_path / "two").write_text('[containers]\nenv = ["A=two", {append=true}]\n')
    world.who.give(str(tmp_path / "conf"))
    env = {**os.environ, "XDG_CONFIG_HOME": f"{tmp_path}/conf"}
    env.pop("CONTAINERS_CONF", None)

    def seen(*words: str) -> dict[str, str]:
        run = ("run", "--rm", "--network=none", "--rootfs", world.rootfs, "/bin/env")
        return dict(line.partition("=")[::2] for line in world.ok(*words, *run, env=env).splitlines())

    assert (seen()["A"], seen()["B"]) == ("file", "file")
    one = seen("--module=one.conf")
    assert (one["A"], one.get("B")) == ("one", None)
    assert seen("--module", "one.conf", "--module", f"{tmp_path}/two")["A"] == "two"
    (tmp_path / "over").write_text('[containers]\nenv = ["A=over"]\n')
    env["CONTAINERS_CONF_OVERRIDE"] = f"{tmp_path}/over"
    assert seen("--module=one.conf")["A"] == "over"
    missing = world.run("--module=nope", "volume", "ls", env=env)
    assert missing.returncode == 125
    assert missing.stderr.startswith('Error: could not resolve module "nope": 3 errors occurred:\n')
    missing = world.run("--module=/nope", "volume", "ls", env=env)
    assert missing.stderr.splitlines()[0] == (
        'Error: could not resolve module "/nope": faccessat /nope: no such file or directory'
    )


LISTENER = """
import os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev"], check=True)
for name, number in (("null", 3), ("urandom", 9)):
    os.mknod(f"/dev/{name}", 0o20666, os.makedev(1, number))
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/dev/log")
listener.settimeout(20)
subprocess.run(sys.argv[1:], check=True)
print(listener.recv(65536).decode())
"""


@pytest.mark.rootful("a listener in the place of the host's /dev/log is root's to make")
def test_what_is_logged_goes_to_the_systems_log_too(world: LiveWorld) -> None:
    argv = ["unshare", "--mount", "--propagation=private", sys.executable, "-c", LISTENER]
    done = subprocess.run(
        [*argv, *world.argv("--syslog", "--log-level=debug", "volume", "ls")],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("<"))
    assert line.startswith("<15>sonata[")
    assert "]: command path='volume ls'" in line
    assert "[debug" in done.stderr
    assert world.run("--syslog", "volume", "ls").returncode == 0


class Registry(http.server.ThreadingHTTPServer):
    """One image of five layers; knows how many blobs were asked for at once."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.now = self.most = 0
        self.login = ""
        self.lock = threading.Lock()
        layers, diffs = [], []
        for number in range(5):
            data = io.BytesIO()
            with tarfile.open(fileobj=data, mode="w") as tar:
                entry = tarfile.TarInfo(f"file{number}")
                entry.size = 10
                tar.addfile(entry, io.BytesIO(b"0123456789"))
            diffs.append("sha256:" + hashlib.sha256(data.getvalue()).hexdigest())
            layers.append(self.add(gzip.compress(data.getvalue()), "application/vnd.oci.image.layer.v1.tar+gzip"))
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}, "config": {}}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": self.add(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": layers,
            }
        ).encode()
        super().__init__(("127.0.0.1", 0), Handler)

    def add(self, data: bytes, kind: str) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": kind, "digest": digest, "size": len(data)}


class Handler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        if self.server.login and self.headers.get("Authorization") != f"Basic {self.server.login}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        name = self.path.rpartition("/")[2]
        if "/manifests/" in self.path:
            self.answer(self.server.manifest, "application/vnd.oci.image.manifest.v1+json")
        elif name in self.server.blobs:
            with self.server.lock:
                self.server.now += 1
                self.server.most = max(self.server.most, self.server.now)
            time.sleep(0.3)
            with self.server.lock:
                self.server.now -= 1
            self.answer(self.server.blobs[name], "application/octet-stream")
        else:
            self.answer(b"{}", "application/json")

    do_HEAD = do_GET

    def answer(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_registries_and_workers_are_as_the_command_line_says(
    world: LiveWorld, registry: Registry, tmp_path: Path
) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(
        f'[[registry]]\nprefix = "test.invalid"\nlocation = "127.0.0.1:{registry.server_port}"\ninsecure = true\n'
    )
    words = (f"--registries-conf={conf}", "--max-workers=1", "pull", "-q", "test.invalid/image:1")
    world.ok(*words)
    assert registry.most == 1
    world.ok("rmi", "-a", "-f")
    world.ok(words[0], *words[2:])
    assert registry.most > 1
    missing = world.run("--registries-conf=/nope", "volume", "ls")
    assert (missing.returncode, "locating specified registries.conf" in missing.stderr) == (125, True)
    none = world.run("--max-workers=0", "volume", "ls")
    assert none.stderr == "Error: maximum workers must be set to a positive number (got 0)\n"


@pytest.mark.skipif(not shutil.which("slirp4netns"), reason="needs slirp4netns")
@pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="needs /dev/net/tun")
def test_the_program_of_the_network_is_the_one_that_is_named(world: LiveWorld) -> None:
    folder = f"{world.base}/bin"
    os.mkdir(folder)
    program = Path(folder, "slirp4netns")
    program.write_text(f'#!/bin/sh\necho "$@" >>{world.base}/called\nexec {shutil.which("slirp4netns")} "$@"\n')
    program.chmod(0o755)
    run = ("run", "--rm", "--network=slirp4netns", "--rootfs", world.rootfs, "true")
    done = world.run(*run)
    if done.returncode:
        pytest.skip(f"needs a host where slirp4netns works: {done.stderr}")
    assert not os.path.exists(f"{world.base}/called")
    world.ok(f"--network-cmd-path={program}", *run)
    assert "tap0" in Path(world.base, "called").read_text()
    program.chmod(0o644)
    missing = world.run(f"--network-cmd-path={program}", *run)
    assert missing.returncode != 0


def test_the_network_backend_is_the_one_that_is_named(world: LiveWorld) -> None:
    world.ok("--network-backend=netavark", "network", "create", "n")
    done = world.run("--network-backend=carrier-pigeon", "network", "create", "m")
    assert (done.returncode, "no net backend 'carrier-pigeon' is installed" in done.stderr) == (125, True)
    assert world.ok("--network-backend=netavark", "info", "--format={{.Host.NetworkBackend}}") == "netavark"


def test_dockers_words_mean_this_host(world: LiveWorld) -> None:
    world.ok("volume", "create", "v")
    for words in (("-H", "unix:///var/run/docker.sock"), ("--host=unix:///run/x.sock",), ("--context=default",)):
        assert world.ok(*words, "volume", "ls", "-q") == "v"
    for words in (("-H", "tcp://127.0.0.1:2375"), ("--host=ssh://a@b",)):
        done = world.run(*words, "volume", "ls")
        assert done.returncode == 125
        assert "is not supported: there is no remote service yet" in done.stderr


def test_folders_are_the_ones_that_are_named(world: LiveWorld) -> None:
    base = world.base
    with tarfile.open(f"{base}/image.tar", "w") as tar:
        tar.add(world.rootfs, arcname=".")
    world.ok(f"--volumepath={base}/volumes", "volume", "create", "v")
    assert os.path.isdir(f"{base}/volumes/v/_data")
    assert os.path.exists(f"{base}/tmp/sonata/events/events.log")
    assert os.path.exists(f"{base}/graph/sonata/state.db")
    world.ok(f"--imagestore={base}/store", "import", "-q", f"{base}/image.tar", "localhost/box:1")
    assert "localhost/box:1" in Path(base, "store/overlay-images/images.json").read_text()
    run = ("run", "--rm", "--network=none", "localhost/box:1", "/bin/cat", "/etc/hostname")
    assert world.ok(f"--imagestore={base}/store", *run) != ""
    assert world.run("run", "--pull=never", *run[1:]).returncode == 125
    own = [f"--root={base}/vfs", f"--runroot={base}/vfsrun", "--storage-driver=vfs"]
    world.ok(*own, "import", "-q", f"{base}/image.tar", "localhost/box:1")
    assert os.path.isdir(f"{base}/vfs/vfs-images")
    world.start("a")
    assert os.path.isdir(f"{base}/run/overlay-containers")
    Path(base, "networks").mkdir()
    definition = {"name": "theirs", "id": "ab" * 32, "driver": "bridge", "network_interface": "podman77"}
    definition |= {
        "created": "2026-01-01T00:00:00Z",
        "subnets": [{"subnet": "10.213.55.0/24", "gateway": "10.213.55.1"}],
    }
    definition |= {
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": False,
        "ipam_options": {"driver": "host-local"},
    }
    Path(base, "networks/theirs.json").write_text(json.dumps(definition))
    assert "theirs" in world.ok(f"--network-config-dir={base}/networks", "network", "ls", "-q").split()
    assert "theirs" not in world.ok("network", "ls", "-q").split()


def test_mount_options_of_the_store_are_the_ones_that_are_named(world: LiveWorld) -> None:
    with tarfile.open(f"{world.base}/image.tar", "w") as tar:
        tar.add(world.rootfs, arcname=".")
    world.ok("import", "-q", f"{world.base}/image.tar", "localhost/box:1")

    def options() -> list[str]:
        # As its monitor sees them: an ordinary user's are in a namespace of his own.
        seen = Path(f"/proc/{world.inspect('a')['State']['ConmonPid']}/mounts")
        lines = [line.split() for line in seen.read_text().splitlines()]
        (found,) = (line[3] for line in lines if line[1].startswith(f"{world.base}/graph/overlay/"))
        return found.split(",")

    words = ("run", "-d", "--name=a", "--network=none", "localhost/box:1", "/bin/sleep", "1000")
    world.ok(*words)
    assert "nodev" not in options()
    world.ok("rm", "-f", "-t0", "a")
    world.ok("--storage-opt=overlay.mountopt=nodev", *words)
    assert "nodev" in options()


def wrapper(world: LiveWorld, name: str) -> str:
    """A program that writes down its arguments and becomes the real one."""
    folder = Path(world.base, "programs")
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >>{world.base}/called-{name}\nexec {shutil.which(name)} "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(shutil.which("crun") is None, reason="needs crun")
def test_programs_are_the_ones_that_are_named(world: LiveWorld) -> None:
    conmon, crun = wrapper(world, "conmon"), wrapper(world, "crun")
    run = ("run", "--rm", "--network=none", "--rootfs", world.rootfs, "true")
    world.ok(f"--conmon={conmon}", f"--runtime={crun}", "--runtime-flag=debug", *run)
    assert "--exit-command" in Path(world.base, "called-conmon").read_text()
    lines = Path(world.base, "called-crun").read_text().splitlines()
    assert any(" create " in line for line in lines)
    assert all("--debug" in line.split() for line in lines if " create " in line)
    hooks = Path(world.base, "hooks")
    hooks.mkdir()
    hook = {"version": "1.0.0", "when": {"always": True}, "stages": ["prestart"]}
    hook["hook"] = {"path": "/bin/touch", "args": ["touch", f"{world.base}/hooked"]}
    (hooks / "one.json").write_text(json.dumps(hook))
    world.ok(*run)
    assert not os.path.exists(f"{world.base}/hooked")
    world.ok(f"--hooks-dir={hooks}", *run)
    assert os.path.exists(f"{world.base}/hooked")
    assert world.ok("--cgroup-manager=cgroupfs", "info", "--format={{.Host.CgroupManager}}") == "cgroupfs"
    session = world.who.owner(0) == 0  # an ordinary user has none here, and falls back
    managed = world.ok("--cgroup-manager=systemd", "info", "--format={{.Host.CgroupManager}}")
    assert managed == ("systemd" if session else "cgroupfs")


def test_output_goes_where_it_is_sent(world: LiveWorld) -> None:
    world.ok("volume", "create", "v")
    out, trace = f"{world.base}/out", f"{world.base}/trace"
    assert world.ok(f"--out={out}", "volume", "ls", "-q") == ""
    assert Path(out).read_text() == "v\n"
    assert world.ok("--noout", "volume", "ls", "-q") == ""
    world.ok(f"--trace={trace}", "volume", "ls")
    assert "volume ls" in Path(trace).read_text()
    assert (
        world.ok("--version")
        == world.ok("-v")
        == f"sonata version {world.ok('version', '--format={{.Client.Version}}')}"
    )
    assert "Usage:" in world.ok("--help")
    assert world.ok("--help") == world.ok("help")
    assert "compiler: cpython" in world.ok("info", "--debug")
    assert "compiler" not in world.ok("info")


def test_credentials_are_those_of_the_folder(world: LiveWorld, registry: Registry, tmp_path: Path) -> None:
    registry.login = "dXNlcjpwYXNz"
    host = f"127.0.0.1:{registry.server_port}"
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": registry.login}}}))
    words = ("pull", "-q", "--retry=0", "--tls-verify=false", f"{host}/image:1")
    assert world.run(*words).returncode == 125
    world.ok(f"--config={folder}", *words)


def test_a_transient_container_is_gone_after_a_boot(world: LiveWorld, tmp_path: Path) -> None:
    with tarfile.open(f"{world.base}/image.tar", "w") as tar:
        tar.add(world.rootfs, arcname=".")
    world.ok("--transient-store", "import", "-q", f"{world.base}/image.tar", "localhost/box:1")
    assert not os.path.exists(f"{world.base}/graph/sonata")
    create = ("create", "--name=a", "--network=none", "localhost/box:1", "true")
    first = world.ok("--transient-store", *create)
    assert world.ok("--transient-store", "ps", "-aq", "--no-trunc") == first
    assert world.ok("--transient-store", "start", "-a", "a") == ""
    assert world.ok("--transient-store", "ps", "-a", "--format={{.Status}}").startswith("Exited (0)")
    folder = Path(world.base, "graph/overlay-containers")
    for gone in ("tmp", "run"):
        shutil.rmtree(f"{world.base}/{gone}")
    assert world.ok("--transient-store", "ps", "-aq") == ""
    assert (folder / first).exists()
    second = world.ok("--transient-store", *create)
    assert not (folder / first).exists()
    assert (folder / second).exists()
    for gone in ("tmp", "run"):
        shutil.rmtree(f"{world.base}/{gone}")
    assert world.ok("system", "prune", "--external") == ""
    assert not (folder / second).exists()
    conf = tmp_path / "storage.conf"
    conf.write_text("[storage]\ntransient_store = true\n")
    env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(conf)}
    world.ok(*create, env=env)
    assert world.ok("--transient-store", "ps", "-a", "--format={{.Names}}") == "a"
    assert world.ok("info", "--format={{.Store.TransientStore}}", env=env) == "true"
    world.ok("--transient-store", "rm", "a")
