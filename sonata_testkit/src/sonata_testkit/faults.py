"""Ending a plugin in the middle of what it does, and looking at what it left.

Python tells an audit hook of every file that is opened for writing, made, renamed, linked, chowned or
removed. The kit counts these steps; in a child process it ends the process at the n-th, as `kill -9`
or a power cut would: no `finally` runs, no exception handler.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_STEPS = frozenset(
    (
        "os.mkdir",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.chmod",
        "os.chown",
        "os.setxattr",
        "os.removexattr",
        "os.utime",
        "os.truncate",
        "os.remove",
        "os.rmdir",
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FINISHED = 0
_RAISED = 3


class _Counter:
    def __init__(self) -> None:
        self.limit = 0
        self.seen = 0
        self.thread = 0
        self.installed = False

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.limit or threading.get_ident() != self.thread or not _is_step(event, arguments):
            return
        self.seen += 1
        if self.seen == self.limit:
            os.kill(os.getpid(), signal.SIGKILL)


def _is_step(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        path, flags = arguments[0], arguments[2]
        return isinstance(flags, int) and bool(flags & _WRITING) and str(path) != os.devnull
    return event in _STEPS


_counter = _Counter()


def crash_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child process that is killed at its `step`-th change of the file system.

    True if it was; False if it came to its end before. Raises AssertionError if it raised.
    """
    if not _counter.installed:
        sys.addaudithook(_counter.hear)
        _counter.installed = True
    child = os.fork()
    if child == 0:
        code = _RAISED
        try:
            _counter.thread = threading.get_ident()
            _counter.seen = 0
            _counter.limit = step
            work()
            code = FINISHED
        finally:
            _counter.limit = 0
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert os.WEXITSTATUS(status) == FINISHED, "the call that was to be interrupted raised an error by itself"
    return False


def crash_everywhere(prepare: Callable[[], Callable[[], object]], judge: Callable[[int], None], most: int = 200) -> int:
    """Crash a call after every one of its steps in turn; `judge(step)` looks at what was left.

    `prepare` makes a fresh situation and returns the call. Returns how many steps there were.
    """
    for step in range(1, most + 1):
        if not crash_at(step, prepare()):
            return step - 1
        judge(step)
    return most
