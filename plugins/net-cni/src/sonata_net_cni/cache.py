"""What is known of attachments: libcni's own files, which other tools read, and ours of those under way.

libcni writes `results/NETWORK-CONTAINER-INTERFACE` once ADD is through. Ours is there from before the first
plugin is run until the last is undone: so a DEL after a crash has the configuration, and the result as far as it came.
Source: libcni `api.go` (cniCacheV1).
"""

from __future__ import annotations

import os

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_net_cni.chain import Spot
    from sonata_net_cni.conflist import ConfigList

DATA = "/var/lib/cni"
_LIMIT = 8 << 20
_LINE = 256
_ADDRESS = frozenset("0123456789abcdef.:")


class Results:
    """libcni's cache of results below its data folder."""

    def __init__(self, data: str) -> None:
        self._folder = f"{data}/results"

    def keep(self, network: ConfigList, spot: Spot, result: dict[str, Any]) -> None:
        """As libcni after ADD."""
        import base64

        document = {
            "kind": "cniCacheV1",
            "containerId": spot.container,
            "config": base64.b64encode(network.text.encode()).decode(),
            "ifName": spot.interface,
            "networkName": network.name,
            "netns": spot.netns,
            "cniArgs": [list(pair) for pair in spot.args],
            "capabilityArgs": spot.capabilities,
            "result": result,
        }
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        write(self._path(network.name, spot), document, draft=f"{self._folder}/.{spot.container}-{spot.interface}.new")

    def recall(self, network: str, spot: Spot) -> dict[str, Any] | None:
        """What a finished ADD of before said, ours or another tool's; None where there is nothing to rely on."""
        found = read(self._path(network, spot))
        if found.get("kind") != "cniCacheV1" or not isinstance(found.get("config"), str):
            return None
        named = (found.get("networkName"), found.get("containerId"), found.get("ifName"))
        return found if named == (network, spot.container, spot.interface) else None

    def drop(self, network: str, spot: Spot) -> None:
        """As libcni after DEL."""
        for path in (self._path(network, spot), f"{self._folder}/.{spot.container}-{spot.interface}.new"):
            unlink(path)

    def of_network(self, network: str) -> list[dict[str, str]]:
        """Every attachment of a network that somebody has made and not undone: container and interface."""
        try:
            names = [name for name in os.listdir(self._folder) if name.startswith(f"{network}-")]
        except OSError:
            return []
        found = [read(f"{self._folder}/{name}") for name in names]
        return [
            {"containerID": str(one.get("containerId")), "ifname": str(one.get("ifName"))}
            for one in found
            if one.get("networkName") == network
        ]

    def _path(self, network: str, spot: Spot) -> str:
        return f"{self._folder}/{network}-{spot.container}-{spot.interface}"


def leased(data: str, network: str) -> dict[str, str]:
    """host-local's addresses of a network: a file for each, in whose first line is the container."""
    folder = f"{data}/networks/{network}"
    try:
        names = sorted(name for name in os.listdir(folder) if _ADDRESS.issuperset(name) and name[:1].isalnum())
    except OSError:
        return {}
    found = {}
    for name in names:
        try:
            with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as file:
                found[name] = file.readline(_LINE).strip()
        except OSError:
            continue  # given back while we were looking
    return found


class Memory:
    """One container's attachments, finished or not, in a file that goes with the last of them."""

    def __init__(self, run: str, container: str) -> None:
        self._folder = os.path.join(run, "attached")
        self._path = os.path.join(self._folder, f"{container}.json")
        self._draft = f"{self._path}.new"  # one is enough: the lock is held

    def all(self) -> dict[str, dict[str, Any]]:
        """Entries by network."""
        known = read(self._path)
        return {name: entry for name, entry in known.items() if isinstance(entry, dict)}

    def put(self, network: str, entry: dict[str, Any]) -> None:
        """Remember one attachment; the others stay."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        write(self._path, {**self.all(), network: entry}, draft=self._draft)

    def drop(self, network: str) -> None:
        """Forget one; the file goes with the last."""
        known = self.all()
        known.pop(network, None)
        if known:
            write(self._path, known, draft=self._draft)
            return
        for path in (self._path, self._draft):
            unlink(path)


def read(path: str) -> dict[str, Any]:
    """A document of ours or libcni's; empty where there is none that makes sense."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return {}
    with open(handle, "rb") as file:
        try:
            known = json.loads(file.read(_LIMIT))
        except (OSError, ValueError, RecursionError):
            return {}
    return known if isinstance(known, dict) else {}


def write(path: str, document: dict[str, Any], *, draft: str) -> None:
    """Whole, or as it was."""
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.rename(draft, path)


def unlink(path: str) -> None:
    """Remove a file; absent is success."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
