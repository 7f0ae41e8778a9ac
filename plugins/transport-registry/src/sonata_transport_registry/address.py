"""Which host may be asked what: origins, redirects, and where a password may go.

A registry answers with addresses of its own choosing: the realm of its token server, the place of
an upload, a redirect to a blob store. None of them is trusted with credentials by default; see
GHSA-vh4v (redirects) and CVE-2026-33540 (realms) for what happens otherwise.
"""

from __future__ import annotations

from sonata_core.errors import Denied, RegistryFailure, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import shown
from sonata_core.record import Record

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from urllib.parse import SplitResult

_SHARED_SUFFIXES = ("azurecr.io", "amazonaws.com", "github.io", "run.app", "pkg.dev", "cloudapp.net", "herokuapp.com")
"""Domains below which anyone may have a host: the same parent says nothing about the owner."""


class Origin(Record):
    """A scheme and a host with its port."""

    scheme: str
    host: str
    port: int

    @property
    def netloc(self) -> str:
        """`host`, with the port where it is not the scheme's own; an IPv6 address in brackets."""
        host = bracketed(self.host)
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


_PORTS = {"https": 443, "http": 80}


def bracketed(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host


def origin_of(scheme: str, authority: str) -> Origin:
    """The origin of a registry as a name's domain spells it."""
    host, _, port = authority.partition(":")
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number < 65536:
        raise UsageError(f"{shown(authority)} is no host and port: the port is out of range")
    return Origin(scheme=scheme, host=host.lower(), port=number)


def split(url: str) -> tuple[Origin, str]:
    """An absolute URL as origin and target. Raises RegistryFailure for what no registry may send us to."""
    from urllib.parse import urlsplit

    if not url.isascii() or any(ord(character) <= 32 for character in url):
        raise RegistryFailure("a registry sent an address with characters that an address may not have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise RegistryFailure(f"a registry sent an address that is none: {error}") from error
    _refuse_odd(parts)
    host = (parts.hostname or "").lower()
    origin = Origin(scheme=parts.scheme, host=host, port=_PORTS[parts.scheme] if port is None else port)
    return origin, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _refuse_odd(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS or not parts.hostname:
        raise RegistryFailure(f"a registry sent us to an address of scheme {shown(parts.scheme)}: it is not followed")
    if parts.username is not None or parts.password is not None:
        raise RegistryFailure("a registry sent us to an address with a user name in it: it is not followed")


def follow(base: Origin, target: str, location: str, *, insecure: bool) -> tuple[Origin, str]:
    """Where `location`, answered to a request for `target`, leads. Raises RegistryFailure for a downgrade."""
    from urllib.parse import urljoin

    try:
        url = urljoin(f"{base}{target}", location)
    except ValueError as error:
        raise RegistryFailure(f"a registry sent an address that is none: {error}") from error
    origin, path = split(url)
    if origin.scheme == "http" and base.scheme == "https" and not insecure:
        raise RegistryFailure(
            f"registry {base.netloc} sent us from https to http://{origin.netloc}: it is not followed"
        )
    _refuse_metadata(base, origin)
    return origin, path


def realm(registry: Origin, url: str, *, insecure: bool) -> tuple[Origin, str]:
    """The token server that a challenge names. Raises RegistryFailure for one that is not https."""
    origin, path = split(url)
    if origin.scheme != "https" and not insecure:
        raise RegistryFailure(
            f"registry {registry.netloc} names a token server without TLS, http://{origin.netloc}: it is not asked",
            hint="if that is meant, mark the registry insecure or use --tls-verify=false",
        )
    _refuse_metadata(registry, origin)
    return origin, path


def _refuse_metadata(registry: Origin, origin: Origin) -> None:
    """Link-local addresses are where clouds keep their machines' secrets; a public host has no business within."""
    if origin.host == registry.host:
        return
    found, own = _number(origin.host), _number(registry.host)
    if found is not None and (found.is_link_local or found.is_multicast or found.is_unspecified):
        raise RegistryFailure(f"registry {registry.netloc} sent us to the link-local address {origin.host}")
    if found is not None and own is not None and own.is_global and not found.is_global:
        raise RegistryFailure(f"registry {registry.netloc} sent us to the private address {origin.host}")


def _number(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, in any of the spellings that the resolver takes (`2852039166`); None for a name."""
    import socket
    from ipaddress import IPv4Address, IPv6Address

    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        found = IPv6Address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found


def may_have_password(registry: Origin, server: Origin, trusted: tuple[str, ...]) -> bool:
    """Whether the registry's password may go to this token server.

    It may to the registry's own host, to one below the same parent domain (registry-1.docker.io and
    auth.docker.io), and to hosts that the configuration names.
    """
    if server.host == registry.host or server.host in trusted:
        return True
    parent = registry.host.partition(".")[2]
    labels = parent.split(".")
    if len(labels) < 2 or parent in _SHARED_SUFFIXES or labels[-1].isdigit():
        return False
    if len(labels) == 2 and len(labels[0]) <= 3 and len(labels[1]) == 2:  # co.uk, com.au
        return False
    return server.host == parent or server.host.endswith(f".{parent}")


def require_password_allowed(registry: Origin, server: Origin, trusted: tuple[str, ...]) -> None:
    """Raise Denied if the registry's password may not go to this token server."""
    if not may_have_password(registry, server, trusted):
        raise Denied(
            f"registry {registry.netloc} asks that its password be sent to another host, {server.netloc}",
            hint=f'if you trust that, put "{server.host}" into registry_trusted_realms of containers.conf',
        )
