"""One container's attachments: made, found again, and undone wherever they stopped."""

from __future__ import annotations

from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.spawn import is_netns, refuse_host_netns
from sonata_net_cni import conflist, results
from sonata_net_cni.cache import DATA, Memory, Results
from sonata_net_cni.chain import Chain, Spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import PluginContext
    from sonata_core.models.net import Attachment, AttachRequest, AttachResult, NetnsRef, NetworkDefinition
    from sonata_net_cni.conflist import ConfigList
    from sonata_net_cni.program import Programs

SHORT_ID = 12


class Attaching:
    """The attachments of one container in one namespace. The caller holds the lock."""

    def __init__(
        self,
        context: PluginContext,
        programs: Programs,
        data: str,
        where: tuple[NetnsRef, AttachRequest],
    ) -> None:
        self._context = context
        self._programs = programs
        self._results = Results(data)
        self._data = "" if data == DATA else data
        self._netns, self._request = where
        self._memory = Memory(context.run, self._request.container)

    def make(
        self, attachments: tuple[Attachment, ...], find: Callable[[NetworkDefinition], ConfigList]
    ) -> AttachResult:
        """ADD, each network after the other; what was made is undone if a later one fails."""
        made: list[tuple[dict[str, Any], Attachment]] = []
        try:
            for each in attachments:
                made.append((self._make_one(each, find(each.network)), each))
        except SonataError:
            self._undo(attachments, quietly=True)
            raise
        return results.attach_result(made)

    def undo(self, attachments: tuple[Attachment, ...]) -> None:
        """DEL of all, the last first. What plugins complain about is raised when all have been asked."""
        self._undo(attachments, quietly=False)

    def _make_one(self, attachment: Attachment, network: ConfigList) -> dict[str, Any]:
        spot = spot_of(self._netns, self._request, attachment, self._data)
        asked = _asked(network, spot)
        entry = self._memory.all().get(network.name)
        chain = Chain(self._programs, network)
        if entry is not None and entry.get("asked") == asked and entry.get("done") and self._stands(chain, spot, entry):
            return dict(entry["result"])
        if entry is not None or self._results.recall(network.name, spot) is not None:
            self._undo_one(attachment, quietly=True)
        begun: dict[str, Any] = {"asked": asked, "netns": spot.netns, "done": False, "result": None}
        self._memory.put(network.name, begun)
        result = chain.add(spot, lambda told: self._memory.put(network.name, {**begun, "result": told}))
        self._results.keep(network, spot, result)
        self._memory.put(network.name, {**begun, "done": True, "result": result})
        return result

    def _stands(self, chain: Chain, spot: Spot, entry: dict[str, Any]) -> bool:
        """Whether the interface that is remembered is there still. What the plugins behind it say is for the log:

        portmap 1.1 misses the IPv6 rules of networks that have no IPv6.
        """
        said = chain.check(spot, entry["result"])
        for plugin, text in said.items():
            self._context.log.info("cni_check_failed", plugin=plugin, text=text)
        return chain.maker not in said

    def _undo(self, attachments: tuple[Attachment, ...], *, quietly: bool) -> None:
        trouble: SonataError | None = None
        for each in reversed(attachments):
            try:
                self._undo_one(each, quietly=quietly)
            except SonataError as error:
                trouble = trouble or error
        if trouble is not None and not quietly:
            raise trouble

    def _undo_one(self, attachment: Attachment, *, quietly: bool) -> None:
        """DEL with the configuration that ADD was given, then what the plugins cannot find any more."""
        name = attachment.network.name
        spot, network, result = self._recall(attachment)
        if network is None:
            self._memory.drop(name)  # and the draft of a process that was killed while it wrote
            return
        try:
            self._take_down(Chain(self._programs, network), spot, result)
        except SonataError as error:
            if not quietly:
                raise
            self._context.log.warning("cni_delete_failed", network=name, text=error.message)
            return
        self._results.drop(name, spot)
        self._memory.drop(name)

    def _take_down(self, chain: Chain, spot: Spot, result: dict[str, Any] | None) -> None:
        from sonata_net_cni import sweep

        outer = self._request.outer
        if outer is not None and not is_netns(outer.path):
            chain.release(spot)
            return
        chain.delete(spot, result)
        sweep.sweep(self._context, chain.network, self._request.container, outer)

    def _recall(self, attachment: Attachment) -> tuple[Spot, ConfigList | None, dict[str, Any] | None]:
        """What an attachment was made with: our own notes, else libcni's."""
        name = attachment.network.name
        bare = spot_of(self._netns, self._request, attachment, self._data)
        entry = self._memory.all().get(name)
        if entry is not None:
            spot, network = _from_notes(entry["asked"], bare)
            result = entry.get("result")
        else:
            kept = self._results.recall(name, bare)
            if kept is None:
                return bare, None, None
            spot, network = _from_libcni(kept, bare)
            result = kept.get("result")
        spot = spot.replace(netns=self._netns.path if is_netns(self._netns.path) else "")
        refuse_host_netns(self._netns.path)
        told = result if isinstance(result, dict) else results.imagined(network.versions[0], _with_length(attachment))
        return spot, network, told


def spot_of(netns: NetnsRef, request: AttachRequest, attachment: Attachment, data: str) -> Spot:
    """What plugins are told: arguments and capabilities as Podman gives them, and those of the conventions beside."""
    args = [("IgnoreUnknown", "1"), ("K8S_POD_NAME", request.name)]
    capabilities: dict[str, Any] = {}
    if attachment.mac:
        args.append(("MAC", attachment.mac))
        capabilities["mac"] = attachment.mac
    if len(attachment.addresses) == 1:
        args.append(("IP", attachment.addresses[0]))
    if attachment.addresses:
        capabilities["ips"] = list(attachment.addresses)
    if request.ports:
        capabilities["portMappings"] = [one for port in request.ports for one in _mappings(port)]
    short = request.container[:SHORT_ID]
    aliases = [*(one for one in attachment.aliases if one != short), short]
    capabilities["aliases"] = {attachment.network.name: aliases}
    if request.dns_servers:
        capabilities["dns"] = {"servers": list(request.dns_servers)}
    ranges = [[{"subnet": one.subnet, "gateway": one.gateway}] for one in attachment.network.subnets if one.gateway]
    if ranges:
        capabilities["ipRanges"] = ranges
    if not is_interface(attachment.interface):
        raise UsageError(
            f"network interface {attachment.interface!r} invalid: at most 15 characters, no '/' among them"
        )
    for key, value in args:
        if set(";=") & set(value):
            raise UsageError(f"{key} {value!r} cannot be told to a CNI plugin: it has ';' or '='")
    return Spot(
        container=request.container,
        netns=netns.path,
        interface=attachment.interface,
        args=tuple(args),
        capabilities=capabilities,
        addresses=attachment.addresses,
        data=data,
    )


def is_interface(name: str) -> bool:
    """Whether a link, and a file of notes, can have that name."""
    return 0 < len(name) <= 15 and name.isprintable() and name not in (".", "..") and not set(name) & set("/: ")


def require_namespace(netns: NetnsRef) -> None:
    """Raise NotFound where no namespace is pinned, UsageError where it is the host's own."""
    if not is_netns(netns.path):
        raise NotFound(f"network namespace {netns.path}: there is none")
    refuse_host_netns(netns.path)


def _mappings(port: Any) -> list[dict[str, Any]]:
    """One mapping for each port of a range, as `portmap` wants them."""
    found = []
    for step in range(port.range):
        one = {
            "hostPort": port.host_port + step,
            "containerPort": port.container_port + step,
            "protocol": port.protocol,
        }
        found.append({**one, "hostIP": port.host_ip} if port.host_ip else one)
    return found


def _asked(network: ConfigList, spot: Spot) -> dict[str, Any]:
    """All that an attachment was made with, as JSON gives it back."""
    return {
        "path": network.path,
        "text": network.text,
        "interface": spot.interface,
        "args": [list(pair) for pair in spot.args],
        "capabilities": spot.capabilities,
        "addresses": list(spot.addresses),
        "data": spot.data,
        "netns": spot.netns,
    }


def _from_notes(asked: dict[str, Any], bare: Spot) -> tuple[Spot, ConfigList]:
    network = conflist.parse(asked["text"].encode(), asked["path"], single=not _is_list(asked["path"]))
    spot = bare.replace(
        interface=asked["interface"],
        args=tuple((key, value) for key, value in asked["args"]),
        capabilities=asked["capabilities"],
        addresses=tuple(asked["addresses"]),
        data=asked["data"],
    )
    return spot, network


def _from_libcni(kept: dict[str, Any], bare: Spot) -> tuple[Spot, ConfigList]:
    """As libcni wrote it down. Its own single configurations are written as what they were."""
    import base64
    import binascii

    try:
        text = base64.b64decode(kept["config"], validate=True)
    except binascii.Error as error:
        raise UsageError(f"libcni's note of network {kept['networkName']} makes no sense: {error}") from error
    network = conflist.parse(text, f"libcni's note of network {kept['networkName']}", single=b'"plugins"' not in text)
    pairs = [one for one in kept.get("cniArgs") or () if isinstance(one, list) and len(one) == 2]
    capabilities = kept.get("capabilityArgs")
    spot = bare.replace(
        args=tuple((str(key), str(value)) for key, value in pairs),
        capabilities=capabilities if isinstance(capabilities, dict) else {},
    )
    return spot, network


def _is_list(path: str) -> bool:
    return path.endswith(".conflist") or not path.startswith("/")


def _with_length(attachment: Attachment) -> list[str]:
    subnets = attachment.network.subnets
    lengths = [one.subnet.partition("/")[2] for one in subnets]
    return [f"{address}/{length}" for address, length in zip(attachment.addresses, lengths, strict=False)]
