"""Which streams take part in a foreground command."""

from __future__ import annotations

import os

from sonata.cli.call import warn
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.containers.streams import Sides


def sides(*, interactive: bool, attach: Sequence[str] | None, sig_proxy: bool | None, detach_keys: str | None) -> Sides:
    """Ours, as `-i`, `-a`, `--sig-proxy` and `--detach-keys` say. Raises UsageError for an unknown stream."""
    from sonata.engine.containers.streams import Sides

    wanted = ("stdout", "stderr") if attach is None else tuple(name.lower() for name in attach)
    for name in wanted:
        if name not in ("stdin", "stdout", "stderr"):
            raise UsageError(
                f'invalid stream "{name}" for --attach - must be one of stdin, stdout, or stderr: invalid argument'
            )
    return Sides(
        stdin=interactive or "stdin" in wanted,
        stdout="stdout" in wanted,
        stderr="stderr" in wanted,
        sig_proxy=sig_proxy is not False,
        detach_keys=detach_keys,
    )


def warn_without_terminal(*, tty: bool, interactive: bool) -> None:
    """`-it` without a terminal on our side works, but hardly as it was meant."""
    if tty and interactive and not os.isatty(0):
        warn("The input device is not a TTY. The --tty and --interactive flags might not work properly")
