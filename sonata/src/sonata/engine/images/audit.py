"""`image audit`: an image looked through, layer by layer; nothing of it is run or unpacked."""

from __future__ import annotations

import json

from sonata.engine.images import foresee, lookup
from sonata.engine.images.facts import read_config
from sonata.engine.images.stored import layer_chain, open_layer
from sonata.image import audit as reading
from sonata.model.image_audit import Audit, AuditedLayer
from sonata.model.image_request import PullOptions
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord


def audit(engine: Engine, name: str) -> Audit:
    """Look an image through. Raises NotFound, Damaged."""
    record, _ = lookup.get(engine, name)
    chain = layer_chain(engine.store, record)
    layers = reading.Layers()
    for layer in chain:
        with open_layer(engine.store, lambda ref: engine.storage.hook.storage_contents(layer=ref), layer) as tar:
            layers.add(tar)
    policy = foresee.judged(engine, PullOptions(), foresee.references(engine, record.names))
    return Audit(
        id=record.id,
        names=tuple(record.names),
        digest=str(record.digest or ""),
        layers=tuple(
            AuditedLayer(digest=str(layer.diff_digest), size=max(layer.diff_size, 0), wasted=wasted)
            for layer, wasted in zip(chain, layers.wasted, strict=True)
        ),
        findings=(*reading.of_config(read_config(engine, record)), *layers.findings()),
        signatures=_signatures(record),
        policy_file=str(policy["File"]),
        verdicts=tuple(policy["Verdicts"]),
    )


def _signatures(record: ImageRecord) -> int:
    """How many signatures came with the image; the store keeps their sizes in its metadata."""
    try:
        sizes = json.loads(record.data.get("metadata") or "{}").get("signature-sizes")
    except (ValueError, AttributeError):
        return 0
    return len(sizes) if isinstance(sizes, list) else 0
