"""Holding host ports, so that a conflict is found before anything is made and no one takes them meanwhile.

The sockets are bound, not listening: the firewall answers for them. The monitor inherits them and holds
them as long as the container runs.
"""

from __future__ import annotations

import _socket
import errno
import os

from sonata_core.errors import Conflict, Denied, ExternalFailure, Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata_core.models.net import PortMapping

_SCTP = 132


def hold(mappings: tuple[PortMapping, ...]) -> tuple[int, ...]:
    """Bind every host port of the mappings; descriptors, close-on-exec, for the caller to close.

    All or none. Raises Conflict with Podman's text when one is taken.
    """
    held: list[int] = []
    try:
        for mapping in mappings:
            for port in range(mapping.host_port, mapping.host_port + mapping.range):
                held += _bind_all(mapping.host_ip, port, mapping.protocol)
    except BaseException:
        release(tuple(held))
        raise
    return tuple(held)


def release(descriptors: tuple[int, ...]) -> None:
    """Close what `hold` gave."""
    for descriptor in descriptors:
        os.close(descriptor)


def find_free(protocol: str = "tcp", host_ip: str = "", count: int = 1) -> int:
    """The first of `count` neighbouring ports that nobody has now, chosen by the kernel. Raises ExternalFailure."""
    for _ in range(64):
        family, address = _addresses(host_ip)[0]
        first = _bind(family, address, 0, protocol) or _bind(family, address, 0, "tcp")
        assert first is not None
        try:
            port = int(first.getsockname()[1])
        finally:
            first.close()
        if port + count > 65536:
            continue
        try:
            held = [descriptor for offset in range(count) for descriptor in _bind_all(host_ip, port + offset, protocol)]
        except Conflict:
            continue
        release(tuple(held))
        return port
    raise ExternalFailure(f"no {count} neighbouring {protocol} ports are free")


def _bind_all(host_ip: str, port: int, protocol: str) -> list[int]:
    held: list[int] = []
    try:
        for family, address in _addresses(host_ip):
            socket = _bind(family, address, port, protocol)
            if socket is not None:
                held.append(socket.detach())
    except BaseException:
        release(tuple(held))
        raise
    return held


def _addresses(host_ip: str) -> list[tuple[int, str]]:
    """Where a mapping binds: its own address; both families' wildcards where it names none."""
    if not host_ip:
        both = [(int(_socket.AF_INET), "0.0.0.0")]  # noqa: S104
        return [*both, (int(_socket.AF_INET6), "::")] if os.path.exists("/proc/net/if_inet6") else both
    return [(int(_socket.AF_INET6 if ":" in host_ip else _socket.AF_INET), host_ip)]


def _bind(family: int, address: str, port: int, protocol: str) -> _socket.socket | None:
    kinds = {
        "tcp": (_socket.SOCK_STREAM, 0),
        "udp": (_socket.SOCK_DGRAM, 0),
        "sctp": (_socket.SOCK_STREAM, _SCTP),
    }
    if protocol not in kinds:
        raise Unsupported(f'protocol "{protocol}" of port {port}: tcp, udp and sctp are known')
    kind, number = kinds[protocol]
    try:
        socket = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, number)
    except OSError as error:
        if protocol == "sctp" and error.errno == errno.EPROTONOSUPPORT:
            return None  # a kernel without SCTP has nobody who could take the port
        raise _failure(family, address, port, protocol, error) from error
    try:
        if family == _socket.AF_INET6:
            socket.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        _take(socket, (address, port), protocol)
    except OSError as error:
        socket.close()
        raise _failure(family, address, port, protocol, error) from error
    return socket


def _take(socket: _socket.socket, address: tuple[str, int], protocol: str) -> None:
    """Bind. Connections that ended a moment ago (TIME_WAIT) are no reason to refuse: then as Go does, which
    needs listening too, since two sockets that only bind with SO_REUSEADDR do not conflict."""
    try:
        socket.bind(address)
    except OSError as error:
        if protocol != "tcp" or error.errno != errno.EADDRINUSE:
            raise
        socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        socket.bind(address)
        socket.listen(0)


def _failure(
    family: int, address: str, port: int, protocol: str, error: OSError
) -> Conflict | Denied | ExternalFailure:
    """Podman's words, which are Go's: `listen tcp4 :80: bind: permission denied`."""
    version = "6" if family == _socket.AF_INET6 else "4"
    shown = "" if address in ("0.0.0.0", "::") else f"[{address}]" if version == "6" else address  # noqa: S104
    reason = (error.strerror or str(error)).lower()
    verb = "listen" if protocol != "sctp" else "bind"
    text = f"cannot listen on the {protocol.upper()} port: {verb} {protocol}{version} {shown}:{port}: bind: {reason}"
    if error.errno == errno.EADDRINUSE:
        return Conflict(text)
    if error.errno not in (errno.EACCES, errno.EPERM):
        return ExternalFailure(text)
    from sonata_core.sdk.port_start import first_port

    start = first_port()
    return Denied(
        f"rootlessport cannot expose privileged port {port}, you can add 'net.ipv4.ip_unprivileged_port_start={port}' "
        f"to /etc/sysctl.conf (currently {start}), or choose a larger port number (>= {start}): "
        f"listen {protocol} {address if version == '4' else f'[{address}]'}:{port}: bind: permission denied"
    )
