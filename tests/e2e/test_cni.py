"""Networks by CNI, beside Podman with its CNI backend on the same lists, addresses and bridges."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_host import Ended, PrivateHost, drained, first_child, host_needs, kill, packed

pytestmark = [
    *host_needs(),
    pytest.mark.skipif(not os.path.exists("/usr/lib/cni/bridge"), reason="needs containernetworking-plugins"),
]
LIMITS = ("--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000")
"""Podman 4.3 asks for more than a host without that right may give."""
FETCH = "import urllib.request as r,sys;print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
HTTPD = ("httpd", "-f", "-p", "80", "-h", "/web")
WAITING = """
import json, os, sys, time
asked = json.load(sys.stdin)
if os.environ["CNI_COMMAND"] == "VERSION":
    print(json.dumps({"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}))
if os.environ["CNI_COMMAND"] == "ADD":
    open(asked["here"], "w").close()
    while not os.path.exists(asked["go"]):
        time.sleep(0.01)
    print(json.dumps(asked["prevResult"]))
"""


class CniHost(PrivateHost):
    """A private host whose containers.conf says cni, with a folder of lists and CNI's notes of its own."""

    def peer(self, *words: str) -> Ended:
        where = ["--root", f"{self.base}/podman", "--runroot", "/run/podman", "--cgroup-manager", "cgroupfs"]
        return self.program(self.inside("podman", *where, "--network-backend", "cni", *words))

    def lists(self) -> dict[str, str]:
        folder = Path(self.base, "net.d")
        return {path.name: path.read_text() for path in folder.glob("*.conflist")}

    def fetch(self, url: str) -> Ended:
        return self.program(self.inside(sys.executable, "-I", "-c", FETCH, url))

    def address(self, name: str, network: str) -> str:
        return self.ok("inspect", name, "--format", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}')

    def serve(self, name: str, *words: str) -> str:
        self.ok("run", "-d", "--name", name, *words, "--rootfs", self.rootfs, *HTTPD)
        return self.ok("inspect", name, "--format", "{{.Id}}")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CniHost]:
    conf = tmp_path / "containers.conf"
    for folder in ("net.d", "notes", "plugins"):
        (tmp_path / folder).mkdir()
    conf.write_text(
        f'[network]\nnetwork_backend = "cni"\nnetwork_config_dir = "{tmp_path}/net.d"\n'
        f'cni_plugin_dirs = ["{tmp_path}/plugins", "/usr/lib/cni"]\n'
    )
    monkeypatch.setenv("CONTAINERS_CONF", str(conf))
    os.makedirs("/var/lib/cni", exist_ok=True)
    made = CniHost(str(tmp_path))
    (Path(made.rootfs) / "web").mkdir()
    (Path(made.rootfs) / "web/index.html").write_text("hello")
    with made:
        assert made.program(made.inside("mount", "--bind", f"{tmp_path}/notes", "/var/lib/cni")).code == 0
        yield made


def test_networks_are_made_shown_and_removed_as_podman_does(host: CniHost) -> None:
    options = ("--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25", "-o", "mtu=1400", "--label", "x=y")
    assert host.peer("network", "create", *options, "theirs").code == 0
    assert host.ok("network", "create", *(word.replace(".77.", ".78.") for word in options), "ours") == "ours"
    assert host.ok("network", "create", "-d", "macvlan", "-o", "parent=lo", "mac") == "mac"
    lists = host.lists()
    same = lists["theirs.conflist"].replace("theirs", "ours").replace(".77.", ".78.").replace("podman1", "podman2")
    assert lists["ours.conflist"] == same
    for ask in (host.peer, host):
        assert ask("network", "ls", "-q").out.split() == ["mac", "ours", "podman", "theirs"]
    for name in ("ours", "theirs", "mac"):
        shown = json.loads(host.ok("network", "inspect", name))[0]
        assert shown.pop("containers") == {}
        theirs = json.loads(host.peer("network", "inspect", name).out)[0]
        assert {**shown, "created": ""} == {**theirs, "created": ""}
    refused = host("network", "rm", "theirs")
    assert (refused.code, "network theirs is another tool's" in refused.err) == (125, True)
    for name in ("theirs", "ours"):
        again = host("network", "create", name)
        words = f"Error: network name {name} already used: network already exists"
        assert (again.code, again.err.splitlines()[0]) == (125, words)
    assert host.ok("network", "rm", "ours", "mac").split() == ["ours", "mac"]
    assert sorted(host.lists()) == ["theirs.conflist"]
    assert host.lists()["theirs.conflist"] == lists["theirs.conflist"]


def test_containers_have_ports_addresses_and_several_networks_and_leave_nothing(host: CniHost) -> None:
    host.ok("network", "create", "one")
    host.ok("network", "create", "--ipv6", "two")
    host.serve("warm", "--network", "one,two", "-p", "8000:80")
    host.ok("rm", "-f", "-t", "0", "warm")
    before = host.world()
    host.serve("web", "--network", "one", "-p", "8000:80", "--mac-address", "02:11:22:33:44:55", "--network-alias", "w")
    assert host.fetch("http://127.0.0.1:8000/").out == "hello"
    address = host.address("web", "one")
    assert host.fetch(f"http://{address}/").out == "hello"
    assert host.ok("exec", "web", "cat", "/sys/class/net/eth0/address") == "02:11:22:33:44:55"
    assert f"{address}\t" in host.ok("exec", "web", "cat", "/etc/hosts")
    for words in (("-F",), ("-X",), ("-t", "nat", "-F"), ("-t", "nat", "-X")):
        assert host.program(host.inside("iptables", "-w", *words)).code == 0
    assert not host.fetch("http://127.0.0.1:8000/").out
    said = "container web: network backend cni cannot compare; `network reload web` makes its network again"
    for words in (("reconcile", "--check"), ("reconcile",)):
        looked = host("network", *words)
        assert (looked.code, looked.out, looked.err) == (0, "", said)
    host.ok("network", "reload", "web")
    assert host.fetch("http://127.0.0.1:8000/").out == "hello"
    assert host.address("web", "one") == address
    host.ok("network", "connect", "two", "web")
    second = host.address("web", "two")
    assert host.fetch(f"http://{second}/").out == "hello"
    host.ok("network", "disconnect", "one", "web")
    assert "eth0" not in host.ok("exec", "web", "ls", "/sys/class/net").split()
    host.ok("restart", "-t", "0", "web")
    assert host.fetch(f"http://{host.address('web', 'two')}/").out == "hello"
    assert host.fetch("http://127.0.0.1:8000/").out == "hello"
    host.ok("rm", "-f", "-t", "0", "web")
    assert host.world() == before
    host.ok("network", "prune", "-f")
    assert not [link for link in host.world()["links"] if "cni-podman" in link]
    assert host.lists() == {}
    assert not list(Path(host.base, "notes/results").glob("*"))
    assert not list(Path(host.base, "notes/networks").glob("*"))


@pytest.mark.needs_peer("podman")
def test_containers_of_both_tools_are_on_one_network(host: CniHost) -> None:
    host.peer("network", "create", "--subnet", "10.77.0.0/24", "both")
    layer = Path(host.base, "web.tar")
    layer.write_bytes(packed(host.rootfs))
    assert host.peer("import", "-q", str(layer), "bb").code == 0
    theirs = host.peer("run", "-d", "--network", "both", *LIMITS, "--name", "p", "bb", *HTTPD)
    assert theirs.code == 0, theirs
    host.serve("s", "--network", "both")
    assert host.address("s", "both") == "10.77.0.3", "Podman's container has the first address"
    refused = host("run", "--rm", "--network", "both", "--ip", "10.77.0.2", "--rootfs", host.rootfs, "true")
    assert refused.code != 0
    assert f"10.77.0.2 is already allocated to container ID {theirs.out}" in refused.err
    assert host.fetch("http://10.77.0.2/").out == host.fetch("http://10.77.0.3/").out == "hello"
    host.ok("rm", "-f", "-t", "0", "s")
    assert host.peer("rm", "-f", "-t", "0", "p").code == 0
    left = [path.name for path in Path(host.base, "notes/networks/both").glob("10.*")]
    assert left == []


def test_a_command_killed_in_the_middle_of_add_leaves_what_the_next_takes_away(host: CniHost) -> None:
    waiting = Path(host.base, "plugins/waiting")
    waiting.write_text(f"#!{sys.executable} -I\n{WAITING}")
    waiting.chmod(0o755)
    here, go = Path(host.base, "here"), Path(host.base, "go")
    ipam = {"type": "host-local", "subnet": "10.79.0.0/24"}
    bridge = {"type": "bridge", "bridge": "cnie0", "isGateway": True, "ipMasq": True, "ipam": ipam}
    slow = {"type": "waiting", "here": str(here), "go": str(go)}
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}, slow]
    document = {"cniVersion": "0.4.0", "name": "slow", "plugins": plugins}
    Path(host.base, "net.d/slow.conflist").write_text(json.dumps(document))
    go.touch()
    host.ok("run", "--rm", "--network", "slow", "-p", "8000:80", "--rootfs", host.rootfs, "true")
    before = host.world()
    here.unlink()
    go.unlink()
    words = ("run", "-d", "--name", "k", "--network", "slow", "-p", "8000:80", "--rootfs", host.rootfs, "sleep", "99")
    started = host.begin(*words)
    deadline = time.monotonic() + 60
    while not here.exists():
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [path.name for path in Path(host.base, "notes/networks/slow").glob("10.*")] == ["10.79.0.3"]
    kill(first_child(started))
    started.wait(60)
    go.touch()
    for stream in (started.stdout, started.stderr):
        drained(stream)
    host.ok("rm", "-f", "-t", "0", "k")
    assert host.world() == before
    assert not list(Path(host.base, "notes/networks/slow").glob("10.*"))
    assert not list(Path(host.base, "notes/results").glob("*"))


def reboot(host: CniHost) -> None:
    """As if the machine had gone down: no process, mount, link, rule or file of /run is left; CNI's notes are."""
    for _ in range(3):
        for pid in host.proc():
            host.program(host.inside("kill", "-9", str(pid)))
    for place in sorted((place for number, place in host.mounts() if number not in host._inherited), reverse=True):
        host.program(host.inside("umount", "-l", place))
    for name in host.listed("/run/netns"):
        host.program(host.inside("umount", "-l", f"/run/netns/{name}"))
    host.program(host.inside("mount", "--bind", f"{host.base}/notes", "/var/lib/cni"))
    for link in host.lines("ip", "-br", "link", "show", "type", "bridge"):
        host.program(host.inside("ip", "link", "delete", link.split()[0]))
    for words in (("-F",), ("-X",), ("-t", "nat", "-F"), ("-t", "nat", "-X")):
        host.program(host.inside("iptables", "-w", *words))
    host.program(host.inside("rm", "-rf", host.run_root))
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with contextlib.closing(sqlite3.connect(f"{host.graph}/sonata/state.db")) as database, database:
        for table in ("container_state", "lease", "port", "intent"):
            database.execute(f"UPDATE {table} SET boot = 'an-earlier-boot'")
        database.execute("UPDATE container_state SET state = replace(state, ?, 'an-earlier-boot')", (boot,))


def test_addresses_of_before_a_reboot_are_given_back(host: CniHost) -> None:
    host.ok("network", "create", "--subnet", "10.77.0.0/29", "n")
    for name in ("a", "b", "c"):
        host.serve(name, "--network", "n", "--ip", f"10.77.0.{'abc'.index(name) + 2}")
    reboot(host)
    noted = Path(host.base, "notes/networks/n")
    assert len(list(noted.glob("10.*"))) == 3
    host.ok("start", "a")
    assert host.fetch(f"http://{host.address('a', 'n')}/").out == "hello"
    host.ok("rm", "b")
    assert sorted(path.name for path in noted.glob("10.*")) == ["10.77.0.2", "10.77.0.4"]
    host.ok("rm", "-f", "-t", "0", "a", "c")
    assert not list(noted.glob("10.*"))
    assert not list(Path(host.base, "notes/results").glob("*"))


def test_networks_of_others_are_used_as_they_are(host: CniHost) -> None:
    """A pair of links without a bridge, and addresses that the engine does not lease: no list of Podman's."""
    ipam = {"type": "static", "addresses": [{"address": "10.81.0.9/24", "gateway": "10.81.0.1"}]}
    document = json.dumps({"cniVersion": "0.3.1", "name": "fixed", "type": "ptp", "ipam": ipam})
    path = Path(host.base, "net.d/20-fixed.conf")
    path.write_text(document)
    assert host.ok("network", "ls", "--filter", "driver=ptp", "-q") == "fixed"
    host.serve("f", "--network", "fixed")
    assert host.fetch("http://10.81.0.9/").out == "hello"
    assert host.address("f", "fixed") == "10.81.0.9"
    shown = json.loads(host.ok("network", "inspect", "fixed"))[0]
    assert [one["name"] for one in shown["containers"].values()] == ["f"]
    fixed = host("run", "--rm", "--network", "fixed", "--ip", "10.81.0.7", "--rootfs", host.rootfs, "true")
    assert "requested static ip 10.81.0.7 not in any subnet on network fixed" in fixed.err
    host.ok("rm", "-f", "-t", "0", "f")
    host.ok("network", "prune", "-f")
    assert path.read_text() == document


def test_hostile_lists_are_passed_over_and_refused(host: CniHost) -> None:
    folder = Path(host.base, "net.d")
    (folder / "evil.conflist").write_text('{"name": "evil", "plugins": [{"type": "../../../bin/touch"}]}')
    (folder / "typo.conflist").write_text(
        '{"cniVersion": "0.4.0", "name": "typo", "disableChek": true, "plugins": [{"type": "bridge"}]}'
    )
    assert host.ok("network", "ls", "-q") == "podman"
    run = host("run", "--rm", "--network", "evil", "--rootfs", host.rootfs, "true")
    assert run.code == 125
    assert "unable to find network with name or ID evil" in run.err


def test_a_backend_without_its_plugins_says_what_to_install(host: CniHost) -> None:
    conf = Path(os.environ["CONTAINERS_CONF"])
    conf.write_text(conf.read_text().replace("/usr/lib/cni", f"{host.base}/nothing"))
    done = host("run", "--rm", "--rootfs", host.rootfs, "true")
    assert done.code != 0
    assert "failed to find plugin 'bridge' in path [" in done.err
    assert "apt-get install containernetworking-plugins" in done.err
