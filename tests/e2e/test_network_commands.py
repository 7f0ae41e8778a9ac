"""`network connect`, `disconnect`, `reload` and `update`: what they change is seen from within containers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from network_host import NetworkHost
from private_host import host_needs

from sonata_testkit.containers import eventually

pytestmark = host_needs()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkHost]:
    with NetworkHost(str(tmp_path_factory.mktemp("networks"))) as made:
        made.lan()
        yield made


@pytest.fixture
def host(world: NetworkHost) -> Iterator[NetworkHost]:
    yield world
    world.clear()


def test_a_running_container_is_connected_and_disconnected(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "--subnet", "fd72::/64", "two")
    ident = host.sleeper("c", "--network", "one")
    host.sleeper("peer", "--network", "two")
    words = ("--ip", "10.72.0.77", "--ip6", "fd72::77", "--mac-address", "02:11:22:33:44:55", "--alias", "x,y")
    assert host.ok("network", "connect", *words, "two", "c") == ""
    assert host.addresses("c", "eth1") == ["10.72.0.77/24", "fd72::77/64"]
    assert host.links("c")["eth1"]["address"] == "02:11:22:33:44:55"
    for name in ("c", "x", "y", ident[:12]):
        assert "10.72.0.77" in host.resolve("peer", name, "10.72.0.1"), name
    assert "10.72.0.77" in host.ok("exec", "c", "cat", "/etc/hosts")
    shown = json.loads(host.ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", "c"))["two"]
    assert (shown["IPAddress"], shown["GlobalIPv6Address"]) == ("10.72.0.77", "fd72::77")
    assert shown["MacAddress"] == "02:11:22:33:44:55"
    again = host("network", "connect", "two", "c")
    assert (again.code, again.err) == (
        125,
        f"Error: container {ident} is already connected to network two: network is already connected",
    )
    assert host.ok("network", "disconnect", "two", "c") == ""
    assert set(host.links("c")) == {"eth0"}
    assert eventually(lambda: "10.72.0.77" not in host.resolve("peer", "x", "10.72.0.1"))
    assert "10.72.0.77" not in host.ok("exec", "c", "cat", "/etc/hosts")
    gone = host("network", "disconnect", "two", "c")
    assert (gone.code, gone.err) == (125, "Error: container c is not connected to network two")


def test_files_of_a_running_container_follow_its_networks_and_keep_what_was_written(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "two")
    host.sleeper("c", "--network", "one")
    host.sleeper("guest", "--network", "container:c", "--hostname", "inn")
    bare = host("run", "--rm", "--network", "container:c", "--no-hosts", "--rootfs", host.rootfs, "cat", "/etc/hosts")
    assert "localhost" not in bare.out
    host.ok("exec", "c", "sh", "-c", "echo 1.2.3.4 mine >>/etc/hosts; echo nameserver 4.4.4.4 >>/etc/resolv.conf")
    host.ok("network", "connect", "two", "c")
    host.ok("network", "disconnect", "one", "c")
    hosts, resolv = (host.ok("exec", "c", "cat", path).splitlines() for path in ("/etc/hosts", "/etc/resolv.conf"))
    assert "1.2.3.4 mine" in hosts
    assert "127.0.0.1\tinn guest" in hosts
    assert "10.72.0.1\thost.containers.internal host.docker.internal" in hosts
    assert not [line for line in hosts if line.startswith("10.71.")]
    assert [line for line in resolv if "nameserver" in line] == ["nameserver 10.72.0.1", "nameserver 4.4.4.4"]
    host.ok("stop", "-t0", "guest")
    assert "inn" not in host.ok("exec", "c", "cat", "/etc/hosts")


def test_what_inspect_shows_of_networks(host: NetworkHost) -> None:
    def settings() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(host.ok("inspect", "-f", "{{json .NetworkSettings}}", "c"))
        return found

    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    ident = host.definition("one")["id"]
    words = ("--network", "one", "--hostname", "web.site", "--network-alias", "x", "--mac-address", "02:11:22:33:44:55")
    container = host.ok("create", "--name", "c", *words, "--rootfs", host.rootfs, "sleep", "1000")
    before = settings()["Networks"]["one"]
    names = ["x", container[:12], "web.site"]
    assert (before["NetworkID"], before["IPAddress"], before["Aliases"]) == (ident, "", names)
    host.ok("start", "c")
    shown = settings()
    assert (shown["IPAddress"], shown["MacAddress"]) == ("", "")  # the default network alone stands there
    there = shown["Networks"]["one"]
    assert (there["NetworkID"], there["MacAddress"], there["Aliases"]) == (ident, "02:11:22:33:44:55", names)
    assert f"{there['IPAddress']}/24" in host.addresses("c")
    host.sleeper("peer", "--network", "one")
    assert there["IPAddress"] in host.resolve("peer", "web.site", "10.71.0.1")
    host.ok("stop", "-t0", "c")
    after = settings()
    assert after["Networks"]["one"] == before
    assert after["SandboxKey"] == ""
    host.sleeper("plain", "--network", "podman")
    assert host.ok("inspect", "-f", "{{.NetworkSettings.IPAddress}}/16", "plain") in host.addresses("plain")
    form = "{{.Subnets}} {{range .Subnets}}{{.Subnet}} {{.LeaseRange}}{{end}} "
    form += "{{range .Containers}}{{.Interfaces.eth0.MacAddress}}"
    host.ok("start", "c")
    host.ok("rm", "-ft0", "peer")
    shape = "[{{{10.71.0.0 ffffff00}} 10.71.0.1 <nil>}] 10.71.0.0/24 <nil> 02:11:22:33:44:55"
    assert host.ok("network", "inspect", "-f", form + "{{end}}", "one") == shape


def test_the_host_has_a_name_in_every_network(host: NetworkHost) -> None:
    names = "host.containers.internal host.docker.internal"
    host.ok("network", "create", "--subnet", "fd71::/64", "six")
    host.ok("network", "create", "--internal", "--disable-dns", "alone")
    for network, address in (
        ("none", "198.51.100.1"),
        ("alone", "198.51.100.1"),
        ("six", "fd71::1"),
        ("host", "127.0.0.1"),
    ):
        words = ("--network", network, "--add-host", "way;out:host-gateway", "--rootfs", host.rootfs)
        lines = host.ok("run", "--rm", *words, "cat", "/etc/hosts").splitlines()
        assert lines[0] == f"{address}\tway out", network
        assert f"{address}\t{names}" in lines, network


def test_a_stopped_container_is_connected_at_its_next_start(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "two")
    host.ok("create", "--name", "c", "--network", "one", "--rootfs", host.rootfs, "sleep", "1000")
    host.ok("network", "connect", "--ip", "10.72.0.9", "--mac-address", "02:11:22:33:44:66", "two", "c")
    assert host("network", "connect", "two", "c").code == 0  # it is, and stays as it was
    host.ok("start", "c")
    assert host.addresses("c", "eth1") == ["10.72.0.9/24"]
    assert host.links("c")["eth1"]["address"] == "02:11:22:33:44:66"
    host.ok("stop", "-t0", "c")
    host.ok("network", "disconnect", "one", "c")
    host.ok("start", "c")
    assert [one["addr_info"][0]["local"] for one in host.links("c").values()] == ["10.72.0.9"]


def test_what_cannot_be_connected_is_refused(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.sleeper("c", "--network", "none")
    host.sleeper("d", "--network", "one", "--ip", "10.71.0.5")
    host.ok("network", "create", "--subnet", "10.72.0.0/24", "two")
    for words, said in (
        (("connect", "one", "c"), '"" is not supported: invalid network mode'),
        (("disconnect", "one", "c"), '"" is not supported: invalid network mode'),
        (("connect", "nosuch", "c"), "unable to find network with name or ID nosuch: network not found"),
        (("connect", "one", "nosuch"), 'no container with name or ID "nosuch" found: no such container'),
        (("disconnect", "-f", "one", "nosuch"), 'no container with name or ID "nosuch" found: no such container'),
        (("connect", "--mac-address", "foo", "two", "d"), "address foo: invalid MAC address"),
        (("connect", "--ip", "10.9.9.9", "two", "d"), "requested static ip 10.9.9.9 not in any subnet on network two"),
    ):
        done = host("network", *words)
        assert done.code == 125, (words, done)
        assert done.err.splitlines()[0] == f"Error: {said}", words
    joined = host("run", "--rm", "--network=container:d", "--add-host=a:1.1.1.1", "--rootfs", host.rootfs, "true")
    told = "cannot set extra host entries when the container is joined to another containers network namespace"
    assert (joined.code, joined.err) == (125, f"Error: invalid config provided: {told}: invalid configuration")
    for subnet, said in (
        ("10.73.0.0", "invalid CIDR address: 10.73.0.0"),
        ("127.0.0.0/16", "subnet 127.0.0.0/16 is already used on the host or by another config"),
    ):
        assert host("network", "create", "--subnet", subnet).err.splitlines()[0] == f"Error: {said}"
    assert host.ok("network", "inspect", "-f", "{{.Options}} {{.Labels}}", "two") == "map[] map[]"
    bad = host("network", "connect", "--ip", "foo", "two", "d")
    assert (bad.code, bad.err.splitlines()[0]) == (
        125,
        'Error: invalid argument "foo" for "--ip" flag: failed to parse IP: "foo"',
    )
    assert set(host.links("d")) == {"eth0"}


def test_disconnect_by_force_goes_on_where_the_interface_is_gone(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    host.sleeper("c", "--network", "one")
    host.within("c", "ip", "link", "del", "eth0")
    host.ok("network", "disconnect", "--force", "one", "c")
    assert json.loads(host.ok("inspect", "-f", "{{json .NetworkSettings.Networks}}", "c")) in ({}, None)


def test_reload_makes_good_what_a_flush_destroyed(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "one")
    ident = host.sleeper("c", "--network", "one", "-p", "18091:80")
    host.sleeper("still", "--network", "none")
    host.ok("create", "--name", "never", "--network", "one", "--rootfs", host.rootfs, "sleep", "1000")
    host.serve("c", 80, "hello")
    assert host.ask("198.51.100.1", 18091) == "hello"
    before = (host.addresses("c"), host.links("c")["eth0"]["address"])

    def flush() -> None:
        for table in ("nat", "filter"):
            host.lines("iptables", "-w", "-t", table, "-F")
            host.lines("iptables", "-w", "-t", table, "-X")
        assert host.ask("198.51.100.1", 18091).startswith("nobody")

    for words, printed in ((("c",), ident), (("--all",), ident)):
        flush()
        assert host.ok("network", "reload", *words) == printed
        assert host.ask("198.51.100.1", 18091) == "hello"
        assert (host.addresses("c"), host.links("c")["eth0"]["address"]) == before
    for words, said in (
        (("never",), "cannot reload network unless container network has been configured: container state improper"),
        (("--latest",), "cannot reload network unless container network has been configured: container state improper"),
        (("nosuch",), 'no container with name or ID "nosuch" found: no such container'),
        ((), "you must provide at least one name or id"),
        (("-a", "c"), "no arguments are needed with --all"),
    ):
        done = host("network", "reload", *words)
        assert (done.code, done.err.splitlines()[0]) == (125, f"Error: {said}")
    assert (
        "network is not configured, refusing to reload: container state improper"
        in host("network", "reload", "still").err
    )


def test_update_changes_whom_names_are_forwarded_to(host: NetworkHost) -> None:
    host.ok("network", "create", "--subnet", "10.71.0.0/24", "--dns", "198.51.100.9", "one")
    host.sleeper("c", "--network", "one")
    host.name_server("198.51.100.1", "192.0.2.7")
    assert host.ok("network", "update", "--dns-add", "198.51.100.1", "--dns-drop", "198.51.100.9", "one") == "one"
    assert host.definition("one")["network_dns_servers"] == ["198.51.100.1"]
    assert eventually(lambda: "192.0.2.7" in host.resolve("c", "elsewhere.example", "10.71.0.1"))
    assert host.addresses("c")[0].partition("/")[0] in host.resolve("c", "c", "10.71.0.1")
    host.ok("network", "reload", "c")  # and it stays so
    assert eventually(lambda: "192.0.2.7" in host.resolve("c", "elsewhere.example", "10.71.0.1"))
    host.ok("network", "update", "one", "--dns-drop", "198.51.100.1")
    assert "network_dns_servers" not in host.definition("one")
    assert host.lines("head", "-1", f"{host.run_root}/networks/aardvark-dns/one") == ["10.71.0.1"]
    for words, said in (
        (("one", "--dns-add", "foo"), "unable to parse ip foo specified in AddDNSServer: invalid argument"),
        (("one", "--dns-drop", "foo"), "unable to parse ip foo specified in RemoveDNSServer: invalid argument"),
        (("nosuch",), "unable to find network with name or ID nosuch: network not found"),
    ):
        done = host("network", "update", *words)
        assert (done.code, done.err) == (125, f"Error: {said}")
