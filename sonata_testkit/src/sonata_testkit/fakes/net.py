"""A network that leads nowhere: an interface with an address, for tests that want one and no network."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from sonata_core.errors import CommandFailed, HostLacks, NotFound
from sonata_core.hookspecs.net import NetHooks
from sonata_core.markers import hookimpl
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachRequest, NetnsRef

INTERFACE, ADDRESS, GATEWAY = "fake0", "10.0.2.100/24", "10.0.2.2"


class FakeNet(NetHooks):
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
            self._run(netns, "address", "add", ADDRESS, "dev", INTERFACE)
            self._run(netns, "link", "set", INTERFACE, "up")
            self._run(netns, "route", "add", "default", "via", GATEWAY, "dev", INTERFACE)
        address = AddressResult(address=ADDRESS, gateway=GATEWAY)
        made = InterfaceResult(
            network="fake", interface=INTERFACE, mac=self._hardware(netns) or "", addresses=(address,)
        )
        return AttachResult(interfaces=(made,))

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        if os.path.exists(netns.path) and self._hardware(netns) is not None:
            self._run(netns, "link", "delete", INTERFACE)

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
