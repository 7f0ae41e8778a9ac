"""Running a process in a container and keeping what it writes: health checks, `top` with the container's ps."""

import select
import time

from sonata.engine.containers import exec as executing
from sonata.engine.paths import ContainerPaths
from sonata.host import process
from sonata.model.container_request import ExecRequest
from sonata.monitor.exec import prepare_folder
from sonata.store.names import new_id
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.monitor.attach import Attachment
    from sonata.state.rows import ContainerRow

_STDERR = 3
"""The first byte of a packet that conmon read from standard error."""


class Captured(Record):
    """`code` is None for a process that was killed because its time was over."""

    code: "int | None"
    out: bytes
    err: bytes
    both: bytes


def capture(
    engine: "Engine", row: "ContainerRow", command: tuple[str, ...], *, limit: int, seconds: "float | None" = None
) -> Captured:
    """Run `command` to its end as a session of its own, which is no `exec` to anybody.

    No more than some `limit` bytes are kept. Raises what opening and starting a session raises, ProcessRefused first.
    """
    session = new_id()
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    home = prepare_folder(paths.bundle, session, row.config.id)
    request = ExecRequest(name=row.config.id, command=command)
    kept, code = _Kept(limit), None
    try:
        with executing.open_session(engine, row, request, (session, home), ()) as running:
            attachment = running.attach()
            pid = executing.started(engine, row, running)
            known = process.start_time(pid)
            if kept.collect(attachment, seconds):
                code = running.wait(timeout=10)
            else:
                process.send(pid, known, 9)
    finally:
        remove_tree(home)
    return Captured(code=code, out=bytes(kept.out), err=bytes(kept.err), both=bytes(kept.both))


class _Kept:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.out, self.err, self.both = bytearray(), bytearray(), bytearray()

    def collect(self, attachment: "Attachment", seconds: "float | None") -> bool:
        """What the session writes; False if it has not ended in time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        poll.register(attachment.descriptor, select.POLLIN)
        while True:
            left = None if deadline is None else (deadline - time.monotonic()) * 1000
            if (left is not None and left <= 0) or not poll.poll(left):
                return False
            packet = attachment.receive()
            if packet == b"":
                return True
            if packet and len(self.both) < self.limit:
                (self.err if packet[0] == _STDERR else self.out).extend(packet[1:])
                self.both += packet[1:]
