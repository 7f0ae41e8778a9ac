"""The transport `dir`: an image as the files of a folder."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.hookspecs.transport import TransportHooks, TransportSignatures, TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.image import ImageReference, TransportFacts
from sonata_core.models.plugin import PluginInfo

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import ImageSink, ImageSource, TransportOptions


class DirTransport(TransportHooks, TransportWrite, TransportSignatures):
    """Folders with one image each."""

    def __init__(self, context: PluginContext) -> None:
        self._log = context.log

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="dir", version="0.1.0", summary="Images as the files of a folder", contract="transport/1.2"
        )

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """Everything is kept as it is, of any kind."""
        return TransportFacts(schemes=("dir",), writes=True)

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """The whole text is a path, colons included."""
        if not text or "\0" in text:
            raise UsageError("dir: no path is given", hint="write dir:PATH")
        return ImageReference(transport="dir", rest=text, path=os.path.abspath(text))

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Open for reading."""
        from sonata_transport_dir.source import DirSource

        return DirSource(reference.path)

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Open for writing: an older image in the folder is replaced."""
        from sonata_transport_dir.sink import DirSink

        return DirSink(reference.path)

    @hookimpl
    def transport_put_signatures(
        self, reference: ImageReference, digest: Digest, signatures: tuple[bytes, ...], options: TransportOptions
    ) -> None:
        """A file for each, beside the manifest."""
        from sonata_transport_dir.signatures import put

        put(reference.path, digest, signatures)
