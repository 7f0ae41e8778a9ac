"""Copies of which one end, or both, is a store of containers."""

from __future__ import annotations

from sonata.engine.images.ends import DAEMON, DEFAULT_PARALLEL, STORE, End, further, sink_end, source_end, tags_of
from sonata.engine.images.landing import StoreLanding
from sonata.engine.images.lookup import named
from sonata.engine.images.other_store import full_name, opened, split_id
from sonata.engine.images.outgoing import PushChoices, settings_for, stored
from sonata.engine.images.platforms import wanted_platform
from sonata.engine.images.signing import carrier_of_stored, put_written
from sonata.engine.images.trust import trust_for
from sonata.image.platform import parse_platform
from sonata.image.pull_options import PullOptions as TransferOptions
from sonata.image.push import push_signed, put_image
from sonata.image.transfer import partial_folder, pull_image
from sonata_core.errors import NotFound, Unsupported, UsageError
from sonata_core.hookspecs.transport import TransportBatch, TransportWrite
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
    from sonata.model.copy_request import CopyChoices
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import ManifestBytes, TransportOptions

_PREFIX = f"{STORE}:"


def copy_with_store(
    engine: Engine, source: str, destination: str, choices: CopyChoices, progress: Progress | None
) -> str:
    """As `copying.copy`, where a store is an end."""
    if destination.startswith(_PREFIX) and destination.rpartition("]")[2] in ("", _PREFIX):
        hint = f"name the image, or say @ and its ID: {destination}NAME"
        raise UsageError(f'Invalid destination name {destination}: "" is an empty reference', hint=hint)
    if not source.startswith(_PREFIX):
        return _into(engine, source, destination.removeprefix(_PREFIX), choices, progress)
    if not destination.startswith(_PREFIX):
        return _out_of(engine, source.removeprefix(_PREFIX), destination, choices, progress)
    return _across(engine, source.removeprefix(_PREFIX), destination.removeprefix(_PREFIX), choices, progress)


def _out_of(engine: Engine, source: str, destination: str, choices: CopyChoices, progress: Progress | None) -> str:
    here, name = opened(engine, source)
    record, _ = named(here, name)
    goal = sink_end(engine, destination, choices.destination)
    _refuse_group(choices, f'source transport "{STORE}"')
    if choices.additional_tags and goal.reference.transport == DAEMON:
        once = choices.replace(additional_tags=())
        digests = [_put(engine, here, record.id, end, once, progress) for end in further(goal, choices)]
        return digests[0]
    return _put(engine, here, record.id, goal, choices, progress)


def _put(
    engine: Engine, here: Engine, image_id: str, goal: End, choices: CopyChoices, progress: Progress | None
) -> str:
    image = stored(here, image_id)
    carrier = carrier_of_stored(
        here, image_id, goal.reference, goal.options, remove=choices.remove_signatures, signing=choices.signing
    )
    carrier.admit(image.manifest)
    options = settings_for(here, goal.slot, _push_choices(choices))
    if choices.additional_tags:
        names = tags_of(goal, choices)
        place = goal.reference.replace(selector="", rest=goal.reference.path, name="")
        writer = goal.slot.require(TransportBatch)
        with writer.transport_open_batch(reference=place, options=goal.options) as batch:
            manifest = put_image(image, batch, options, progress)
            carrier.carry(image.manifest, manifest)
            batch.add(manifest, names)
            batch.commit()
        return manifest.digest
    with goal.slot.require(TransportWrite).transport_open_sink(reference=goal.reference, options=goal.options) as sink:
        manifest = push_signed(image, sink, options, carrier, progress)
    put_written(engine, carrier, goal.reference, goal.options)
    return manifest.digest


def _push_choices(choices: CopyChoices) -> PushChoices:
    return PushChoices(
        manifest_type=choices.manifest_type,
        compression=choices.compression,
        level=choices.level,
        force=choices.force,
        compress=choices.compress,
        plain=choices.decompress or choices.accept_uncompressed,
        preserve_digests=choices.preserve_digests,
        remove_signatures=choices.remove_signatures,
        signing=choices.signing,
    )


def _into(engine: Engine, source: str, destination: str, choices: CopyChoices, progress: Progress | None) -> str:
    _refuse_changes(choices)
    _refuse_group(choices, f'destination transport "{STORE}"')
    start = source_end(engine, source, choices.source)
    trust = trust_for(engine, choices.source.signature_policy)
    trust.forbid(start.reference)
    there, name = opened(engine, destination, make=True)
    require_fit = _fitting(name)
    options = _landing_options(there, choices, start.options)
    hook = start.slot.hook
    with hook.transport_open_source(reference=start.reference, options=start.options) as opened_source:

        def admit(manifest: ManifestBytes) -> tuple[bytes, ...]:
            require_fit(manifest)
            found = trust.admit(start.reference, opened_source, manifest)
            return () if choices.remove_signatures else found

        pulled = pull_image(opened_source, StoreLanding(there.store), options, progress, admit)
    _name(there, pulled.id, name)
    return pulled.digest


def _across(engine: Engine, source: str, destination: str, choices: CopyChoices, progress: Progress | None) -> str:
    from sonata.image.land_stored import land_stored

    _refuse_changes(choices)
    _refuse_group(choices, f'source transport "{STORE}"')
    here, name = opened(engine, source)
    record, _ = named(here, name)
    image = stored(here, record.id)
    there, target = opened(engine, destination, make=True)
    _fitting(target)(image.manifest)
    if there.config.storage.graph_root != here.config.storage.graph_root:
        land_stored(record.id, image, StoreLanding(there.store), _landing_options(there, choices, None), progress)
    _name(there, record.id, target)
    return image.manifest.digest


def bring(engine: Engine, text: str, progress: Progress | None) -> tuple[ImageRecord, str]:
    """An image of another store into this one, under the name that it has there; its record and that name."""
    from sonata.model.copy_request import CopyChoices

    there, name = opened(engine, text)
    found, full = named(there, name)
    _across(engine, text, full, CopyChoices(), progress)
    image = engine.store.find_image(found.id)
    if image is None:
        raise NotFound(f"{text}: image was removed while it was copied", name=text)
    return image, full


def _fitting(name: str) -> Callable[[ManifestBytes], None]:
    """What raises UsageError for the manifest of another image than the one that the destination's name says."""
    bare, ident = split_id(name)
    if bare:
        full_name(bare)
    digest = bare.partition("@")[2]

    def require(manifest: ManifestBytes) -> None:
        from sonata.image.manifest import Manifest, parse_bytes

        if digest and manifest.digest != digest:
            raise UsageError(
                "Digest of source image's manifest would not match destination reference",
                hint=f"the source's is {manifest.digest}",
            )
        document = parse_bytes(manifest.content) if ident else None
        if isinstance(document, Manifest) and not document.config.digest.partition(":")[2].startswith(ident):
            raise UsageError(
                f"{name}: the image's ID is another: {document.config.digest}",
                hint="an image's ID is the digest of its configuration; leave it out",
            )

    return require


def _name(engine: Engine, image: str, name: str) -> None:
    bare, _ = split_id(name)
    record = engine.store.find_image(image)
    if bare and record is not None:
        engine.store.add_names(record, [full_name(bare)])


def _landing_options(engine: Engine, choices: CopyChoices, opened: TransportOptions | None) -> TransferOptions:
    host = wanted_platform(engine, choices.source)
    return TransferOptions(
        platform=parse_platform(choices.platforms[0], host) if choices.platforms else host,
        partial=partial_folder(engine.config.storage.graph_root) if opened and opened.endpoints else "",
        parallel=engine.config.engine.image_parallel_copies or DEFAULT_PARALLEL,
        retries=opened.retries if opened else 0,
        retry_delay=opened.retry_delay if opened else 0.0,
        rootless=engine.facts.rootless,
    )


def _refuse_group(choices: CopyChoices, what: str) -> None:
    if choices.multi not in ("", "system") or len(choices.platforms) > 1:
        raise Unsupported(
            f"copying multiple images: {what} does not support copying multiple images as a group",
            hint="copy one platform at a time",
        )


def _refuse_changes(choices: CopyChoices) -> None:
    """A store keeps an image's manifest as it came, and its layers unpacked."""
    given = {
        "--format": choices.manifest_type,
        "--dest-compress-format": choices.compression,
        "--dest-compress": choices.compress,
        "--dest-decompress": choices.decompress,
        "--additional-tag": choices.additional_tags,
    }
    for option, value in given.items():
        if value:
            raise UsageError(
                f"{option} says nothing of {STORE}: a store keeps an image's manifest as it came",
                hint="leave it out; `image copy` and `push` convert on the way out",
            )
