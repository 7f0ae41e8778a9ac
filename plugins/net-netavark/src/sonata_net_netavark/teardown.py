"""Taking a container off its networks in a tenth of the time (ADR 0012).

Netavark's teardown deletes its rules one by one and each deletion waits for the kernel to be sure
that nobody reads the rule any more (some 15 ms, a dozen times). Here all of a container's rules go
in one transaction, which takes effect at once; a small process that keeps the lock waits for the
kernel, and for the links. Whatever is not exactly as netavark makes it is left to netavark.
"""

from __future__ import annotations

import os

from sonata_core.errors import HostLacks
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.helper_process import spawn
from sonata_net_netavark import links, names, netlink, rules
from sonata_net_netavark.memory import Memory

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, NetnsRef, NetworkDefinition
    from sonata_core.sdk.locks import FileLock

PLAIN_OPTIONS = frozenset({"mtu", "metric", "no_default_route", "vlan", "isolate"})


class Swift:
    """One swift teardown, under the lock. `lingering` are the pids of the processes that it left waiting."""

    def __init__(self, context: PluginContext, folder: str, lock: FileLock) -> None:
        self._context = context
        self._folder = folder
        self._lock = lock
        self.lingering: list[int] = []

    def detach(self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]) -> bool:
        """Take the attachments away. False where netavark has to: what was done by then, it finds done."""
        if not all(_is_plain(each.network) for each in attachments):
            return False
        try:
            return self._detach(netns, request, attachments)
        except (OSError, rules.Unexpected, netlink.Interrupted, ValueError) as error:
            self._context.log.debug("swift_teardown_declined", reason=str(error) or type(error).__name__)
            return False

    def forget_names(self, request: AttachRequest, attachments: tuple[Attachment, ...]) -> bool:
        """Take the container's names away, where all else is gone."""
        served = [each.network.name for each in attachments if each.network.dns_enabled]
        return all([names.remove(self._folder, network, request.container) for network in served])

    def forget(self, network: NetworkDefinition) -> None:
        """Take an empty network's bridge and chains away."""
        route = netlink.Channel(netlink.NETLINK_ROUTE)
        try:
            known = links.all_links(route)
            bridge = _bridge(known, network)
            ports = [link for link in known if bridge is not None and link.master == bridge.index]
            if all(links.leads_nowhere(route, link) for link in ports):
                left = [*ports, *(() if bridge is None else (bridge,))]
                self._firewall(route, known, left, lambda removal: removal.network(network))
        finally:
            route.close()

    def _detach(self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]) -> bool:
        route = netlink.Channel(netlink.NETLINK_ROUTE)
        try:
            known = links.all_links(route)
            outside = links.namespace_id(route, netns.path) if os.path.exists(netns.path) else -1
            doomed: list[links.Link] = []
            empty: list[NetworkDefinition] = []
            for each in attachments:
                bridge = _bridge(known, each.network)
                ports = [link for link in known if bridge is not None and link.master == bridge.index]
                mine = [link for link in ports if _is_gone_or_in(route, link, outside)]
                doomed += mine
                if len(ports) == len(mine):
                    empty.append(each.network)
                    doomed += [] if bridge is None else [bridge]

            record = Memory(self._context.run, request.container, netns.path)

            def choose(removal: rules.Removal) -> None:
                for each in attachments:
                    if not each.network.internal:
                        removal.expect(each.network, attached=record.has(each.network.name))
                    if each.network in empty:
                        removal.network(each.network)
                    elif request.ports:
                        addresses = tuple(rules.pack_address(a.partition("/")[0]) for a in each.addresses)
                        removal.container(each.network, request.container, addresses)

            for each in attachments:
                if each.network.dns_enabled and not names.remove(self._folder, each.network.name, request.container):
                    return False
            self._firewall(route, known, doomed, choose if _has_rules(attachments, request, empty) else None)
            return True
        finally:
            route.close()

    def _firewall(
        self, route: netlink.Channel, known: tuple[links.Link, ...], doomed: list[links.Link], choose: Any
    ) -> None:
        channel = None if choose is None else netlink.Channel(netlink.NETLINK_NETFILTER)
        try:
            if channel is not None:
                removal = rules.Removal(rules.read(channel, (rules.IPV4, rules.IPV6)))
                choose(removal)
                removal.commit(channel)
            self._leave(route, known, doomed, channel)
        finally:
            if channel is not None:
                channel.close()

    def _leave(
        self,
        route: netlink.Channel,
        known: tuple[links.Link, ...],
        doomed: list[links.Link],
        channel: netlink.Channel | None,
    ) -> None:
        """Leave to a process what takes the kernel long: it has the lock, and the socket whose closing waits."""
        ip = self._context.find_program("ip")
        group = links.free_group(known)
        for link in doomed:
            links.mark(route, link, group)
        if ip is None:
            raise HostLacks("ip not found in PATH", "install iproute2")
        argv = (ip, "link", "delete", "group", str(group)) if doomed else (ip, "-V")
        fds = {8: self._lock.fd}
        if channel is not None:
            fds[9] = channel.socket.fileno()
        self.lingering.append(spawn(argv, env={"PATH": self._context.facts.path}, fds=fds, log="/dev/null").pid)


def forget(context: PluginContext, folder: str, network: NetworkDefinition, lock: FileLock) -> list[int]:
    """Take away what is left of a network without containers; the pids of what waits for the kernel."""
    swift = Swift(context, folder, lock)
    if not _is_plain(network):
        return []
    try:
        swift.forget(network)
    except (OSError, rules.Unexpected, netlink.Interrupted, ValueError) as error:
        context.log.debug("network_leftovers_kept", network=network.name, reason=str(error) or type(error).__name__)
    return swift.lingering


def _is_plain(network: NetworkDefinition) -> bool:
    isolated = network.options.get("isolate", "false") not in ("false", "0", "")
    return network.driver == "bridge" and not isolated and PLAIN_OPTIONS.issuperset(network.options)


def _bridge(known: tuple[links.Link, ...], network: NetworkDefinition) -> links.Link | None:
    for link in known:
        if link.name == network.interface:
            if link.kind != "bridge":
                raise rules.Unexpected(f"{link.name} is a {link.kind}")
            return link
    return None


def _is_gone_or_in(route: netlink.Channel, link: links.Link, outside: int) -> bool:
    if outside >= 0 and link.peer_namespace == outside:
        return link.kind == "veth"
    return outside < 0 and links.leads_nowhere(route, link)


def _has_rules(attachments: tuple[Attachment, ...], request: AttachRequest, empty: list[NetworkDefinition]) -> bool:
    return any(not each.network.internal and (each.network in empty or request.ports) for each in attachments)
