"""Which containers a command means."""

from __future__ import annotations

import os

from sonata.engine.containers import filters, lookup, present
from sonata.state import containers as rows
from sonata_core.errors import AlreadyInState, NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.model.container_request import Selection
    from sonata.state.rows import ContainerRow


def select(engine: Engine, wanted: Selection, *, ignore: bool = False) -> list[tuple[str, str]]:
    """Pairs of full id and how to name the container to the user: as it was typed, else by its id.

    With `all` every container, oldest first; with `filter` those that match. `ignore` leaves out names
    that are not there. Raises NotFound, UsageError.
    """
    files = [path for path in wanted.cidfile if not ignore or os.path.exists(path)]
    if wanted.cidfile and not files:
        return []
    named = [*wanted.names, *(read_cidfile(path) for path in files)]
    if named:
        pairs = [(_id_of(engine, name, ignore=ignore), name) for name in dict.fromkeys(named)]
        return [pair for pair in pairs if pair[0]]
    found = rows.listed(engine.database)
    if wanted.latest:
        if not found:
            raise NotFound("no such container")
        return [(found[-1].config.id, found[-1].config.id)]
    conditions = filters.conditions(engine, wanted.filter)
    met = (present.corrected(engine, row) for row in found) if conditions else found
    return [(row.config.id, row.config.id) for row in met if all(condition(row) for condition in conditions)]


def _id_of(engine: Engine, name: str, *, ignore: bool) -> str:
    try:
        return rows.find(engine.database, name).config.id
    except NotFound:
        if ignore:
            return ""
        raise


def one(engine: Engine, name: str, *, latest: bool = False) -> ContainerRow:
    """One container by name, or the latest one, as it is now. Raises NotFound."""
    if not latest:
        return lookup.load(engine, name)
    found = rows.listed(engine.database)
    if not found:
        raise NotFound("no such container")
    return present.corrected(engine, found[-1])


def read_cidfile(path: str) -> str:
    """The id in a file that `--cidfile` has written. Raises UsageError."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            text = file.readline(256).strip()
    except OSError as error:
        raise UsageError(f"reading CIDFile: open {path}: {(error.strerror or '').lower()}") from error
    if not text:
        raise UsageError(f"{path} does not hold a container id")
    return text


def each(
    engine: Engine, wanted: Selection, act: Callable[[str], object], *, ignore: bool = False
) -> tuple[list[str], list[SonataError]]:
    """Do something to every selected container, going on after failures.

    Nothing is done where a name is unknown, unless `ignore` leaves such names out. Returns what to print
    for those that went well, and the errors. Raises NotFound, UsageError.
    """
    return attempt(select(engine, wanted, ignore=ignore), act, ignore=ignore)


def attempt(
    pairs: Iterable[tuple[str, str]], act: Callable[[str], object], *, ignore: bool = False
) -> tuple[list[str], list[SonataError]]:
    """Do something to every container of these pairs of id and what to print, going on after failures."""
    done: list[str] = []
    failed: list[SonataError] = []
    for ident, shown in pairs:
        try:
            act(ident)
            done.append(shown)
        except AlreadyInState:
            done.append(shown)
        except NotFound as error:
            # It went away meanwhile.
            if not ignore:
                failed.append(error)
        except SonataError as error:
            error.details["object"] = shown
            failed.append(error)
    return done, failed
