"""User-mode networking by slirp4netns: no privilege, no firewall, one process per container.

Contract: docs/contract/net.md. Ports are forwarded by slirp4netns itself, so that a server sees
where a connection comes from.
"""

from __future__ import annotations

import os

from sonata_core.errors import HostLacks, NotFound, Unsupported
from sonata_core.hookspecs.net import NetHooks, NetReconcile
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command
from sonata_core.sdk import helper_process
from sonata_core.sdk import interfaces as kernel
from sonata_core.sdk.hashes import sha256_hex
from sonata_core.sdk.program_facts import program_facts
from sonata_net_slirp4netns import options as slirp_options
from sonata_net_slirp4netns import ports

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import AttachRequest, NetFact, NetMember, NetnsRef, NetPicture, NetworkDefinition
    from sonata_core.models.process import HelperProcess

VERSION = "0.1.0"
INSTALL = "install slirp4netns (Debian: apt-get install slirp4netns)"
TUN = "/dev/net/tun"
SANDBOX = "--enable-sandbox"


class Slirp4netnsNet(NetHooks, NetReconcile):
    """One slirp4netns per container, found again by the namespace's path alone."""

    def __init__(self, context: PluginContext) -> None:
        path = context.find_program("slirp4netns")
        if path is None:
            raise HostLacks("slirp4netns not found in the helper folders or PATH", INSTALL)
        self._context = context
        self._path = path

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="slirp4netns",
            version=VERSION,
            summary="user-mode networking by slirp4netns, with ports that keep the source address",
            contract="net/1.2",
        )

    @hookimpl
    def net_facts(self) -> NetFacts:
        """N-10. Raises HostLacks where the tunnel device cannot be opened."""
        if not os.access(TUN, os.R_OK | os.W_OK):
            raise HostLacks(
                f"slirp4netns needs {TUN}, which this user may not open",
                f"modprobe tun; chmod 0666 {TUN}" if os.path.exists(TUN) else "modprobe tun",
            )
        facts = self._facts()
        return NetFacts(
            modes=("slirp4netns",),
            version=str(facts["version"]),
            program=self._path,
            protocols=("tcp", "udp"),
            dns=False,
            ipv6="--enable-ipv6" in facts["features"],
            rootless=True,
        )

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        """N-01, N-02, N-05. The helper ends with `lifetime_fd`, with `net_detach`, or never."""
        chosen = slirp_options.parse(self._context.config.get("cmd_options") or (), request.options)
        for port in request.ports:
            if port.protocol not in ("tcp", "udp"):
                raise Unsupported(f"slirp4netns can't forward protocol {port.protocol}", "publish tcp or udp ports")
        if not os.path.exists(netns.path):
            raise NotFound(f"slirp4netns: network namespace {netns.path}: no such file")
        files = _Files(self._context.run, netns.path)
        asked = _asked(request, chosen)
        known = helper_process.load(files.record)
        if known is not None and helper_process.is_alive(known[0]):
            if known[1].get("asked") == asked:
                return _result(chosen, known[0])
            helper_process.stop(known[0])
        files.remove()
        helper = self._start(netns, request, chosen, files)
        try:
            helper_process.save(files.record, helper, asked=asked)
            ports.forward(files.socket, request.ports, chosen.address(100))
        except BaseException:
            helper_process.stop(helper)
            files.remove()
            raise
        return _result(chosen, helper)

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        """N-03, N-04, N-06. On return the helper is gone, and with it every port."""
        files = _Files(self._context.run, netns.path)
        known = helper_process.load(files.record)
        helpers = [] if known is None else [known[0]]
        helpers += [] if attached is None else [each for each in attached.helpers if each not in helpers]
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

    def _start(
        self, netns: NetnsRef, request: AttachRequest, chosen: slirp_options.Options, files: _Files
    ) -> HelperProcess:
        features = frozenset(self._facts()["features"])
        lifetime = request.lifetime_fd >= 0
        # A socket's address has room for 107 bytes: the helper is given the folder as a descriptor.
        socket = f"/proc/self/fd/{slirp_options.FOLDER_FD}/{os.path.basename(files.socket)}" if request.ports else ""
        argv = slirp_options.arguments(chosen, features, lifetime=lifetime, socket=socket, netns=netns.path)
        os.makedirs(self._context.run, mode=0o700, exist_ok=True)
        folder = os.open(self._context.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        ready, written = os.pipe()
        try:
            fds = {slirp_options.READY_FD: written, slirp_options.FOLDER_FD: folder}
            if lifetime:
                fds[slirp_options.EXIT_FD] = request.lifetime_fd
            env = {"PATH": self._context.facts.path}
            try:
                started = helper_process.spawn((*self._apart(argv), self._path, *argv), env=env, fds=fds, log=files.log)
                helper = started.replace(name="slirp4netns")
            finally:
                os.close(written)
            try:
                helper_process.wait_ready(helper, ready, files.log)
            except BaseException:
                helper_process.stop(helper)
                files.remove()
                raise
            return helper
        finally:
            os.close(ready)
            os.close(folder)

    def _apart(self, argv: list[str]) -> tuple[str, ...]:
        """What starts the helper in a mount namespace that hears of the host's mounts and is not heard.

        slirp4netns 1.2 makes only `/` private before its sandbox detaches the old root: where
        the folder of the namespaces is shared, as engines make it, every pinned network namespace
        of the host would be unmounted with it. Without `unshare` it goes without its sandbox.
        """
        if SANDBOX not in argv:
            return ()
        unshare = self._context.find_program("unshare")
        if unshare is None:
            argv.remove(SANDBOX)
            return ()
        return (unshare, "--mount", "--propagation", "slave", "--")

    def _facts(self) -> dict[str, Any]:
        return program_facts(self._context.cache, self._path, self._ask)

    def _ask(self) -> dict[str, Any]:
        """Version and long options, as the program itself lists them."""
        said = self._context.run_command(Command(argv=(self._path, "--help"), timeout=10.0))
        words = (said.stdout + b"\n" + said.stderr).decode(errors="replace").replace(",", " ").split()
        features = sorted({word.partition("=")[0] for word in words if word.startswith("--")})
        version = self._context.run_command(Command(argv=(self._path, "--version"), timeout=10.0))
        if version.code or not features:
            raise HostLacks(f"{self._path} does not say what it can do", INSTALL)
        first = version.stdout.decode(errors="replace").split()
        return {"version": first[2] if len(first) > 2 else "", "features": features}


class _Files:
    """The files of one namespace's helper: named after its path, which is all that a late detach knows."""

    def __init__(self, run: str, netns: str) -> None:
        name = sha256_hex(netns.encode())[:16]
        self.record = os.path.join(run, f"{name}.json")
        self.log = os.path.join(run, f"{name}.log")
        self.socket = os.path.join(run, f"{name}.sock")

    def remove(self) -> None:
        """Absent is success."""
        for path in (self.socket, self.log, self.record):
            helper_process.forget(path)


def _asked(request: AttachRequest, chosen: slirp_options.Options) -> list[object]:
    """What makes two requests the same, as JSON has it."""
    ports_asked = [
        [port.host_ip, port.host_port, port.container_port, port.range, port.protocol] for port in request.ports
    ]
    return [request.container, ports_asked, repr(chosen)]


def _result(chosen: slirp_options.Options, helper: HelperProcess) -> AttachResult:
    address = AddressResult(address=f"{chosen.address(100)}/{chosen.prefix}", gateway=chosen.address(2))
    interface = InterfaceResult(network="slirp4netns", interface=slirp_options.INTERFACE, addresses=(address,))
    return AttachResult(
        interfaces=(interface,),
        dns_servers=(chosen.address(3),),
        helpers=(helper,),
        host_address=kernel.host_address((interface,)),
    )
