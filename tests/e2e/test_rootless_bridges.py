"""Bridge networks of an ordinary user: real netavark, aardvark-dns, pasta and slirp4netns, in the shared namespace."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator

import pytest
from ordinary import UID, OrdinaryHost, user_needs

from sonata_testkit.containers import eventually

LAN = "198.51.100.1"
PLACE = f"/run/user/{UID}/containers/networks"
pytestmark = [
    *user_needs(),
    pytest.mark.skipif(not (shutil.which("pasta") and shutil.which("slirp4netns")), reason="needs pasta, slirp4netns"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("bridges"))) as made:
        made.pull()
        yield made


@pytest.fixture(autouse=True)
def nothing_stays(host: OrdinaryHost) -> Iterator[None]:
    yield
    host.ok("rm", "-af", "-t", "0")
    host.ok("network", "prune", "-f")
    assert gone(host)


def gone(host: OrdinaryHost) -> bool:
    """Nothing of the shared namespace and its helpers is left."""
    helpers = ("pasta", "slirp4netns", "aardvark", "netavark", "forward")
    return eventually(
        lambda: not [each for each in host.proc().values() if any(name in each for name in helpers)]
    ) and (host.listed(f"{PLACE}/rootless-netns") == host.listed(f"{PLACE}/aardvark-dns") == [])


@pytest.fixture(scope="module")
def world(host: OrdinaryHost) -> None:
    """The address of a server that is not reached but through the host."""
    host.as_root("ip", "address", "add", "203.0.113.7/32", "dev", "lan0")
    program = (
        "import socketserver as s, os;"
        "H = type('H', (s.BaseRequestHandler,), {'handle': lambda h: h.request.sendall(b'the world')});"
        "server = s.ThreadingTCPServer(('203.0.113.7', 8000), H);"
        "os.fork() and os._exit(0);"
        "server.serve_forever()"
    )
    host.as_root("sh", "-c", f'{sys.executable} -I -c "$0" >/dev/null 2>&1', program)


def reached(host: OrdinaryHost, container: str) -> str:
    """What the world says to a container."""
    # Debian's static busybox wget ends with a signal under some settings of names; nc does not.
    return host("exec", container, "sh", "-c", "sleep 1 | busybox nc -w 3 203.0.113.7 8000").out


def asked(host: OrdinaryHost, container: str, *words: str) -> str:
    return host("exec", container, "busybox", *words).out


def finds(host: OrdinaryHost, container: str, name: str, address: str) -> bool:
    """Whether a name is known to a container. A server that just reads its files loses questions."""
    return eventually(
        lambda: f"Address: {address}" in asked(host, container, "nslookup", f"{name}.dns.podman").partition("\n\n")[2]
    )


def test_names_are_served_between_containers_and_the_world_is_reached(host: OrdinaryHost, world: None) -> None:
    host.ok("network", "create", "blue")
    host.ok("run", "-d", "--name", "web", "--network", "blue:alias=site", host.image, "sleep", "600")
    shown = host.ok("run", "--rm", "--network", "blue", host.image, "cat", "/etc/resolv.conf", "/etc/hosts")
    assert "nameserver 10.89.0.1" in shown
    host.ok("run", "-d", "--name", "peer", "--network", "blue", host.image, "sleep", "600")
    assert all(finds(host, "peer", name, "10.89.0.2") for name in ("web", "site"))
    assert reached(host, "web") == "the world"
    host.ok("network", "reload", "web")
    assert finds(host, "peer", "web", "10.89.0.2")
    assert reached(host, "web") == "the world"


def test_the_default_bridge_asks_the_hosts_servers(host: OrdinaryHost, world: None) -> None:
    host.ok("run", "-d", "--name", "d", "--network", "podman", host.image, "sleep", "600")
    assert reached(host, "d") == "the world"
    assert asked(host, "d", "cat", "/etc/resolv.conf").startswith("nameserver 169.254.1.1")
    assert json.loads(host.ok("inspect", "d"))[0]["NetworkSettings"]["Networks"]["podman"]["Gateway"] == "10.88.0.1"


def test_an_internal_network_has_names_and_no_way_out(host: OrdinaryHost, world: None) -> None:
    host.ok("network", "create", "--internal", "closed")
    host.ok("run", "-d", "--name", "in1", "--network", "closed", host.image, "sleep", "600")
    host.ok("run", "-d", "--name", "in2", "--network", "closed", host.image, "sleep", "600")
    assert finds(host, "in1", "in2", "10.89.0.")
    assert reached(host, "in1") == ""


def test_addresses_are_given_as_asked_on_several_networks(host: OrdinaryHost) -> None:
    for number in (1, 2):
        host.ok("network", "create", "--subnet", f"10.77.{number}.0/24", f"n{number}")
    host.ok(
        "run",
        "-d",
        "--name",
        "both",
        "--network",
        "n1:ip=10.77.1.9,mac=92:d0:c6:0a:29:33",
        "--network",
        "n2:alias=second",
        host.image,
        "sleep",
        "600",
    )
    links = asked(host, "both", "ip", "address")
    assert "inet 10.77.1.9/24" in links
    assert "92:d0:c6:0a:29:33" in links
    assert "inet 10.77.2.2/24" in links
    host.ok("run", "-d", "--name", "peer", "--network", "n2", host.image, "sleep", "600")
    assert finds(host, "peer", "second", "10.77.2.2")
    host.ok("network", "connect", "--alias", "late", "n1", "peer")
    assert "inet 10.77.1." in asked(host, "peer", "ip", "address")
    assert finds(host, "both", "late", "10.77.1.")
    host.ok("network", "disconnect", "n1", "peer")
    assert "10.77.1." not in asked(host, "peer", "ip", "address")
    assert json.loads(host.ok("network", "inspect", "n2"))[0]["containers"]


def test_a_pod_shares_one_address(host: OrdinaryHost) -> None:
    host.ok("network", "create", "blue")
    host.ok("pod", "create", "--name", "p", "--network", "blue")
    host.ok("run", "-d", "--pod", "p", "--name", "inside", host.image, "httpd", "-f", "-p", "80", "-h", "/etc")
    host.ok("run", "-d", "--name", "peer", "--network", "blue", host.image, "sleep", "600")
    assert finds(host, "peer", "p", "10.89.0.2")
    name = asked(host, "inside", "cat", "/etc/hostname")
    ask = "printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' | busybox nc 10.89.0.2 80"
    assert host("exec", "peer", "sh", "-c", ask).out.endswith(name)
    host.ok("pod", "rm", "-f", "-t", "0", "p")


def test_the_way_out_is_slirp4netns_where_that_is_configured(host: OrdinaryHost, world: None) -> None:
    key = "default_rootless_network_cmd"
    settings = host.home(".config/containers/containers.conf")
    host.as_user("mkdir", "-p", "/home/ordinary/.config/containers")
    host.as_user(
        "sh", "-c", 'printf \'[network]\\n%s = "slirp4netns"\\n\' "$0" > .config/containers/containers.conf', key
    )
    try:
        host.ok("run", "-d", "--name", "s", "--network", "podman", host.image, "sleep", "600")
        assert reached(host, "s") == "the world"
        assert asked(host, "s", "cat", "/etc/resolv.conf").startswith("nameserver 10.0.2.3")
        assert any("slirp4netns" in words for words in host.proc().values())
        host.ok("rm", "-f", "-t", "0", "s")
    finally:
        settings.unlink()


def test_many_that_come_and_go_at_once_leave_nothing(host: OrdinaryHost) -> None:
    host.ok("network", "create", "blue")
    for _ in range(3):
        begun = [host.begin("run", "--rm", "--network", "blue", host.image, "true") for _ in range(4)]
        for each in begun:
            _, said = each.communicate(timeout=120)
            assert each.returncode == 0, said
    assert gone(host)


def test_a_lost_way_out_is_mended_by_the_next_container(host: OrdinaryHost, world: None) -> None:
    host.ok("network", "create", "blue")
    host.ok("run", "-d", "--name", "web", "--network", "blue", host.image, "sleep", "600")
    pasta = next(str(pid) for pid, words in host.proc().items() if "pasta" in words)
    host.as_root("nsenter", "-t", "1", "-p", "kill", "-9", pasta)
    assert eventually(lambda: reached(host, "web") == "")
    done = host("run", "--rm", "--network", "blue", host.image, "true")
    assert done.code == 0
    assert "rootless netns program no longer running, trying to start it again" in done.err
    assert eventually(lambda: reached(host, "web") == "the world")


def test_a_program_visits_the_namespace_of_bridges(host: OrdinaryHost) -> None:
    host.ok("run", "-d", "--name", "web", "--network", "podman", host.image, "sleep", "600")
    assert "podman0:" in host.ok("unshare", "--rootless-netns", "ip", "-o", "link")
    host.ok("rm", "-f", "-t", "0", "web")
    assert gone(host)
    shown = host.ok("unshare", "--rootless-netns", "sh", "-c", "head -1 /etc/resolv.conf; ip route; pwd; ls /run")
    assert shown.startswith("nameserver 169.254.1.1\ndefault via ")
    assert shown.endswith("/home/ordinary\nuser")
    assert gone(host)
    assert host("unshare", "--rootless-netns", "sh", "-c", "exit 7").code == 7
    missing = host("unshare", "--rootless-netns", "no-such-program")
    assert (missing.code, missing.err) == (127, 'Error: exec: "no-such-program": executable file not found in $PATH')


def end(host: OrdinaryHost, words: str) -> None:
    """Kill the process with these words."""
    (number,) = (str(pid) for pid, found in host.proc().items() if found.endswith(words) or f"{words} " in found)
    host.as_root("kill", "-9", number)


def test_a_visitor_who_was_killed_is_not_counted_for_ever(host: OrdinaryHost) -> None:
    visitor = host.begin("unshare", "--rootless-netns", "sleep", "777")
    assert eventually(lambda: any(words.endswith("/sleep 777") for words in host.proc().values()))
    end(host, "launch.py unshare")
    assert host.listed(f"{PLACE}/rootless-netns")
    end(host, "/sleep 777")
    visitor.communicate(timeout=60)
    host.ok("run", "--rm", "--network", "podman", host.image, "true")
    assert gone(host)
