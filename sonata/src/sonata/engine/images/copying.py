"""Copying images from any place to any place: `image copy`."""

from __future__ import annotations

from sonata.engine.images.again import again
from sonata.engine.images.blob_places import mounting
from sonata.engine.images.ends import (
    DAEMON,
    DEFAULT_PARALLEL,
    STORE,
    End,
    digest_in,
    further,
    scheme_of,
    sink_end,
    source_end,
    tags_of,
)
from sonata.engine.images.platforms import wanted_platform
from sonata.engine.images.signing import carrier_for, put_written
from sonata.engine.images.trust import trust_for
from sonata.image.convert import require_packing
from sonata.image.copy import copy_image, copy_into
from sonata.image.copy_options import SYSTEM, CopyOptions
from sonata.image.platform import parse_platform
from sonata_core.hookspecs.transport import TransportBatch, TransportWrite
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
    from sonata.model.copy_request import CopyChoices
    from sonata_core.models.image import ImageReference

_LAYOUTS = ("oci", "oci-archive")
"""Places that hold Docker's manifests too, where that is asked for."""
_WITH_ADDRESSES = ("docker", *_LAYOUTS)
"""Places where a layer may lie elsewhere: at the addresses that its descriptor names."""


def copy(
    engine: Engine,
    source: str,
    destination: str,
    choices: CopyChoices,
    progress: Progress | None = None,
) -> str:
    """Copy the image `source` to `destination`, both as `transport:place`; the digest of what is there then.

    An image of the engine's own store, or of another one, may be either. Raises UsageError, NotFound, Denied,
    Damaged, Unsupported, RegistryFailure.
    """
    kinds = [scheme_of(engine, text, what) for text, what in ((source, "source"), (destination, "destination"))]
    if STORE in kinds:
        from sonata.engine.images.copy_store import copy_with_store

        return copy_with_store(engine, source, destination, choices, progress)
    start = source_end(engine, source, choices.source)
    trust_for(engine, choices.source.signature_policy).forbid(start.reference)
    goal = sink_end(engine, destination, choices.destination)
    return transfer(engine, start, goal, choices, progress)


def transfer(engine: Engine, start: End, goal: End, choices: CopyChoices, progress: Progress | None) -> str:
    """Copy between two transports what the policy accepts; the digest of what is there then."""
    if choices.additional_tags and goal.reference.transport == DAEMON:
        once = choices.replace(additional_tags=())
        digests = [transfer(engine, start, end, once, progress) for end in further(goal, choices)]
        return digests[0]
    return again(engine, goal.options, lambda: _attempt(engine, start, goal, choices, progress))


def _attempt(engine: Engine, start: End, goal: End, choices: CopyChoices, progress: Progress | None) -> str:
    trust = trust_for(engine, choices.source.signature_policy)
    hook = start.slot.hook
    with hook.transport_open_source(reference=start.reference, options=start.options) as source:
        carrier = carrier_for(
            engine,
            lambda manifest: trust.admit(start.reference, source, manifest),
            goal.reference,
            goal.options,
            read=lambda manifest: source.signatures(manifest.digest),
            remove=choices.remove_signatures,
            signing=choices.signing,
        )
        options = settings(engine, start, goal, choices).replace(carrier=carrier)
        if choices.additional_tags:
            names = tags_of(goal, choices)
            place = goal.reference.replace(selector="", rest=goal.reference.path, name="")
            writer = goal.slot.require(TransportBatch)
            with writer.transport_open_batch(reference=place, options=goal.options) as batch:
                manifest = copy_into(source, batch, names, options, progress)
                batch.commit()
            return manifest.digest
        written = goal.slot.require(TransportWrite).transport_open_sink(reference=goal.reference, options=goal.options)
        beside = start.options.endpoints[-1] if start.reference.transport == "docker" else None
        mounted = mounting(engine, written, goal.options, beside) if goal.reference.transport == "docker" else written
        with mounted as sink:
            digest = copy_image(source, sink, options, progress).digest
        put_written(engine, carrier, goal.reference, goal.options)
        return digest


def settings(engine: Engine, start: End, goal: End, choices: CopyChoices) -> CopyOptions:
    """How one copy goes. Raises UsageError."""
    host = wanted_platform(engine, choices.source)
    platforms = tuple(parse_platform(text, host) for text in choices.platforms)
    source, facts = start.facts, goal.facts
    keeps = goal.reference.transport == "dir"
    fixed = choices.preserve_digests or bool(digest_in(goal.reference))
    pack = choices.compress or (not source.keeps_digests and not keeps and not choices.accept_uncompressed)
    may_pack = facts.layer_compression != "none" and not (keeps or fixed or choices.accept_uncompressed)
    require_packing(facts, choices.compression, choices.manifest_type)
    if goal.reference.transport in _LAYOUTS and (fixed or choices.manifest_type):
        facts = facts.replace(manifest_types=())
    return CopyOptions(
        source=source,
        facts=facts,
        spool=engine.config.paths.tmp_dir,
        platform=host,
        platforms=platforms,
        multi=choices.multi or SYSTEM,
        manifest_type=choices.manifest_type,
        compression=choices.compression,
        level=choices.level,
        pack=pack,
        may_pack=may_pack,
        unpack=choices.decompress,
        force=choices.force,
        preserve_digests=fixed,
        digest=digest_in(goal.reference),
        parallel=engine.config.engine.image_parallel_copies or DEFAULT_PARALLEL,
        retries=goal.options.retries,
        retry_delay=goal.options.retry_delay,
        addresses=goal.reference.transport in _WITH_ADDRESSES,
        near=_near(start.reference, goal.reference),
    )


def _near(source: ImageReference, goal: ImageReference) -> tuple[str, str]:
    """Host and repository of the source where the goal is a repository of the same registry."""
    from sonata_core.naming import parse_name

    if source.transport != "docker" or goal.transport != "docker":
        return ("", "")
    have, want = parse_name(source.name), parse_name(goal.name)
    return (have.domain, have.path) if have.domain == want.domain and have.path != want.path else ("", "")
