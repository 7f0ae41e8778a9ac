"""Copying images from any place to any place: `image copy`."""

from __future__ import annotations

from sonata.engine.images.again import again
from sonata.engine.images.blob_places import mounting
from sonata.engine.images.pull import endpoints_for, transport_options, wanted_platform
from sonata.engine.images.signing import carrier_for, put_written
from sonata.engine.images.trust import trust_for
from sonata.image.convert import require_packing
from sonata.image.copy import SYSTEM, CopyOptions, copy_image, copy_into
from sonata.image.platform import parse_platform
from sonata.image.reference import split_transport
from sonata.model.image_request import PullOptions
from sonata_core.errors import SonataError, Unsupported, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.hookspecs.transport import TransportBatch, TransportWrite
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.transfer import Progress
    from sonata.model.copy_request import CopyChoices
    from sonata_core.models.image import Endpoint, ImageReference, TransportOptions
    from sonata_core.slot import Slot

STORE = "containers-storage"
DAEMON = "docker-daemon"
DEFAULT_PARALLEL = 3
_LAYOUTS = ("oci", "oci-archive")
"""Places that hold Docker's manifests too, where that is asked for."""
_WITH_ADDRESSES = ("docker", *_LAYOUTS)
"""Places where a layer may lie elsewhere: at the addresses that its descriptor names."""


class End:
    """One end of a copy: a place of a transport, and how to talk to it."""

    def __init__(self, slot: Slot[Any], reference: ImageReference, options: TransportOptions) -> None:
        self.slot = slot
        self.reference = reference
        self.options = options

    @property
    def facts(self) -> Any:
        """What the transport says of itself."""
        return self.slot.hook.transport_facts()


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


def scheme_of(engine: Engine, text: str, what: str) -> str:
    """The transport that a place names. Raises UsageError where it names none."""
    scheme, _ = split_transport(text, engine.catalog.names(TRANSPORT))
    if not scheme:
        raise UsageError(
            f'Invalid {what} name {text}: Invalid image name "{text}", expected colon-separated transport:reference',
            hint=f"for example docker://{text}, or containers-storage:{text}",
        )
    return scheme


def source_end(engine: Engine, text: str, options: PullOptions) -> End:
    """Where to read. Mirrors of a registry are asked first, as for a pull."""
    scheme, rest = split_transport(text, engine.catalog.names(TRANSPORT))
    slot = engine.transport(scheme)
    reference = parsed(slot, text, rest, "source")
    if scheme != "docker":
        return End(slot, reference, transport_options(engine, options, _daemon(scheme, options)))
    endpoints = endpoints_for(engine, reference.name, options)
    return End(slot, reference, transport_options(engine, options, endpoints))


def sink_end(engine: Engine, text: str, options: PullOptions) -> End:
    """Where to write: never a mirror. Raises Unsupported for a place that can only be read."""
    from sonata.engine.images.push import registry_end

    scheme, rest = split_transport(text, engine.catalog.names(TRANSPORT))
    slot = engine.transport(scheme)
    reference = parsed(slot, text, rest, "destination")
    if not slot.offers(TransportWrite):
        raise Unsupported(
            f'initializing destination {text}: "{scheme}:" locations can only be read from, not written to',
            hint="write a docker-archive, an oci-archive or a folder",
        )
    if scheme != "docker":
        return End(slot, reference, transport_options(engine, options, _daemon(scheme, options)))
    _, opened = registry_end(engine, rest, options)
    return End(slot, reference, opened)


def _daemon(scheme: str, options: PullOptions) -> tuple[Endpoint, ...]:
    """The Docker daemon that was named. Raises UsageError."""
    from sonata_core.models.image import Endpoint

    host = options.daemon_host
    if scheme != DAEMON or not host:
        return ()
    if "://" not in host:
        raise UsageError(
            f"initializing docker engine client: unable to parse docker host `{host}`",
            hint="an address looks like unix:///PATH or tcp://HOST:PORT",
        )
    folders = (options.cert_dir,) if options.cert_dir else ()
    return (Endpoint(reference=host, insecure=options.tls_verify is False, cert_dirs=folders),)


def parsed(slot: Slot[Any], text: str, rest: str, what: str) -> ImageReference:
    """The reference of a `source` or `destination`. Raises UsageError in Skopeo's words."""
    try:
        found: ImageReference = slot.hook.transport_parse(text=rest)
    except UsageError as error:
        raise UsageError(f"Invalid {what} name {text}: {error.message}", hint=error.hint) from error
    return found


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


def further(goal: End, choices: CopyChoices) -> tuple[End, ...]:
    """A Docker daemon, under the goal's name and under each additional one: it keeps what it has, and adds the name."""
    names = [f"{DAEMON}:{name}" for name in _names(goal, choices)]
    references = [parsed(goal.slot, name, name.partition(":")[2], "destination") for name in names]
    return tuple(End(goal.slot, reference, goal.options) for reference in references)


def tags_of(goal: End, choices: CopyChoices) -> tuple[str, ...]:
    """The names that an archive gets. Raises Unsupported where the place keeps one only."""
    if not goal.slot.offers(TransportBatch):
        raise Unsupported(
            f"--additional-tag: {goal.reference.transport} keeps no further names of an image",
            hint="docker-archive and docker-daemon do; elsewhere copy once more",
        )
    return _names(goal, choices)


def _names(goal: End, choices: CopyChoices) -> tuple[str, ...]:
    from sonata_core.naming import parse_name

    own = (goal.reference.name,) if goal.reference.name else ()
    try:
        more = tuple(str(parse_name(text).with_default_tag()) for text in choices.additional_tags)
    except SonataError as error:
        raise UsageError(f"error parsing additional-tag: {error.message}", hint=error.hint) from error
    return tuple(dict.fromkeys((*own, *more)))


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


def digest_in(reference: ImageReference) -> str:
    """The digest by which a registry's place is named; empty where it has a tag."""
    return reference.name.partition("@")[2] if reference.transport == "docker" else ""


def _near(source: ImageReference, goal: ImageReference) -> tuple[str, str]:
    """Host and repository of the source where the goal is a repository of the same registry."""
    from sonata_core.naming import parse_name

    if source.transport != "docker" or goal.transport != "docker":
        return ("", "")
    have, want = parse_name(source.name), parse_name(goal.name)
    return (have.domain, have.path) if have.domain == want.domain and have.path != want.path else ("", "")
