"""`image audit`: an image looked through, layer by layer; nothing of it is run or unpacked."""

from __future__ import annotations

from sonata.engine.images import foresee, lookup
from sonata.engine.images.audit_source import Subject, subject_of_record, subject_of_source
from sonata.image import audit as reading
from sonata.image.audit_config import of_config
from sonata.image.audit_entries import shown
from sonata.image.reference import transport_or_name
from sonata.model.audit_choice import AuditRequest, Sieve
from sonata.model.image_audit import PER_CHECK, Audit, AuditedLayer, Finding
from sonata.model.image_request import PullOptions
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import ImageReference

_STORE = "containers-storage"
_LARGE, _SHARE = 1_000_000, 10
"""Waste is told of from so many bytes, and one part in so many of its layer."""


def audit(engine: Engine, name: str, request: AuditRequest | None = None, options: PullOptions | None = None) -> Audit:
    """Look an image through: one of the store by its name, any other by its transport, such as `oci:FOLDER`.

    `options` say how to talk to a registry, which platform is meant, and by which policy to judge.
    Raises NotFound, Damaged, Unsupported, UsageError, RegistryFailure.
    """
    request, options = request or AuditRequest(), options or PullOptions()
    found = _local(engine, name, options.platform)
    if found is not None:
        return _looked(engine, subject_of_record(*found), request, options)
    with subject_of_source(engine, name, options) as subject:
        return _looked(engine, subject, request, options)


def _local(engine: Engine, name: str, platform: str) -> tuple[Engine, ImageRecord] | None:
    """The store and the image in it; None where another transport is named. Raises NotFound, UsageError."""
    from sonata.engine.images.other_store import opened

    scheme, rest = transport_or_name(name, engine.catalog.names(TRANSPORT))
    if scheme == _STORE:
        engine, name = opened(engine, rest)
    elif scheme:
        found = _named_so(engine, name)
        return None if found is None else (engine, found)
    try:
        return engine, _of_platform(engine, name, platform)
    except NotFound as error:
        error.hint = error.hint or f"`image audit docker://{name}` looks at a registry's image; `pull` brings it here"
        raise


def _of_platform(engine: Engine, name: str, platform: str) -> ImageRecord:
    from sonata.engine.images.facts import read_config
    from sonata.engine.images.platforms import wanted_platform
    from sonata.image.platform import parse_platform

    if not platform:
        return lookup.get(engine, name)[0]
    wanted = parse_platform(platform, wanted_platform(engine, PullOptions()))
    found = lookup.find(engine, name, platform=wanted)
    if found is None:
        return lookup.get(engine, name)[0]
    config = read_config(engine, found[0])
    if (config.os, config.architecture) != (wanted.os, wanted.architecture):
        raise NotFound(f"{name}: the image here is one for {config.os}/{config.architecture}", name=name)
    return found[0]


def _named_so(engine: Engine, name: str) -> ImageRecord | None:
    """An image of the store whose name looks like a transport's, such as `oci:latest`."""
    if "/" in name:
        return None
    try:
        found = lookup.find(engine, name)
    except UsageError:
        return None
    return found[0] if found is not None else None


def _looked(engine: Engine, subject: Subject, request: AuditRequest, options: PullOptions) -> Audit:
    layers = reading.Layers()
    for layer in subject.layers:
        with layer.open() as heads:
            layers.add(heads)
    told = _verdicts(engine, subject, options)
    looked = tuple(
        AuditedLayer(digest=layer.digest, size=layer.size, wasted=wasted)
        for layer, wasted in zip(subject.layers, layers.wasted, strict=True)
    )
    sieve = Sieve(request, PER_CHECK)
    sieve.add(of_config(subject.config, layers.passwd))
    sieve.add(layers.findings())
    sieve.add(_of_waste(looked))
    sieve.add(_of_trust(told, len(subject.signatures)))
    return Audit(
        id=subject.id,
        names=subject.names,
        digest=subject.digest,
        layers=looked,
        findings=sieve.findings,
        omitted=sieve.omitted,
        ignored=sieve.ignored,
        unused=sieve.unused,
        signatures=len(subject.signatures),
        policy_file=str(told["File"]),
        verdicts=tuple(told["Verdicts"]),
    )


def _of_waste(layers: tuple[AuditedLayer, ...]) -> Iterator[Finding]:
    for number, layer in enumerate(layers):
        if layer.wasted >= _LARGE and layer.wasted * _SHARE >= layer.size:
            detail = f"{layer.wasted} of {layer.size} bytes are replaced or removed by later layers"
            yield Finding(id="layer-waste", layer=number, path="layer", detail=detail)


def _of_trust(told: Mapping[str, Any], signatures: int) -> Iterator[Finding]:
    def finding(check: str, detail: str) -> Finding:
        return Finding(id=check, layer=-1, path="policy", detail=shown(detail.encode("utf-8", "replace")))

    if told.get("Error"):
        yield finding("policy-rejected", str(told["Error"]))
    rejected = [one for one in told["Verdicts"] if one["Verdict"] == "rejected"]
    for one in rejected:
        yield finding("policy-rejected", f"{one['Reference']}: {one['Reason']}")
    if not signatures and not rejected:
        yield finding("unsigned", "no signature came with it")


def _verdicts(engine: Engine, subject: Subject, options: PullOptions) -> dict[str, Any]:
    """The policy's file, and what it says of the image under each of its names, with the signatures that it has."""
    names = [subject.reference] if subject.reference else foresee.references(engine, subject.names)
    told = foresee.judged(engine, options, names)
    decided = [
        _decided(engine, subject, verdict, reference, options) if verdict["Verdict"] == "if signed" else verdict
        for verdict, reference in zip(told["Verdicts"], names, strict=False)
    ]
    return {**told, "Verdicts": decided}


def _decided(
    engine: Engine, subject: Subject, verdict: Mapping[str, Any], reference: ImageReference, options: PullOptions
) -> Mapping[str, Any]:
    from sonata.engine.images.trust import trust_for

    if subject.manifest is None:
        return {**verdict, "Verdict": "rejected", "Reason": "it has no manifest that could be signed"}
    try:
        trust_for(engine, options.signature_policy).judge(reference, subject.manifest, subject.signatures)
    except SonataError as error:
        return {**verdict, "Verdict": "rejected", "Reason": error.message}
    return {**verdict, "Verdict": "accepted", "Reason": "its signatures satisfy the policy"}
