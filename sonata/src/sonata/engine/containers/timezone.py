"""The time zone of a container: a file of the host's zoneinfo, seen as /etc/localtime."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.sdk.folders import write_whole

_FOLDER = "/usr/share/zoneinfo"
_LIMIT = 1 << 20


def source(zone: str) -> str:
    """The host's file for a zone; `local` is the host's own. Raises UsageError for a zone that there is not."""
    if zone == "local":
        path = "/etc/localtime"
    elif zone.startswith("/") or ".." in zone.split("/"):
        raise UsageError("running container create option: finding timezone: time: invalid location name")
    else:
        path = f"{_FOLDER}/{zone}"
    if not os.path.isfile(path):
        raise UsageError(
            f"running container create option: finding timezone: unknown time zone {zone}",
            hint=f"the zones are the files below {_FOLDER}; apt-get install tzdata",
        )
    return path


def lay(zone: str, target: str) -> None:
    """Copy the zone's file, which may change on the host while the container runs. Raises UsageError."""
    with open(source(zone), "rb") as file:
        content = file.read(_LIMIT)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        write_whole(handle, content, target)
    finally:
        os.close(handle)
