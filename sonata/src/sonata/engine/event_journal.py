"""Events in systemd's journal: sent by its native protocol, read back with journalctl.

Fields are those of podman-events(1). The journal is the whole host's, so the entries carry the graph root too, and only
those of this store are read.
"""

from __future__ import annotations

import json
import os
import time

from sonata_core.errors import CommandFailed, HostLacks
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sonata.engine.engine import Engine

SOCKET = "/run/systemd/journal/socket"
_IDENTIFIER = "sonata"
_INFO, _ERROR = "6", "3"
_PAUSE = 0.5
"""Seconds between two looks at the journal while it is followed."""
_PATIENCE = 60.0
"""Seconds that journalctl may take."""
_FIELDS = {
    "ContainerExitCode": "PODMAN_EXIT_CODE",
    "ID": "PODMAN_ID",
    "Image": "PODMAN_IMAGE",
    "Name": "PODMAN_NAME",
    "network": "PODMAN_NETWORK_NAME",
    "Status": "PODMAN_EVENT",
    "Time": "PODMAN_TIME",
    "Type": "PODMAN_TYPE",
    "health_status": "PODMAN_HEALTH_STATUS",
    "health_log": "PODMAN_HEALTH_LOG",
    "health_failing_streak": "PODMAN_HEALTH_FAILING_STREAK",
    "error": "ERROR",
    "ContainerInspectData": "PODMAN_CONTAINER_INSPECT_DATA",
    "PodID": "PODMAN_POD_ID",
}
_NUMBERS = ("ContainerExitCode", "health_failing_streak")


def require() -> None:
    """Raises HostLacks where no journal listens."""
    if not os.path.exists(SOCKET):
        raise HostLacks(
            f"the events backend journald needs systemd's journal: {SOCKET} is not there",
            hint="--events-backend=file keeps events without it",
        )


def send(engine: Engine, row: Mapping[str, Any]) -> None:
    """Hand one event to the journal. Raises OSError where there is none."""
    import socket

    fields = {name: str(row[key]) for key, name in _FIELDS.items() if key in row}
    if row.get("Attributes"):
        fields["PODMAN_LABELS"] = json.dumps(row["Attributes"], ensure_ascii=False)
    named = " ".join(str(row[key]) for key in ("ID", "Name") if row.get(key))
    fields |= {
        "MESSAGE": f"{row['Type']} {row['Status']} {named}".rstrip(),
        "PRIORITY": _ERROR if row.get("error") else _INFO,
        "SYSLOG_IDENTIFIER": _IDENTIFIER,
        "SONATA_ROOT": engine.config.storage.graph_root,
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(SOCKET)
        sender.sendall(b"".join(_field(name, value.encode()) for name, value in fields.items()))


def _field(name: str, value: bytes) -> bytes:
    """One field of the native protocol: with a length where a line would not do."""
    if b"\n" not in value:
        return name.encode() + b"=" + value + b"\n"
    return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def read(engine: Engine, since: int, *, follow: bool, whole: bool, until: int) -> Iterator[dict[str, Any]]:
    """Events as the file has them, oldest first; `since` and `until` in nanoseconds, 0 for none.

    Following asks again and again: a journalctl that waits would outlive a killed reader. Raises HostLacks where there
    is no journalctl, CommandFailed where it fails.
    """
    program = engine.find_program("journalctl")
    if program is None:
        raise HostLacks("the events backend journald needs journalctl", hint="--events-backend=file needs no program")
    argv = (program, "--output=json", "--all", "--quiet")
    fields = (f"SYSLOG_IDENTIFIER={_IDENTIFIER}", f"SONATA_ROOT={engine.config.storage.graph_root}")
    start = since if whole else time.time_ns()
    asked, cursor = f"--since=@{start // 10**9}", ""
    while True:
        entries = _entries(engine, (*argv, *((asked,) if start else ()), *fields))
        if entries:
            cursor = entries[-1].get("__CURSOR", cursor)
            # Without a cursor the second is all that can be named: what is of it, and older, was there already.
            yield from (
                event for event in _events(entries) if asked.startswith("--after") or event["timeNano"] >= start
            )
            asked, start = f"--after-cursor={cursor}", 1
        if not follow or (until and time.time_ns() >= until):
            return
        time.sleep(_PAUSE)


def _entries(engine: Engine, argv: tuple[str, ...]) -> list[dict[str, Any]]:
    done = engine.run_command(Command(argv=argv, timeout=_PATIENCE))
    if done.code:
        raise CommandFailed(f"journalctl: exit status {done.code}", hint=done.stderr.decode(errors="replace").strip())
    found = []
    for line in done.stdout.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _events(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    from sonata.model.times import nanoseconds

    for entry in entries:
        try:
            row = {key: _text(entry[name]) for key, name in _FIELDS.items() if name in entry}
            labels = json.loads(_text(entry["PODMAN_LABELS"])) if "PODMAN_LABELS" in entry else None
            event: dict[str, Any] = {key: int(value) if key in _NUMBERS else value for key, value in row.items()}
            event["timeNano"] = nanoseconds(row["Time"])
        except (ValueError, KeyError, TypeError):
            # Anybody may send to the journal, under any name: what is no event of ours is passed over.
            continue
        if event.get("Type") and event.get("Status"):
            yield {**event, "Attributes": (labels or {}) if event["Type"] == "container" else labels}


def _text(value: Any) -> str:
    """A field's value: journalctl shows one that is not plain text as a list of bytes."""
    return bytes(value).decode(errors="replace") if isinstance(value, list) else str(value)
