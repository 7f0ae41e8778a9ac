"""The options of `--network slirp4netns:…` and of `network_cmd_options`, and the argument list that follows. Pure."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MTU = 65520
"""What Podman asks for: the largest that slirp4netns takes, less one."""
INTERFACE = "tap0"
EXIT_FD, READY_FD, FOLDER_FD = 3, 4, 5
_BOOLEANS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Options(Record):
    """How slirp4netns is to run."""

    cidr: str = "10.0.2.0/24"
    port_handler: str = "slirp4netns"
    allow_host_loopback: bool = False
    enable_ipv6: bool = True
    mtu: int = MTU
    outbound_addr: str = ""
    outbound_addr6: str = ""

    def address(self, number: int) -> str:
        """An address of the network: 2 is the gateway, 3 the name server, 100 the container."""
        base, _, _ = self.cidr.partition("/")
        parts = [int(part) for part in base.split(".")]
        value = int.from_bytes(bytes(parts), "big") + number
        return ".".join(str(part) for part in value.to_bytes(4, "big"))

    @property
    def prefix(self) -> int:
        """The network's prefix length."""
        return int(self.cidr.partition("/")[2])


def parse(defaults: Iterable[str], given: Mapping[str, str]) -> Options:
    """Options of the configuration (`KEY=VALUE`), then the container's own. Raises UsageError."""
    found: dict[str, object] = {}
    pairs = [text.partition("=")[::2] for text in defaults]
    for key, value in (*pairs, *given.items()):
        found[key] = _value(key, value)
    return Options(**found)  # type: ignore[arg-type]


def _value(key: str, value: str) -> object:
    if key in ("allow_host_loopback", "enable_ipv6"):
        if value.lower() not in _BOOLEANS:
            raise UsageError(f"invalid value of {key} for slirp4netns: {_quoted(value)}", "true or false")
        return _BOOLEANS[value.lower()]
    if key == "mtu":
        if not (value.isascii() and value.isdigit() and 68 <= int(value) <= 65521):
            raise UsageError(f"invalid mtu {_quoted(value)}", "a number between 68 and 65521")
        return int(value)
    if key == "cidr":
        return _cidr(value)
    if key == "port_handler":
        if value not in ("slirp4netns", "rootlesskit"):
            raise UsageError(f"unknown port_handler for slirp4netns: {_quoted(value)}", "port_handler=slirp4netns")
        return "slirp4netns"
    if key in ("outbound_addr", "outbound_addr6"):
        if not _is_outbound(key, value):
            colon = ":" if key == "outbound_addr6" else ""
            raise UsageError(f"invalid {key}{colon} {_quoted(value)}", "an address or an interface's name")
        return value
    raise UsageError(f"unknown option for slirp4netns: {_quoted(f'{key}={value}' if value else key)}")


def _is_outbound(key: str, value: str) -> bool:
    """Whether it is an address of the option's family, or an interface that there is."""
    import socket

    try:
        socket.inet_pton(socket.AF_INET6 if key == "outbound_addr6" else socket.AF_INET, value)
    except OSError:
        try:
            socket.if_nametoindex(value)
        except OSError:
            return False
    return not value.startswith("-")


def _quoted(text: str) -> str:
    """As Podman shows what it was given."""
    from sonata_core import json_text

    return json_text.dumps(text)


def _cidr(value: str) -> str:
    base, slash, length = value.partition("/")
    parts = base.split(".")
    right = slash and length.isdigit() and len(parts) == 4 and all(p.isdigit() and int(p) < 256 for p in parts)
    # Eight host bits at least, because .100 is the container; slirp4netns itself takes no more than 25.
    if not right or not 1 <= int(length) <= 25:
        raise UsageError(f"invalid cidr {_quoted(value)}", "an IPv4 network such as 10.0.2.0/24")
    number = int.from_bytes(bytes(int(part) for part in parts), "big")
    host_bits = 32 - int(length)
    masked = number >> host_bits << host_bits
    return ".".join(str(part) for part in masked.to_bytes(4, "big")) + f"/{int(length)}"


def arguments(options: Options, features: frozenset[str], *, lifetime: bool, socket: str, netns: str) -> list[str]:
    """The arguments of slirp4netns that this build knows. Raises UsageError for an option that needs a newer one."""
    found = [] if options.allow_host_loopback else ["--disable-host-loopback"]
    found.append(f"--mtu={options.mtu}")
    found += [flag for flag in ("--enable-sandbox", "--enable-seccomp") if flag in features]
    if options.enable_ipv6 and "--enable-ipv6" in features:
        found.append("--enable-ipv6")
    wanted = [("--cidr", options.cidr, Options().cidr), ("--outbound-addr", options.outbound_addr, "")]
    for flag, value, usual in (*wanted, ("--outbound-addr6", options.outbound_addr6, "")):
        if value == usual:
            continue
        if flag not in features:
            raise UsageError(f"this slirp4netns has no {flag}", "install a newer slirp4netns")
        found.append(f"{flag}={value}")
    found.append("-c")
    if lifetime:
        found += ["-e", str(EXIT_FD)]
    found += ["-r", str(READY_FD)]
    if socket:
        found += ["--api-socket", socket]
    return [*found, "--netns-type=path", netns, INTERFACE]
