"""Exec sessions: a second conmon for a second process in a running container.

After the start byte conmon makes the attach socket and says so on the attach pipe; a second byte lets
it run the runtime; the sync pipe then gives the process's pid, and at the end its exit code.
"""

from __future__ import annotations

import os

from sonata.monitor.attach import Attachment
from sonata.monitor.launch import CREATE_TIMEOUT, LaunchRefused, MonitorSpec, Placed, conmon_argv, start_conmon
from sonata.monitor.pipes import Channel, read_log_lines, remove_if_there
from sonata_core import json_text as json
from sonata_core.errors import Interrupted, SonataError, TimedOut
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from sonata_core.models.runtime import Launch

LOST = -1
"""The exit code of a session whose conmon died, or whose container was killed around it."""


def prepare_folder(bundle: str, session: str, container: str) -> str:
    """Make the folders of a session (`BUNDLE/SESSION` with `exit` and `persist/CONTAINER`); returns the first."""
    folder = f"{bundle}/{session}"
    for path, mode in ((folder, 0o700), (f"{folder}/exit", 0o755), (f"{folder}/persist/{container}", 0o755)):
        os.makedirs(path, mode=mode, exist_ok=True)
    return folder


class ExecSession:
    """One exec session, from the handshake to its exit code. A context manager: leaving it lets go, no more.

    `spec.bundle` is the session's own folder, `spec.uid` its id. Use: make it, `attach()`, `start()`,
    copy, `wait()`.
    """

    def __init__(
        self, spec: MonitorSpec, how: Launch, process: Mapping[str, Any], placed: Placed | None = None
    ) -> None:
        """Start conmon with the OCI `process` object, up to where the attach socket exists.

        Raises CommandFailed when conmon cannot run, TimedOut after four minutes.
        """
        self.spec = spec
        self.attachment: Attachment | None = None
        self._sync, self._start, self._attach = Channel(), Channel(), Channel()
        process_file = f"{spec.bundle}/process.json"
        try:
            remove_if_there(spec.runtime_log)
            _write_private(process_file, json.dumps(process).encode())
            argv = [*conmon_argv(spec, how), "-e", "--exec-attach", "--exec-process-spec", process_file]
            channels = (self._sync, self._start, self._attach)
            start_conmon(spec, argv, channels, {**spec.env, **how.env}, placed)
            answer = self._attach.read_answer(CREATE_TIMEOUT, "exec session timeout: no attach socket")
            if answer is None:
                raise SonataError(f"conmon ended before exec session {spec.uid} could be attached to")
        except BaseException:
            self.close()
            raise

    def attach(self) -> Attachment:
        """Connect to the session's streams, before `start` so that nothing is lost."""
        self.attachment = Attachment(self.spec.bundle)
        return self.attachment

    def start(self) -> int | LaunchRefused:
        """Run the process; its pid, or what the runtime said."""
        self._start.go()
        answer = self._sync.read_answer(CREATE_TIMEOUT, "exec session timeout")
        if answer is None or answer.data <= 0:
            return LaunchRefused(
                log_lines=read_log_lines(self.spec.runtime_log), message=answer.message if answer else ""
            )
        # The runtime has read it, and it may hold secrets.
        remove_if_there(f"{self.spec.bundle}/process.json")
        return answer.data

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, `LOST` if nobody can know it. Raises TimedOut when the wait, or the session, ran too long."""
        answer = self._sync.read_answer(timeout, f"exec session {self.spec.uid} has not ended")
        if answer is None:
            return self._code_in_file()
        if answer.data < 0 and answer.message:
            if "timed out" in answer.message:
                raise TimedOut(answer.message)
            raise Interrupted(answer.message)
        return answer.data

    def _code_in_file(self) -> int:
        try:
            with open(f"{self.spec.exit_dir}/{self.spec.id}", encoding="ascii") as file:
                return int(file.read(16))
        except (OSError, ValueError):
            return LOST

    def close(self) -> None:
        """Close pipes and attachment; the process goes on."""
        for channel in (self._sync, self._start, self._attach):
            channel.close()
        if self.attachment is not None:
            self.attachment.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _write_private(path: str, content: bytes) -> None:
    """The process's environment may hold secrets: mode 0600."""
    remove_if_there(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_whole(descriptor, content, path)
    finally:
        os.close(descriptor)
