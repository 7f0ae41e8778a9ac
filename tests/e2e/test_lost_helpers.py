"""`kill -9` of what an ordinary user's containers stand on: states stay true, commands work, all can be mended."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from ordinary import UID, OrdinaryHost, user_needs

from sonata_testkit.containers import eventually

NEEDED = ("pasta", "slirp4netns", "netavark", "aardvark-dns")
FOLDERS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/lib/podman", "/usr/libexec/podman"))
MISSING = [name for name in NEEDED if shutil.which(name, path=FOLDERS) is None]
pytestmark = [*user_needs(), pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")]
WEB = "echo served > /tmp/x; exec httpd -f -p 80 -h /tmp"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("lost"))) as made:
        made.pull()
        made.ok("network", "create", "net")
        yield made


@pytest.fixture(autouse=True)
def _nothing_stays(host: OrdinaryHost) -> Iterator[None]:
    yield
    host.ok("rm", "-f", "-t", "0", "-a")
    assert [words for words in host.proc().values() if "pasta" in words or "slirp4netns" in words] == []


def serve(host: OrdinaryHost, network: str) -> None:
    ports = [] if network == "net" else ["-p", "18088:80"]
    host.ok("run", "-d", "--name", "web", *ports, "--network", network, host.image, "sh", "-c", WEB)
    assert eventually(lambda: fetch(host, network) == "served")


def fetch(host: OrdinaryHost, network: str) -> str:
    """What the server says: to a neighbour on a bridge, else to the host at its published port."""
    if network == "net":
        address = host.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}", "web")
        asked = ("busybox", "wget", "-q", "-O", "-", f"http://{address}/x")
        return host("run", "--rm", "--network", "net", host.image, *asked).out
    program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:18088/x', timeout=5).read().decode())"
    return host.as_root(sys.executable, "-I", "-c", program).out.strip()


def killed(host: OrdinaryHost, word: str) -> None:
    """Kill every process whose command line has this word, and see it gone."""
    found = [pid for pid, words in host.proc().items() if word in words]
    assert found, (word, host.proc())
    host.as_root("nsenter", "-t", "1", "-p", "kill", "-9", *map(str, found))
    assert eventually(lambda: not set(found) & set(host.proc()))


def works(host: OrdinaryHost) -> None:
    """The container is told truly, and can be looked at and used."""
    assert host.ok("ps", "--format", "{{.Names}} {{.State}}") == "web running"
    assert host.ok("inspect", "--format", "{{.State.Status}}", "web") == "running"
    assert host.ok("exec", "web", "echo", "inside") == "inside"
    assert host("logs", "web").code == 0


@pytest.mark.parametrize("network", ["pasta", "slirp4netns"])
def test_a_user_mode_helper(host: OrdinaryHost, network: str) -> None:
    serve(host, network)
    pid = host.ok("inspect", "--format", "{{.State.Pid}}", "web")
    killed(host, network)
    works(host)
    looked = host("network", "reconcile", "--check", "--json")
    assert looked.code == 1
    assert f"{network} runs" in {one["What"] for one in json.loads(looked.out)}
    assert host("network", "reconcile").code == 0
    assert eventually(lambda: fetch(host, network) == "served")
    assert host("network", "reconcile", "--check").code == 0
    assert host.ok("inspect", "--format", "{{.State.Pid}}", "web") == pid
    if network == "slirp4netns":  # it was started again with the pipe that tells it of the monitor's end
        killed(host, "conmon")
        assert eventually(lambda: not any(network in words for words in host.proc().values()))
    else:
        killed(host, network)
    host.ok("stop", "-t", "0", "web")
    host.ok("start", "web")
    assert eventually(lambda: fetch(host, network) == "served")


@pytest.mark.parametrize("word", ["aardvark-dns", "pasta"])
def test_what_bridges_stand_on(host: OrdinaryHost, word: str) -> None:
    """The server of names, and the way out of the namespace that has a user's bridges."""
    serve(host, "net")
    killed(host, word)
    works(host)
    assert host("network", "reconcile", "--check").code == 1
    mended = host("network", "reconcile")
    assert mended.code == 0, mended
    assert host("network", "reconcile", "--check").code == 0
    assert eventually(lambda: fetch(host, "net") == "served")
    asked = ("run", "--rm", "--network", "net", host.image, "busybox", "nslookup", "web.dns.podman")
    address = host.ok("inspect", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}", "web")
    assert address in host.ok(*asked)


def test_the_firewall_of_the_shared_namespace(host: OrdinaryHost) -> None:
    serve(host, "net")
    place = host.as_root("find", f"/run/user/{UID}", "/tmp/podman-run-0", "-name", "rootless-netns", "-type", "f").out
    flush = "iptables -t nat -F && iptables -F"
    assert host("unshare", "nsenter", f"--net={place.splitlines()[0]}", "sh", "-c", flush).code == 0
    looked = host("network", "reconcile", "--check")
    assert looked.code == 1, looked
    assert host("network", "reconcile").code == 0
    assert host("network", "reconcile", "--check").code == 0
    assert eventually(lambda: fetch(host, "net") == "served")


@pytest.mark.parametrize("network", [pytest.param("pasta", marks=pytest.mark.slow), "net"])
def test_the_keeper_of_the_namespaces(host: OrdinaryHost, network: str) -> None:
    serve(host, network)
    pause = host.runtime("libpod/tmp/pause.pid").read_text().strip()
    host.as_root("nsenter", "-t", "1", "-p", "kill", "-9", pause)
    works(host)
    assert host("network", "reconcile", "--check").code == 0
    host.ok("restart", "-t", "0", "web")
    assert eventually(lambda: fetch(host, network) == "served")
    assert host.ok("run", "--rm", "--network", network, host.image, "echo", "next") == "next"


@pytest.mark.parametrize(
    "network", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("pasta", "slirp4netns")), "net"]
)
def test_the_monitor(host: OrdinaryHost, network: str) -> None:
    """It ends, and with it maybe the container: whatever is told is true, and nothing stays."""
    serve(host, network)
    killed(host, "conmon")
    state = host.ok("inspect", "--format", "{{.State.Status}}", "web")
    assert state in ("running", "exited", "stopped")
    assert host("logs", "web").code == 0
    host.ok("stop", "-t", "0", "web")
    assert host.ok("ps", "-a", "--format", "{{.State}}") == "exited"
    host.ok("start", "web")
    assert eventually(lambda: fetch(host, network) == "served")


def test_netavark_in_the_midst(host: OrdinaryHost) -> None:
    """Killed while it attaches: the command says so, takes back what there was, and the next one works."""
    serve(host, "net")
    started = host.begin("run", "-d", "--name", "other", "--network", "net", host.image, "sleep", "99")
    while started.poll() is None:
        running = [pid for pid, words in host.proc().items() if os.path.basename(words.split()[0]) == "netavark"]
        if running:
            host.as_root("nsenter", "-t", "1", "-p", "kill", "-9", *map(str, running))
            break
    out, err = started.communicate(timeout=60)
    if started.returncode:  # else it had ended before it was hit
        assert started.returncode == 126, (out, err)
        assert b"netavark" in err
    host("rm", "-f", "-t", "0", "other")
    assert host("network", "reconcile", "--check").code == 0
    assert host.ok("run", "--rm", "--name", "other", "--network", "net", host.image, "echo", "next") == "next"
    works(host)
