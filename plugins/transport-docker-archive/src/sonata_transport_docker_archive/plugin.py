"""The transport `docker-archive`: what `docker save` writes."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.hookspecs.transport import TransportBatch, TransportHooks, TransportTags, TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.image import ImageReference, TransportFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.naming import parse_name, shown
from sonata_core.sdk.local_reference import parse_local

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.image import ImageBatch, ImageSink, ImageSource, TransportOptions
    from sonata_core.sdk.tar_index import TarIndex


class DockerArchiveTransport(TransportHooks, TransportWrite, TransportTags, TransportBatch):
    """Archives with one image or several, compressed as a whole or not."""

    def __init__(self, context: PluginContext) -> None:
        self._scratch = context.cache

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="docker-archive",
            version="0.1.0",
            summary="Images as docker save writes them",
            contract="transport/1.2",
        )

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """Layers lie uncompressed and no manifest is kept, so digests of compressed layers get lost."""
        from sonata_transport_docker_archive.sink import MANIFEST_TYPES

        return TransportFacts(
            schemes=("docker-archive",),
            keeps_digests=False,
            multi_image=True,
            writes=True,
            manifest_types=MANIFEST_TYPES,
            layer_compression="none",
            sequential=True,
        )

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """`path[:[host/]name[:tag]|:@index]`; a digest is refused, a missing tag is `latest`."""
        reference = parse_local("docker-archive", text)
        if not reference.selector or reference.selector.startswith("@"):
            return reference
        name = parse_name(reference.selector).with_default_tag()
        if name.digest:
            raise UsageError(f"docker-archive: {shown(text)} names a digest, which an archive does not keep")
        return reference.replace(name=str(name))

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Open for reading: the archive's table of contents is read. Raises NotFound, Damaged."""
        from sonata_transport_docker_archive.source import DockerArchiveSource

        return DockerArchiveSource(self._index(reference), reference)

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Open for writing: a new file, or an empty one."""
        from sonata_transport_docker_archive.sink import DockerArchiveSink

        return DockerArchiveSink(reference)

    @hookimpl
    def transport_open_batch(self, reference: ImageReference, options: TransportOptions) -> ImageBatch:
        """Open for writing: a new file, or an empty one."""
        from sonata_transport_docker_archive.sink import DockerArchiveBatch

        return DockerArchiveBatch(reference)

    @hookimpl
    def transport_tags(self, reference: ImageReference, options: TransportOptions) -> tuple[str, ...]:
        """A selector for every name of every image: the name, or `@index`."""
        from sonata_transport_docker_archive.archive import names, read_items

        with self._index(reference) as index:
            return names(read_items(index, reference.path))

    def _index(self, reference: ImageReference) -> TarIndex:
        from sonata_core.sdk.outer import open_archive
        from sonata_core.sdk.tar_index import TarIndex

        fd, size = open_archive(reference.path, self._scratch)
        return TarIndex(fd, size, reference.path)
