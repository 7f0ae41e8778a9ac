"""Names of objects, for completion."""

from __future__ import annotations

from sonata_core.errors import SonataError


def names(kind: str) -> list[str]:
    """Names of containers, images, networks or volumes in the default store; none where it cannot be read."""
    from sonata.assemble import open_engine
    from sonata.engine.system.names import known_names

    try:
        engine = open_engine()
        try:
            return sorted(known_names(engine, kind))
        finally:
            engine.close()
    except (SonataError, OSError):
        return []
