"""How large a layer may be: what is unpacked comes from strangers."""

from sonata_core.record import Record

EASY = 4 << 30
"""A layer of so many bytes is no bomb, however small its blob."""


class Limits(Record):
    """What a layer may ask for at most; None for no bound. `size` counts the bytes of the uncompressed tar."""

    size: int | None = None
    ratio: int = 0
    """How many times larger than its blob a layer may be, where it is larger than `EASY`; 0 for no bound."""
    entries: int = 5_000_000

    def of_blob(self, size: int) -> "Limits":
        """The limits of a layer whose blob has so many bytes; -1 where that is not known."""
        if not self.ratio or size < 0:
            return self
        bound = max(self.ratio * size, EASY)
        return self.replace(size=bound if self.size is None else min(bound, self.size))


NO_LIMITS = Limits()
