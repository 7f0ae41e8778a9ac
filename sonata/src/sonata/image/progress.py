"""Who is told how far a transfer is."""

from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.models.ids import Digest

if TYPE_CHECKING:
    pass


class Progress(Protocol):
    """Is told of each blob's fate; called from several threads, often."""

    def blob(self, digest: Digest, state: str, done: int, total: int) -> None:
        """Bytes; `total` -1 where unknown.

        `state`: `waiting`; `config` (said of a config, ahead of the rest); `compressing`, `copying`; `unpacked`; and at
        the end `done`, or `exists` where nothing had to be copied.
        """

    def message(self, text: str) -> None:
        """A line of its own, such as `Trying to pull h/x:1...`."""


class Quiet:
    """Progress that nobody wants to see."""

    def blob(self, digest: Digest, state: str, done: int, total: int) -> None:
        """Nothing."""

    def message(self, text: str) -> None:
        """Nothing."""
