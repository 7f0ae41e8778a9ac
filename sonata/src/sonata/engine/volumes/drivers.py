"""Volume drivers outside: Docker's volume plugin protocol, version 1.1, on a Unix socket.

The protocol: https://docs.docker.com/engine/extend/plugins_volume/. Its answers are hostile input.
"""

from __future__ import annotations

import os
import stat

from sonata.host.unix_http import post
from sonata.plan.values import is_name
from sonata_core import json_text as json
from sonata_core.errors import BackendMissing, Damaged, ExternalFailure, NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine

_KIND = "application/vnd.docker.plugins.v1.1+json"
_MOUNT_ID = "2f73349cfc4630255319c6c8dfc1b46a8996ace9d14d8e07563b165915918ec2"
"""Who mounts, as Podman tells drivers: the counting of users is the engine's own."""
_PATH_LIMIT = 4096
_TEXT_LIMIT = 1000
_MOST_VOLUMES = 10000


class Driver:
    """A driver that answers, and is one of volumes."""

    def __init__(self, name: str, path: str, timeout: float) -> None:
        """Raises ExternalFailure, TimedOut, Damaged."""
        self.name, self._path, self._timeout = name, os.path.normpath(path), timeout
        try:
            seen = os.stat(self._path)
        except OSError as error:
            text = (error.strerror or "").lower()
            raise ExternalFailure(
                f'cannot access plugin {name} socket "{self._path}": stat {self._path}: {text}'
            ) from error
        if not stat.S_ISSOCK(seen.st_mode):
            raise ExternalFailure(
                f'volume {name} path "{self._path}" is not a unix socket: target does not appear to be a valid plugin'
            )
        answer = self._ask("/Plugin.Activate", None)
        kinds = answer.get("Implements")
        if not isinstance(kinds, list) or "VolumeDriver" not in kinds:
            shown = ", ".join(_text(kind) for kind in kinds[:10]) if isinstance(kinds, list) else ""
            raise ExternalFailure(
                f"plugin {name} does not implement volume plugin, instead provides {shown}: "
                "plugin is not a volume plugin"
            )

    def create(self, volume: str, options: Mapping[str, str]) -> None:
        """Make a volume, unless the driver has it already. Raises ExternalFailure."""
        if self.has(volume):
            return
        try:
            self._ask("/VolumeDriver.Create", {"Name": volume, "Opts": dict(options)}, volume)
        except ExternalFailure as error:
            raise ExternalFailure(f'creating volume "{volume}" in plugin {self.name}: {error.message}') from error

    def has(self, volume: str) -> bool:
        """Whether the driver knows the volume. What it says of one that it does not know is its own affair."""
        try:
            return isinstance(self._ask("/VolumeDriver.Get", {"Name": volume}, volume).get("Volume"), dict)
        except ExternalFailure:
            return False

    def status(self, volume: str) -> dict[str, Any]:
        """What the driver says of a volume; empty where it says nothing."""
        found = self._ask("/VolumeDriver.Get", {"Name": volume}, volume).get("Volume")
        told = found.get("Status") if isinstance(found, dict) else None
        return told if isinstance(told, dict) else {}

    def remove(self, volume: str) -> None:
        """Remove a volume with its content. Raises ExternalFailure."""
        self._ask("/VolumeDriver.Remove", {"Name": volume}, volume)

    def mount(self, volume: str) -> str:
        """Have a volume mounted; the folder. Raises ExternalFailure, Damaged for what is no folder."""
        answer = self._ask("/VolumeDriver.Mount", {"Name": volume, "ID": _MOUNT_ID}, volume)
        place = answer.get("Mountpoint")
        if not isinstance(place, str) or not place.startswith("/") or "\0" in place or len(place) > _PATH_LIMIT:
            raise Damaged(f"volume plugin {self.name} mounted volume {volume} at {_text(place)}, which is no path")
        if not os.path.isdir(place):
            raise Damaged(f"volume plugin {self.name} mounted volume {volume} at {_text(place)}, which is no folder")
        return os.path.normpath(place)

    def unmount(self, volume: str) -> None:
        """Take a mount back. Raises ExternalFailure."""
        self._ask("/VolumeDriver.Unmount", {"Name": volume, "ID": _MOUNT_ID}, volume)

    def names(self) -> list[str]:
        """Names of all volumes of the driver. Raises ExternalFailure, Damaged."""
        found = self._ask("/VolumeDriver.List", None).get("Volumes") or []
        if not isinstance(found, list) or len(found) > _MOST_VOLUMES:
            raise Damaged(f"volume plugin {self.name} has no list of at most {_MOST_VOLUMES} volumes")
        names = [entry.get("Name") if isinstance(entry, dict) else None for entry in found]
        for name in names:
            if not isinstance(name, str) or not is_name(name) or len(name) > 255:
                raise Damaged(f"volume plugin {self.name} has a volume named {_text(name)}: no name of a volume")
        return [str(name) for name in names]

    def _ask(self, target: str, question: dict[str, Any] | None, volume: str = "") -> dict[str, Any]:
        body = b"" if question is None else json.dumps(question).encode("utf-8", "surrogateescape")
        answer = post(self._path, target, body, _KIND, self._timeout)
        where = f"on {target} on volume {volume}" if volume else f"on {target}"
        found: object = None
        try:
            found = json.loads(answer.body.decode()) if answer.body.strip() else {}
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{where} in volume plugin {self.name}: its answer is no JSON") from error
        if not isinstance(found, dict):
            raise Damaged(f"{where} in volume plugin {self.name}: its answer is no JSON object")
        trouble = found.get("Err")
        if answer.status != 200 or trouble:
            raise ExternalFailure(
                f"{where} in volume plugin {self.name}: {_text(trouble) if trouble else 'empty error from plugin'}"
            )
        return found


def _text(value: object) -> str:
    """What a driver said, as it can be shown: one line, no control characters, not endless."""
    text = value if isinstance(value, str) else repr(value)
    return "".join(char if char.isprintable() else "?" for char in text[:_TEXT_LIMIT])


def driver(engine: Engine, name: str, timeout: int = 0) -> Driver:
    """The driver of that name. Raises BackendMissing for one that is not configured, and what Driver does."""
    settings = engine.config.engine
    path = settings.volume_plugins.get(name)
    if path is None:
        raise BackendMissing(
            f"no volume plugin with name {name} available: required plugin missing",
            hint=f'containers.conf names sockets: [engine.volume_plugins] {name} = "/run/docker/plugins/{name}.sock"',
        )
    return Driver(name, path, timeout or settings.volume_plugin_timeout or 5)


def driver_of(engine: Engine, name: str, volume: str, timeout: int = 0) -> Driver:
    """The driver of a volume; the error names both."""
    try:
        return driver(engine, name, timeout)
    except (BackendMissing, ExternalFailure, NotFound) as error:
        raise type(error)(
            f"volume {volume} uses volume plugin {name} but it could not be retrieved: {error.message}", error.hint
        ) from error
