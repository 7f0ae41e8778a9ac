"""One blob on its way."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    pass


_ENDS = ("done", "exists")


class Item:
    """One blob on its way. `state` is the last that was told of it."""

    __slots__ = ("_begun", "config", "digest", "done", "state", "total")

    def __init__(self, digest: str, total: int, *, config: bool) -> None:
        self.digest = digest
        self.total = total
        self.config = config
        self.state = "waiting"
        self.done = 0
        self._begun = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing more will be told of it."""
        return self.state in _ENDS

    @property
    def label(self) -> str:
        """`Copying blob 1f2e3d4c5b6a`, as Podman shows it."""
        text = self.digest.partition(":")[2]
        return f"Copying config {text[:10]}" if self.config else f"Copying blob {text[:12]}"

    @property
    def moved(self) -> int:
        """Bytes that were copied; none of what was there before."""
        return self.done if self._begun else 0

    def rate(self, now: float) -> float:
        """Bytes a second since it began."""
        return self.moved / max(now - self._begun, 0.001) if self._begun else 0.0

    def update(self, state: str, done: int, total: int, now: float) -> bool:
        """Take what was told; whether it has ended. A new phase (compressed, then sent) counts from its beginning."""
        if state not in (self.state, "unpacked", *_ENDS):
            self.done, self.total, self._begun = 0, total, 0.0
        if state in ("copying", "compressing") and not self._begun:
            self._begun = now
        self.state = state if state != "unpacked" else self.state
        self.done = max(self.done, done)
        return self.ended
