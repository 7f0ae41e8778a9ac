"""Options about names: whom a container asks for them, what it finds in its hosts file."""

from __future__ import annotations

from sonata.model.container import NetworkMode
from sonata.plan.addresses import is_address
from sonata.plan.values import go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.request import RunRequest


def require_consistent(request: RunRequest, mode: NetworkMode, *, hosts_off: bool) -> None:
    """Raises UsageError, with Podman's texts, for options that exclude each other."""
    if mode in (NetworkMode.NONE, NetworkMode.CONTAINER) and (request.dns or request.dns_search or request.dns_option):
        raise UsageError(f"conflicting options: dns and the network mode: {mode}")
    if mode == NetworkMode.CONTAINER and request.add_host:
        raise UsageError(
            "invalid config provided: cannot set extra host entries when the container is joined to another containers "
            "network namespace: invalid configuration"
        )
    if request.dns == ("none",) and request.dns_search:
        raise UsageError("invalid config provided: UseImageResolvConf and DNSSearch are mutually exclusive options")
    if request.dns == ("none",) and request.dns_option:
        raise UsageError("invalid config provided: UseImageResolvConf and DNSOption are mutually exclusive options")
    if hosts_off and request.add_host:
        raise UsageError("--no-hosts and --add-host cannot be set together")
    if request.no_hosts and request.hosts_file:
        raise UsageError("--no-hosts and --hosts-file cannot be set together")


def servers(given: tuple[str, ...]) -> tuple[str, ...]:
    """The values of `--dns`; none for `none`. Raises UsageError."""
    if given == ("none",):
        return ()
    for server in given:
        if server == "none":
            raise UsageError("none is not allowed to be specified with other DNS ip addresses")
        if not is_address(server):
            raise UsageError(f"{server} is not an ip address")
    return given


def searched(domains: tuple[str, ...]) -> tuple[str, ...]:
    """The values of `--dns-search`. Raises UsageError."""
    if "." in domains and len(domains) > 1:
        raise UsageError("cannot pass additional search domains when also specifying '.'")
    for domain in domains:
        if domain != "." and not _is_domain(domain):
            raise UsageError(f"{domain} is not a valid domain")
    return domains


def _is_domain(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return (
        len(text) < 255
        and text.isascii()
        and any(char.isalpha() for char in text)
        and all(label.replace("-", "").isalnum() and label.strip("-") == label for label in labels)
    )


def added_host(text: str) -> str:
    """A value of `--add-host` as it is kept: an address has no brackets. Raises UsageError."""
    names, colon, address = text.partition(":")
    if not colon or not names:
        raise UsageError(f"bad format for add-host: {go_quote(text)}")
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if bare != "host-gateway" and not is_address(bare):
        raise UsageError(f"invalid IP address in add-host: {go_quote(address)}")
    return f"{names}:{bare}"
