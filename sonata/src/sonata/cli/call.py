"""What a command is given: its parsed options, the global ones, and the engine when it asks for it."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine


class Call:
    """One invocation. `path` is the command's name (`container rm`), `words` the command line as typed."""

    __slots__ = ("_engine", "globals", "path", "words")

    def __init__(self, path: str, words: tuple[str, ...], options: Parsed) -> None:
        self.path = path
        self.words = words
        self.globals = options
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine, assembled on first use. Raises what reading configuration raises."""
        if self._engine is None:
            from sonata.assemble import assemble

            self._engine = assemble(self.globals.values)
        return self._engine

    def close(self) -> None:
        """Let go of what the engine holds. Does nothing where no engine was asked for."""
        if self._engine is not None:
            self._engine.close()
