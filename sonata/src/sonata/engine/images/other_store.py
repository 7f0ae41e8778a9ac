"""Stores beside the engine's own: `[overlay@/graph+/run]name`, as containers-storage: writes them."""

from __future__ import annotations

import os

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def opened(engine: Engine, text: str, *, make: bool = False) -> tuple[Engine, str]:
    """What follows `containers-storage:`: the engine whose store is meant, and the image's name there.

    A store is named by `[driver@graph+run:options]`, of which driver, run root and options may be missing. One that is
    not there is an error unless it may be made. Raises UsageError, NotFound.
    """
    if not text.startswith("["):
        return engine, text.removeprefix("@")
    inside, bracket, name = text[1:].partition("]")
    if not bracket:
        raise UsageError(f"containers-storage: {text} lacks the ] behind the store", hint="[overlay@/graph+/run]name")
    driver, at, places = inside.partition("@")
    if not at:
        driver, places = "", inside
    places, _, options = places.partition(":")
    if options:
        raise UsageError(
            f"containers-storage: the store's options {options} are not read from a name",
            hint="options belong into storage.conf; leave them out",
        )
    graph, _, run = places.partition("+")
    if not os.path.isabs(graph) or (run and not os.path.isabs(run)):
        raise UsageError(f"containers-storage: {inside} names no absolute folder", hint="[overlay@/graph+/run]name")
    if not make and not os.path.isdir(graph):
        raise NotFound(f"containers-storage: there is no store at {graph}")
    return _engine_on(engine, driver, graph, run), name.removeprefix("@")


def _engine_on(engine: Engine, driver: str, graph: str, run: str) -> Engine:
    """An engine with the same configuration on another store. Its state is never opened: it has images only."""
    from sonata.engine.engine import Engine

    own = engine.config.storage
    if (os.path.realpath(graph), driver or engine.driver) == (os.path.realpath(own.graph_root), engine.driver):
        return engine
    storage = own.replace(
        driver=driver, graph_root=graph, run_root=run or own.run_root, image_store="", additional_stores=()
    )
    config = engine.config.replace(storage=storage)
    return Engine(config, engine.facts, engine.log, engine.kernel, engine.overrides, engine.notify, engine.rooms)
