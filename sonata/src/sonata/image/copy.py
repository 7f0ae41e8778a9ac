"""An image from one place to another without the store: bits are kept wherever nothing must change."""

from sonata.image.convert import write_index
from sonata.image.copy_one import One
from sonata.image.copy_options import INDEX_ONLY, SYSTEM, CopyOptions
from sonata.image.forms import check_destination, in_a_form
from sonata.image.layers.compress import Compression
from sonata.image.manifest import Index, LegacyManifest, check_matches, parse
from sonata.image.platform import choose, spell
from sonata.image.progress import Progress, Quiet
from sonata.image.transfer import checked_manifest, choose_image
from sonata_core.errors import Damaged, NotFound, SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Descriptor, ImageBatch, ImageSink, ImageSource, ManifestBytes, Platform
from sonata_core.models.media import DOCKER_LIST, DOCKER_MANIFEST, INDEXES, MANIFESTS, OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_INDEX_OF = {OCI_MANIFEST: OCI_INDEX, DOCKER_MANIFEST: DOCKER_LIST}
_ZSTD = "io.github.containers.compression.zstd"


def copy_image(
    source: ImageSource, sink: ImageSink, options: CopyOptions, progress: Progress | None = None
) -> ManifestBytes:
    """Copy what the source names into a sink, under its name there. Returns the manifest or index as it is there.

    Raises NotFound, Damaged, Unsupported (no form will do, or digests cannot be kept), RegistryFailure, Denied.
    """
    return _Copy(source, sink, options, progress or Quiet()).run()


def copy_into(
    source: ImageSource,
    batch: ImageBatch,
    names: tuple[str, ...],
    options: CopyOptions,
    progress: Progress | None = None,
) -> ManifestBytes:
    """Copy one image into a batch, under these names."""
    if options.multi != SYSTEM or len(options.platforms) > 1:
        raise _no_group("this destination")
    work = One(source, batch, options, progress or Quiet())
    manifest = work.copy(choose_image(source, _platform(options)).manifest)
    batch.add(manifest, names)
    return manifest


def _no_group(what: str) -> Unsupported:
    return Unsupported(
        f"copying multiple images: {what} does not support copying multiple images as a group",
        hint="copy the image of one platform, or into a registry, an OCI layout or a folder",
    )


class _Copy:
    """One copy, of an image or of an index."""

    def __init__(self, source: ImageSource, sink: ImageSink, options: CopyOptions, progress: Progress) -> None:
        self._source = source
        self._sink = sink
        self._options = options
        self._progress = progress
        self._one = One(source, sink, options, progress)

    def run(self) -> ManifestBytes:
        """Copy it all, and commit."""
        top = checked_manifest(self._source.resolve())
        document = parse(top)
        whole = self._options.multi != SYSTEM or len(self._options.platforms) > 1
        if isinstance(document, Index) and whole:
            check_destination(top, self._options.digest)
            return self._index(top, document)
        image = choose_image(self._source, _platform(self._options)).manifest
        check_destination(image, self._options.digest)
        manifest = self._one.copy(image)
        if isinstance(parse(image), LegacyManifest) and manifest is image:
            return self._commit_legacy(manifest)
        return self._stored(image, manifest, self._sink.commit)

    def _stored(
        self, image: ManifestBytes, made: ManifestBytes, store: "Callable[[ManifestBytes], None]"
    ) -> ManifestBytes:
        """Store an image's manifest; where its form is refused, in the other one, unless this was asked for."""

        def again(other: str) -> ManifestBytes:
            self._one.carrier.written.pop(made.digest, None)
            options = self._options.replace(manifest_type=other, carrier=self._one.carrier)
            return One(self._source, self._sink, options, self._progress).copy(image)

        return in_a_form(store, made, again, fixed=self._fixed)

    @property
    def _fixed(self) -> bool:
        return bool(self._options.manifest_type) or self._options.preserve_digests

    def _commit_legacy(self, manifest: ManifestBytes) -> ManifestBytes:
        """Most registries take schema 1 no more: then what it converts to."""
        from sonata_core.errors import RegistryFailure

        try:
            self._sink.commit(manifest)
        except (RegistryFailure, Unsupported):
            if self._options.preserve_digests:
                raise
            manifest = self._one.copy(manifest, legacy=False)
            self._sink.commit(manifest)
        return manifest

    def _index(self, top: ManifestBytes, document: Index) -> ManifestBytes:
        if self._options.multi == INDEX_ONLY:
            self._one.carrier.admit(top)
        else:
            self._one.carrier.keep(top)
        wanted = self._index_type(top)
        copied: list[Descriptor] = []
        entries = self._entries(document)
        for number, entry in enumerate(entries, 1):
            try:
                kinds = MANIFESTS if wanted == top.media_type else _members_of(wanted)
                copied.append(entry if self._options.multi == INDEX_ONLY else self._instance(entry, wanted, kinds))
            except SonataError as error:
                error.message = f"copying image {number}/{len(entries)} from manifest list: {error.message}"
                raise
        made = self._index_over(top, document, copied, wanted)

        def again(other: str) -> ManifestBytes:
            """The images stay what they are there, as in containers/image."""
            self._one.carrier.written.pop(made.digest, None)
            return self._index_over(top, document, copied, other)

        return in_a_form(self._sink.commit, made, again, fixed=self._fixed)

    def _index_over(self, top: ManifestBytes, document: Index, copied: list[Descriptor], wanted: str) -> ManifestBytes:
        if copied == list(document.manifests) and wanted == top.media_type:
            manifest = top
        elif wanted == OCI_INDEX:
            manifest = write_index(wanted, copied, document.annotations)
        else:
            manifest = write_index(wanted, [one.replace(annotations={}) for one in copied])
        if self._options.preserve_digests and manifest.digest != top.digest:
            raise _changed(top)
        self._one.carrier.carry(top, manifest)
        return manifest

    def _index_type(self, top: ManifestBytes) -> str:
        accepted = self._options.facts.manifest_types
        wanted = _INDEX_OF.get(self._options.manifest_type, top.media_type)
        if accepted and not set(accepted) & set(INDEXES):
            raise _no_group(f'destination transport "{self._options.facts.schemes[0]}"')
        if accepted and wanted not in accepted:
            if self._options.manifest_type:
                raise Unsupported(f"an index of the type {wanted} is not taken there; {', '.join(accepted)} are")
            wanted = next(kind for kind in INDEXES if kind in accepted)
        if wanted != top.media_type and self._options.preserve_digests:
            raise _changed(top)
        return wanted

    def _entries(self, document: Index) -> "Sequence[Descriptor]":
        """The index's images, or of each platform that was asked for the best one."""
        if not self._options.platforms:
            return document.manifests
        chosen: list[Descriptor] = []
        for platform in self._options.platforms:
            entry = choose(document, platform)
            if entry in chosen:
                raise NotFound(f"{spell(platform)}: the index has no image of its own for that platform")
            chosen.append(entry)
        return chosen

    def _instance(self, entry: Descriptor, wanted: str, kinds: tuple[str, ...]) -> Descriptor:
        """One image of an index, as one of `kinds`: an index that stays what it is may hold what it held."""
        found = check_matches(checked_manifest(self._source.manifest(entry.digest)), entry.digest)
        if 0 <= entry.size != len(found.content):
            raise Damaged(f"manifest {entry.digest} has {len(found.content)} bytes; its index says {entry.size}")
        if found.media_type not in MANIFESTS:
            raise Unsupported(f"{entry.digest} is an index within an index")
        taken = self._options.facts.manifest_types
        kinds = tuple(kind for kind in kinds if not taken or kind in taken)
        manifest = self._stored(found, self._one.copy(found, kinds=kinds), self._sink.put_manifest)
        if manifest is found and entry.media_type == found.media_type:
            return entry
        made = entry.replace(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.content))
        if self._options.target is Compression.ZSTD and wanted == OCI_INDEX:
            made = made.replace(annotations={**made.annotations, _ZSTD: "true"})
        return made if wanted == OCI_INDEX else made.replace(annotations={})


def _members_of(index_type: str) -> tuple[str, ...]:
    """Types of manifests that may stand in an index: Docker's lists hold none of OCI."""
    return (DOCKER_MANIFEST,) if index_type == DOCKER_LIST else (OCI_MANIFEST, DOCKER_MANIFEST)


def _changed(manifest: ManifestBytes) -> Unsupported:
    return Unsupported(
        f"the digest {manifest.digest} cannot be kept: the destination takes the image in another form only",
        hint="leave out --preserve-digests, or choose a destination that keeps images as they are",
    )


def _platform(options: CopyOptions) -> Platform:
    return options.platforms[0] if options.platforms else options.platform
