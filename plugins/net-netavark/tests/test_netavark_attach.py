"""The netavark backend with the real netavark, aardvark-dns and kernel, on a host of each test's own."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_root

import sys  # noqa: E402

sys.path.insert(0, os.path.dirname(__file__))

from netlab import (  # noqa: E402
    Container,
    Recorder,
    differences,
    eventually,
    firewall,
    host_links,
    network,
    on,
    own_host,
    plugin_context,
    settings,
    tool,
    without_chance,
)

from sonata_core.errors import CommandFailed, Unsupported, UsageError  # noqa: E402
from sonata_core.models.net import NetMember, NetnsRef, PortMapping, Subnet  # noqa: E402
from sonata_net_netavark.plugin import NetavarkNet  # noqa: E402

GENERIC = ("NETAVARK_FORWARD", "NETAVARK-HOSTPORT")


class Lab:
    """A host, a backend and its containers."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp = tmp_path
        self.recorder = Recorder()
        self.backend = NetavarkNet(plugin_context(tmp_path, self.recorder))
        self.containers: list[Container] = []

    def container(self, letter: str) -> Container:
        made = Container(letter)
        self.containers.append(made)
        return made

    def own_rules(self) -> list[str]:
        """Rules of networks and containers: without the generic chains, which netavark leaves for the next."""
        return [
            line
            for line in firewall().splitlines()
            if "NETAVARK" in line
            and not any(line.startswith((f":{g}", f"-A {g}")) for g in GENERIC)
            and not line.endswith(("-j NETAVARK_FORWARD", "-j NETAVARK-HOSTPORT-DNAT", "-j NETAVARK-HOSTPORT-MASQ"))
        ] + [line for line in firewall().splitlines() if "10.20" in line]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with own_host():
        made = Lab(tmp_path)
        yield made
        for container in made.containers:
            container.close()
        pid_file = tmp_path / "networks" / "aardvark-dns" / "aardvark.pid"
        if pid_file.exists():
            os.kill(int(pid_file.read_text()), signal.SIGTERM)


def reach(address: str, port: int) -> str:
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(100).decode()
    except OSError as error:
        return type(error).__name__


def test_attach_gives_the_asked_address_and_detach_leaves_nothing(lab: Lab) -> None:
    net = network("plain", 1)
    first = lab.container("a")
    request = first.request(on(net, 5))
    warm = lab.container("f")
    lab.backend.net_attach(netns=warm.netns, request=warm.request(on(net, 9)))
    lab.backend.net_detach(netns=warm.netns, request=warm.request(on(net, 9)), attached=None)
    assert eventually(lambda: "sbr1" not in host_links())
    before = (firewall(), host_links())

    result = lab.backend.net_attach(netns=first.netns, request=request)
    assert [a.address for i in result.interfaces for a in i.addresses] == ["10.201.0.5/24"]
    assert result.interfaces[0].interface == "eth0"
    assert len(result.interfaces[0].mac) == 17
    assert lab.own_rules()
    lab.recorder.commands.clear()
    lab.backend.net_detach(netns=first.netns, request=request, attached=result)
    assert firewall() == before[0], "rules are gone on return"
    assert lab.recorder.verbs() == [], "the swift way was taken"
    assert eventually(lambda: host_links() == before[1])
    assert eventually(lambda: first.links() == ["lo"])
    lab.backend.net_detach(netns=first.netns, request=request, attached=result)
    lab.backend.net_detach(netns=first.netns, request=request, attached=None)
    assert (firewall(), host_links()) == before
    assert os.listdir(lab.tmp / "run" / "attached") == []


def test_the_swift_teardown_ends_where_netavarks_own_does(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same three containers, taken down by netavark and by us: equal worlds after every step."""
    v6 = Subnet(subnet="fd00:201::/64", gateway="fd00:201::1")
    one = network("one", 1, dns_enabled=True, ipv6_enabled=True, subnets=(*network("one", 1).subnets, v6))
    two = network("two", 2, internal=True)
    ports = (
        PortMapping(host_ip="", host_port=18080, container_port=80),
        PortMapping(host_ip="127.0.0.1", host_port=18090, container_port=90, range=3, protocol="udp"),
    )
    made = [lab.container(letter) for letter in "abc"]
    requests = [
        made[0].request(on(one, 5), ports=ports),
        made[1].request(on(one, 6), on(two, 6, "eth1"), ports=(ports[0].replace(host_ip="127.0.0.2"),)),
        made[2].request(on(two, 7)),
    ]

    def worlds() -> list[object]:
        seen: list[object] = []
        for container, request in zip(made, requests, strict=True):
            lab.backend.net_attach(netns=container.netns, request=request)
        for container, request in zip(made, requests, strict=True):
            lab.backend.net_detach(netns=container.netns, request=request, attached=None)
            assert eventually(lambda c=container: c.links() == ["lo"])
            time.sleep(0.15)
            names = lab.tmp / "networks" / "aardvark-dns"
            files = (
                {f.name: f.read_text() for f in names.iterdir() if f.name != "aardvark.pid"} if names.exists() else {}
            )
            links = [
                {k: link.get(k) for k in ("ifname", "link_type", "group")}
                for link in json.loads(tool("ip", "-j", "link"))
            ]
            seen.append((firewall(), sorted(str(link) for link in links), files))
        return seen

    ours = worlds()
    assert "teardown" not in lab.recorder.verbs()
    monkeypatch.setattr("sonata_net_netavark.teardown.Swift.detach", lambda *_: False)
    theirs = worlds()
    assert lab.recorder.verbs().count("teardown") == 4
    assert ours == theirs


def test_the_swift_setup_makes_what_netavark_makes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules, links, addresses, routes and kernel settings of both, after every attachment."""
    one, two = network("one", 1), network("two", 2)
    ports = (
        PortMapping(host_ip="", host_port=18080, container_port=80),
        PortMapping(host_ip="0.0.0.0", host_port=18070, container_port=70),
        PortMapping(host_ip="127.0.0.1", host_port=18090, container_port=90, range=3, protocol="udp"),
    )
    made = [lab.container(letter) for letter in "abc"]
    requests = [
        made[0].request(on(one, 5)),
        made[1].request(on(one, 6), ports=ports),
        made[2].request(on(two, 7), on(one, 7, "eth1")),
    ]
    warm = lab.container("f")
    lab.backend.net_attach(netns=warm.netns, request=warm.request(on(network("w", 3), 5)))

    def worlds() -> list[object]:
        seen: list[object] = []
        for container, request in zip(made, requests, strict=True):
            result = lab.backend.net_attach(netns=container.netns, request=request)
            macs = {link["ifname"]: link["address"] for link in json.loads(container.run("ip", "-j", "link"))}
            assert {i.interface: i.mac for i in result.interfaces} == {n: m for n, m in macs.items() if n != "lo"}
            seen.append([i.replace(mac="") for i in result.interfaces])
            seen.append(firewall())
            seen += [without_chance(container), without_chance(None), settings(container), settings(None)]
        for container, request in zip(made, requests, strict=True):
            lab.backend.net_detach(netns=container.netns, request=request, attached=None)
        assert eventually(lambda: "sbr1" not in host_links() and "sbr2" not in host_links())
        return seen

    lab.recorder.commands.clear()
    ours = worlds()
    assert lab.recorder.verbs() == []
    monkeypatch.setattr("sonata_net_netavark.setup.attach", lambda *_: None)
    theirs = worlds()
    assert lab.recorder.verbs() == ["setup"] * 3
    for mine, other in zip(ours, theirs, strict=True):
        assert differences(mine, other) == []


def test_a_half_made_swift_setup_is_taken_back_and_netavark_asked(lab: Lab) -> None:
    warm, box = lab.container("f"), lab.container("a")
    lab.backend.net_attach(netns=warm.netns, request=warm.request(on(network("w", 3), 5)))
    broken = lab.tmp / "iptables-restore"
    broken.write_text("#!/bin/sh\nexit 2\n")
    broken.chmod(0o755)
    context = plugin_context(lab.tmp, lab.recorder)
    find = context.find_program
    lab.backend = NetavarkNet(
        context.replace(find_program=lambda name: str(broken) if name == "iptables-restore" else find(name))
    )
    lab.recorder.commands.clear()
    result = lab.backend.net_attach(netns=box.netns, request=box.request(on(network("one", 1), 5)))
    assert lab.recorder.verbs() == ["teardown", "setup"]
    assert result.interfaces[0].addresses[0].address == "10.201.0.5/24"
    assert box.links() == ["lo", "eth0"]
    assert sum(line.startswith("-A POSTROUTING -s 10.201.0.0/24") for line in firewall().splitlines()) == 1


def test_attaching_twice_is_one_attachment(lab: Lab) -> None:
    net = network("twice", 1)
    box = lab.container("a")
    request = box.request(on(net, 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),))
    first = lab.backend.net_attach(netns=box.netns, request=request)
    rules = firewall()
    assert lab.backend.net_attach(netns=box.netns, request=request) == first
    assert firewall() == rules
    other = request.replace(attachments=(on(net, 6),))
    with pytest.raises(CommandFailed, match="interface eth0 already exists on container namespace"):
        lab.backend.net_attach(netns=box.netns, request=other)
    assert box.links() == ["lo", "eth0"], "what was there stays"
    lab.backend.net_detach(netns=box.netns, request=request, attached=first)
    assert not lab.own_rules()


def test_published_ports_are_reachable_until_detach(lab: Lab) -> None:
    net = network("ports", 1)
    box, other = lab.container("a"), lab.container("b")
    ports = (
        PortMapping(host_ip="", host_port=18080, container_port=80),
        PortMapping(host_ip="127.0.0.1", host_port=18090, container_port=90, range=2),
    )
    request = box.request(on(net, 5), ports=ports)
    stays = other.request(on(net, 6), ports=(PortMapping(host_ip="", host_port=18081, container_port=80),))
    lab.backend.net_attach(netns=box.netns, request=request)
    lab.backend.net_attach(netns=other.netns, request=stays)
    for port in (80, 90, 91):
        box.serve(port, f"from {port}")
    other.serve(80, "other")
    assert reach("127.0.0.1", 18080) == "from 80"
    assert reach("127.0.0.1", 18090) == "from 90"
    assert reach("127.0.0.1", 18091) == "from 91"
    assert reach("127.0.0.1", 18081) == "other"
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    assert reach("127.0.0.1", 18080) == "ConnectionRefusedError"
    assert reach("127.0.0.1", 18091) == "ConnectionRefusedError"
    assert reach("127.0.0.1", 18081) == "other", "the neighbour's port is untouched"
    lab.backend.net_detach(netns=other.netns, request=stays, attached=None)
    assert not lab.own_rules()
    assert "teardown" not in lab.recorder.verbs()


def test_containers_resolve_each_other_until_one_leaves(lab: Lab) -> None:
    net = network("named", 1, dns_enabled=True)
    one, two = lab.container("a"), lab.container("b")
    first = lab.backend.net_attach(netns=one.netns, request=one.request(on(net, 5, aliases=("web",))))
    lab.backend.net_attach(netns=two.netns, request=two.request(on(net, 6)))
    assert first.dns_servers == ("10.201.0.1",)

    def lookup(name: str) -> str:
        return two.run("busybox", "nslookup", "-timeout=1", "-type=a", f"{name}.dns.podman", "10.201.0.1", check=False)

    for name in ("ca", "web", "a" * 12):
        assert eventually(lambda n=name: "10.201.0.5" in lookup(n)), name
    lab.backend.net_detach(netns=one.netns, request=one.request(on(net, 5, aliases=("web",))), attached=first)
    assert eventually(lambda: one.links() == ["lo"])
    # netavark 1.4 leaves the bridge's hardware address to the kernel, which takes a port's: it may have changed.
    two.run("ip", "neigh", "flush", "all")
    assert eventually(lambda: "10.201.0.6" in lookup("cb"), 10)
    assert "10.201.0.5" not in lookup("ca")
    pid_file = lab.tmp / "networks" / "aardvark-dns" / "aardvark.pid"
    server = int(pid_file.read_text())
    lab.backend.net_detach(netns=two.netns, request=two.request(on(net, 6)), attached=None)
    assert eventually(lambda: not os.path.exists(f"/proc/{server}")), "the server ends with its last name"
    assert not (lab.tmp / "networks" / "aardvark-dns" / "named").exists()


def test_connect_and_disconnect_change_one_interface(lab: Lab) -> None:
    one, two = network("one", 1), network("two", 2)
    box = lab.container("a")
    request = box.request(on(one, 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),))
    lab.backend.net_attach(netns=box.netns, request=request)
    rules = firewall()
    added = lab.backend.net_connect(netns=box.netns, request=request, attachment=on(two, 5, "eth1"))
    assert [i.interface for i in added.interfaces] == ["eth1"]
    assert box.links() == ["lo", "eth0", "eth1"]
    lab.backend.net_disconnect(netns=box.netns, request=request, attachment=on(two, 5, "eth1"))
    assert firewall() == rules
    assert eventually(lambda: box.links() == ["lo", "eth0"])
    lab.backend.net_disconnect(netns=box.netns, request=request, attachment=on(two, 5, "eth1"))
    box.serve(80, "still here")
    assert reach("127.0.0.1", 18080) == "still here"


def test_an_internal_network_has_no_rules_and_no_way_out(lab: Lab) -> None:
    net = network("inside", 1, internal=True)
    box = lab.container("a")
    before = firewall()
    lab.backend.net_attach(netns=box.netns, request=box.request(on(net, 5)))
    assert firewall() == before
    assert "default" not in box.run("ip", "route")
    lab.backend.net_detach(netns=box.netns, request=box.request(on(net, 5)), attached=None)
    assert eventually(lambda: host_links() == {"lo"})


def test_a_failed_attach_leaves_nothing(lab: Lab) -> None:
    good, bad = network("good", 1), network("bad", 2, interface="lo")
    box = lab.container("a")
    request = box.request(on(good, 5), on(bad, 5, "eth1"))
    with pytest.raises(CommandFailed, match=r"^netavark: "):
        lab.backend.net_attach(netns=box.netns, request=request)
    assert box.links() == ["lo"]
    assert not lab.own_rules()
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    assert eventually(lambda: host_links() == {"lo"})


def test_detach_after_the_namespace_is_gone_takes_the_rules_away(lab: Lab) -> None:
    net = network("lost", 1, dns_enabled=True)
    box = lab.container("a")
    request = box.request(on(net, 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),))
    lab.backend.net_attach(netns=box.netns, request=request)
    box.close()
    assert eventually(lambda: not any(name.startswith("veth") for name in host_links()))
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    assert not lab.own_rules()
    assert eventually(lambda: host_links() == {"lo"})
    assert not (lab.tmp / "networks" / "aardvark-dns" / "lost").exists()


def test_rules_of_others_are_never_touched(lab: Lab) -> None:
    net = network("shared", 1)
    box = lab.container("a")
    request = box.request(on(net, 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),))
    lab.backend.net_attach(netns=box.netns, request=request)
    tool("iptables", "-t", "nat", "-N", "OTHERS")
    tool("iptables", "-t", "nat", "-A", "OTHERS", "-s", "10.201.0.0/24", "-j", "ACCEPT")
    tool("iptables", "-A", "FORWARD", "-s", "10.201.0.0/24", "-j", "DROP")
    tool("iptables", "-A", "NETAVARK_FORWARD", "-s", "10.201.0.0/16", "-j", "ACCEPT")
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    left = firewall()
    assert "-A OTHERS -s 10.201.0.0/24 -j ACCEPT" in left
    assert "-A FORWARD -s 10.201.0.0/24 -j DROP" in left
    assert "-A NETAVARK_FORWARD -s 10.201.0.0/16 -j ACCEPT" in left
    assert "NETAVARK-DN-" not in left


def test_a_network_of_the_same_name_and_another_subnet_keeps_its_rules(lab: Lab) -> None:
    ours = network("podman", 1)
    theirs = network("podman", 2, subnets=(Subnet(subnet="10.202.0.0/16", gateway="10.202.0.1"),))
    box, other = lab.container("a"), lab.container("b")
    stays = other.request(on(network("podman", 2), 6, network=theirs))
    lab.backend.net_attach(netns=other.netns, request=stays)
    before = firewall()
    lab.backend.net_attach(netns=box.netns, request=box.request(on(ours, 5)))
    assert len(firewall().splitlines()) > len(before.splitlines())
    lab.backend.net_detach(netns=box.netns, request=box.request(on(ours, 5)), attached=None)
    assert firewall() == before
    lab.backend.net_detach(netns=other.netns, request=stays, attached=None)
    assert not lab.own_rules()


def test_rules_that_are_not_as_netavark_made_them_are_left_to_netavark(lab: Lab) -> None:
    net = network("odd", 1)
    box, other = lab.container("a"), lab.container("b")
    ports = (PortMapping(host_ip="", host_port=18080, container_port=80),)
    request = box.request(on(net, 5), ports=ports)
    lab.backend.net_attach(netns=box.netns, request=request)
    lab.backend.net_attach(netns=other.netns, request=other.request(on(net, 6)))
    chain = next(line.split()[0][1:] for line in firewall().splitlines() if line.startswith(":NETAVARK-DN-"))
    tool("iptables", "-t", "nat", "-D", chain, "1")
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    assert "teardown" in lab.recorder.verbs()
    assert any(event == "swift_teardown_declined" for _, event, _ in lab.recorder.events)


def test_rules_in_the_old_tables_are_left_to_netavark(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    old = lab.tmp / "old"
    old.mkdir()
    for name in ("iptables", "ip6tables"):
        if not os.path.exists(f"/usr/sbin/{name}-legacy"):
            pytest.skip("needs iptables-legacy")
        (old / name).symlink_to(f"/usr/sbin/{name}-legacy")
    context = plugin_context(lab.tmp, lab.recorder)
    lab.backend = NetavarkNet(context.replace(facts=context.facts.replace(path=f"{old}:{context.facts.path}")))
    box = lab.container("a")
    request = box.request(
        on(network("old", 1), 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),)
    )
    try:
        lab.backend.net_attach(netns=box.netns, request=request)
    except CommandFailed as error:
        pytest.skip(f"this kernel has no old tables: {error}")
    assert "NETAVARK-DN-" in tool("iptables-legacy-save")
    lab.backend.net_detach(netns=box.netns, request=request, attached=None)
    assert "NETAVARK-DN-" not in tool("iptables-legacy-save")
    assert "teardown" in lab.recorder.verbs()


def test_reload_makes_flushed_rules_again_with_the_same_addresses(lab: Lab) -> None:
    net = network("again", 1)
    box = lab.container("a")
    request = box.request(on(net, 5), ports=(PortMapping(host_ip="", host_port=18080, container_port=80),))
    first = lab.backend.net_attach(netns=box.netns, request=request)
    rules = firewall()
    tool("iptables", "-t", "nat", "-F")
    tool("iptables", "-F")
    second = lab.backend.net_reload(netns=box.netns, request=request, attached=first)
    assert second == first
    assert sorted(firewall().splitlines()) == sorted(rules.splitlines())


def test_ten_containers_at_once(lab: Lab) -> None:
    net = network("crowd", 1, dns_enabled=True)
    boxes = [lab.container(letter) for letter in "0123456789"]
    requests = [
        box.request(on(net, 10 + n), ports=(PortMapping(host_ip="", host_port=18100 + n, container_port=80),))
        for n, box in enumerate(boxes)
    ]
    failures: list[BaseException] = []

    def each(work: object) -> None:
        def guarded(n: int) -> None:
            try:
                assert callable(work)
                work(n)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    each(lambda n: lab.backend.net_attach(netns=boxes[n].netns, request=requests[n]))
    assert not failures
    assert sum("18100" in line or "1810" in line for line in firewall().splitlines()) == 40
    each(lambda n: lab.backend.net_detach(netns=boxes[n].netns, request=requests[n], attached=None))
    assert not failures
    assert not lab.own_rules()
    assert eventually(lambda: host_links() == {"lo"})


def test_the_hosts_own_namespace_is_refused(lab: Lab) -> None:
    box = lab.container("a")
    own = NetnsRef(path=f"/proc/{os.getpid()}/ns/net")
    with pytest.raises(UsageError, match=r"is the host's own"):
        lab.backend.net_attach(netns=own, request=box.request(on(network("x", 1), 5)))


def test_what_this_netavark_lacks_is_refused_with_both_versions(lab: Lab) -> None:
    facts = lab.backend.net_facts()
    if tuple(int(n) for n in facts.version.split(".")[:2]) >= (1, 5):
        pytest.skip("this netavark has ipvlan")
    box = lab.container("a")
    request = box.request(on(network("ip", 1, driver="ipvlan"), 5))
    with pytest.raises(
        Unsupported, match=rf"ipvlan: netavark {facts.version} \(.*\) does not have it, 1.5 and later do"
    ):
        lab.backend.net_attach(netns=box.netns, request=request)
    assert facts.drivers == ("bridge", "macvlan")


def test_the_version_is_asked_once(lab: Lab) -> None:
    lab.backend.net_facts()
    lab.recorder.commands.clear()
    NetavarkNet(plugin_context(lab.tmp, lab.recorder)).net_facts()
    assert lab.recorder.commands == []


def test_a_forgotten_network_leaves_no_bridge_and_no_chains(lab: Lab) -> None:
    net = network("gone", 1)
    box = lab.container("a")
    lab.backend.net_attach(netns=box.netns, request=box.request(on(net, 5)))
    lab.backend.net_forget(definition=net)
    assert "sbr1" in host_links(), "a container is on it"
    box.close()
    assert eventually(lambda: not any(name.startswith("veth") for name in host_links()))
    lab.backend.net_forget(definition=net)
    lab.backend.net_forget(definition=net)
    assert not lab.own_rules()
    assert eventually(lambda: host_links() == {"lo"})


def test_a_bridge_keeps_its_hardware_address(lab: Lab) -> None:
    """Else containers that stay would send to an address that left, for half a minute."""
    definition = network("kept", 1)
    made = lab.container("a")
    lab.backend.net_attach(netns=made.netns, request=made.request(on(definition, 2)))

    def address() -> str:
        return str(json.loads(tool("ip", "-j", "link", "show", definition.interface))[0]["address"])

    before = address()
    tool("ip", "link", "add", "low", "address", "02:00:00:00:00:00", "type", "veth", "peer", "name", "low2")
    tool("ip", "link", "set", "low", "master", definition.interface)
    assert address() == before
    tool("ip", "link", "delete", "low")


def test_rules_that_another_program_keeps_are_not_looked_at_and_it_is_said(lab: Lab) -> None:
    """With firewalld only those: what is missing of links is found all the same."""
    where = lab.container("a")
    definition = network("one", 1)
    request = where.request(on(definition, 5))
    made = lab.backend.net_attach(where.netns, request)
    other = NetavarkNet(plugin_context(lab.tmp, lab.recorder, firewall_driver="firewalld"))
    members = (NetMember(netns=where.netns, request=request, attached=made),)
    seen = other.net_picture(members, (definition,))
    assert len(seen.unclear) == 1
    assert "rules of the firewall driver firewalld are not looked at" in seen.unclear[0]
    assert [fact for fact in seen.wanted if fact not in seen.found] == []
    assert "rule" not in {fact.kind for fact in (*seen.wanted, *seen.found)}
    where.run("ip", "link", "set", "eth0", "down")
    seen = other.net_picture(members, (definition,))
    assert "eth0 up" in {fact.text for fact in seen.wanted if fact not in seen.found}
    lab.backend.net_detach(where.netns, request, made)
