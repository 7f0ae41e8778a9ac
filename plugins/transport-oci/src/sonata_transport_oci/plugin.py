"""The transports `oci` and `oci-archive`: OCI layouts in folders, and as archives."""

from __future__ import annotations

from sonata_core.hookspecs.transport import TransportHooks, TransportTags, TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.image import ImageReference, TransportFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.sdk.local_reference import parse_local

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.image import ImageSink, ImageSource, TransportOptions
    from sonata_transport_oci.tree import Tree


class _Layouts(TransportHooks, TransportTags):
    """What both have in common."""

    _scheme = ""
    _sequential = False

    def __init__(self, context: PluginContext) -> None:
        self._scratch = context.cache

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(name=self._scheme, version="0.1.0", summary="Images of OCI layouts", contract="transport/1.2")

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """Layouts hold OCI manifests and indexes, several of them, as they are."""
        from sonata_transport_oci.sinks import MANIFEST_TYPES

        return TransportFacts(
            schemes=(self._scheme,),
            multi_image=True,
            writes=True,
            manifest_types=MANIFEST_TYPES,
            sequential=self._sequential,
        )

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """`path[:name|:@index]`."""
        from sonata_transport_oci.layout import check_name

        reference = parse_local(self._scheme, text)
        if reference.selector and not reference.selector.startswith("@"):
            check_name(reference.selector)
        return reference

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Open for reading. Raises NotFound where there is nothing."""
        from sonata_transport_oci.source import OciSource

        return OciSource(self._tree(reference), reference)

    @hookimpl
    def transport_tags(self, reference: ImageReference, options: TransportOptions) -> tuple[str, ...]:
        """A selector for every image: its name, or `@index`."""
        from sonata_transport_oci.layout import entries, names

        tree = self._tree(reference)
        try:
            return names(entries(tree, reference.path))
        finally:
            tree.close()

    def _tree(self, reference: ImageReference) -> Tree:
        raise NotImplementedError


class OciTransport(_Layouts, TransportWrite):
    """Layouts in folders."""

    _scheme = "oci"

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Open for writing, next to the images that are there."""
        from sonata_transport_oci.sinks import FolderSink

        return FolderSink(reference)

    def _tree(self, reference: ImageReference) -> Tree:
        from sonata_transport_oci.tree import FolderTree

        return FolderTree(reference.path)


class OciArchiveTransport(_Layouts, TransportWrite):
    """Layouts as tar archives, compressed or not."""

    _scheme = "oci-archive"
    _sequential = True

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Open for writing: a new archive, in place of an older one."""
        from sonata_transport_oci.sinks import ArchiveSink

        return ArchiveSink(reference)

    def _tree(self, reference: ImageReference) -> Tree:
        from sonata_core.sdk.outer import open_archive
        from sonata_core.sdk.tar_index import TarIndex

        fd, size = open_archive(reference.path, self._scratch)
        return TarIndex(fd, size, reference.path)
