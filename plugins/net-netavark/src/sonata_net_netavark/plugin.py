"""The network backend that drives netavark. Contract: docs/contract/net.md."""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed, HostLacks, SonataError
from sonata_core.hookspecs.net import NetExplain, NetHooks, NetLive, NetManaged, NetNames, NetReconcile, NetReload
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.net import AttachResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk.locks import lock_file
from sonata_core.sdk.spawn import enter_netns, is_netns, refuse_host_netns
from sonata_core.sdk.syscalls import in_thread
from sonata_net_netavark import document, links, program
from sonata_net_netavark.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sonata_core.context import PluginContext
    from sonata_core.models.net import (
        Attachment,
        AttachRequest,
        NetFact,
        NetMember,
        NetnsRef,
        NetPicture,
        NetworkDefinition,
        NetworkWish,
    )
    from sonata_core.sdk.locks import FileLock
    from sonata_net_netavark.reconciliation import Reconciliation

    T = TypeVar("T")

VERSION = "0.1.0"
ALREADY_THERE = "already exists on container namespace"


class NetavarkNet(NetHooks, NetManaged, NetLive, NetReload, NetExplain, NetNames, NetReconcile):
    """Bridge, macvlan and ipvlan networks by netavark, names by aardvark-dns.

    For root, netavark's own folder and lock are the host's (`/run/containers/networks`,
    `/run/lock/netavark.lock`): a host has one firewall and one name server per bridge, and
    Podman's containers may sit on the same networks.
    """

    def __init__(self, context: PluginContext) -> None:
        path = context.find_program("netavark")
        if path is None:
            raise HostLacks("netavark not found in the helper folders or PATH", program.INSTALL)
        self._context = context
        self._path = path
        self._lingering: list[int] = []
        self._reconciling: Reconciliation | None = None

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="netavark",
            version=VERSION,
            summary="bridge, macvlan and ipvlan networks by netavark, names by aardvark-dns",
            contract="net/1.3",
        )

    @hookimpl
    def net_facts(self) -> NetFacts:
        """N-10. Raises HostLacks with the reason where bridges cannot be made here."""
        facts = self._context.facts
        if facts.capabilities and "NET_ADMIN" not in facts.capabilities:
            raise HostLacks("netavark needs CAP_NET_ADMIN", "run as root, or with that capability")
        helper = program.probe(self._context, self._path)
        firewall = str(self._context.config.get("firewall_driver") or helper.firewall)
        if firewall == "nftables":
            program.demand(helper, iter((("firewall driver nftables", (1, 10, 0)),)))
        tool = {"iptables": "iptables", "nftables": "nft"}.get(firewall)
        if tool is not None and self._context.find_program(tool) is None:
            raise HostLacks(
                f"netavark's {firewall} driver needs {tool}, which is not in PATH",
                f"install {'nftables' if tool == 'nft' else tool}",
            )
        return NetFacts(
            modes=("bridge",),
            version=helper.text,
            program=self._path,
            drivers=self._drivers(helper),
            protocols=("tcp", "udp", "sctp"),
            dns=self._context.find_program("aardvark-dns") is not None,
            ipv6=os.path.exists("/proc/sys/net/ipv6"),
            rootless=True,
            outer=True,
        )

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        """N-01, N-02, N-05, N-07. A second call with the same request answers with what is there."""
        with self._lock():
            return self._attach(netns, request, request.attachments)

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        """N-03, N-04, N-09. Rules and names are gone on return; the kernel may still be deleting links.

        The lock passes to the process that waits for them, so that nothing else meets a half-gone bridge.
        """
        lock = self._lock()
        try:
            self._detach(netns, request, request.attachments, lock)
        finally:
            lock.close()

    @hookimpl
    def net_connect(self, netns: NetnsRef, request: AttachRequest, attachment: Attachment) -> AttachResult:
        """N-12. The result is of the new interface alone."""
        with self._lock():
            return self._attach(netns, request, (attachment,))

    @hookimpl
    def net_disconnect(self, netns: NetnsRef, request: AttachRequest, attachment: Attachment) -> None:
        """N-12. Absent is success."""
        lock = self._lock()
        try:
            self._detach(netns, request, (attachment,), lock)
        finally:
            lock.close()

    @hookimpl
    def net_reload(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult) -> AttachResult:
        """N-13. Everything is made again, with the addresses of the request and the hardware addresses of before."""
        hardware = {(each.network, each.interface): each.mac for each in attached.interfaces}
        attachments = tuple(
            each.replace(mac=each.mac or hardware.get((each.network.name, each.interface), ""))
            for each in request.attachments
        )
        with self._lock():
            self._netavark_teardown(netns, request, attachments)
            return self._attach(netns, request, attachments)

    @hookimpl
    def net_plan(self, wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> NetworkDefinition:
        """N-08. What the wish leaves open, decided. Raises UsageError, Conflict, Unsupported."""
        from sonata_net_netavark import planning

        helper = program.probe(self._context, self._path)
        if wish.driver not in program.BUILT_IN:
            return self._plan_third_party(helper, wish, existing)
        definition = planning.plan(wish, existing)
        program.demand(helper, program.network_features(definition))
        return definition

    @hookimpl
    def net_explain(self, request: AttachRequest) -> tuple[str, ...]:
        """N-14. As commands of iptables; with the nftables driver netavark makes the like of them."""
        from sonata_net_netavark import firewall

        return firewall.explained(request)

    @hookimpl
    def net_forward(self, definition: NetworkDefinition) -> None:
        """N-17. In aardvark-dns's file, as `netavark update` does it, which in 1.4 cannot take the last server away."""
        from sonata_net_netavark import names

        with self._lock():
            names.forward(self._folder(), definition.name, definition.dns_servers)

    @hookimpl
    def net_forget(self, definition: NetworkDefinition) -> None:
        """N-11. A bridge that a crash left behind without containers is taken away, its chains with it."""
        from sonata_net_netavark import teardown

        if self._context.facts.rootless:
            return  # the namespace that has its bridge goes with the user's last container
        lock = self._lock()
        try:
            self._lingering += teardown.forget(self._context, self._folder(), definition, lock)
        finally:
            lock.close()

    @hookimpl
    def net_picture(self, members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]) -> NetPicture:
        """N-18. What should be is tried out in a laboratory, with the same netavark."""
        with self._lock():
            return self._reconciliation(members).look(networks)

    @hookimpl
    def net_mend(
        self,
        members: tuple[NetMember, ...],
        picture: NetPicture,
        missing: tuple[NetFact, ...],
        extra: tuple[NetFact, ...],
    ) -> tuple[AttachResult, ...]:
        """N-19. Only an interface that is gone altogether is attached anew."""
        with self._lock():
            return self._reconciliation(members).mend(picture, missing, extra, self._attach_again)

    def _reconciliation(self, members: tuple[NetMember, ...]) -> Reconciliation:
        from sonata_net_netavark.reconciliation import Reconciliation

        if self._reconciling is None or self._reconciling.members != members:
            helper = program.probe(self._context, self._path)
            self._reconciling = Reconciliation(self._context, helper, self._folder(), members)
        return self._reconciling

    def _attach_again(self, member: NetMember, networks: frozenset[str]) -> AttachResult:
        """Take these attachments of a member away, as far as they are there, and make them again with its old MAC."""
        hardware = {(each.network, each.interface): each.mac for each in member.attached.interfaces}
        attachments = tuple(
            each.replace(mac=each.mac or hardware.get((each.network.name, each.interface), ""))
            for each in member.request.attachments
            if each.network.name in networks
        )
        self._netavark_teardown(member.netns, member.request, attachments)
        return self._attach(member.netns, member.request, attachments)

    def _attach(self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]) -> AttachResult:
        if not attachments:
            return AttachResult()
        refuse_host_netns(netns.path)
        helper = program.probe(self._context, self._path)
        for each in attachments:
            program.demand(helper, program.network_features(each.network))
            program.demand(helper, program.interface_features(each))
        if request.outer is None:  # else a forwarder publishes them
            program.demand(helper, program.port_features(request.ports))
        asked = document.options_document(request, attachments)
        caller = program.Caller(self._context, helper, self._folder())
        record = Memory(self._context.run, request.container, netns.path)
        if any(each.network.driver not in program.BUILT_IN for each in attachments):
            known = record.recall(asked)  # a plugin need not say that its interface is there already
            if known is not None:
                return document.attach_result(known, attachments)
        try:
            answer = self._swift_setup(helper, netns, request, attachments)
            if answer is None:
                answer = caller.setup(netns, asked, request.outer)
        except SonataError as error:
            known = record.recall(asked) if ALREADY_THERE in error.message else None
            if known is not None:
                return document.attach_result(known, attachments)
            if ALREADY_THERE not in error.message:
                self._netavark_teardown(netns, request, attachments)
            raise
        record.keep(asked, answer)
        bridges = [each.network.interface for each in attachments if _is_own_bridge(each.network)]
        within(request.outer, lambda: links.keep_addresses(bridges))
        return document.attach_result(answer, attachments)

    def _plan_third_party(
        self, helper: program.Netavark, wish: NetworkWish, existing: tuple[NetworkDefinition, ...]
    ) -> NetworkDefinition:
        from sonata_net_netavark import third_party

        path = third_party.find(self._plugin_dirs(), wish.driver)
        program.demand(helper, iter(((f"network driver {wish.driver}, which is a plugin", program.PLUGINS_SINCE),)))
        return third_party.plan(self._context, wish, existing, path)

    def _drivers(self, helper: program.Netavark) -> tuple[str, ...]:
        own = program.BUILT_IN if helper.version >= (1, 5, 0) else ("bridge", "macvlan")
        return (*own, *program.drivers(self._plugin_dirs())) if helper.version >= program.PLUGINS_SINCE else own

    def _plugin_dirs(self) -> tuple[str, ...]:
        return tuple(str(one) for one in self._context.config.get("plugin_dirs") or ())

    def _swift_setup(
        self, helper: program.Netavark, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]
    ) -> dict[str, Any] | None:
        from sonata_net_netavark import setup

        try:
            return setup.attach(self._context, helper, netns, request, attachments)
        except setup.HalfMade as error:
            self._context.log.debug("swift_setup_taken_back", reason=str(error))
            self._netavark_teardown(netns, request, attachments)
            return None

    def _detach(
        self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...], lock: FileLock
    ) -> None:
        from sonata_net_netavark import teardown

        if not attachments:
            return
        self._reap()
        swift = teardown.Swift(self._context, self._folder(), lock)
        if request.outer is not None and not is_netns(request.outer.path):
            done = swift.forget_names(request, attachments)  # links and rules went with it
        elif is_netns(netns.path) and program.makes_other_rules(self._context, self._path):
            done = False
        else:
            done = within(request.outer, lambda: swift.detach(netns, request, attachments))
        self._lingering += swift.lingering
        if not done:
            self._netavark_teardown(netns, request, attachments)
        Memory(self._context.run, request.container, netns.path).drop(attachments)

    def _netavark_teardown(self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]) -> None:
        """Netavark's own teardown. What it cannot find is gone: its complaints are for the log."""
        if not is_netns(netns.path):
            return
        refuse_host_netns(netns.path)
        helper = program.probe(self._context, self._path)
        caller = program.Caller(self._context, helper, self._folder())
        for each in attachments:  # one by one: netavark ends at the first complaint
            try:
                caller.teardown(netns, document.options_document(request, (each,)), request.outer)
            except CommandFailed as error:
                self._context.log.debug("netavark_teardown_said", text=error.message, network=each.network.name)

    def _lock(self) -> FileLock:
        if self._context.facts.rootless:
            return lock_file(os.path.join(self._context.config.get("config_dir") or self._context.run, "netavark.lock"))
        return lock_file(str(self._context.config.get("netavark_lock") or "/run/lock/netavark.lock"))

    def _folder(self) -> str:
        """The folder of netavark's and aardvark's own files."""
        if self._context.facts.rootless:
            return str(self._context.config.get("run_dir") or os.path.join(self._context.run, "networks"))
        return str(self._context.config.get("run_dir") or "/run/containers/networks")

    def _reap(self) -> None:
        """Take the exit statuses of link removers: only a process that lives long has any to take."""
        left = []
        for pid in self._lingering:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    left.append(pid)
            except ChildProcessError:
                continue
        self._lingering = left


def _is_own_bridge(network: NetworkDefinition) -> bool:
    return network.driver == "bridge" and network.options.get("mode") != "unmanaged"


def within(outer: NetnsRef | None, work: Callable[[], T]) -> T:
    """Do it in that network namespace; None is our own."""
    if outer is None:
        return work()

    def there() -> T:
        enter_netns(outer.path)
        return work()

    return in_thread(there)
