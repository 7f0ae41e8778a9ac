"""A network that leads nowhere: an interface with an address, for tests that want one and no network."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from sonata_core.errors import CommandFailed, HostLacks, NotFound
from sonata_core.hookspecs.net import NetHooks, NetReconcile
from sonata_core.markers import hookimpl
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult, NetFact, NetFacts, NetPicture
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachRequest, NetMember, NetnsRef, NetworkDefinition

INTERFACE, ADDRESS, GATEWAY = "fake0", "10.0.2.100/24", "10.0.2.2"


class FakeNet(NetHooks, NetReconcile):
    """The same interface for every container. It knows no named networks and publishes no ports."""

    def __init__(self, context: PluginContext) -> None:
        found = context.find_program("ip")
        if found is None:
            raise HostLacks("ip not found in PATH", "apt-get install iproute2")
        self._ip = found
        self._context = context

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="fake", version="0.1.0", summary="a network that leads nowhere", contract="net/1.0")

    @hookimpl
    def net_facts(self) -> NetFacts:
        return NetFacts(modes=("fake",), version="0.1.0", program=self._ip, protocols=())

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        if not os.path.exists(netns.path):
            raise NotFound(f"network namespace {netns.path}: no such file")
        if self._hardware(netns) is None:
            self._run(netns, "link", "add", INTERFACE, "type", "bridge")
            self._furnish(netns)
        address = AddressResult(address=ADDRESS, gateway=GATEWAY)
        made = InterfaceResult(
            network="fake", interface=INTERFACE, mac=self._hardware(netns) or "", addresses=(address,)
        )
        return AttachResult(interfaces=(made,))

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        if os.path.exists(netns.path) and self._hardware(netns) is not None:
            self._run(netns, "link", "delete", INTERFACE)

    @hookimpl
    def net_picture(self, members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]) -> NetPicture:
        wanted, found = [], []
        for one in members:
            whose = {"container": str(one.request.container), "network": "fake"}
            up = json.loads(self._run(one.netns, "-j", "address", "show", "up") or "[]")
            addresses = [a["local"] for link in up if link.get("ifname") == INTERFACE for a in link["addr_info"]]
            routes = self._run(one.netns, "-4", "route", "show", "default").decode()
            for kind, text, there in (
                ("link", f"{INTERFACE} is there", self._hardware(one.netns) is not None),
                ("address", f"{ADDRESS} dev {INTERFACE}", ADDRESS.partition("/")[0] in addresses),
                ("route", f"default via {GATEWAY}", f"via {GATEWAY}" in routes),
            ):
                wanted.append(NetFact(kind=kind, text=text, **whose))
                found += wanted[-1:] if there else []
        return NetPicture(wanted=tuple(wanted), found=tuple(found))

    @hookimpl
    def net_mend(
        self,
        members: tuple[NetMember, ...],
        picture: NetPicture,
        missing: tuple[NetFact, ...],
        extra: tuple[NetFact, ...],
    ) -> tuple[AttachResult, ...]:
        for one in members:
            if any(fact.container == one.request.container for fact in missing):
                self.net_attach(netns=one.netns, request=one.request)
                self._furnish(one.netns)
        return tuple(one.attached for one in members)

    def _furnish(self, netns: NetnsRef) -> None:
        self._run(netns, "address", "replace", ADDRESS, "dev", INTERFACE)
        self._run(netns, "link", "set", INTERFACE, "up")
        self._run(netns, "route", "replace", "default", "via", GATEWAY, "dev", INTERFACE)

    def _hardware(self, netns: NetnsRef) -> str | None:
        """The interface's hardware address; None where there is no such interface."""
        for link in json.loads(self._run(netns, "-j", "link") or b"[]"):
            if link["ifname"] == INTERFACE:
                return str(link["address"])
        return None

    def _run(self, netns: NetnsRef, *words: str) -> bytes:
        argv = (self._ip, *words)
        result = self._context.run_command(Command(argv=argv, netns=netns.path, timeout=20))
        if result.code:
            raise CommandFailed(result.stderr.decode(errors="replace").strip(), argv=argv, code=result.code)
        return result.stdout
