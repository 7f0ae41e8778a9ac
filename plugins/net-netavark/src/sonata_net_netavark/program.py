"""The netavark program: which one, what it can do, and how it is called."""

import os
import stat

from sonata_core.errors import CommandFailed, HostLacks, SonataError, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command
from sonata_core.record import Record
from sonata_core.sdk.json_command import ask_json, tail
from sonata_core.sdk.program_facts import program_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, NetnsRef, NetworkDefinition, PortMapping

Version = tuple[int, int, int]

BUILT_IN = ("bridge", "macvlan", "ipvlan")
"""Drivers of netavark's own; others are programs in `netavark_plugin_dirs`."""
PLUGINS_SINCE = (1, 6, 0)
"""The release that can be told where plugins lie."""

INSTALL = "install netavark (Debian: apt-get install netavark aardvark-dns)"
NOISE = b"failed to connect to syslog"
"""What aardvark-dns prints where nothing is wrong: there is no /dev/log in a container or a small host."""


class Netavark(Record):
    """An installed netavark: version 1.4.0 is (1, 4, 0). `firewall` is the driver that it was built to prefer."""

    path: str
    version: Version
    firewall: str

    @property
    def text(self) -> str:
        """The version as it is written."""
        return ".".join(str(part) for part in self.version)


def probe(context: "PluginContext", path: str) -> Netavark:
    """The program's version, asked once for each path, inode, size and modification time.

    Raises HostLacks where the program cannot be run or says nothing that is a version.
    """
    known = program_facts(context.cache, path, lambda: _ask(context, path))
    return Netavark(path=path, version=_version(str(known["version"])), firewall=str(known["firewall"]))


def demand(program: Netavark, features: "Iterator[tuple[str, Version]]") -> None:
    """Raise Unsupported for the first feature that this netavark is too old for, naming both versions."""
    for feature, since in features:
        if program.version < since:
            needed = ".".join(str(part) for part in since[:2])
            raise Unsupported(
                f"{feature}: netavark {program.text} ({program.path}) does not have it, {needed} and later do",
                f"install netavark {needed} or later, or do without",
            )


def makes_other_rules(context: "PluginContext", path: str) -> bool:
    """Whether this netavark's rules are others than those of its first releases, which alone are known here.

    One that is broken does not say: then what is known is taken away, rather than nothing.
    """
    try:
        helper = probe(context, path)
    except SonataError:
        return False
    driver = str(context.config.get("firewall_driver") or helper.firewall)
    return helper.version >= OTHER_RULES or driver != "iptables"


OTHER_RULES: Version = (1, 8, 0)
"""The release that began to make rules for names, in chains of their own."""


def network_features(network: "NetworkDefinition") -> "Iterator[tuple[str, Version]]":
    """What a network's definition needs, with the release that brought it."""
    if network.driver not in BUILT_IN:
        yield f"network driver {network.driver}, which is a plugin", PLUGINS_SINCE
        return
    if network.driver == "ipvlan":
        yield "network driver ipvlan", (1, 5, 0)
    if network.ipam_driver == "dhcp" and network.driver == "bridge":
        yield "addresses by DHCP on a bridge", (1, 14, 0)
    elif network.ipam_driver == "dhcp":
        yield "addresses by DHCP", (1, 6, 0)
    if network.routes:
        yield "static routes", (1, 7, 0)
    for option, since in _OPTIONS:
        if option in network.options:
            yield f"network option {option}", since
    if network.options.get("isolate") == "strict":
        yield "network option isolate=strict", (1, 7, 0)
    if network.options.get("mode") == "unmanaged" and network.driver == "bridge":
        yield "network option mode=unmanaged", (1, 14, 0)


def drivers(dirs: "Iterable[str]") -> "tuple[str, ...]":
    """Third parties' drivers: the programs of the folders, in their order, each once."""
    found: "dict[str, None]" = {}
    for folder in dirs:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found.update((name, None) for name in names if name not in BUILT_IN and is_program(f"{folder}/{name}"))
    return tuple(found)


def is_program(path: str) -> bool:
    """Whether there is a program that not everybody may write."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111) and not status.st_mode & stat.S_IWOTH


def interface_features(attachment: "Attachment") -> "Iterator[tuple[str, Version]]":
    """What an interface's own options need, with the release that brought it. Raises UsageError for others."""
    if attachment.network.driver not in BUILT_IN:
        return  # drivers of third parties know their own
    for option in attachment.options:
        if option != "host_interface_name" or attachment.network.driver != "bridge":
            raise UsageError(
                f"unsupported option {option} for an interface on network {attachment.network.name}",
                "alias, host_interface_name, interface_name, ip, ip6 and mac are options of interfaces",
            )
        yield "network option host_interface_name", (1, 14, 0)


def port_features(ports: "Iterable[PortMapping]") -> "Iterator[tuple[str, Version]]":
    """What published ports need: rules of earlier releases match no packet that is sent to `[::]`, so all of them."""
    for port in ports:
        if port.host_ip and not port.host_ip.strip(":0"):
            yield f"a port published on [{port.host_ip}], of IPv6 alone", (1, 6, 0)


_OPTIONS: "tuple[tuple[str, Version], ...]" = (
    ("no_default_route", (1, 7, 0)),
    ("bclim", (1, 7, 0)),
    ("vrf", (1, 8, 0)),
    ("vlan", (1, 14, 0)),
)


class Caller:
    """Calls netavark for one host: the same folder, environment and helper each time."""

    def __init__(self, context: "PluginContext", program: Netavark, folder: str) -> None:
        self._context = context
        self._program = program
        self._folder = folder

    def setup(self, netns: "NetnsRef", document: "dict[str, Any]", outer: "NetnsRef | None") -> "dict[str, Any]":
        """Run `setup`; netavark's answer. Raises CommandFailed with netavark's words."""
        return self._call("setup", netns, document, outer) or {}

    def teardown(self, netns: "NetnsRef", document: "dict[str, Any]", outer: "NetnsRef | None") -> None:
        """Run `teardown`. Raises CommandFailed with netavark's words."""
        self._call("teardown", netns, document, outer)

    def _call(
        self, verb: str, netns: "NetnsRef", document: "dict[str, Any]", outer: "NetnsRef | None"
    ) -> "dict[str, Any] | None":
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        aardvark = self._context.find_program("aardvark-dns")
        argv = [self._program.path, "--config", self._folder, f"--rootless={_boolean(outer is not None)}"]
        if aardvark is not None:
            argv.append(f"--aardvark-binary={aardvark}")
        argv += self._plugin_folders(document)
        command = Command(
            argv=(*argv, verb, netns.path),
            env=self._environment(),
            netns=None if outer is None else outer.path,
            binds=() if outer is None else outer.binds,
        )
        return ask_json(self._run, command, document, name="netavark")

    def _plugin_folders(self, document: "dict[str, Any]") -> "list[str]":
        """Said only where they are asked for: netavark before 1.6 does not know the option."""
        if all(network["driver"] in BUILT_IN for network in document["network_info"].values()):
            return []
        folders = self._context.config.get("plugin_dirs") or ()
        return [f"--plugin-directory={folder}" for folder in folders if os.path.isdir(folder)]

    def _run(self, command: Command) -> "Any":
        result = self._context.run_command(command)
        said = tail(_without_noise(result.stderr))
        if said and result.code == 0:
            self._context.log.warning("netavark_said", text=said)
        return result.replace(stderr=said.encode())

    def _environment(self) -> "dict[str, str]":
        environment = {"PATH": self._context.facts.path, "RUST_LOG": "netavark=warn"}
        for setting, variable in (("firewall_driver", "NETAVARK_FW"), ("dns_bind_port", "NETAVARK_DNS_PORT")):
            value = self._context.config.get(setting)
            if value:
                environment[variable] = str(value)
        return environment


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _without_noise(stderr: bytes) -> bytes:
    if not stderr:
        return stderr
    lines = stderr.splitlines()
    return b"\n".join(line for line in lines if NOISE not in line)


def _ask(context: "PluginContext", path: str) -> "dict[str, str]":
    try:
        answer = ask_json(context.run_command, Command(argv=(path, "version"), timeout=10.0), {}, name="netavark")
    except CommandFailed as error:
        raise HostLacks(f"{path}: {error.message}", INSTALL) from error
    if not answer or "version" not in answer:
        raise HostLacks(f"{path} says nothing of its version", INSTALL)
    version = str(answer["version"])
    _version(version)
    # Releases before 1.10 do not say, and prefer iptables.
    return {"version": version, "firewall": str(answer.get("default_fw_driver") or "iptables")}


def _version(text: str) -> Version:
    parts = text.partition("-")[0].split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts[:3]):
        raise HostLacks(f"netavark says that its version is {text!r}", INSTALL)
    numbers = [int(part) for part in parts[:3]] + [0]
    return numbers[0], numbers[1], numbers[2]
