"""Pushing images from the store to wherever they are to lie."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.images import lookup
from sonata.engine.images.access import transport_options
from sonata.engine.images.again import again
from sonata.engine.images.blob_places import mounting
from sonata.engine.images.ends import registry_end
from sonata.engine.images.outgoing import PushChoices, settings_for, stored
from sonata.image.forms import check_destination
from sonata.image.push import push_signed, put_image
from sonata.image.reference import transport_or_name
from sonata_core.errors import UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.hookspecs.transport import TransportBatch, TransportWrite
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
    from sonata.model.image_request import PullOptions
    from sonata_core.models.image import ImageReference, TransportOptions


def push(
    engine: Engine,
    name: str,
    destination: str,
    options: PullOptions,
    choices: PushChoices | None = None,
    progress: Progress | None = None,
) -> str:
    """Push the image `name` to `destination` (empty: to where the name says); the digest of the manifest there.

    A short name is Docker's, as Podman and Docker push it, whatever image here it stands for; an id stands for the
    image's own name. Of a list of images its image for this platform; where the store has none, the whole list.
    Raises NotFound, UsageError, Denied, RegistryFailure, Unsupported.
    """
    found = lookup.find(engine, name)
    if found is None:
        whole, full = lookup.get(engine, name, lists=True)
        if whole.is_list:
            return _whole_list(engine, whole.id, destination or name, options, choices or PushChoices(), progress)
    image, full = found or lookup.get(engine, name)
    target = destination or (full if lookup.found_by_id(image, full, name) else name)
    if not target:
        raise UsageError(f"{name} has no name to push to", hint="sonata push IMAGE DESTINATION")
    scheme, rest = transport_or_name(target, engine.catalog.names(TRANSPORT))
    if scheme == "containers-storage":
        return _to_store(engine, image.id, target, choices or PushChoices(), progress)
    if scheme in ("", "docker"):
        scheme, rest, opened = "docker", *registry_end(engine, rest, options)
    else:
        opened = transport_options(engine, options)
    reference = engine.transport(scheme).hook.transport_parse(text=rest)
    own = full if reference.transport == "docker-archive" and not lookup.found_by_id(image, full, name) else ""

    def attempt() -> str:
        if progress is not None and not (choices and choices.remove_signatures):
            progress.message("Getting image source signatures")
        return send(engine, image.id, reference, opened, choices or PushChoices(), progress, own)

    digest = again(engine, opened, attempt)
    events.thing(engine, "image", "push", full or image.id, image.id)
    return digest


def _to_store(engine: Engine, image: str, target: str, choices: PushChoices, progress: Progress | None) -> str:
    """Into another store, or under another name into this one."""
    from sonata.engine.images.copy_store import copy_with_store
    from sonata.model.copy_request import CopyChoices

    wanted = CopyChoices(
        manifest_type=choices.manifest_type, compression=choices.compression, compress=choices.compress
    )
    return copy_with_store(engine, f"containers-storage:@{image}", target, wanted, progress)


def _whole_list(
    engine: Engine, ident: str, target: str, options: PullOptions, choices: PushChoices, progress: Progress | None
) -> str:
    from sonata.engine.manifests.push import push as push_list
    from sonata.model.manifest_request import ListPushRequest
    from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST
    from sonata_core.record import fields_of

    given = {
        field: getattr(options, field) for field in fields_of(type(options)) if field in fields_of(ListPushRequest)
    }
    given |= {
        "name": ident,
        "destination": target,
        "add_compression": (),
        "compression_format": choices.compression,
        "compression_level": choices.level,
        "force_compression": choices.force,
        "format": {OCI_MANIFEST: "oci", DOCKER_MANIFEST: "v2s2"}.get(choices.manifest_type, ""),
        "remove_signatures": choices.remove_signatures,
        "signing": choices.signing,
    }
    say = progress.message if progress is not None else (lambda _: None)
    return push_list(engine, ListPushRequest(**given), progress, say)


def send(
    engine: Engine,
    image: str,
    reference: ImageReference,
    opened: TransportOptions,
    choices: PushChoices,
    progress: Progress | None,
    own: str = "",
) -> str:
    """Write one image of the store to a parsed reference; the digest of its manifest there.

    `own` is the name that it has here, which an archive keeps beside the one that it is given.
    """
    from sonata.engine.images.signing import carrier_of_stored, put_written

    slot = engine.transport(reference.transport)
    settings = settings_for(engine, slot, choices)
    source = stored(engine, image)
    if reference.transport == "docker" and "@" in reference.name:
        check_destination(source.manifest, reference.name.partition("@")[2])
        settings = settings.replace(preserve_digests=True)
    carrier = carrier_of_stored(
        engine, image, reference, opened, remove=choices.remove_signatures, signing=choices.signing
    )
    carrier.admit(source.manifest)
    if own:
        place = reference.replace(selector="", rest=reference.path, name="")
        names = tuple(dict.fromkeys((*((reference.name,) if reference.name else ()), own)))
        with slot.require(TransportBatch).transport_open_batch(reference=place, options=opened) as batch:
            manifest = put_image(source, batch, settings, progress)
            carrier.carry(source.manifest, manifest)
            batch.add(manifest, names)
            batch.commit()
        return manifest.digest
    with mounting(
        engine, slot.require(TransportWrite).transport_open_sink(reference=reference, options=opened), opened
    ) as sink:
        manifest = push_signed(source, sink, settings, carrier, progress)
    put_written(engine, carrier, reference, opened)
    return manifest.digest
