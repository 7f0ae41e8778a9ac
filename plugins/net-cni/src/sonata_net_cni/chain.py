"""A network's plugins, one after the other, as libcni runs them.

Source: CNI specification 1.1, section 3; libcni `api.go`.
"""

from __future__ import annotations

from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record
from sonata_net_cni.conflist import version_key
from sonata_net_cni.program import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_net_cni.conflist import ConfigList
    from sonata_net_cni.program import Programs

CHECK_SINCE = (0, 4, 0)
"""Also what is the first version whose DEL is told the result of ADD."""
GC_SINCE = (1, 1, 0)


class Spot(Record):
    """One interface of one container on one network, as plugins are told of it.

    `capabilities` are what the runtime offers: a plugin gets those that its configuration asks for.
    `data` is the folder of addresses that IPAM plugins keep, empty for their own.
    """

    container: str
    netns: str
    interface: str
    args: tuple[tuple[str, str], ...] = ()
    capabilities: dict[str, Any] = {}
    addresses: tuple[str, ...] = ()
    data: str = ""


class Chain:
    """The plugins of one network, with the version that all of them speak."""

    def __init__(self, programs: Programs, network: ConfigList) -> None:
        self._programs = programs
        self._network = network
        names = [str(plugin["type"]) for plugin in network.plugins]
        inner = [str(plugin["ipam"]["type"]) for plugin in network.plugins if (plugin.get("ipam") or {}).get("type")]
        self.version = programs.agree(network.name, network.versions, dict.fromkeys((*names, *inner)))

    def add(self, spot: Spot, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """ADD; the last result. `tell` hears each plugin's, so that a DEL after a crash knows how far it came."""
        result: dict[str, Any] | None = None
        for plugin in self._network.plugins:
            answer = self._call("ADD", plugin, spot, result)
            if answer and answer != result:
                result = answer
                tell(result)
        return result or {"cniVersion": self.version}

    def delete(self, spot: Spot, result: dict[str, Any] | None) -> None:
        """DEL, in reverse; every plugin is asked, and the first complaint is raised at the end.

        One that fails is asked once more: `bridge` ends at the first rule that somebody has flushed, when the link
        is gone already, and has nothing left to do then.
        """
        trouble: SonataError | None = None
        told = result if version_key(self.version) >= CHECK_SINCE else None
        for plugin in reversed(self._network.plugins):
            try:
                self._call("DEL", plugin, spot, told)
            except SonataError:
                try:
                    self._call("DEL", plugin, spot, told)
                except SonataError as error:
                    trouble = trouble or error
        if trouble is not None:
            raise trouble

    def release(self, spot: Spot) -> None:
        """DEL of those alone that give addresses: where the namespace of bridges and rules is gone, with them."""
        for plugin in self._network.plugins:
            kind = (plugin.get("ipam") or {}).get("type")
            if kind:
                call = Call(verb="DEL", container=spot.container, interface=spot.interface, args=spot.args)
                self._programs.here().call(str(kind), call, self._config(plugin, spot, None))

    def check(self, spot: Spot, result: dict[str, Any]) -> dict[str, str]:
        """CHECK; what unhappy plugins say, by their types. Empty also where the list or its version has no CHECK."""
        found: dict[str, str] = {}
        if not self._network.check or version_key(self.version) < CHECK_SINCE:
            return found
        for plugin in self._network.plugins:
            try:
                self._call("CHECK", plugin, spot, result)
            except SonataError as error:
                found[str(plugin["type"])] = error.message
        return found

    @property
    def network(self) -> str:
        """The network's name."""
        return self._network.name

    @property
    def maker(self) -> str:
        """The type of the plugin that makes the interface: the first."""
        return str(self._network.plugins[0]["type"])

    def collect(self, valid: list[dict[str, str]]) -> bool:
        """GC: whatever belongs to no attachment of `valid` may go. False where the list or its version has none."""
        if not self._network.gc or version_key(self.version) < GC_SINCE:
            return False
        for plugin in self._network.plugins:
            config = self._config(plugin, Spot(container="", netns="", interface=""), None)
            self._programs.call(str(plugin["type"]), Call(verb="GC"), {**config, "cni.dev/valid-attachments": valid})
        return True

    def _call(self, verb: str, plugin: dict[str, Any], spot: Spot, result: dict[str, Any] | None) -> dict[str, Any]:
        call = Call(verb=verb, container=spot.container, netns=spot.netns, interface=spot.interface, args=spot.args)
        return self._programs.call(str(plugin["type"]), call, self._config(plugin, spot, result))

    def _config(self, plugin: dict[str, Any], spot: Spot, result: dict[str, Any] | None) -> dict[str, Any]:
        """One plugin's configuration: its part of the list, and what is the runtime's to add."""
        config = {**plugin, "name": self._network.name, "cniVersion": self.version}
        if result is not None:
            config["prevResult"] = result
        wanted = plugin.get("capabilities") or {}
        offered = {key: value for key, value in spot.capabilities.items() if wanted.get(key) is True}
        if offered:
            config["runtimeConfig"] = offered
        ipam = plugin.get("ipam")
        if isinstance(ipam, dict) and ipam.get("type") == "host-local":
            if "ips" not in offered and spot.addresses:
                # host-local takes them so too, and a site's own list need not offer the capability.
                config["args"] = {**(plugin.get("args") or {}), "cni": {"ips": list(spot.addresses)}}
            if spot.data and "dataDir" not in ipam:
                config["ipam"] = {**ipam, "dataDir": f"{spot.data}/networks"}
        return config
