"""The places that a typed name may stand for: aliases, search registries, and somebody at a terminal who chooses."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress


class Candidates:
    """Full names in the order in which to try them. `short` is the short name that somebody has settled."""

    __slots__ = ("names", "short")

    def __init__(self, names: tuple[str, ...], short: str = "") -> None:
        self.names = names
        self.short = short

    def settle(self, engine: Engine, name: str) -> None:
        """Remember what was chosen, once it has been pulled; a file that cannot be written is worth a warning."""
        if not self.short:
            return
        from sonata.config.registries import split_name
        from sonata.config.registries_file import record_alias

        try:
            record_alias(engine.config.paths.alias_file, self.short, split_name(name)[0])
        except OSError as error:
            engine.notify(f'Failed to record short-name alias "{self.short}": {error.strerror}')


def candidates(engine: Engine, text: str, progress: Progress) -> Candidates:
    """What `text` may stand for (containers-registries.conf(5), short-name-mode).

    Where several places may have a short name, a terminal is asked; without one, `enforcing` is an error and
    `permissive` tries them all. Raises UsageError, also for what is no name.
    """
    known = lookup.registries(engine)
    try:
        found = known.resolve(text)
    except UsageError as error:
        raise lookup.bad_reference(text, error) from error
    if found.short:
        chosen = engine.ask("Please select an image", found.names) if engine.ask else ""
        if chosen:
            return Candidates((chosen,), found.short)
        if found.enforced:
            raise UsageError(
                "short-name resolution enforced but cannot prompt without a TTY",
                hint=f"write the full name, such as {found.names[0]}, or make it an alias in registries.conf",
            )
    if found.told:
        progress.message(found.told)
    return Candidates(found.names)
