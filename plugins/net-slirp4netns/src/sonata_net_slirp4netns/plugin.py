"""User-mode networking by slirp4netns: no privilege, no firewall, one process per container.

Contract: docs/contract/net.md. Ports are forwarded by slirp4netns itself, so that a server sees
where a connection comes from.
"""

from __future__ import annotations

import os

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.net import AddressResult, AttachResult, InterfaceResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk import helper_process
from sonata_core.sdk import interfaces as kernel
from sonata_core.sdk.user_mode_net import UserModeNet
from sonata_net_slirp4netns import options as slirp_options
from sonata_net_slirp4netns import ports

if TYPE_CHECKING:
    from sonata_core.models.net import AttachRequest, NetnsRef
    from sonata_core.models.process import HelperProcess

VERSION = "0.1.0"
SANDBOX = "--enable-sandbox"


class Slirp4netnsNet(UserModeNet):
    """One slirp4netns per container."""

    program = "slirp4netns"
    absent = "slirp4netns not found in the helper folders or PATH"
    install = "install slirp4netns (Debian: apt-get install slirp4netns)"
    version_word = 2
    suffixes = ("sock", "log", "json")

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
        self._need_tunnel()
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

        def ready(files: dict[str, str], helper: HelperProcess, new: bool) -> AttachResult:
            if new:
                ports.forward(files["sock"], request.ports, chosen.address(100))
            return _result(chosen, helper)

        return self._attached(
            netns,
            _asked(request, chosen),
            start=lambda files: self._start(netns, request, chosen, files),
            result=ready,
        )

    def _start(
        self, netns: NetnsRef, request: AttachRequest, chosen: slirp_options.Options, files: dict[str, str]
    ) -> HelperProcess:
        features = frozenset(self._facts()["features"])
        lifetime = request.lifetime_fd >= 0
        # A socket's address has room for 107 bytes: the helper is given the folder as a descriptor.
        socket = f"/proc/self/fd/{slirp_options.FOLDER_FD}/{os.path.basename(files['sock'])}" if request.ports else ""
        argv = slirp_options.arguments(chosen, features, lifetime=lifetime, socket=socket, netns=netns.path)
        folder = os.open(self._context.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        ready, written = os.pipe()
        try:
            fds = {slirp_options.READY_FD: written, slirp_options.FOLDER_FD: folder}
            if lifetime:
                fds[slirp_options.EXIT_FD] = request.lifetime_fd
            env = {"PATH": self._context.facts.path}
            try:
                started = helper_process.spawn(
                    (*self._apart(argv), self._path, *argv), env=env, fds=fds, log=files["log"]
                )
                helper = started.replace(name="slirp4netns")
            finally:
                os.close(written)
            try:
                helper_process.wait_ready(helper, ready, files["log"])
            except BaseException:
                helper_process.stop(helper)
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
