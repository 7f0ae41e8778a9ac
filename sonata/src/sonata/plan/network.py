"""Network options: which mode, which networks with which addresses."""

from __future__ import annotations

from sonata.model.container import NamespaceChoice, NamespaceKind, NetworkMode, NetworkUse
from sonata.plan import addresses
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.model.defaults import Defaults
    from sonata.model.materials import Materials
    from sonata.model.request import NetworkOptions
    from sonata_core.models.host import HostFacts

_SIMPLE = {"none": NetworkMode.NONE, "host": NetworkMode.HOST, "private": NetworkMode.PRIVATE, "pod": NetworkMode.POD}
_WITH_OPTIONS = {"slirp4netns": NetworkMode.SLIRP4NETNS, "pasta": NetworkMode.PASTA}
_MODES = {name: name for name in (*_SIMPLE, *_WITH_OPTIONS, "container")} | {"default": "private", "ns": "path"}
"""What Podman calls the mode that a word stands for, of those that are no network's name."""
NO_POD = "cannot use pod namespace as container is not joining a pod or pod has no infra container: invalid argument"
_KINDS = {
    NetworkMode.HOST: NamespaceKind.HOST,
    NetworkMode.NONE: NamespaceKind.NONE,
    NetworkMode.CONTAINER: NamespaceKind.CONTAINER,
    NetworkMode.PATH: NamespaceKind.PATH,
    NetworkMode.POD: NamespaceKind.POD,
}


class Choice:
    """What the network options came to."""

    __slots__ = ("mode", "networks", "options", "value")

    def __init__(self, mode: NetworkMode, value: str = "", options: tuple[str, ...] = ()) -> None:
        self.mode, self.value, self.options = mode, value, options
        self.networks: tuple[NetworkUse, ...] = ()

    def namespace(self) -> NamespaceChoice:
        """How the container gets its network namespace."""
        return NamespaceChoice(kind=_KINDS.get(self.mode, NamespaceKind.PRIVATE), value=self.value)


def decide(given: NetworkOptions, materials: Materials, facts: HostFacts, defaults: Defaults) -> Choice:
    """The mode and the attachments wanted. Raises UsageError with Podman's texts."""
    require_alike(given)
    texts = _texts(given) or (defaults.netns,)
    choices = [_read(text, materials, facts, defaults) for text in texts]
    first = choices[0]
    if len(choices) > 1:
        for choice in choices:
            if choice.mode != NetworkMode.BRIDGE:
                raise UsageError(
                    "cannot set multiple networks without bridge network mode, "
                    f"selected mode {choice.mode}: invalid argument"
                )
        first.networks = _distinct([use for choice in choices for use in choice.networks], defaults.default_network)
    _single_options(given, first)
    return first


def require_alike(given: NetworkOptions) -> None:
    """Of several options all must name networks, whatever image is meant. Raises UsageError with Podman's texts."""
    names = [text.partition(":")[0] for text in given.network or ()]
    if len(names) < 2:
        return
    if names[0] in _MODES:
        mode = _MODES[names[0]]
        raise UsageError(
            f"cannot set multiple networks without bridge network mode, selected mode {mode}: invalid argument"
        )
    for name in names[1:]:
        if name in _MODES or name == "bridge":
            raise UsageError(
                f"can only set extra network names, selected mode {name} conflicts with bridge: invalid argument"
            )


def _texts(given: NetworkOptions) -> tuple[str, ...]:
    if given.network and len(given.network) == 1 and "," in given.network[0] and ":" not in given.network[0]:
        return tuple(given.network[0].split(","))
    return given.network or ()


def _read(text: str, materials: Materials, facts: HostFacts, defaults: Defaults) -> Choice:
    name, _, rest = text.partition(":")
    if text in ("", "default"):
        return _default(facts, defaults)
    if name in _SIMPLE and text == name:
        mode = _SIMPLE[name]
        if mode == NetworkMode.POD:
            raise UsageError(NO_POD)
        return _default(facts, defaults) if mode == NetworkMode.PRIVATE else Choice(mode)
    if name in _WITH_OPTIONS:
        return Choice(_WITH_OPTIONS[name], "", tuple(part for part in rest.split(",") if part))
    if not name:
        raise UsageError("network name cannot be empty")
    if name == "container" and text != name:
        return Choice(NetworkMode.CONTAINER, joined(rest, materials))
    if name == "ns" and text != name:
        if not rest:
            raise UsageError("invalid config provided: namespace mode path requires a value")
        return Choice(NetworkMode.PATH, rest)
    choice = Choice(NetworkMode.BRIDGE)
    choice.networks = (_use("", rest) if name == "bridge" else _named(name, rest),)
    return choice


def _named(name: str, rest: str) -> NetworkUse:
    try:
        return _use(name, rest)
    except UsageError as error:
        reason = error.message.removesuffix(": invalid argument")
        raise UsageError(f"invalid option for network {name}: {reason}", error.hint) from error


def _default(facts: HostFacts, defaults: Defaults) -> Choice:
    if facts.rootless and not defaults.netns:
        return Choice(_WITH_OPTIONS.get(defaults.rootless_network, NetworkMode.PASTA))
    choice = Choice(NetworkMode.BRIDGE)
    choice.networks = (NetworkUse(network=""),)
    return choice


def joined(name: str, materials: Materials) -> str:
    """The id of a container that a namespace option names. Raises UsageError."""
    if not name:
        raise UsageError("invalid config provided: namespace mode container requires a value")
    if name not in materials.containers:
        raise UsageError(
            "looking up container to share namespace with: "
            f'no container with name or ID "{name}" found: no such container'
        )
    return materials.containers[name].id


def _distinct(uses: list[NetworkUse], default: str) -> tuple[NetworkUse, ...]:
    """One that was given twice, also as `bridge` and by name, is taken as it was given last, as Podman takes it."""
    found = tuple({use.network or default: use for use in uses}.values())
    names = [use.interface for use in found if use.interface]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"network interface name {go_quote(name)} is already assigned to another network")
    return found


def _use(name: str, rest: str) -> NetworkUse:
    ips: list[str] = []
    aliases: list[str] = []
    mac = interface = ""
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else ():
        key, _, value = part.partition("=")
        if key in ("ip", "ip6"):
            if not addresses.is_address(value):
                raise UsageError(f"invalid ip address {go_quote(value)}")
            ips.append(value)
        elif key == "mac":
            mac = require_mac(value)
        elif key == "alias":
            if not value:
                raise UsageError("alias cannot be empty: invalid argument")
            aliases.append(value)
        elif key == "interface_name":
            interface = _require_interface(value)
        else:
            options[key] = value
    return NetworkUse(
        network=name, interface=interface, static_ips=tuple(ips), mac=mac, aliases=tuple(aliases), options=options
    )


def interfaces(uses: Iterable[NetworkUse]) -> list[str]:
    """The name of each interface: what was asked for, else the first `ethN` that no other has."""
    wanted = [use.interface for use in uses]
    numbers = (name for name in map("eth{}".format, range(2 * len(wanted))) if name not in wanted)
    return [name or next(numbers) for name in wanted]


def _require_interface(name: str) -> str:
    if not name:
        raise UsageError("interface_name cannot be empty: invalid argument")
    if len(name) > 15 or any(char in "/: \t\n" for char in name) or name in (".", ".."):
        raise UsageError(f"invalid interface name {go_quote(name)}: at most 15 characters without / : or blanks")
    return name


def require_mac(text: str) -> str:
    """A MAC address in its usual form. Raises UsageError."""
    parts = text.replace("-", ":").split(":")
    if len(parts) != 6 or any(len(part) != 2 or set(part.lower()) - set("0123456789abcdef") for part in parts):
        raise UsageError(f"address {text}: invalid MAC address")
    return ":".join(parts).lower()


def _single_options(given: NetworkOptions, choice: Choice) -> None:
    """`--ip`, `--ip6`, `--mac-address` and `--network-alias` hold for one bridge network only."""
    for text in (given.ip, given.ip6):
        if text and not addresses.is_address(text):
            raise UsageError(f"{go_quote(text)} is not an ip address")
    mac = require_mac(given.mac_address) if given.mac_address else ""
    single = {"ip": given.ip, "ip6": given.ip6, "mac-address": mac, "network-alias": given.network_alias}
    for option, value in single.items():
        if not value:
            continue
        if choice.mode != NetworkMode.BRIDGE:
            raise UsageError(f"--{option} can only be set when the network mode is bridge: invalid argument")
        if len(choice.networks) != 1 and option != "network-alias":
            raise UsageError(f"--{option} can only be set for a single network: invalid argument")
    if any(single.values()):
        extra = tuple(text for text in (given.ip, given.ip6) if text)
        choice.networks = tuple(
            use.replace(
                static_ips=use.static_ips + extra,
                mac=mac or use.mac,
                aliases=use.aliases + given.network_alias,
            )
            for use in choice.networks
        )
