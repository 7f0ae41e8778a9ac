"""User-mode networking by pasta: the container has the host's addresses, and no privilege is needed.

Contract: docs/contract/net.md. Ports are forwarded by pasta itself, so that a server sees where a
connection comes from.
"""

from __future__ import annotations

import os

from sonata_core.errors import CommandFailed, HostLacks, NotFound
from sonata_core.hookspecs.net import NetHooks, NetReconcile
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.net import AttachResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command, HelperProcess
from sonata_core.sdk import helper_process
from sonata_core.sdk import interfaces as kernel
from sonata_core.sdk.hashes import sha256_hex
from sonata_core.sdk.program_facts import program_facts
from sonata_net_pasta.options import HOST, Arguments

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachRequest, NetFact, NetMember, NetnsRef, NetPicture, NetworkDefinition

VERSION = "0.1.0"
INSTALL = "install pasta (Debian: apt-get install passt)"
TUN = "/dev/net/tun"
_TIMEOUT = 30.0

_SETTING = "net.ipv4.ip_unprivileged_port_start"
_PORT_START = "/proc/sys/" + _SETTING.replace(".", "/")


class PastaNet(NetHooks, NetReconcile):
    """One pasta per container, found again by the namespace's path alone."""

    def __init__(self, context: PluginContext) -> None:
        path = context.find_program("pasta")
        if path is None:
            raise HostLacks("could not find pasta, the network namespace can't be configured", INSTALL)
        self._context = context
        self._path = path

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
        if not os.access(TUN, os.R_OK | os.W_OK):
            raise HostLacks(
                f"pasta needs {TUN}, which this user may not open",
                f"modprobe tun; chmod 0666 {TUN}" if os.path.exists(TUN) else "modprobe tun",
            )
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
        if not os.path.exists(netns.path):
            raise NotFound(f"pasta: network namespace {netns.path}: no such file")
        files = _Files(self._context.run, netns.path)
        known = helper_process.load(files.record)
        if known is not None and helper_process.is_alive(known[0]):
            if known[1].get("asked") == list(chosen.words):
                return self._result(netns, chosen, known[0])
            helper_process.stop(known[0])
        files.remove()
        os.makedirs(self._context.run, mode=0o700, exist_ok=True)
        self._start(chosen, files)
        helper = _helper(files.pid)
        try:
            helper_process.save(files.record, helper, asked=list(chosen.words))
            return self._result(netns, chosen, helper)
        except BaseException:
            helper_process.stop(helper)
            files.remove()
            raise

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        """N-03, N-04, N-06. On return the helper is gone, and with it every port and the interface."""
        files = _Files(self._context.run, netns.path)
        known = helper_process.load(files.record)
        helpers = [] if known is None else [known[0]]
        helpers += [] if attached is None else [each for each in attached.helpers if each not in helpers]
        if known is None and os.path.exists(files.pid):
            helpers.append(_helper(files.pid))  # killed between the start and the record
        for helper in helpers:
            helper_process.stop(helper)
        files.remove()

    @hookimpl
    def net_picture(self, members: tuple[NetMember, ...], networks: tuple[NetworkDefinition, ...]) -> NetPicture:
        """N-18. The helper, the interface, its addresses and the default route."""
        from sonata_core.sdk import user_mode

        return user_mode.picture(members)

    @hookimpl
    def net_mend(
        self,
        members: tuple[NetMember, ...],
        picture: NetPicture,
        missing: tuple[NetFact, ...],
        extra: tuple[NetFact, ...],
    ) -> tuple[AttachResult, ...]:
        """N-19. Where the helper is gone it is started again, with the same words."""
        from sonata_core.sdk import user_mode

        def again(member: NetMember) -> AttachResult:
            self.net_detach(netns=member.netns, request=member.request, attached=member.attached)
            return self.net_attach(netns=member.netns, request=member.request)

        return user_mode.mend(self._context, members, missing, again)

    def _start(self, chosen: Arguments, files: _Files) -> None:
        """pasta goes to the background when it is ready."""
        # As the host's root it would become nobody, who may not enter the namespace.
        who = () if self._context.facts.rootless else ("--runas", "0")
        plain = (self._path, *who, "--pid", files.pid, *(chosen.with_host() if self._maps_host() else chosen.words))
        done = self._context.run_command(Command(argv=plain, timeout=_TIMEOUT))
        if done.code:
            helper_process.stop(_helper(files.pid))
            files.remove()
            said = (done.stderr or done.stdout).decode(errors="replace").strip()
            raise CommandFailed(
                f"pasta failed with exit code {done.code}:\n{said}",
                hint=_closed_port(said),
                argv=plain,
                code=done.code,
                stderr=said,
            )

    def _maps_host(self) -> bool:
        return "--map-guest-addr" in self._facts()["features"]

    def _result(self, netns: NetnsRef, chosen: Arguments, helper: HelperProcess) -> AttachResult:
        found = kernel.interfaces("pasta", netns.path)
        host = chosen.host or (HOST if self._maps_host() else kernel.host_address(found))
        return AttachResult(interfaces=found, dns_servers=(chosen.dns,), helpers=(helper,), host_address=host)

    def _facts(self) -> dict[str, Any]:
        return program_facts(self._context.cache, self._path, self._ask)

    def _ask(self) -> dict[str, Any]:
        """Version and long options, as the program itself lists them."""
        said = self._context.run_command(Command(argv=(self._path, "--help"), timeout=10.0))
        words = (said.stdout + b"\n" + said.stderr).decode(errors="replace").replace(",", " ").split()
        features = sorted({word.partition("=")[0] for word in words if word.startswith("--")})
        version = self._context.run_command(Command(argv=(self._path, "--version"), timeout=10.0))
        if version.code or "--config-net" not in features:
            raise HostLacks(f"{self._path} is too old: it has no --config-net", INSTALL)
        first = version.stdout.decode(errors="replace").split()
        return {"version": first[1] if len(first) > 1 else "", "features": features}


class _Files:
    """The files of one namespace's helper: named after its path, which is all that a late detach knows."""

    def __init__(self, run: str, netns: str) -> None:
        name = sha256_hex(netns.encode())[:16]
        self.record = os.path.join(run, f"{name}.json")
        self.pid = os.path.join(run, f"{name}.pid")

    def remove(self) -> None:
        """Absent is success."""
        for path in (self.pid, self.record):
            helper_process.forget(path)


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
    try:
        with open(_PORT_START, encoding="ascii") as file:
            first = int(file.read())
    except (OSError, ValueError):
        return None
    words = said.partition("Failed to bind")[2].replace("'", " ").replace(":", " ").replace("/", " ").split()
    port = next((int(word) for word in words if word.isdigit()), first)
    if port >= first:
        return None
    return f"ordinary users may publish ports from {first} on: choose one, or sysctl -w {_SETTING}={port}"
