"""Changes to aardvark-dns's files: a container that goes, servers to forward to.

The format is netavark's `src/dns/aardvark.rs`: the first line has the addresses to listen on and, behind a blank, the
servers that the network forwards to; then a line for each container.
"""

from __future__ import annotations

import fcntl
import os

from sonata_core.errors import ExternalFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_net_netavark.document import attachment_entry

if TYPE_CHECKING:
    import signal

    from sonata_core.models.net import Attachment, AttachRequest, NetworkDefinition
else:
    import _signal as signal


def remove(folder: str, network: str, container: str) -> bool:
    """Drop the container's line, the file with the last one, and tell the server.

    False if something is not as netavark would have left it: nothing was changed then.
    """
    path = os.path.join(folder, "aardvark-dns", network)
    if not os.path.exists(path):
        return True
    lock = os.open(os.path.join(folder, "aardvark.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o700)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path, encoding="utf-8") as file:
            lines = file.read(16 << 20).splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.split(" ", 1)[0] != container]
        if len(kept) == len(lines) - 1:
            return True
        if any(line.strip() for line in kept):
            _rewrite(path, "".join([lines[0], *kept]))
        else:
            os.unlink(path)
        return _tell(folder)
    except (OSError, ValueError, IndexError):
        return False
    finally:
        os.close(lock)


def forward(folder: str, network: str, servers: tuple[str, ...]) -> None:
    """Have the network's names forwarded to these servers, and tell the server. Raises ExternalFailure."""
    # Since 1.7 the file of an internal network is marked as one.
    for path in (os.path.join(folder, "aardvark-dns", network + mark) for mark in ("", "%int")):
        if os.path.exists(path):
            _forward(folder, path, servers)


def _forward(folder: str, path: str, servers: tuple[str, ...]) -> None:
    lock = os.open(os.path.join(folder, "aardvark.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o700)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path, encoding="utf-8") as file:
            lines = file.read(16 << 20).splitlines(keepends=True)
        if not lines:
            return
        addresses = lines[0].split()[0]
        _rewrite(path, "".join([" ".join([addresses, *([",".join(servers)] if servers else [])]) + "\n", *lines[1:]]))
        _tell(folder)
    except (OSError, ValueError, IndexError) as error:
        raise ExternalFailure(f"{path}: cannot change the servers that names are forwarded to: {error}") from error
    finally:
        os.close(lock)


def _rewrite(path: str, content: str) -> None:
    """Replace a file at once: the server reads when it is told, and maybe only then was told of the change before.

    The draft is outside of the server's folder, where it would be a network to it.
    """
    place, name = os.path.split(path)
    draft = os.path.join(os.path.dirname(place), f".{name}.new")
    with open(draft, "w", encoding="utf-8") as file:
        file.write(content)
    os.rename(draft, path)


def _tell(folder: str) -> bool:
    pid = server(folder)
    if pid:
        try:
            os.kill(pid, signal.SIGHUP)
        except ProcessLookupError:
            return True  # the server is gone: it will read the files when it starts
    return True


def lines(folder: str) -> dict[str, tuple[str, ...]]:
    """The server's files, by network: the line that it listens by, then one for each container."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        entries = sorted(os.listdir(os.path.join(folder, "aardvark-dns")))
    except OSError:
        return found
    for name in entries:
        if name == "aardvark.pid":
            continue
        try:
            with open(os.path.join(folder, "aardvark-dns", name), encoding="utf-8", errors="replace") as file:
                found[name.partition("%")[0]] = tuple(line.strip() for line in file.read(16 << 20).splitlines() if line)
        except OSError:
            continue
    return found


def head(network: NetworkDefinition) -> str:
    """The first line of a network's file: the addresses to listen on, then the servers to ask."""
    gateways = ",".join(subnet.gateway for subnet in network.subnets if subnet.gateway)
    return f"{gateways} {','.join(network.dns_servers)}".rstrip()


def entry(request: AttachRequest, attachment: Attachment) -> str:
    """A container's line: its id, its addresses of both families, its names, the servers that it asks itself."""
    addresses = [address.partition("/")[0] for address in attachment.addresses]
    fours = ",".join(one for one in addresses if ":" not in one)
    sixes = ",".join(one for one in addresses if ":" in one)
    listed = [request.name, *attachment_entry(request, attachment)["aliases"]]
    servers = f" {','.join(request.dns_servers)}" if request.dns_servers else ""
    return f"{request.container} {fours} {sixes} {','.join(listed)}{servers}"


def server(folder: str) -> int:
    """The pid of the name server that serves this folder; 0 where none runs."""
    try:
        with open(os.path.join(folder, "aardvark-dns", "aardvark.pid"), encoding="ascii") as file:
            pid = int(file.read(32).strip())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1 << 16).split(b"\0")
    except (OSError, ValueError):
        return 0
    # Not by its name alone: it may have been started through another loader.
    return pid if any(os.path.basename(word) == b"aardvark-dns" for word in words[:4]) else 0


def write(folder: str, network: NetworkDefinition, wanted: tuple[str, ...], *, modern: bool) -> None:
    """Make a network's file say this, or be gone where it would name nobody. The caller then tells the server.

    `modern`: netavark since 1.12 marks an internal network's file.
    """
    place = os.path.join(folder, "aardvark-dns")
    os.makedirs(place, mode=0o700, exist_ok=True)
    path = os.path.join(place, network.name)
    if network.internal and modern:
        path = f"{path}%int"
    lock = os.open(os.path.join(folder, "aardvark.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o700)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if len(wanted) > 1:
            _rewrite(path, "".join(f"{line}\n" for line in wanted))
        elif os.path.exists(path):
            os.unlink(path)
    finally:
        os.close(lock)


def reload(folder: str) -> bool:
    """Have the server read its files. False where none runs."""
    return server(folder) > 0 and _tell(folder)
