"""`image audit`: an image looked through, layer by layer; nothing of it is run or unpacked."""

from __future__ import annotations

from sonata.engine.images import foresee, lookup
from sonata.engine.images.facts import read_config
from sonata.engine.images.stored import layer_chain, open_layer
from sonata.image import audit as reading
from sonata.model.image_audit import Audit, AuditedLayer
from sonata.model.image_request import PullOptions
from sonata.store.signatures import stored_signatures
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import ImageReference, ManifestBytes


def audit(engine: Engine, name: str) -> Audit:
    """Look an image through. Raises NotFound, Damaged."""
    record, _ = lookup.get(engine, name)
    chain = layer_chain(engine.store, record)
    layers = reading.Layers()
    for layer in chain:
        with open_layer(engine.store, lambda ref: engine.storage.hook.storage_contents(layer=ref), layer) as tar:
            layers.add(tar)
    manifest = _manifest(engine, record)
    signatures = stored_signatures(engine.store, record, manifest.digest) if manifest is not None else ()
    policy_file, verdicts = _verdicts(engine, record, manifest, signatures)
    return Audit(
        id=record.id,
        names=tuple(record.names),
        digest=str(record.digest or ""),
        layers=tuple(
            AuditedLayer(digest=str(layer.diff_digest), size=max(layer.diff_size, 0), wasted=wasted)
            for layer, wasted in zip(chain, layers.wasted, strict=True)
        ),
        findings=(*reading.of_config(read_config(engine, record)), *layers.findings()),
        signatures=len(signatures),
        policy_file=policy_file,
        verdicts=verdicts,
    )


def _manifest(engine: Engine, record: ImageRecord) -> ManifestBytes | None:
    """The image's own manifest; None where the store has none."""
    from sonata_core.models.image import ManifestBytes
    from sonata_core.sdk.manifests import digest_of

    try:
        content = engine.store.image_data(record, "manifest")
    except NotFound:
        return None
    return ManifestBytes(media_type="", digest=digest_of(content), content=content)


def _verdicts(
    engine: Engine, record: ImageRecord, manifest: ManifestBytes | None, signatures: tuple[bytes, ...]
) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The policy's file, and what it says of the image under each of its names, with the signatures that it has."""
    names = foresee.references(engine, record.names)
    told = foresee.judged(engine, PullOptions(), names)
    verdicts = [
        _decided(engine, verdict, reference, manifest, signatures) if verdict["Verdict"] == "if signed" else verdict
        for verdict, reference in zip(told["Verdicts"], names, strict=False)
    ]
    return str(told["File"]), tuple(verdicts)


def _decided(
    engine: Engine,
    verdict: Mapping[str, Any],
    reference: ImageReference,
    manifest: ManifestBytes | None,
    signatures: tuple[bytes, ...],
) -> Mapping[str, Any]:
    from sonata.engine.images.trust import trust_for

    if manifest is None:
        return {**verdict, "Verdict": "rejected", "Reason": "it has no manifest that could be signed"}
    try:
        trust_for(engine).judge(reference, manifest, signatures)
    except SonataError as error:
        return {**verdict, "Verdict": "rejected", "Reason": error.message}
    return {**verdict, "Verdict": "accepted", "Reason": "its signatures satisfy the policy"}
