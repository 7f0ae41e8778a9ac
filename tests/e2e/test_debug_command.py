"""`debug`: tools in the namespaces of a container that has nothing but one static program."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

sys.path.insert(0, os.path.dirname(__file__))
from test_e2e_terminal import Person

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(shutil.which("conmon") is None, reason="needs conmon"),
]
BARE = "localhost/bare:1"
TOOLS = ("--image", IMAGE)


class Terminal(Person):
    """Somebody at a terminal in front of the plain store."""

    def argv(self, *words: str) -> list[str]:
        return list(words)

    def __init__(self, store: PlainStore, *words: str) -> None:
        super().__init__(self, *store.program, *words)  # type: ignore[arg-type]


def bare_image(store: PlainStore) -> None:
    """An image of one static program, which sleeps: no shell, no passwd, nothing."""
    program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("sleep")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    store.out("import", "-q", "--change", 'CMD ["/sleep","1000"]', "-", BARE, stdin=made.getvalue())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path_factory.mktemp("debug"), who=who)
    bare_image(made)
    yield made
    made.close()


@pytest.fixture
def bare(store: PlainStore) -> Iterator[str]:
    store.out("run", "-d", "--network", "none", "--name", "bare", "--hostname", "target", BARE)
    yield "bare"
    store("rm", "-fa", "-t0")


def pid_of(store: PlainStore, name: str) -> int:
    return int(store.out("inspect", "--format", "{{.State.Pid}}", name))


def containers(store: PlainStore) -> list[str]:
    return store.out("ps", "-a", "--format", "{{.Names}}").split()


def test_it_has_tools_in_the_namespaces_of_the_target(store: PlainStore, bare: str) -> None:
    pid = pid_of(store, bare)
    kinds = ("pid", "net", "ipc", "uts", "cgroup", "user")
    script = "; ".join(["hostname", *(f"readlink /proc/self/ns/{kind}" for kind in kinds), "ls /proc/1/root"])
    found = store.out("debug", *TOOLS, bare, "--", "sh", "-c", script).splitlines()
    assert found[0] == "target"
    assert found[1:7] == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in kinds]
    assert "sleep" in found[7:]
    assert "bin" not in found[7:]
    assert containers(store) == ["bare"]


def test_the_targets_files_can_be_changed_and_its_processes_traced(store: PlainStore, bare: str) -> None:
    write = 'echo here > "$SONATA_TARGET_ROOT/note"; readlink /proc/1/exe; cat /proc/1/environ | tr "\\0" "\\n"'
    said = store.out("debug", bare, *TOOLS, "--", "sh", "-c", write)
    assert "/sleep" in said
    assert "container=podman" in said
    root = Path(f"/proc/{pid_of(store, bare)}/root")
    assert (root / "note").read_text() == "here\n"


def test_capabilities_are_the_targets_and_ptrace(store: PlainStore) -> None:
    store.out("run", "-d", "--network=none", "--name=few", "--cap-drop=ALL", "--cap-add=CHOWN", BARE)
    try:
        said = store.out("debug", *TOOLS, "few", "--", "busybox", "grep", "CapBnd", "/proc/self/status")
        assert int(said.split()[1], 16) == 1 << 0 | 1 << 19
    finally:
        store.out("rm", "-f", "-t0", "few")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_a_paused_target_may_be_looked_at(store: PlainStore, bare: str) -> None:
    store.out("pause", bare)
    try:
        assert store.out("debug", *TOOLS, bare, "--", "cat", "/proc/1/comm") == "sleep"
    finally:
        store.out("unpause", bare)


def test_a_stopped_target_is_refused_with_what_to_do(store: PlainStore, bare: str) -> None:
    store.out("stop", "-t0", bare)
    said = store.refused("debug", *TOOLS, bare, "--", "true")
    assert "can only debug running or paused containers: container bare is exited" in said
    assert "hint: sonata start bare" in said
    assert "no container with name or ID" in store.refused("debug", *TOOLS, "nosuch")


@pytest.mark.rootful("ids of the host's")
def test_without_an_image_the_tools_are_the_hosts(store: PlainStore, bare: str) -> None:
    """Its programs, and no more of it; they cannot be changed from there."""
    pid = pid_of(store, bare)
    look = "hostname; readlink /proc/self/ns/pid; ls /proc/1/root; ls -d /etc/shadow /root/.[a-z]* /var/lib"
    script = f"{look}; echo x >/usr/x"
    done = store("debug", bare, "--", "bash", "-c", script)
    found = done.stdout.decode().splitlines()
    assert found[:2] == ["target", os.readlink(f"/proc/{pid}/ns/pid")]
    assert "sleep" in found[2:]
    assert not [line for line in found if line.startswith("/")], found
    assert "/usr/x: Read-only file system" in done.stderr.decode()
    maps = ("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")
    store.out("run", "-d", "--network=none", "--name=mapped", *maps, BARE)
    said = store.out("debug", "mapped", "--", "sh", "-c", "id -u; touch /tmp/mine && ls /proc/1/root").split()
    store.out("rm", "-f", "-t0", "mapped")
    assert (said[0], "sleep" in said) == ("0", True)
    assert containers(store) == [bare]


def test_an_image_can_be_configured(store: PlainStore, bare: str, tmp_path: Path) -> None:
    conf = tmp_path / "containers.conf"
    conf.write_text(f'[engine]\ndebug_image = "{IMAGE}"\n')
    os.environ["CONTAINERS_CONF"] = str(conf)
    try:
        assert store.out("debug", bare, "--", "echo", "configured") == "configured"
    finally:
        del os.environ["CONTAINERS_CONF"]


def test_nothing_is_pulled_against_the_policy(store: PlainStore, bare: str) -> None:
    said = store.refused("debug", "--pull=never", "--image=localhost/absent:1", bare, "--", "true")
    assert "localhost/absent:1" in said
    assert containers(store) == ["bare"]


def test_a_script_on_standard_input_and_the_exit_code(store: PlainStore, bare: str) -> None:
    done = store("debug", *TOOLS, bare, stdin=b"hostname; exit 7\n")
    assert (done.returncode, done.stdout) == (7, b"target\n")
    assert store("debug", *TOOLS, bare, "--", "/nosuch").returncode == 127
    assert store("debug", *TOOLS, "--shell", "busybox sh", bare, stdin=b"exit 9\n").returncode == 9
    assert containers(store) == ["bare"]


def test_a_terminal_gets_a_shell(store: PlainStore, bare: str) -> None:
    with Terminal(store, "debug", *TOOLS, bare) as person:
        person.type("stty size; hostname\n")
        person.until("30 90")
        person.until("target")
        helper = next(name for name in containers(store) if name != bare)
        assert json.loads(store.out("inspect", helper))[0]["Config"]["Labels"]["io.sonata.debug"]
        person.type("exit 5\n")
        assert person.code() == 5
        assert person.restored()
    assert containers(store) == ["bare"]


def test_a_target_in_the_pid_namespace_of_another(store: PlainStore, bare: str) -> None:
    store.out("run", "-d", "--network=container:bare", "--pid=container:bare", "--name=second", IMAGE, "sleep", "999")
    said = store.out("debug", *TOOLS, "second", "--", "sh", "-c", "ls $SONATA_TARGET_ROOT; cat /proc/1/comm")
    assert "bin" in said.split()
    assert said.split()[-1] == "sleep"
    store.out("rm", "-f", "-t0", "second")


def test_it_ends_with_the_target(store: PlainStore, bare: str) -> None:
    with Terminal(store, "debug", *TOOLS, bare) as person:
        person.type("hostname\n")
        person.until("target\r\n")
        store.out("stop", "-t0", bare)
        assert person.code() == 137
    deadline = time.monotonic() + 10
    while containers(store) != ["bare"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert containers(store) == ["bare"]


@pytest.mark.rootful("ids of the host's")
def test_in_the_user_namespace_of_the_target(store: PlainStore) -> None:
    maps = ("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")
    store.out("run", "-d", "--network=none", "--name=mapped", *maps, BARE)
    try:
        script = "cat /proc/self/uid_map; readlink /proc/self/ns/user; ls $SONATA_TARGET_ROOT"
        found = store.out("debug", *TOOLS, "mapped", "--", "sh", "-c", script).split()
        assert found[:3] == ["0", "100000", "65536"]
        assert found[3] == os.readlink(f"/proc/{pid_of(store, 'mapped')}/ns/user")
        assert "sleep" in found[4:]
    finally:
        store.out("rm", "-f", "-t0", "mapped")


@pytest.mark.parametrize("ipc", ["private", "none", "shareable"])
def test_a_target_beside_the_hosts_processes_and_its_own_ipc(store: PlainStore, ipc: str) -> None:
    store.out("run", "-d", "--network=host", "--pid=host", f"--ipc={ipc}", "--name=open", BARE)
    try:
        pid = pid_of(store, "open")
        script = "echo $SONATA_TARGET_ROOT; readlink /proc/self/ns/ipc; ls $SONATA_TARGET_ROOT"
        found = store.out("debug", *TOOLS, "open", "--", "sh", "-c", script).split()
        assert found[:2] == [f"/proc/{pid}/root", os.readlink(f"/proc/{pid}/ns/ipc")]
        assert "sleep" in found[2:]
    finally:
        store.out("rm", "-f", "-t0", "open")
