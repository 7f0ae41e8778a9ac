"""Images that are made here: a tar becomes a layer, a description becomes an image."""

from __future__ import annotations

import os

from sonata.engine.storage import ignores_owners
from sonata.image.layers.apply import apply_layer
from sonata.store.names import layer_id
from sonata.store.pulled import pulled_image
from sonata.store.records import NewLayer
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest, ImageId, LayerId

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.compose import Composed
    from sonata.image.layers.apply import Applied
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata.store.store import LayerStage
    from sonata_core.models.storage import UnpackTarget
    from sonata_core.models.streams import Readable

_CHUNK = 1 << 20


def add_layer(engine: Engine, tar: Readable, parent: LayerId | None) -> LayerRecord:
    """Put an uncompressed tar into the store as a layer on `parent`; one that is there already is that one.

    Raises Damaged for a tar that is none, NotFound for the parent, Unavailable.
    """
    stage = engine.store.stage()
    try:
        if stage.target is not None:
            applied = _unpack(engine, tar, stage.target, stage.tar_split)
            return engine.store.put_layer(_row(applied, parent, stage.tar_split), stage)
        return _over_parent(engine, tar, parent, stage)
    finally:
        stage.close()


def _over_parent(engine: Engine, tar: Readable, parent: LayerId | None, stage: LayerStage) -> LayerRecord:
    """For a driver that unpacks over the parent's copy, under the lock: the id must be known before."""
    import hashlib

    digest = hashlib.sha256()
    path = os.path.join(os.path.dirname(stage.tar_split), "whole.tar")
    with open(path, "w+b") as spool:
        while part := tar.read(_CHUNK):
            digest.update(part)
            spool.write(part)
        spool.seek(0)
        ident = layer_id(parent, Digest(f"sha256:{digest.hexdigest()}"))

        def fill(target: UnpackTarget) -> NewLayer:
            return _row(_unpack(engine, spool, target, stage.tar_split), parent, stage.tar_split)

        return engine.store.put_layer(NewLayer(id=ident, parent=parent), stage, fill)


def _unpack(engine: Engine, tar: Readable, target: UnpackTarget, tar_split: str) -> Applied:
    with open(tar_split, "wb") as record:
        rootless, any_owner = engine.facts.rootless, ignores_owners(engine)
        return apply_layer(tar, target, tarsplit=record, rootless=rootless, any_owner=any_owner)


def _row(applied: Applied, parent: LayerId | None, tar_split: str) -> NewLayer:
    digest = Digest(applied.diff_digest)
    return NewLayer(
        id=layer_id(parent, digest),
        parent=parent,
        diff_digest=digest,
        diff_size=applied.diff_size,
        compressed_digest=digest,
        compressed_size=applied.diff_size,
        uids=applied.uids,
        gids=applied.gids,
        tar_split=tar_split,
    )


def add_image(engine: Engine, composed: Composed, layer: LayerId | None, created: str, name: str = "") -> ImageRecord:
    """Record an image on a layer that the store has, and give it a name, which it takes from another."""
    new = pulled_image(
        ImageId(composed.config_digest.partition(":")[2]),
        layer,
        manifest=composed.manifest,
        config=(composed.config_digest, composed.config),
        created=created,
        names=(name,) if name else (),
    )
    return engine.store.put_image(new)
