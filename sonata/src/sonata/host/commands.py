"""Running a helper program to its end: input in, output out, never a deadlock, never a shell."""

from __future__ import annotations

import os
import select
import time

from sonata_core import interrupts
from sonata_core.errors import CommandFailed, TimedOut
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command, CommandResult
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    import signal

    from sonata_core.models.host import HostFacts
else:
    import _signal as signal

_CHUNK = 262144
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


def run(command: Command) -> CommandResult:
    """Run `command` and return its exit code and output.

    Raises CommandFailed when it cannot be started, TimedOut (after killing it) when it takes longer
    than `command.timeout` seconds. A background child that keeps the pipes open is not waited for.
    """
    pipes = _Pipes(command.input is not None)
    try:
        pid = _start(command, pipes)
        try:
            watch = os.pidfd_open(pid)
        except OSError:
            _kill_and_reap(pid)
            raise
        try:
            _exchange(command, pipes, watch)
        except BaseException:
            signal.pidfd_send_signal(watch, signal.SIGKILL)
            _reap(pid)
            raise
        finally:
            os.close(watch)
        code = _reap(pid)
        pipes.drain()
        return CommandResult(code=code, stdout=b"".join(pipes.out), stderr=b"".join(pipes.err))
    finally:
        pipes.close()


def find_program(name: str, facts: HostFacts) -> str | None:
    """The absolute path of a helper: in the helper folders, else in PATH, else None."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    for folder in (*facts.helper_dirs, *facts.path.split(":")):
        path = f"{folder}/{name}"
        if folder.startswith("/") and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


class _Pipes:
    """The three pipes of a running program, and what came out of them."""

    def __init__(self, with_input: bool) -> None:
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self._open: set[int] = set()
        if with_input:
            self.child_in, self.stdin = self._pipe()
        else:
            self.child_in, self.stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
            self._open.add(self.child_in)
        self.stdout, self.child_out = self._pipe()
        self.stderr, self.child_err = self._pipe()

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe2(os.O_CLOEXEC)
        self._open.update(ends)
        return ends

    def started(self) -> None:
        """Close the program's ends; make ours non-blocking."""
        for end in (self.child_in, self.child_out, self.child_err):
            self.shut(end)
        for end in (self.stdin, self.stdout, self.stderr):
            if end >= 0:
                os.set_blocking(end, False)

    def shut(self, end: int) -> None:
        if end in self._open:
            self._open.discard(end)
            os.close(end)

    def read(self, end: int) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(end, _CHUNK)
        except BlockingIOError:
            return True
        (self.out if end == self.stdout else self.err).append(data)
        return bool(data)

    def drain(self) -> None:
        """Take what a program that has ended left in the pipes."""
        for end in (self.stdout, self.stderr):
            while end in self._open:
                try:
                    data = os.read(end, _CHUNK)
                except BlockingIOError:
                    break
                if not data:
                    break
                (self.out if end == self.stdout else self.err).append(data)

    def close(self) -> None:
        for end in self._open:
            os.close(end)
        self._open.clear()


def _start(command: Command, pipes: _Pipes) -> int:
    fds = {0: pipes.child_in, 1: pipes.child_out, 2: pipes.child_err}
    for descriptor in command.pass_fds:
        fds[descriptor] = descriptor
    env = command.env if command.env is not None else _small_environment()
    # Ctrl-C at a terminal goes to the whole process group: what is held back from us shall not kill our helper.
    options = SpawnOptions(
        fds=fds, cwd=command.cwd, netns=command.netns, binds=command.binds, group=interrupts.shielded()
    )
    try:
        pid = spawn(command.argv, env, options)
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" (in {error.filename})" if error.filename not in (None, command.argv[0]) else ""
        raise CommandFailed(
            f"{command.argv[0]} cannot be started: {reason}{where}", argv=command.argv, code=None, stderr=""
        ) from error
    pipes.started()
    return pid


def _small_environment() -> dict[str, str]:
    names = ("PATH", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in names if name in os.environ}


def _exchange(command: Command, pipes: _Pipes, watch: int) -> None:
    """Feed and read until the program ends. Raises TimedOut."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    poll.register(pipes.stdout, select.POLLIN)
    poll.register(pipes.stderr, select.POLLIN)
    pending = memoryview(command.input or b"")
    if pipes.stdin >= 0:
        poll.register(pipes.stdin, select.POLLOUT)
    deadline = None if command.timeout is None else time.monotonic() + command.timeout
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimedOut(f"{command.argv[0]} did not end within {command.timeout:g} seconds", argv=command.argv)
        with interrupts.Window():
            ready = poll.poll(None if left is None else int(left * 1000) + 1)
        for end, _ in ready:
            if end == watch:
                return
            if end == pipes.stdin:
                pending = _feed(pipes, pending)
                if not pending:
                    poll.unregister(end)
                    pipes.shut(end)
            elif not pipes.read(end):
                poll.unregister(end)
                pipes.shut(end)


def _feed(pipes: _Pipes, pending: memoryview) -> memoryview:
    if not pending:
        return pending
    try:
        return pending[os.write(pipes.stdin, pending) :]
    except BlockingIOError:
        return pending
    except BrokenPipeError:  # it reads no more: what it says and its exit code tell
        return pending[:0]


def _reap(pid: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError as error:
        raise CommandFailed(
            f"the exit status of process {pid} is lost", hint="start Sonata with SIGCHLD at its default"
        ) from error


def _kill_and_reap(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    _reap(pid)
