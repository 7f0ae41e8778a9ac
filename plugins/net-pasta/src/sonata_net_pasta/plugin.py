"""User-mode networking by pasta: the container has the host's addresses, and no privilege is needed.

Contract: docs/contract/net.md. Ports are forwarded by pasta itself, so that a server sees where a
connection comes from.
"""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed, HostLacks
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.net import AttachResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command, HelperProcess
from sonata_core.sdk import helper_process
from sonata_core.sdk import interfaces as kernel
from sonata_core.sdk.port_start import first_port
from sonata_core.sdk.user_mode_net import UserModeNet
from sonata_net_pasta.options import HOST, Arguments

if TYPE_CHECKING:
    from sonata_core.models.net import AttachRequest, NetnsRef

VERSION = "0.1.0"
_TIMEOUT = 30.0

_SETTING = "net.ipv4.ip_unprivileged_port_start"


class PastaNet(UserModeNet):
    """One pasta per container."""

    program = "pasta"
    absent = "could not find pasta, the network namespace can't be configured"
    install = "install pasta (Debian: apt-get install passt)"
    suffixes = ("pid", "json")

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="pasta",
            version=VERSION,
            summary="user-mode networking by pasta, with the host's addresses and ports that keep the source address",
            contract="net/1.2",
        )

    @hookimpl
    def net_facts(self) -> NetFacts:
        """N-10. Raises HostLacks where the tunnel device cannot be opened."""
        self._need_tunnel()
        return NetFacts(
            modes=("pasta",),
            version=str(self._facts()["version"]),
            program=self._path,
            # Builds of before 2024 lose datagrams whose port is to change on the way; they are still asked to try.
            protocols=("tcp", "udp") if self._maps_host() else ("tcp",),
            ipv6=True,
            rootless=True,
            lifetime=False,
        )

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        """N-01, N-02, N-05. pasta ends with the namespace's file, with `net_detach`, or when it is killed."""
        defaults = tuple(self._context.config.get("pasta_options") or ())
        chosen = Arguments((*defaults, *request.arguments), request.ports, netns.path)
        return self._attached(
            netns,
            list(chosen.words),
            start=lambda files: self._start(chosen, files),
            result=lambda _files, helper, _new: self._result(netns, chosen, helper),
        )

    def _start(self, chosen: Arguments, files: dict[str, str]) -> HelperProcess:
        """pasta goes to the background when it is ready."""
        # As the host's root it would become nobody, who may not enter the namespace.
        who = () if self._context.facts.rootless else ("--runas", "0")
        plain = (self._path, *who, "--pid", files["pid"], *(chosen.with_host() if self._maps_host() else chosen.words))
        done = self._context.run_command(Command(argv=plain, timeout=_TIMEOUT))
        if done.code:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise CommandFailed(
                f"pasta failed with exit code {done.code}:\n{said}",
                hint=_closed_port(said),
                argv=plain,
                code=done.code,
                stderr=said,
            )
        return _helper(files["pid"])

    def _unrecorded(self, files: dict[str, str]) -> list[HelperProcess]:
        """Killed between the start and the record, it is known by the number that pasta wrote."""
        return [_helper(files["pid"])] if os.path.exists(files["pid"]) else []

    def _maps_host(self) -> bool:
        return "--map-guest-addr" in self._facts()["features"]

    def _result(self, netns: NetnsRef, chosen: Arguments, helper: HelperProcess) -> AttachResult:
        found = kernel.interfaces("pasta", netns.path)
        host = chosen.host or (HOST if self._maps_host() else kernel.host_address(found))
        return AttachResult(interfaces=found, dns_servers=(chosen.dns,), helpers=(helper,), host_address=host)

    def _ask(self) -> dict[str, Any]:
        facts = super()._ask()
        if "--config-net" not in facts["features"]:
            raise HostLacks(f"{self._path} is too old: it has no --config-net", self.install)
        return facts


def _helper(path: str) -> HelperProcess:
    """The process that pasta says it is. Whose number was reused is not taken for it: its name differs."""
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read(32))
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
    except (OSError, ValueError):
        pid, name = 0, ""
    started = helper_process.start_time(pid) if name.startswith("pa") else 0
    return HelperProcess(name="pasta", pid=pid, start_time=started)


def _closed_port(said: str) -> str | None:
    """What to do where pasta could bind no port that the user may not have; None for other reasons."""
    if "Failed to bind" not in said:
        return None
    first = first_port()
    words = said.partition("Failed to bind")[2].replace("'", " ").replace(":", " ").replace("/", " ").split()
    port = next((int(word) for word in words if word.isdigit()), first)
    if port >= first:
        return None
    return f"ordinary users may publish ports from {first} on: choose one, or sysctl -w {_SETTING}={port}"
