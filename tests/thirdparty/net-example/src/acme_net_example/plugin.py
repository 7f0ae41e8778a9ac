"""The backend: what it is asked, what it runs, and what it remembers."""

from __future__ import annotations

import json
import os

from acme_net_example import firewall
from sonata_core.codec import freeze, thaw
from sonata_core.errors import CommandFailed, HostLacks, NotFound, Unsupported
from sonata_core.hookspecs.net import NetHooks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, NetnsRef

VERSION = "0.3.0"


class ExampleNet(NetHooks):
    """A pair of links for each interface. The host answers for everybody else (proxy ARP) and routes."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        self._ip = self._need("ip", "iproute2")
        self._save = self._need("iptables-save", "iptables")
        self._restore = self._need("iptables-restore", "iptables")

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="example", version=VERSION, summary="a routed pair of links", contract="net/1.0")

    @hookimpl
    def net_facts(self) -> NetFacts:
        facts = self._context.facts
        if facts.capabilities and "NET_ADMIN" not in facts.capabilities:
            raise HostLacks("the example network needs CAP_NET_ADMIN", "run as root, or with that capability")
        return NetFacts(modes=("bridge",), version=VERSION, program=self._ip, protocols=("tcp", "udp"))

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        if not os.path.exists(netns.path):
            raise NotFound(f"network namespace {netns.path}: no such file")
        for each in request.attachments:
            if any(":" in subnet.subnet for subnet in each.network.subnets):
                raise Unsupported(f"network {each.network.name} has IPv6 subnets, which the example network cannot do")
        known = self._recall(netns, request)
        if known is not None:
            return known
        self.net_detach(netns=netns, request=request, attached=None)  # what a crash may have left
        interfaces = tuple(
            self._connect(netns, request, number, each) for number, each in enumerate(request.attachments)
        )
        firewall.write(self._run, (self._save, self._restore), request)
        result = AttachResult(interfaces=interfaces)
        self._remember(netns, request, result)
        return result

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        for number in range(len(request.attachments)):
            self._run((self._ip, "link", "delete", _link(request, number)), may_fail=True)
        firewall.erase(self._run, (self._save, self._restore), request.container)
        for path in (self._record(request), self._record(request) + ".new"):
            if os.path.exists(path):
                os.unlink(path)

    def _connect(self, netns: NetnsRef, request: AttachRequest, number: int, each: Attachment) -> InterfaceResult:
        """Make one pair of links, and put its far end into the namespace."""
        near, far = _link(request, number), f"{_link(request, number)}p"
        self._run((self._ip, "link", "add", near, "type", "veth", "peer", "name", far))
        self._run((self._ip, "link", "set", far, "netns", netns.path))
        inside = ["link", "set", far, "name", each.interface]
        self._run((self._ip, *inside, *(("address", each.mac) if each.mac else ())), netns=netns.path)
        self._run((self._ip, "link", "set", near, "up"))
        self._run((self._ip, "link", "set", each.interface, "up"), netns=netns.path)
        for key in ("proxy_arp", "route_localnet", "forwarding"):
            _set(f"net/ipv4/conf/{near}/{key}")
        _set("net/ipv4/ip_forward")
        _set(f"net/ipv4/neigh/{near}/proxy_delay", "0")
        addresses = []
        for address, subnet in zip(each.addresses, each.network.subnets, strict=True):
            whole = f"{address}/{subnet.subnet.partition('/')[2]}"
            self._run((self._ip, "address", "add", whole, "dev", each.interface), netns=netns.path)
            self._run((self._ip, "address", "add", f"{subnet.gateway}/32", "dev", near))
            self._run((self._ip, "route", "add", f"{address}/32", "dev", near))
            route = (self._ip, "route", "add", "default", "via", subnet.gateway, "dev", each.interface)
            self._run(route, netns=netns.path, may_fail=number > 0)
            addresses.append(AddressResult(address=whole, gateway=subnet.gateway))
        return InterfaceResult(
            network=each.network.name,
            interface=each.interface,
            mac=self._mac(netns, each.interface),
            addresses=tuple(addresses),
        )

    def _mac(self, netns: NetnsRef, interface: str) -> str:
        answer = self._run((self._ip, "-j", "link", "show", "dev", interface), netns=netns.path)
        return str(json.loads(answer)[0]["address"])

    def _run(
        self, argv: tuple[str, ...], netns: str | None = None, given: bytes | None = None, *, may_fail: bool = False
    ) -> bytes:
        result = self._context.run_command(Command(argv=argv, netns=netns, input=given, timeout=30))
        if result.code and not may_fail:
            text = result.stderr.decode(errors="replace").strip()
            raise CommandFailed(f"{' '.join(argv)}: {text}", argv=argv, code=result.code, stderr=text)
        return result.stdout

    def _need(self, program: str, package: str) -> str:
        found = self._context.find_program(program)
        if found is None:
            raise HostLacks(f"{program} not found in PATH", f"apt-get install {package}")
        return found

    def _record(self, request: AttachRequest) -> str:
        return f"{self._context.run}/{request.container}.json"

    def _remember(self, netns: NetnsRef, request: AttachRequest, result: AttachResult) -> None:
        """Another process may be asked next: what is remembered lies in a file, whole or not at all."""
        os.makedirs(self._context.run, mode=0o700, exist_ok=True)
        document = {"netns": netns.path, "asked": _asked(request), "result": freeze(result)}
        with open(self._record(request) + ".new", "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.rename(self._record(request) + ".new", self._record(request))

    def _recall(self, netns: NetnsRef, request: AttachRequest) -> AttachResult | None:
        """The result of before, if the same was asked of the same namespace."""
        try:
            with open(self._record(request), encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError):
            return None
        if document["netns"] != netns.path or document["asked"] != _asked(request):
            return None
        return thaw(AttachResult, document["result"])


def _asked(request: AttachRequest) -> object:
    return json.loads(json.dumps(freeze(request.replace(lifetime_fd=-1, pid=0))))


def _link(request: AttachRequest, number: int) -> str:
    """A name within the 15 characters that links may have, with room for the other end's `p`."""
    return f"ex{request.container[:10]}{number}"


def _set(key: str, value: str = "1") -> None:
    with open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
        file.write(value)
