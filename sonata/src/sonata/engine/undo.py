"""Unwinding what was done when a later step fails."""

from __future__ import annotations

from sonata_core import interrupts
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sonata_core.context import Log


class Undo:
    """Steps to take back, newest first, unless `keep` is called. A step that fails is logged and stops no other."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._steps: list[tuple[str, Callable[[], Any]]] = []

    def push(self, name: str, step: Callable[[], Any]) -> None:
        """Take `step` when something later fails."""
        self._steps.append((name, step))

    def keep(self) -> None:
        """All is well: nothing will be taken back."""
        self._steps.clear()

    def __enter__(self) -> Undo:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with interrupts.Shield(firm=True):
            while self._steps:
                name, step = self._steps.pop()
                self._log.debug("undoing", step=name)
                try:
                    step()
                except Exception as trouble:
                    self._log.debug("undo_failed", step=name, error=str(trouble))
