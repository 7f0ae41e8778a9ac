"""The network backend that runs CNI plugins. Contract: docs/contract/net.md."""

from __future__ import annotations

import os

from sonata_core.errors import AlreadyExists, Denied, HostLacks, NotFound, UsageError
from sonata_core.hookspecs.net import NetHooks, NetKeeper, NetLive, NetManaged, NetReload
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.net import AttachResult, InterfaceResult, NetFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk.locks import lock_file
from sonata_net_cni import cache, conflist, definition, program
from sonata_net_cni.attaching import Attaching, require_namespace

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, NetnsRef, NetworkDefinition, NetworkWish
    from sonata_core.sdk.locks import FileLock
    from sonata_net_cni.conflist import ConfigList

VERSION = "0.1.0"
FOLDER = "/etc/cni/net.d"


class CniNet(NetHooks, NetManaged, NetLive, NetReload, NetKeeper):
    """Networks of CNI configuration lists, run by the host's CNI plugins.

    A network's list is the file of that name in the configuration folder; a definition that has none is run
    by the list that Podman would write for it. Every list of the folder is a network, whoever wrote it.
    """

    def __init__(self, context: PluginContext) -> None:
        self._context = context
        config = context.config
        self._folder = str(config.get("cni_config_dir") or FOLDER)
        # An ordinary user may not write where libcni does: his notes go with the boot, as his namespaces do.
        usual = os.path.join(context.run, "cni") if context.facts.rootless else cache.DATA
        self._data = str(config.get("cni_data_dir") or usual)
        self._dirs = tuple(str(one) for one in config.get("cni_plugin_dirs") or ())

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="cni",
            version=VERSION,
            summary="networks of CNI configuration lists by CNI plugins",
            contract="net/1.3",
        )

    @hookimpl
    def net_facts(self) -> NetFacts:
        """N-10. Raises HostLacks with the reason where plugins cannot be run here."""
        facts = self._context.facts
        if facts.capabilities and "NET_ADMIN" not in facts.capabilities:
            raise HostLacks("CNI plugins need CAP_NET_ADMIN", "run as root, or with that capability")
        programs = self._programs(None)
        return NetFacts(
            modes=("bridge",),
            version=programs.versions("bridge")[-1],
            program=programs.find("bridge"),
            drivers=tuple(name for name in ("bridge", "macvlan", "ipvlan") if programs.has(name)),
            protocols=("tcp", "udp", "sctp") if programs.has("portmap") else (),
            dns=programs.has(definition.DNSNAME),
            ipv6=os.path.exists("/proc/sys/net/ipv6"),
            rootless=True,
            outer=True,
        )

    @hookimpl
    def net_attach(self, netns: NetnsRef, request: AttachRequest) -> AttachResult:
        """N-01, N-02, N-05, N-07. A second call with the same request answers with what is there, if CHECK agrees."""
        with self._lock():
            if request.attachments:
                self._raise_loopback(netns, request)
            return self._attach(netns, request, request.attachments)

    @hookimpl
    def net_detach(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult | None) -> None:
        """N-03, N-04, N-09. Bridges stay, as CNI's plugins leave them."""
        with self._lock():
            self._attaching(netns, request).undo(request.attachments)

    @hookimpl
    def net_connect(self, netns: NetnsRef, request: AttachRequest, attachment: Attachment) -> AttachResult:
        """N-12. The result is of the new interface alone."""
        with self._lock():
            return self._attach(netns, request, (attachment,))

    @hookimpl
    def net_disconnect(self, netns: NetnsRef, request: AttachRequest, attachment: Attachment) -> None:
        """N-12. Absent is success."""
        with self._lock():
            self._attaching(netns, request).undo((attachment,))

    @hookimpl
    def net_reload(self, netns: NetnsRef, request: AttachRequest, attached: AttachResult) -> AttachResult:
        """N-13. DEL and ADD, as Podman does: with the same addresses, IP and hardware."""
        before = {(each.network, each.interface): each for each in attached.interfaces}
        attachments = []
        for each in request.attachments:
            was = before.get((each.network.name, each.interface), InterfaceResult(network="", interface=""))
            # Only host-local can be asked for addresses in this form; others have their own ways to give the same.
            asked = was.addresses if each.network.ipam_driver == "host-local" else ()
            addresses = tuple(one.address.partition("/")[0] for one in asked)
            attachments.append(each.replace(mac=each.mac or was.mac, addresses=each.addresses or addresses))
        with self._lock():
            self._attaching(netns, request).undo(request.attachments)
            return self._attach(netns, request, tuple(attachments))

    @hookimpl
    def net_plan(self, wish: NetworkWish, existing: tuple[NetworkDefinition, ...]) -> NetworkDefinition:
        """N-08. What the wish leaves open, decided. Raises UsageError, Conflict, Unsupported."""
        from sonata_net_cni import planning

        return planning.plan(wish, existing, dnsname=self._programs(None).has(definition.DNSNAME))

    @hookimpl
    def net_forget(self, definition: NetworkDefinition) -> None:
        """N-11, N-20. The list that was written for it goes, the bridge with it, and the notes of its addresses."""
        from sonata_net_cni import forgetting

        with self._lock():
            if forgetting.collect(self._programs(None), lambda: self._find(definition)):
                self._context.log.debug("cni_gc", network=definition.name)
            forgetting.forget(self._context, self._kept(definition.name), (definition, self._data))

    @hookimpl
    def net_known(self) -> tuple[NetworkDefinition, ...]:
        """N-20. Every list of the folder that makes sense; what does not is for the log."""
        found = []
        for path, network in conflist.read_folder(self._folder):
            if isinstance(network, UsageError):
                self._context.log.warning("cni_configuration_passed_over", file=path, text=network.message)
            else:
                found.append(definition.definition_of(network, _created(path)))
        return tuple(found)

    @hookimpl
    def net_keep(self, definition: NetworkDefinition) -> NetworkDefinition:
        """N-20. Write the network's list. Raises AlreadyExists where there is one of that name, Denied."""
        with self._lock():
            return self._keep(definition)

    @hookimpl
    def net_taken(self, definition: NetworkDefinition) -> dict[str, str]:
        """N-20. The addresses that host-local has given away, to whomever."""
        return cache.leased(self._data, definition.name)

    def _keep(self, wanted: NetworkDefinition) -> NetworkDefinition:
        from sonata_net_cni import forgetting

        path = f"{self._folder}/{wanted.name}.conflist"
        if self._look_up(wanted.name) is not None or os.path.lexists(path):
            raise AlreadyExists(f"network name {wanted.name} already used: network already exists", name=wanted.name)
        forgetting.write(path, definition.text_of(wanted), self._kept(wanted.name))
        return definition.definition_of(conflist.read_file(path), wanted.created)

    def _attach(self, netns: NetnsRef, request: AttachRequest, attachments: tuple[Attachment, ...]) -> AttachResult:
        if not attachments:
            return AttachResult()
        require_namespace(netns)
        return self._attaching(netns, request).make(attachments, self._find)

    def _raise_loopback(self, netns: NetnsRef, request: AttachRequest) -> None:
        """As Podman does before the first network, by the plugin for it."""
        require_namespace(netns)
        call = program.Call(verb="ADD", container=request.container, netns=netns.path, interface="lo")
        self._programs(request.outer).call("loopback", call, {"cniVersion": "0.4.0", "name": "lo", "type": "loopback"})

    def _attaching(self, netns: NetnsRef, request: AttachRequest) -> Attaching:
        programs = self._programs(request.outer)
        return Attaching(self._context, programs, self._data, (netns, request))

    def _find(self, wanted: NetworkDefinition) -> ConfigList:
        """The list that runs a network: the folder's, else the one that Podman would write."""
        return self._look_up(wanted.name) or definition.list_of(wanted)

    def _look_up(self, name: str) -> ConfigList | None:
        """A network of the folder. Raises UsageError where the file that bears its name is refused."""
        for path, network in conflist.read_folder(self._folder):
            if isinstance(network, UsageError):
                if os.path.basename(path).rpartition(".")[0] == name:
                    raise network
            elif network.name == name:
                return network
        return None

    def _programs(self, outer: NetnsRef | None) -> program.Programs:
        return program.Programs(self._context, self._dirs, outer)

    def _kept(self, name: str) -> str:
        """Where it is noted that a network's list is ours."""
        return os.path.join(self._context.root, "kept", name)

    def _lock(self) -> FileLock:
        """Podman's own lock: it lies in the folder of lists, and its CNI backend takes it too."""
        try:
            return lock_file(f"{self._folder}/cni.lock")
        except Denied:
            return lock_file(os.path.join(self._context.run, "cni.lock"))


def _created(path: str) -> str:
    """When a file was last changed, as Podman says it of its networks."""
    import time

    try:
        moment = os.stat(path).st_ctime_ns
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from error
    seconds, rest = divmod(moment, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
