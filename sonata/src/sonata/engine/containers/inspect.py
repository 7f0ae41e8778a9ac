"""`container inspect`: everything about one container."""

from __future__ import annotations

from sonata.engine.containers import lookup
from sonata.engine.containers.describe import describe
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine


def inspect(engine: Engine, name: str, *, size: bool = False) -> dict[str, Any]:
    """The object that `inspect` shows for a container. `size` adds SizeRw and SizeRootFs. Raises NotFound."""
    return describe(engine, lookup.load(engine, name), size=size)
