"""`manifest push`: a list and its instances, wherever those are, copied to one place."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.images.copying import settings
from sonata.engine.images.ends import End, sink_end, source_end
from sonata.engine.images.outgoing import PushChoices, settings_for, stored
from sonata.engine.images.signing import carrier_for, carrier_of_stored, put_written
from sonata.engine.images.trust import trust_for
from sonata.engine.manifests import lists, local
from sonata.engine.manifests.instances import image_with
from sonata.image.copy_one import One
from sonata.image.forms import in_a_form
from sonata.image.index import ZSTD_MARK, ImageList, best_type, write_list
from sonata.image.manifest import Index, LegacyManifest, check_matches, parse
from sonata.image.progress import Quiet
from sonata.image.push import put_image
from sonata.image.reference import transport_or_name
from sonata.image.signatures.carrying import unsigned
from sonata.image.transfer import checked_manifest
from sonata.model.copy_request import CopyChoices
from sonata_core.errors import NotFound, SonataError, Unsupported, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.hookspecs.transport import TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes, TransportFacts
from sonata_core.models.media import DOCKER_LIST, DOCKER_MANIFEST, INDEXES, OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.engine.manifests.lists import StoredList
    from sonata.image.index import Entry
    from sonata.image.progress import Progress
    from sonata.image.signatures.carrying import Carrier
    from sonata.model.manifest_request import ListPushRequest
    from sonata_core.models.image import ImageSink, ImageSource

_FORMS = {"": "", "oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST, "docker": DOCKER_MANIFEST}
_INDEX_OF = {OCI_MANIFEST: OCI_INDEX, DOCKER_MANIFEST: DOCKER_LIST}
_PACKINGS = ("gzip", "zstd", "zstd:chunked")


def push(
    engine: Engine,
    request: ListPushRequest,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Digest:
    """Push a list, with `all` its instances too; the digest of the list there. `say` is told what is done.

    Raises NotFound, UsageError, Unsupported, Denied, RegistryFailure.
    """
    if request.add_compression is None:
        request = request.replace(add_compression=engine.config.engine.add_compression)
    choices = _choices(engine, request)
    try:
        record = lists.find(engine, request.name)
    except SonataError as error:
        error.message = f"retrieving local image from image name {request.name}: {error.message}"
        raise
    work = _Push(engine, lists.read(engine, record), _goal(engine, request), choices, progress or Quiet(), say)
    digest = work.run(request)
    events.thing(engine, "image", "push", request.destination, record.id)
    if request.rm:
        from sonata.engine.manifests.edit import delete

        delete(engine, record.id)
    return digest


def _choices(engine: Engine, request: ListPushRequest) -> CopyChoices:
    if request.format not in _FORMS:
        raise UsageError(f"unknown format \"{request.format}\". Choose one of the supported formats: 'oci' or 'v2s2'")
    conf = engine.config.engine
    packing = request.compression_format or conf.compression_format
    if packing and packing not in _PACKINGS:
        raise UsageError(f'cannot find compressor for "{packing}"', hint=f"there are {', '.join(_PACKINGS)}")
    for one in request.add_compression or ():
        if one not in _PACKINGS:
            raise UsageError(
                f'requested algorithm {one} is not supported for replication: cannot find compressor for "{one}"',
                hint=f"there are {', '.join(_PACKINGS)}",
            )
    level = request.compression_level
    return CopyChoices(
        source=request,
        destination=request,
        manifest_type=_FORMS[request.format],
        compression=packing,
        level=(conf.compression_level or None) if level is None else level,
        force=request.force_compression,
        remove_signatures=request.remove_signatures,
        signing=request.signing,
    )


def _goal(engine: Engine, request: ListPushRequest) -> End:
    scheme, _ = transport_or_name(request.destination, engine.catalog.names(TRANSPORT))
    if scheme == local.SCHEME:
        raise _no_group(scheme)
    goal = sink_end(engine, request.destination if scheme else f"docker://{request.destination}", request)
    accepted = goal.facts.manifest_types
    if accepted and not set(accepted) & set(INDEXES):
        raise _no_group(goal.reference.transport)
    return goal


def _no_group(scheme: str) -> Unsupported:
    return Unsupported(
        f'copying multiple images: destination transport "{scheme}" '
        "does not support copying multiple images as a group",
        hint="push to a registry, an OCI layout or a folder, or push one image",
    )


class _Push:
    """One list on its way."""

    def __init__(
        self,
        engine: Engine,
        content: StoredList,
        goal: End,
        choices: CopyChoices,
        progress: Progress,
        say: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._content = content
        self._goal = goal
        self._choices = choices
        self._progress = progress
        self._say = say
        self._carriers: list[Carrier] = []

    def run(self, request: ListPushRequest) -> Digest:
        """Copy what is to be copied, then the list."""
        goal, images = self._goal, self._content.images
        entries = list(images.entries or ())
        wanted = self._index_type(images)
        own = carrier_for(
            self._engine,
            unsigned,
            goal.reference,
            goal.options,
            remove=self._choices.remove_signatures,
            signing=self._choices.signing,
        )
        self._carriers.append(own)
        more = _missing(entries, request.add_compression or ()) if request.all else []
        count = len(entries) + len(more) if request.all else 0
        if not self._choices.remove_signatures:
            self._say("Getting image list signatures")
        self._say(f"Copying {count} images generated from {len(entries)} images in list")
        writer = goal.slot.require(TransportWrite)
        with writer.transport_open_sink(reference=goal.reference, options=goal.options) as sink:
            if request.all:
                entries = self._instances(sink, entries, more)
            self._say("Writing manifest list to image destination")
            images = images.replace(entries=tuple(entries))

            def written(kind: str) -> ManifestBytes:
                made = write_list(images, kind)
                own.written.clear()
                own.carry(made, made)
                return made

            manifest = in_a_form(sink.commit, written(wanted), written, fixed=bool(self._choices.manifest_type))
        self._say("Storing list signatures")
        for carrier in self._carriers:
            put_written(self._engine, carrier, goal.reference, goal.options)
        return manifest.digest

    def _index_type(self, images: ImageList) -> str:
        """The form of the list there: what was asked for, else the best that the place takes."""
        accepted = self._goal.facts.manifest_types
        wanted = _INDEX_OF.get(self._choices.manifest_type, "") or best_type(images)
        if accepted and wanted not in accepted:
            if self._choices.manifest_type:
                raise Unsupported(f"an index of the type {wanted} is not taken there; {', '.join(accepted)} are")
            wanted = next(kind for kind in INDEXES if kind in accepted)
        return wanted

    def _instances(self, sink: ImageSink, entries: list[Entry], more: list[tuple[Entry, str]]) -> list[Entry]:
        """All instances copied: the entries as they are there, those of zstd last."""
        done: list[Entry] = []
        wanted = [one for entry in entries for one in ((entry, ""), *(made for made in more if made[0] is entry))]
        for number, (entry, packing) in enumerate(wanted, 1):
            word = "Replicating" if packing else "Copying"
            self._say(f"{word} image {entry.digest} ({number}/{len(wanted)})")
            choices = self._choices.replace(compression=packing, force=True) if packing else self._choices
            try:
                made = self._taken(sink, entry, choices)
            except SonataError as error:
                error.message = f"copying image {number}/{len(wanted)} from manifest list: {error.message}"
                raise
            done.append(_entry_for(entry, made))
        return sorted(done, key=lambda one: ZSTD_MARK in one.descriptor.annotations) if more else done

    def _taken(self, sink: ImageSink, entry: Entry, choices: CopyChoices) -> ManifestBytes:
        """One instance there, in the form that is taken."""
        if not choices.remove_signatures:
            self._say("Getting image source signatures")
        made = self._instance(sink, entry, choices)
        self._say("Writing manifest to image destination")

        def again(other: str) -> ManifestBytes:
            self._carriers.pop()
            return self._instance(sink, entry, choices.replace(manifest_type=other))

        return in_a_form(sink.put_manifest, made, again, fixed=bool(choices.manifest_type))

    def _instance(self, sink: ImageSink, entry: Entry, choices: CopyChoices) -> ManifestBytes:
        """Have one instance's blobs in the sink; its manifest there."""
        if entry.digest in self._content.artifacts.get("manifests", {}):
            from sonata.engine.manifests.artifacts import ArtifactSource

            source = ArtifactSource(self._content.artifacts, entry.digest)
            carrier = self._carrier(lambda _: (), choices)
            return self._copied(source, TransportFacts(schemes=("files",)), sink, entry.digest, carrier, choices)
        place = self._content.instances.get(entry.digest, "")
        if not place or place.startswith(f"{local.SCHEME}:"):
            return self._stored(sink, entry.digest, place, choices)
        return self._elsewhere(sink, entry.digest, place, choices)

    def _carrier(self, admit: Callable[[ManifestBytes], tuple[bytes, ...]], choices: CopyChoices) -> Carrier:
        carrier = carrier_for(
            self._engine,
            admit,
            self._goal.reference,
            self._goal.options,
            remove=choices.remove_signatures,
            signing=choices.signing,
        )
        self._carriers.append(carrier)
        return carrier

    def _stored(self, sink: ImageSink, digest: str, place: str, choices: CopyChoices) -> ManifestBytes:
        """An image of a store, by the digest of its manifest rather than by the name that it once had."""
        here, record = self._engine, image_with(self._engine.store.images(), digest)
        if record is None and place:
            here, record, _ = local.find(self._engine, place.removeprefix(f"{local.SCHEME}:"))
        if record is None or digest not in record.digests:
            raise NotFound(
                f"the image {digest} of the list is not in the store any more",
                hint="add it again, or take it out of the list with `sonata manifest remove`",
            )
        image = stored(here, record.id, digest)
        carrier = carrier_of_stored(
            here,
            record.id,
            self._goal.reference,
            self._goal.options,
            remove=choices.remove_signatures,
            signing=choices.signing,
        )
        self._carriers.append(carrier)
        carrier.admit(image.manifest)
        how = PushChoices(
            manifest_type=choices.manifest_type,
            compression=choices.compression,
            level=choices.level,
            force=choices.force,
        )
        made = put_image(image, sink, settings_for(here, self._goal.slot, how), self._progress)
        carrier.carry(image.manifest, made)
        return made

    def _elsewhere(self, sink: ImageSink, digest: str, place: str, choices: CopyChoices) -> ManifestBytes:
        start = source_end(self._engine, place, choices.source)
        trust = trust_for(self._engine, choices.source.signature_policy)
        trust.forbid(start.reference)
        hook = start.slot.hook
        with hook.transport_open_source(reference=start.reference, options=start.options) as source:
            carrier = self._carrier(lambda manifest: trust.admit(start.reference, source, manifest), choices)
            return self._copied(source, start.facts, sink, digest, carrier, choices, start)

    def _copied(
        self,
        source: ImageSource,
        facts: TransportFacts,
        sink: ImageSink,
        digest: str,
        carrier: Carrier,
        choices: CopyChoices,
        start: End | None = None,
    ) -> ManifestBytes:
        found = check_matches(checked_manifest(source.manifest(Digest(digest))), digest)
        if isinstance(parse(found), Index):
            raise Unsupported(f"{digest} is an index within an index")
        options = settings(self._engine, start or self._goal, self._goal, choices)
        options = options.replace(source=facts, carrier=carrier)
        kinds = (choices.manifest_type,) if choices.manifest_type else ()
        return One(source, sink, options, self._progress).copy(found, kinds=kinds)


def _missing(entries: list[Entry], packings: tuple[str, ...]) -> list[tuple[Entry, str]]:
    """The instances to make in other compressions: of each platform, what the list does not have of it yet."""
    there = {(one.platform, "zstd" if ZSTD_MARK in one.descriptor.annotations else "gzip") for one in entries}
    found: list[tuple[Entry, str]] = []
    for packing in packings:
        word = packing.partition(":")[0]
        for one in entries:
            if not one.descriptor.artifact_type and (one.platform, word) not in there:
                there.add((one.platform, word))
                found.append((one, packing))
    return found


def _entry_for(entry: Entry, made: ManifestBytes) -> Entry:
    """The entry for an instance as it is stored there, marked if its layers are zstd."""
    document = parse(made)
    layers = () if isinstance(document, (LegacyManifest, Index)) else document.layers
    notes = {key: text for key, text in entry.descriptor.annotations.items() if key != ZSTD_MARK}
    if any(layer.media_type.endswith("+zstd") for layer in layers):
        notes[ZSTD_MARK] = "true"
    kind = made.media_type or document.media_type
    return entry.described(media_type=kind, digest=made.digest, size=len(made.content), annotations=notes)
