"""Stores beside the engine's own, and names in them: `[overlay@/graph+/run]name:tag@ID`, of containers-storage:."""

from __future__ import annotations

import os

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def opened(engine: Engine, text: str, *, make: bool = False) -> tuple[Engine, str]:
    """What follows `containers-storage:`: the engine whose store is meant, and the image's name there.

    A store is named by `[driver@graph+run:options]`, of which driver, run root and options may be missing. One that is
    not there is an error unless it may be made. Options are those of `--storage-opt`, with commas between them.
    Raises UsageError, NotFound.
    """
    if not text.startswith("["):
        return engine, text
    inside, bracket, name = text[1:].partition("]")
    if not bracket:
        raise UsageError(f"containers-storage: {text} lacks the ] behind the store", hint="[overlay@/graph+/run]name")
    driver, at, places = inside.partition("@")
    if not at:
        driver, places = "", inside
    places, _, options = places.partition(":")
    graph, _, run = places.partition("+")
    if not os.path.isabs(graph) or (run and not os.path.isabs(run)):
        raise UsageError(f"containers-storage: {inside} names no absolute folder", hint="[overlay@/graph+/run]name")
    if not make and not os.path.isdir(graph):
        raise NotFound(f"containers-storage: there is no store at {graph}")
    return _engine_on(engine, (driver, graph, run), tuple(options.split(",")) if options else ()), name


def split_id(name: str) -> tuple[str, str]:
    """A name, and the image's ID that follows it behind an `@`, whole or its beginning; either may be missing."""
    bare, at, ident = name.rpartition("@")
    if at and 3 <= len(ident) <= _ID and not ident.strip("0123456789abcdef"):
        return bare, ident
    return name, ""


def full_name(name: str) -> str:
    """As Docker does: `x` is `docker.io/library/x:latest`. Raises UsageError."""
    return str(parse_name(name).with_default_tag())


_ID = 64


def _engine_on(engine: Engine, where: tuple[str, str, str], options: tuple[str, ...]) -> Engine:
    """An engine with the same configuration on another store. Its state is never opened: it has images only."""
    from sonata.engine.engine import Engine

    driver, graph, run = where
    own = engine.config.storage
    same = (os.path.realpath(graph), driver or engine.driver) == (os.path.realpath(own.graph_root), engine.driver)
    if same and not options:
        return engine
    storage = own.replace(
        driver=driver,
        driver_asked=bool(driver),
        graph_root=graph,
        run_root=run or own.run_root,
        image_store="",
        additional_stores=(),
    )
    if options:
        from sonata.config.load import with_options

        storage = with_options(storage, options)
    config = engine.config.replace(storage=storage)
    return Engine(config, engine.facts, engine.log, engine.kernel, engine.overrides, engine.notify, engine.rooms)
