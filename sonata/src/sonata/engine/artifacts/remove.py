"""`artifact rm`."""

from __future__ import annotations

import os

from sonata.engine.artifacts.stored import open_store
from sonata.image.artifact_store import names
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.engine import Engine


def remove(
    engine: Engine, wanted: Sequence[str], *, every: bool = False, ignore: bool = False
) -> tuple[list[str], NotFound | None]:
    """Remove artifacts by name or digest: the digests of those that are gone, and what ended it.

    As in Podman, the first one that is not there ends it unless `ignore`. Files that another artifact
    has too stay.
    """
    store = open_store(engine)
    if not os.path.isdir(store.folder) and (every or ignore):
        return [], None
    done: list[str] = []
    missing: NotFound | None = None
    with store.changing() as change:
        for name, digest in names(change.entries) if every else ():
            change.remove(name, digest)
            done.append(digest.partition(":")[2])
        for text in wanted:
            try:
                name, digest = change.find(text)
            except NotFound as error:
                if ignore:
                    continue
                missing = error
                break
            change.remove(name, digest)
            done.append(digest.partition(":")[2])
        if done:
            change.commit()
            change.sweep()
    return done, missing
