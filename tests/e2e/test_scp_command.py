"""image scp: over a real ssh on loopback, there and back, and to another user of this host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("sshd") or not shutil.which("ssh"), reason="needs openssh-server"),
]


def keys(folder: Path) -> None:
    for name in ("host", "own"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"]
        subprocess.run(command, check=True)


class Host:
    """An ssh daemon on a loopback port: whoever comes in finds a Sonata with a store of its own."""

    def __init__(self, folder: Path, program: list[str]) -> None:
        self.folder = folder
        os.makedirs("/run/sshd", exist_ok=True)
        keys(folder)
        (folder / "bin").mkdir()
        there = folder / "bin/sonata"
        words = " ".join(program)
        there.write_text(
            f"#!/bin/sh\nexport PYTHONPATH={':'.join(sys.path)}\nexec {words} --root {folder}/there "
            f'--runroot {folder}/there-run --storage-driver vfs "$@"\n'
        )
        there.chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/own.pub\n"
            f"PermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
            f"SetEnv PATH={folder}/bin:/usr/bin:/bin\n"
        )
        (folder / "ssh_config").write_text(
            f"IdentityFile {folder}/own\nIdentitiesOnly yes\nStrictHostKeyChecking no\n"
            f"UserKnownHostsFile {folder}/known\nLogLevel ERROR\nBatchMode yes\n"
        )
        (folder / "containers.conf").write_text(f'[engine]\nssh_config = "{folder}/ssh_config"\n')
        sshd = shutil.which("sshd")
        assert sshd
        self.process = subprocess.Popen([sshd, "-D", "-e", "-f", f"{folder}/sshd_config"], stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None
            time.sleep(0.05)

    def names(self) -> str:
        words = [f"{self.folder}/bin/sonata", "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, "vfs")
    yield made
    made.close()


@pytest.fixture
def host(store: PlainStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        made = Host(Path(folder), store.program[:3])
        monkeypatch.setenv("CONTAINERS_CONF", f"{folder}/containers.conf")
        yield made
        made.close()


def test_there_and_back(store: PlainStore, host: Host) -> None:
    ident = store.out("images", "-q").split()[0]
    there = f"root@127.0.0.1:{host.port}"
    assert store.out("image", "scp", IMAGE, f"{there}::") == f"Loaded image: {IMAGE}"
    assert host.names() == f"{IMAGE} {ident}\n"
    store.out("rmi", "-fa")
    assert store.out("image", "scp", "-q", "--format=oci-archive", f"{there}::{IMAGE}") == ""
    assert store.out("images", "--format", "{{.Repository}}:{{.Tag}}") == IMAGE
    told = store.refused("image", "scp", f"{there}::localhost/none:1")
    assert "localhost/none:1: image not known" in told
    assert "saving localhost/none:1 at 127.0.0.1 failed: exit code 125" in told
    assert "payload" not in told
    assert "exit code 255" in store.refused("image", "scp", IMAGE, "root@127.0.0.1:1::")


def test_a_connection_that_podman_knows(store: PlainStore, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = host.folder / "config"
    (folder / "containers").mkdir(parents=True)
    known = {
        "far": {"URI": f"ssh://root@127.0.0.1:{host.port}/run/podman.sock", "Identity": f"{host.folder}/own"},
        "tcp": {"URI": "tcp://127.0.0.1:1"},
    }
    path = folder / "containers/podman-connections.json"
    path.write_text(json.dumps({"Connection": {"Default": "", "Connections": known}}))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    assert store.out("image", "scp", IMAGE, "far::") == f"Loaded image: {IMAGE}"
    assert "images are sent by ssh only" in store.refused("image", "scp", IMAGE, "tcp::")


def test_wrong_words(store: PlainStore) -> None:
    scp = ("image", "scp")
    assert "must specify a destination: invalid argument" in store.refused(*scp, IMAGE)
    assert "names no host" in store.refused(*scp, IMAGE, "::")
    assert "names no host" in store.refused(*scp, "--", IMAGE, "-oProxyCommand=x::")
    assert "is no host" in store.refused(*scp, IMAGE, "a@-oProxyCommand=x::")
    assert "no image is named" in store.refused(*scp, "far::")
    assert "cannot be renamed" in store.refused(*scp, IMAGE, "far::other")
    assert "unknown user nobody-of-that-name" in store.refused(*scp, IMAGE, "nobody-of-that-name@localhost::")
    assert "unknown format" in store.refused(*scp, "--format=x", IMAGE, "far::")
