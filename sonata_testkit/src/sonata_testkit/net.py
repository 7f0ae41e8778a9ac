"""The suite of the net group. Contract: docs/contract/net.md."""

from __future__ import annotations

import ipaddress
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.errors import AlreadyExists, Conflict, HostLacks, SonataError, UsageError
from sonata_core.groups import NET
from sonata_core.hookspecs.net import NetExplain, NetLive, NetManaged, NetReload
from sonata_core.models.net import (
    AttachRequest,
    AttachResult,
    NetFacts,
    NetnsRef,
    NetworkDefinition,
    NetworkWish,
    PortMapping,
    Subnet,
)
from sonata_testkit.clauses import clause, not_offered, not_run
from sonata_testkit.containers import eventually
from sonata_testkit.faults import crash_everywhere
from sonata_testkit.net_keeper import NetKeeperClauses
from sonata_testkit.net_names import NetNamesClauses
from sonata_testkit.net_outer import NetOuterClauses
from sonata_testkit.net_reconcile import ReconcileClauses
from sonata_testkit.net_stage import POOL, PORT, Lab
from sonata_testkit.netlab import HOST, Namespace, ask, attachment, own_host, tool
from sonata_testkit.plugin import PluginConformance
from sonata_testkit.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sonata_core.context import PluginContext
    from sonata_core.slot import Slot
    from sonata_testkit.fixtures import Runner

needs_root = pytest.mark.needs_root


class NetConformance(NetKeeperClauses, NetNamesClauses, NetOuterClauses, ReconcileClauses, PluginConformance):
    """Inherit, and give `backend(self, plugin_context)`. Every test has a host of its own: a network namespace."""

    group = NET

    @pytest.fixture(autouse=True)
    def _host(self, request: pytest.FixtureRequest) -> Iterator[None]:
        if os.geteuid():
            yield
            return
        with own_host():
            yield

    @pytest.fixture
    def facts(self, hook: Any) -> NetFacts:
        try:
            found: NetFacts = hook.net_facts()
        except HostLacks as error:
            not_run(error.message)
        return found

    @pytest.fixture
    def lab(self, slot: Slot[Any], facts: NetFacts, tmp_path: Path) -> Iterator[Lab]:
        made = Lab(slot, facts, tmp_path)
        yield made
        for namespace in made.namespaces:
            if os.path.exists(namespace.path):
                request = namespace.request(*made.attachments())
                try:
                    made.detach(namespace, *made.attached.get(namespace.path, (request,)))
                finally:
                    namespace.vanish()

    @pytest.fixture
    def look(self, lab: Lab, plugin_context: PluginContext) -> Callable[[], World]:
        """Looks at the world: links, firewall, processes, mounts, and the backend's own volatile files."""
        return lambda: World(str(lab.folder), (plugin_context.run,), network=True)

    def port(self, protocol: str = "tcp", **fields: Any) -> PortMapping:
        return PortMapping(host_ip="", host_port=PORT, container_port=80, protocol=protocol).replace(**fields)

    @needs_root
    @clause("N-01")
    def test_the_requested_address(self, lab: Lab) -> None:
        where = lab.namespace("a")
        asked = lab.attachments()
        result = lab.attach(where, where.request(*asked))
        there = where.addresses()
        assert result.interfaces
        for interface in result.interfaces:
            assert {each.address for each in interface.addresses} <= there[interface.interface]
        for each in asked:
            wanted = {
                f"{a}/{s.subnet.partition('/')[2]}" for a, s in zip(each.addresses, each.network.subnets, strict=True)
            }
            assert wanted <= there[each.interface]
        assert where.run("ip", "-4", "route", "show", "default").startswith("default via ")
        gateway = where.run("ip", "-4", "route", "show", "default").split()[2]
        assert gateway in {address.gateway for each in result.interfaces for address in each.addresses}

    @needs_root
    @clause("N-01")
    def test_interface_name_and_hardware_address(self, lab: Lab) -> None:
        where = lab.namespace("a")
        asked = lab.attachments(interface="other7", mac="02:11:22:33:44:55")
        if not asked:
            not_offered("attachments: it serves no networks")
        result = lab.attach(where, where.request(*asked))
        assert where.macs()["other7"] == "02:11:22:33:44:55"
        assert result.interfaces[0].mac.lower() == "02:11:22:33:44:55"
        assert result.interfaces[0].network == asked[0].network.name

    @needs_root
    @clause("N-02")
    def test_attach_twice_is_one_attachment(self, lab: Lab, look: Callable[[], World]) -> None:
        where = lab.namespace("a")
        request = where.request(*lab.attachments(), ports=(self.port(),))
        first = lab.attach(where, request)
        world, inside = look(), where.state()
        assert lab.attach(where, request) == first
        assert where.state() == inside
        world.check()
        lab.detach(where, request, first)

    @needs_root
    @clause("N-03")
    def test_detach_twice_and_of_nothing(self, lab: Lab, look: Callable[[], World]) -> None:
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        request = where.request(*lab.attachments(), ports=(self.port(),))
        lab.detach(where, request)
        attached = lab.attach(where, request)
        for result in (attached, attached, None):
            lab.detach(where, request, result)
            assert eventually(lambda: where.addresses() == {})
        where.vanish()
        lab.detach(where, request, attached)
        lab.detach(where, request)
        world.check()

    @needs_root
    @clause("N-03")
    def test_detach_after_the_namespace_is_gone(self, lab: Lab, look: Callable[[], World]) -> None:
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        request = where.request(*lab.attachments(), ports=(self.port(),))
        attached = lab.attach(where, request)
        where.vanish()
        for _ in range(2):
            lab.detach(where, request, attached)
        world.check()

    @needs_root
    @clause("N-04")
    @pytest.mark.parametrize("after", [False, True])
    def test_detach_after_an_attach_whose_program_failed(
        self, lab: Lab, look: Callable[[], World], runner: Runner, after: bool
    ) -> None:
        """Each program that attach runs fails in turn: at once, or after it has done its work."""
        lab.cycle()
        world = look()
        for step in range(1, 20):
            where = lab.namespace("a")
            untouched = where.state()
            request = where.request(*lab.attachments(), ports=(self.port(),))
            runner.attack(step, after=after)
            attached = None
            try:
                attached = lab.attach(where, request)
            except SonataError:
                assert runner.failed, "it raised though no program failed"
            attacked = runner.failed
            runner.peace()
            for _ in range(2):
                lab.detach(where, request, attached)
            eventually(lambda: where.state() == untouched)  # noqa: B023 - called at once
            assert where.state() == untouched
            where.vanish()
            world.check()
            if not attacked:
                return

    @needs_root
    @clause("N-04")
    @pytest.mark.parametrize("after", [False, True])
    def test_detach_whose_program_failed(
        self, lab: Lab, look: Callable[[], World], runner: Runner, after: bool
    ) -> None:
        """Each program that detach runs fails in turn; the next detach finishes the work."""
        lab.cycle()
        world = look()
        for step in range(1, 20):
            where = lab.namespace("a")
            request = where.request(*lab.attachments(), ports=(self.port(),))
            attached = lab.attach(where, request)
            runner.attack(step, after=after)
            try:
                lab.detach(where, request, attached)
            except SonataError:
                assert runner.failed, "it raised though no program failed"
            attacked = runner.failed
            runner.peace()
            for _ in range(2):
                lab.detach(where, request, attached)
            where.vanish()
            world.check()
            if not attacked:
                return

    @needs_root
    @clause("N-04")
    def test_detach_after_a_crash(self, lab: Lab, look: Callable[[], World]) -> None:
        """Attach is killed at every change of a file; detach is told nothing of how far it came."""
        lab.cycle()
        world = look()
        asked = lab.attachments()
        situation: list[tuple[Namespace, AttachRequest, int, int]] = []

        def prepare() -> Callable[[], object]:
            where = lab.namespace("a")
            readable, writable = os.pipe()
            request = where.request(*asked, ports=(self.port(),), lifetime_fd=readable)
            situation.append((where, request, readable, writable))
            return lambda: lab.attach(where, request)

        def judge(step: int) -> None:
            where, request, *pipe = situation.pop()
            for descriptor in pipe:
                os.close(descriptor)
            for _ in range(2):
                lab.detach(where, request.replace(lifetime_fd=-1))
            left = f"a crash after {step - 1} steps left an interface"
            assert eventually(lambda: where.addresses() == {}), left
            where.vanish()
            world.check()

        crash_everywhere(prepare, judge)
        judge(0)  # the last one was not interrupted: another process has attached it

    @needs_root
    @clause("N-05")
    @pytest.mark.parametrize("protocol", ["tcp", "udp"])
    def test_ports_are_reachable_and_then_not(self, lab: Lab, protocol: str) -> None:
        if protocol not in lab.facts.protocols:
            not_offered(f"{protocol}: not in NetFacts.protocols")
        where = lab.namespace("a")
        where.serve(80, "hello", protocol)
        where.serve(81, "second", protocol)
        request = where.request(*lab.attachments(), ports=(self.port(protocol, range=2),))
        assert ask(HOST, PORT, protocol, 0.2) == ""
        attached = lab.attach(where, request)
        assert eventually(lambda: ask(HOST, PORT, protocol) == "hello")
        assert ask(HOST, PORT + 1, protocol) == "second"
        assert ask(HOST, PORT + 2, protocol, 0.2) == ""
        assert protocol != "tcp" or ask("127.0.0.1", PORT) == "hello"
        lab.detach(where, request, attached)
        assert ask(HOST, PORT, protocol, 0.2) == ""
        with_other = lab.namespace("b")
        with_other.serve(80, "other", protocol)
        again = with_other.request(*lab.attachments(6), ports=(self.port(protocol),))
        attached = lab.attach(with_other, again)
        assert eventually(lambda: ask(HOST, PORT, protocol) == "other"), "the port is not free again"
        lab.detach(with_other, again, attached)

    @needs_root
    @clause("N-06")
    def test_helpers_end_with_detach(self, lab: Lab, look: Callable[[], World]) -> None:
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        request = where.request(*lab.attachments())
        attached = lab.attach(where, request)
        for helper in attached.helpers:
            assert _start_time(helper.pid) == helper.start_time
        lab.detach(where, request)
        for helper in attached.helpers:
            assert _start_time(helper.pid) != helper.start_time
        where.vanish()
        world.check()

    @needs_root
    @clause("N-06")
    def test_helpers_end_with_the_container(self, lab: Lab) -> None:
        if not lab.facts.lifetime:
            not_offered("lifetime: its helpers end with the namespace's file")
        where = lab.namespace("a")
        readable, writable = os.pipe()
        request = where.request(*lab.attachments(), lifetime_fd=readable)
        attached = lab.attach(where, request)
        os.close(readable)
        os.close(writable)
        for helper in attached.helpers:
            assert eventually(lambda: _start_time(helper.pid) != helper.start_time)  # noqa: B023 - called at once
        lab.detach(where, request.replace(lifetime_fd=-1), attached)

    @needs_root
    @clause("N-07")
    def test_two_containers_resolve_each_other(self, lab: Lab) -> None:
        if not lab.facts.dns:
            not_offered("dns: NetFacts.dns says no")
        network = lab.network()
        assert network is not None
        if not network.dns_enabled:
            network = network.replace(dns_enabled=True)
        rows = []
        for number, letter in enumerate("ab"):
            where = lab.namespace(letter)
            request = where.request(attachment(network, 5 + number, aliases=(where.name, f"alias-{letter}")))
            rows.append((where, request, lab.attach(where, request)))
        for (where, _, attached), (_, other, _) in zip(rows, reversed(rows), strict=True):
            assert attached.dns_servers
            for name in other.attachments[0].aliases:
                wanted = {other.attachments[0].addresses[0]}
                assert set(where.resolve(_full(name, attached), attached.dns_servers[0])) == wanted, name
        (first, _, server), (second, request, attached) = rows
        lab.detach(second, request, attached)
        assert eventually(lambda: first.resolve(_full("alias-b", server), server.dns_servers[0]) == [])
        lab.detach(first, rows[0][1], server)

    @needs_root
    @clause("N-07")
    def test_two_containers_reach_each_other(self, lab: Lab) -> None:
        asked = [lab.attachments(5 + number) for number in range(2)]
        if not asked[0]:
            not_offered("attachments: it serves no networks")
        rows = []
        for number, letter in enumerate("ab"):
            where = lab.namespace(letter)
            request = where.request(*asked[number])
            rows.append((where, request, lab.attach(where, request)))
        rows[0][0].serve(80, "neighbour")
        script = (
            "import socket,sys;s=socket.create_connection((sys.argv[1],80),3);s.send(b'?');print(s.recv(99).decode())"
        )
        address = asked[0][0].addresses[0]
        assert rows[1][0].run("python3", "-I", "-c", script, address) == "neighbour\n"
        for row in rows:
            lab.detach(*row)

    @clause("N-08")
    def test_plans_never_collide(self, lab: Lab) -> None:
        if not lab.slot.offers(NetManaged):
            not_offered("NetManaged")
        taken = ("10.210.1.0/24", "10.210.3.0/25")
        wish = NetworkWish(name="", id="0" * 64, created="2026-01-01T00:00:00Z").replace(
            subnet_pools=POOL, taken_subnets=taken, taken_interfaces=("podman1", "eth0")
        )
        made: list[NetworkDefinition] = []
        for number in range(8):
            existing = tuple(made)
            made.append(
                lab.hook.net_plan(wish=wish.replace(name=f"net{number}" if number % 2 else ""), existing=existing)
            )
            assert existing == tuple(made[:-1])
        subnets = [ipaddress.ip_network(each.subnet) for one in made for each in one.subnets]
        for index, one in enumerate(subnets):
            others = [*subnets[:index], *map(ipaddress.ip_network, taken)]
            assert not any(one.overlaps(other) for other in others), one
        names = [one.name for one in made]
        interfaces = [one.interface for one in made]
        assert len(set(names)) == len(names)
        assert len(set(interfaces) | {"podman1", "eth0"}) == len(interfaces) + 2
        again = lab.hook.net_plan(wish=wish, existing=())
        assert again == lab.hook.net_plan(wish=wish, existing=()), "planning is pure"

    @clause("N-08")
    def test_what_is_wished_is_planned_or_refused(self, lab: Lab) -> None:
        if not lab.slot.offers(NetManaged):
            not_offered("NetManaged")
        wish = NetworkWish(name="mine", id="1" * 64, created="2026-01-01T00:00:00Z").replace(
            subnets=(Subnet(subnet="10.99.7.0/24", gateway="10.99.7.9"),), interface="kitbr7", labels={"a": "b"}
        )
        made = lab.hook.net_plan(wish=wish, existing=())
        assert (made.name, made.interface, made.id) == ("mine", "kitbr7", "1" * 64)
        assert (made.subnets[0].subnet, made.subnets[0].gateway) == ("10.99.7.0/24", "10.99.7.9")
        assert dict(made.labels) == {"a": "b"}
        with pytest.raises(AlreadyExists):
            lab.hook.net_plan(wish=wish, existing=(made,))
        overlapping = wish.replace(name="two", interface="", subnets=(Subnet(subnet="10.99.0.0/16"),))
        nonsense = wish.replace(name="three", interface="", subnets=(Subnet(subnet="10.99.300.0/24"),))
        for refused in (overlapping, nonsense):
            with pytest.raises((Conflict, UsageError)):
                lab.hook.net_plan(wish=refused, existing=(made,))

    @needs_root
    @clause("N-09")
    def test_the_namespace_is_left_as_found(self, lab: Lab, look: Callable[[], World]) -> None:
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        where.run("ip", "link", "add", "mine0", "type", "bridge")
        where.run("ip", "addr", "add", "192.0.2.7/32", "dev", "mine0")
        before = where.state()
        request = where.request(*lab.attachments(), ports=(self.port(),))
        attached = lab.attach(where, request)
        assert where.state() != before
        lab.detach(where, request, attached)
        eventually(lambda: where.state() == before)
        assert where.state() == before
        assert os.path.exists(where.path), "the backend took the namespace away"
        where.vanish()
        world.check()

    @needs_root
    @clause("N-10")
    def test_facts(self, facts: NetFacts, hook: Any) -> None:
        assert facts.modes
        assert facts.version
        assert not facts.program or os.access(facts.program, os.X_OK)
        assert set(facts.protocols) <= {"tcp", "udp", "sctp"}
        assert facts.root or facts.rootless
        assert hook.net_facts() == facts

    @needs_root
    @clause("N-10")
    def test_a_namespace_that_is_not_there(self, lab: Lab, look: Callable[[], World]) -> None:
        lab.cycle()
        world = look()
        where = NetnsRef(path=str(lab.folder / "nowhere"))
        ghost = lab.namespace("a")
        request = ghost.request(*lab.attachments())
        with pytest.raises(SonataError):
            lab.hook.net_attach(netns=where, request=request)
        lab.hook.net_detach(netns=where, request=request, attached=None)
        ghost.vanish()
        world.check()

    @needs_root
    @clause("N-11")
    def test_forgetting(self, lab: Lab, look: Callable[[], World]) -> None:
        if not lab.slot.offers(NetManaged):
            not_offered("NetManaged")
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        asked = lab.attachments()
        lab.attach(where, where.request(*asked, ports=(self.port(),)))
        where.vanish()  # and nobody detached it
        lab.detach(where, where.request(*asked, ports=(self.port(),)))
        for _ in range(2):
            lab.hook.net_forget(definition=asked[0].network)
        world.check(but={"link": lambda one: one == asked[0].network.interface})  # a bridge may outlive its containers

    @needs_root
    @clause("N-12")
    def test_connect_and_disconnect(self, lab: Lab, look: Callable[[], World]) -> None:
        if not lab.slot.offers(NetLive):
            not_offered("NetLive")
        lab.cycle()
        world = look()
        where = lab.namespace("a")
        first = lab.attachments()
        request = where.request(*first, ports=(self.port(),))
        attached = lab.attach(where, request)
        before = where.addresses()
        network = lab.network()
        assert network is not None
        second = attachment(network, 7, "eth1")
        made = lab.hook.net_connect(netns=where.ref, request=request, attachment=second)
        assert [each.interface for each in made.interfaces] == ["eth1"]
        assert second.addresses[0] in {one.partition("/")[0] for one in where.addresses()["eth1"]}
        assert where.addresses()["eth0"] == before["eth0"]
        both = request.replace(attachments=(*first, second))
        for _ in range(2):
            lab.hook.net_disconnect(netns=where.ref, request=both, attachment=second)
            assert eventually(lambda: where.addresses() == before)
        where.serve(80, "still")
        assert ask(HOST, PORT) == "still", "the first interface lost its port"
        lab.detach(where, request, attached)
        where.vanish()
        if lab.slot.offers(NetManaged):
            lab.hook.net_forget(definition=network)  # with a bridge that waits for the next container
        world.check()

    @needs_root
    @clause("N-13")
    def test_reload_after_a_flush(self, lab: Lab) -> None:
        if not lab.slot.offers(NetReload):
            not_offered("NetReload")
        where = lab.namespace("a")
        where.serve(80, "hello")
        request = where.request(*lab.attachments(), ports=(self.port(),))
        attached = lab.attach(where, request)
        addresses, macs = where.addresses(), where.macs()
        assert eventually(lambda: ask(HOST, PORT) == "hello")
        for table in ("filter", "nat"):
            tool("iptables", "-w", "-t", table, "-F")
            tool("iptables", "-w", "-t", table, "-X")
        assert ask(HOST, PORT, seconds=0.3) == ""
        again = lab.hook.net_reload(netns=where.ref, request=request, attached=attached)
        assert (where.addresses(), where.macs()) == (addresses, macs)
        assert [each.addresses for each in again.interfaces] == [each.addresses for each in attached.interfaces]
        assert eventually(lambda: ask(HOST, PORT) == "hello")
        lab.detach(where, request, again)

    @needs_root
    @clause("N-14")
    def test_what_is_explained_is_what_is_made(self, lab: Lab) -> None:
        if not lab.slot.offers(NetExplain):
            not_offered("NetExplain")
        where = lab.namespace("a")
        request = where.request(*lab.attachments(), ports=(self.port(),))
        told = lab.slot.require(NetExplain).net_explain(request=request)
        assert told == lab.slot.require(NetExplain).net_explain(request=request)
        rules = [line for line in told if " -A " in line]
        assert rules
        assert not any(_stands(line) for line in rules), "explaining made a rule"
        attached = lab.attach(where, request)
        assert [line for line in rules if not _stands(line)] == []
        lab.detach(where, request, attached)
        assert [line for line in rules if _stands(line)] == []


def _stands(rule: str) -> bool:
    """Whether the firewall has the rule that a command would append."""
    words = shlex.split(rule.replace(" -A ", " -C ", 1))
    return subprocess.run([words[0], "-w", *words[1:]], capture_output=True, check=False).returncode == 0


def _full(name: str, attached: AttachResult) -> str:
    """A name as a container's resolver asks for it: within the search domain that it was given."""
    return f"{name}.{attached.dns_search[0]}" if attached.dns_search else name


def _start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat; 0 where the process is gone or dead."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in ("Z", "X") else int(fields[19])
