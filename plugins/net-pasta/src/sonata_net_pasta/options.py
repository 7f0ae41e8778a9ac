"""From a request to pasta's argument list. Pure. Source: passt(1), and containers-common's rules for its defaults."""

from __future__ import annotations

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.models.net import PortMapping

DNS = "169.254.1.1"
"""What the container asks for names: pasta passes it on to the host's first name server."""
HOST = "169.254.1.2"
"""Under which the container reaches the host, where pasta knows --map-guest-addr."""
_SHORT = {"-t": "--tcp-ports", "-u": "--udp-ports", "-T": "--tcp-ns", "-U": "--udp-ns"}


class Arguments:
    """A command line of pasta, and what follows from it."""

    __slots__ = ("dns", "host", "words")

    def __init__(self, given: Iterable[str], ports: Iterable[PortMapping], netns: str) -> None:
        """`given` are pasta's own options, those of the configuration before the container's. Raises Unsupported."""
        words = ["--config-net", *(word for word in given if word != "--map-gw")]
        known = {_name(word) for word in words}
        for port in ports:
            words += _port(port)
        known |= {_SHORT.get(word, word) for word in words if word.startswith("-")}
        self.dns = _value(words, "--dns-forward")
        if not self.dns:
            self.dns = DNS
            words += ["--dns-forward", DNS]
        for short, long in _SHORT.items():
            if long not in known:
                words += [short, "none"]
        if "--no-map-gw" not in known and "--map-gw" not in given:
            words.append("--no-map-gw")
        if not {"-d", "--debug", "--trace"} & known:
            words.append("--quiet")
        self.host = _value(words, "--map-guest-addr")
        self.words = (*words, "--netns", netns)

    def with_host(self) -> tuple[str, ...]:
        """The words with an address for the host, unless one was given."""
        return self.words if self.host else (*self.words, "--map-guest-addr", HOST)


def _name(word: str) -> str:
    name = word.partition("=")[0]
    return _SHORT.get(name, name)


def _value(words: list[str], name: str) -> str:
    for at, word in enumerate(words):
        if word.startswith(name + "="):
            return word.partition("=")[2]
        if word == name and at + 1 < len(words):
            return words[at + 1]
    return ""


def _port(port: PortMapping) -> list[str]:
    """`-t HOST/FROM-TO:FROM-TO`, once for each protocol."""
    words = []
    for protocol in port.protocol.split(","):
        if protocol not in ("tcp", "udp"):
            raise Unsupported(f"can't forward protocol: {protocol}", "pasta forwards tcp and udp")
        last = port.range - 1
        host = f"{port.host_port}-{port.host_port + last}" if last else str(port.host_port)
        inner = f"{port.container_port}-{port.container_port + last}" if last else str(port.container_port)
        address = f"{port.host_ip}/" if port.host_ip else ""
        words += ["-t" if protocol == "tcp" else "-u", f"{address}{host}:{inner}"]
    return words
