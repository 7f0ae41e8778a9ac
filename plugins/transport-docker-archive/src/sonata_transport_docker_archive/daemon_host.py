"""Where a Docker daemon listens, as `DOCKER_HOST` has it: `unix:///path`, `tcp://host:port`, `http://`, `https://`."""

from __future__ import annotations

import os
import socket
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from sonata_core.errors import Denied, ExternalFailure, SonataError, Unavailable, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

DEFAULT = "unix:///var/run/docker.sock"
_SECONDS = 900.0
"""For one answer: the daemon reads a whole image before it says anything."""
_CONNECT = 30.0
_PORTS = {"http": 80, "https": 443}


class DaemonHost(Record):
    """A daemon's address. `tls` None: as the scheme says; `certificates` holds `ca.pem`, `cert.pem` and `key.pem`.

    `insecure` takes whatever certificate it shows.
    """

    address: str = DEFAULT
    tls: bool | None = None
    certificates: str = ""
    insecure: bool = False


def from_environment(environment: Mapping[str, str]) -> DaemonHost:
    """What `docker` would talk to: DOCKER_HOST, over TLS if DOCKER_TLS_VERIFY is set, with DOCKER_CERT_PATH."""
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    home = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    return DaemonHost(
        address=environment.get("DOCKER_HOST") or DEFAULT,
        tls=verify,
        certificates=environment.get("DOCKER_CERT_PATH") or (home if verify else ""),
    )


def connect(host: DaemonHost) -> HTTPConnection:
    """A connection that stands. Raises UsageError, Unsupported, Unavailable, Denied, ExternalFailure."""
    connection = _connection(host)
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise failure(host, error) from error
    connection.sock.settimeout(_SECONDS)
    return connection


class _Local(HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_CONNECT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_CONNECT)
        self.sock.connect(self._path)


def _connection(host: DaemonHost) -> HTTPConnection:
    scheme, found, rest = host.address.partition("://")
    if not found or not rest:
        raise UsageError(
            f"initializing docker engine client: unable to parse docker host `{host.address}`",
            hint=f"an address looks like {DEFAULT} or tcp://HOST:PORT",
        )
    if scheme == "unix":
        return _Local(rest)
    if scheme not in ("tcp", "http", "https"):
        raise Unsupported(
            f"docker-daemon: a daemon is not reached by {scheme}: {host.address}",
            hint="unix://, tcp://, http:// and https:// are known; ssh -L brings a socket here",
        )
    secure = scheme == "https" or (scheme == "tcp" and host.tls is not False)
    name, port = _place(host.address, _PORTS.get(scheme, 2376 if secure else 2375))
    if not secure:
        return HTTPConnection(name, port, timeout=_CONNECT)
    return HTTPSConnection(name, port, timeout=_CONNECT, context=_context(host))


def _place(address: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"initializing docker engine client: {address}: {error}") from error
    if not name:
        raise UsageError(f"initializing docker engine client: unable to parse docker host `{address}`")
    return name, port or default


def _context(host: DaemonHost) -> SSLContext:
    import ssl

    folder = host.certificates
    own, roots, key = (f"{folder}/{name}.pem" for name in ("cert", "ca", "key"))
    try:
        context = ssl.create_default_context(cafile=roots if folder and os.path.exists(roots) else None)
        if folder and os.path.exists(own):
            context.load_cert_chain(own, key)
    except OSError as error:  # SSLError is one
        raise ExternalFailure(f"docker-daemon: certificates in {folder}: {error.strerror or error}") from error
    if host.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def failure(host: DaemonHost, error: Exception) -> SonataError:
    """What not to reach a daemon is, in the words of Docker's client."""
    import ssl

    if isinstance(error, PermissionError):
        return Denied(
            f"permission denied while trying to connect to the Docker daemon socket at {host.address}",
            hint="its group, mostly docker, may",
        )
    if isinstance(error, ssl.SSLError):
        return Unavailable(
            f"error during connect to {host.address}: {getattr(error, 'verify_message', '') or error.reason or error}",
            hint="ca.pem, cert.pem and key.pem are read from DOCKER_CERT_PATH, or --src-cert-dir and --dest-cert-dir",
        )
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | socket.gaierror | TimeoutError):
        return Unavailable(
            f"Cannot connect to the Docker daemon at {host.address}. Is the docker daemon running?",
            hint="DOCKER_HOST=unix:///PATH names another socket",
        )
    return ExternalFailure(f"docker-daemon: talking to {host.address}: {error}")
