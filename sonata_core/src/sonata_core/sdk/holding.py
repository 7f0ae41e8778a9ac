"""What a `with` statement needs of objects that have nothing to give back."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class HoldsNothing:
    """Base of sources and sinks that keep nothing open: their end is no event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""
