"""Firewall rules as their own tools list them: chains with rules in their order, in text that can be given back.

With the driver iptables: every table of `iptables-save` and `ip6tables-save`. With nftables: netavark's table
`inet netavark`.
"""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed, HostLacks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.net import NetnsRef
    from sonata_net_netavark.program import Netavark

NFT = "nft"
DRIVERS = ("iptables", "nftables", "none")
"""Drivers whose rules can be read, or that have none."""
TABLE = "inet netavark"
MARK = "-m comment --comment sonata-mark"
"""A rule that stands in the built-in chains of a laboratory, so that one sees what was put before others."""
MARKED = (("filter", ("FORWARD", "INPUT")), ("nat", ("PREROUTING", "OUTPUT", "POSTROUTING")))


class Chain(Record):
    """Where a chain is: `tool` is iptables, ip6tables or nft."""

    tool: str
    table: str
    name: str


class Listing(Record):
    """Chains with their rules. `heads` are what a chain is declared with: a policy, or a hook."""

    rules: "Mapping[Chain, tuple[str, ...]]"
    heads: "Mapping[Chain, str]"


def driver_of(context: PluginContext, program: Netavark) -> str:
    """The firewall driver in use: as configured, as netavark was built, or what it wrote down."""
    return str(context.config.get("firewall_driver") or program.firewall)


def read(context: PluginContext, driver: str, outer: NetnsRef | None = None) -> Listing:
    """The rules in the namespace at `outer`, or in the calling thread's. Raises HostLacks, CommandFailed."""
    rules: dict[Chain, tuple[str, ...]] = {}
    heads: dict[Chain, str] = {}
    if driver == "iptables":
        for tool in ("iptables", "ip6tables"):
            if tool == "iptables" or os.path.exists("/proc/sys/net/ipv6"):
                _saved(tool, _run(context, (f"{tool}-save",), outer), rules, heads)
    elif driver == "nftables":
        tables = _run(context, (NFT, "list", "tables"), outer)
        if f"table {TABLE}" in tables.splitlines():
            _listed(_run(context, (NFT, "list", "table", *TABLE.split()), outer), rules, heads)
    return Listing(rules=rules, heads=heads)


def write(context: PluginContext, tool: str, text: str, outer: NetnsRef | None = None) -> None:
    """Have a tool carry out a script, all of it or nothing. Raises HostLacks, CommandFailed."""
    words = (NFT, "-f", "-") if tool == NFT else (f"{tool}-restore", "--noflush", "--wait")
    _run(context, words, outer, text.encode())


def told(chain: Chain, rule: str) -> str:
    """A rule as one would type it."""
    if chain.tool == NFT:
        return f"nft add rule {chain.table} {chain.name} {rule}"
    return f"{chain.tool} -t {chain.table} -A {chain.name} {rule}"


def _run(context: PluginContext, words: tuple[str, ...], outer: NetnsRef | None, given: bytes | None = None) -> str:
    path = context.find_program(words[0])
    if path is None:
        raise HostLacks(f"{words[0]} is not in PATH", f"install {'nftables' if words[0] == NFT else 'iptables'}")
    argv = (path, *words[1:])
    env = {"PATH": context.facts.path}
    command = Command(argv=argv, env=env, input=given, timeout=60.0)
    if outer is not None:
        command = command.replace(netns=outer.path, binds=outer.binds)
    done = context.run_command(command)
    if done.code:
        said = done.stderr.decode(errors="replace").strip()
        raise CommandFailed(f"{words[0]}: {said}", argv=argv, code=done.code, stderr=said)
    return done.stdout.decode(errors="replace")


def _saved(tool: str, text: str, rules: dict[Chain, tuple[str, ...]], heads: dict[Chain, str]) -> None:
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chain = Chain(tool=tool, table=table, name=name)
            heads[chain] = "" if policy == "-" else policy
            rules.setdefault(chain, ())
        elif line.startswith("-A "):
            _, name, rest = line.split(" ", 2) if line.count(" ") > 1 else (*line.split(" "), "")
            chain = Chain(tool=tool, table=table, name=name)
            rules[chain] = (*rules.get(chain, ()), rest)


def _listed(text: str, rules: dict[Chain, tuple[str, ...]], heads: dict[Chain, str]) -> None:
    chain: Chain | None = None
    for line in (one.strip() for one in text.splitlines()):
        if line.startswith("chain ") and line.endswith("{"):
            chain = Chain(tool=NFT, table=TABLE, name=line.split()[1])
            heads[chain], rules[chain] = "", ()
        elif line == "}":
            chain = None
        elif chain is not None and line.startswith("type "):
            heads[chain] = line
        elif chain is not None and line:
            rules[chain] = (*rules[chain], line)
