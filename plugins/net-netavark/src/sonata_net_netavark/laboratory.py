"""What attaching makes, seen where it disturbs nobody: a host of one's own with nothing on it (ADR 0047).

The same containers are attached there, in namespaces that end with the thread that made them, by the same netavark with
the same words. What is there afterwards is what the real host should have: whichever release and
firewall driver it is, nothing of it has to be known here.
"""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import NetnsRef
from sonata_core.models.process import Command
from sonata_core.record import Record
from sonata_core.sdk import syscalls
from sonata_core.sdk.trees import remove_tree
from sonata_net_netavark import document, listing, look, program, setup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, NetMember
    from sonata_core.models.process import CommandResult

_NO_BUS = "unix:path=/nonexistent"
"""Netavark tells firewalld of its networks, by the system's bus; of these it is to hear nothing."""
SETTINGS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
LINK_SETTINGS = (("ipv4", "route_localnet", "1"), ("ipv4", "rp_filter", "2"), ("ipv6", "accept_ra", "0"))


class Made(Record):
    """What the containers have in the laboratory, by their ids, and what its host has then.

    `first` are the rules that went before those that stood in their chain, by chain.
    """

    inside: "Mapping[str, look.Place]"
    host: look.Place
    rules: listing.Listing
    first: "Mapping[listing.Chain, tuple[str, ...]]"
    settings: "Mapping[str, str]"
    unclear: tuple[str, ...] = ()


def make(context: PluginContext, helper: program.Netavark, members: tuple[NetMember, ...]) -> Made:
    """Attach all of these on a host that is nobody's. What fails is told in `unclear`."""
    return syscalls.in_thread(lambda: _Laboratory(context, helper).run(members))


class _Laboratory:
    """One laboratory, in the thread that runs it. It ends when its descriptors are closed."""

    def __init__(self, context: PluginContext, helper: program.Netavark) -> None:
        self._outside = context
        self._folder = os.path.join(context.run, f"laboratory-{os.getpid()}")
        self._driver = listing.driver_of(context, helper)
        known = self._driver in listing.DRIVERS
        self._context = context.replace(
            run_command=self._run,
            find_program=self._find,
            facts=context.facts.replace(rootless=False),
            # The others speak with a program that has the rules of the whole host: here nobody answers.
            config=context.config if known else {**context.config, "firewall_driver": "iptables"},
        )
        self._helper = helper
        self._open: list[int] = []
        self._unclear: list[str] = [] if known else [_not_looked_at(self._driver)]

    def run(self, members: tuple[NetMember, ...]) -> Made:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        try:
            self._furnish(members)
            inside = {}
            for member in members:
                found = self._attach(member.request)
                if found is not None:
                    inside[str(member.request.container)] = found
            rules = listing.read(self._context, self._driver)
            return Made(
                inside=inside,
                host=look.here(),
                rules=_unmarked(rules),
                first=_first(rules),
                settings=_settings({each.network.interface for one in members for each in one.request.attachments}),
                unclear=tuple(self._unclear),
            )
        finally:
            for descriptor in self._open:
                os.close(descriptor)
            remove_tree(self._folder)

    def _furnish(self, members: tuple[NetMember, ...]) -> None:
        """The loopback, the links that networks stand on and do not make, and a rule in each built-in chain."""
        self._ip("link", "set", "lo", "up")
        made = set()
        for network in (each.network for one in members for each in one.request.attachments):
            parent = network.options.get("parent", "") or network.interface
            if network.driver != "bridge" and parent and parent not in made:
                made.add(parent)
                self._ip("link", "add", parent, "type", "dummy")
            vrf = network.options.get("vrf", "")
            if vrf and vrf not in made:
                made.add(vrf)
                self._ip("link", "add", vrf, "type", "vrf", "table", str(100 + len(made)))
        if self._driver == "iptables":
            lines = []
            for table, chains in listing.MARKED:
                lines += [f"*{table}", *(f"-A {chain} {listing.MARK}" for chain in chains), "COMMIT"]
            for tool in ("iptables", "ip6tables"):
                if tool == "iptables" or os.path.exists("/proc/sys/net/ipv6"):
                    listing.write(self._context, tool, "\n".join(lines) + "\n")

    def _attach(self, request: AttachRequest) -> look.Place | None:
        where = NetnsRef(path=self._namespace())
        # What third parties' drivers do is not ours to try.
        attachments = tuple(each for each in request.attachments if each.network.driver in program.BUILT_IN)
        asked = request.replace(outer=None, attachments=tuple(self._simple(each) for each in attachments))
        try:
            if not self._swiftly(where, asked):
                caller = program.Caller(self._context, self._helper, self._folder)
                caller.setup(where, document.options_document(asked, asked.attachments), None)
        except SonataError as error:
            self._unclear.append(f"what container {request.name} should have: {error.message}")
            return None
        return look.at(where.path)

    def _swiftly(self, where: NetnsRef, asked: AttachRequest) -> bool:
        try:
            return setup.attach(self._context, self._helper, where, asked, asked.attachments) is not None
        except setup.HalfMade as error:
            raise CommandFailed(str(error), argv=(), code=None, stderr="") from error

    def _simple(self, each: Attachment) -> Attachment:
        """Names make no rules with netavark 1.4, and without them its work is done in a tenth of the time."""
        if self._helper.version[:2] != (1, 4):
            return each
        return each.replace(network=each.network.replace(dns_enabled=False))

    def _namespace(self) -> str:
        """A new namespace, as a path that helpers can open too."""

        def work() -> int:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self._open.append(syscalls.in_thread(work))
        return f"/proc/{os.getpid()}/fd/{self._open[-1]}"

    def _ip(self, *words: str) -> None:
        path = self._context.find_program("ip") or "/sbin/ip"
        done = self._context.run_command(Command(argv=(path, *words), timeout=20.0))
        if done.code:
            said = done.stderr.decode(errors="replace").strip()
            raise CommandFailed(f"ip {' '.join(words)}: {said}", argv=(path, *words), code=done.code, stderr=said)

    def _run(self, command: Command) -> CommandResult:
        env = {"PATH": self._outside.facts.path, **(command.env or {}), "DBUS_SYSTEM_BUS_ADDRESS": _NO_BUS}
        return self._outside.run_command(command.replace(env=env))

    def _find(self, name: str) -> str | None:
        """No name server is to run: what is started in its place does nothing."""
        return self._outside.find_program("true" if name == "aardvark-dns" else name)


def _not_looked_at(driver: str) -> str:
    way = (
        ": firewall-cmd --state says whether it runs, network reload makes them again" if driver == "firewalld" else ""
    )
    return f"rules of the firewall driver {driver} are not looked at{way}"


def _unmarked(rules: listing.Listing) -> listing.Listing:
    kept = {chain: tuple(one for one in each if one != listing.MARK) for chain, each in rules.rules.items()}
    return rules.replace(rules=kept)


def _first(rules: listing.Listing) -> dict[listing.Chain, tuple[str, ...]]:
    return {chain: each[: each.index(listing.MARK)] for chain, each in rules.rules.items() if listing.MARK in each}


def _settings(bridges: set[str]) -> dict[str, str]:
    """Settings of the kernel that attaching has made: those that are on."""
    found = {path: "1" for path in SETTINGS if setting(path) == "1"}
    for bridge in sorted(bridges):
        for family, name, value in LINK_SETTINGS:
            path = f"net/{family}/conf/{bridge}/{name}"
            if setting(path) == value:
                found[path] = value
    return found


def setting(path: str) -> str:
    """A setting below /proc/sys, as the calling thread's namespace has it; empty where there is none."""
    try:
        with open(f"/proc/sys/{path}", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
