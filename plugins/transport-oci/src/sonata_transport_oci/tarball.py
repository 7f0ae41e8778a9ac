"""The transport `tarball`: archives of root file systems, read as an image with a layer each."""

from __future__ import annotations

import hashlib
import io
import json
import os

from sonata_core.errors import NotFound, Unsupported, UsageError
from sonata_core.hookspecs.transport import TransportHooks
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.ids import Digest
from sonata_core.models.image import ImageReference, ManifestBytes, TransportFacts
from sonata_core.models.media import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from sonata_core.models.plugin import PluginInfo
from sonata_core.naming import check_digest
from sonata_core.sdk.content import BLOCK, Section, open_regular
from sonata_core.sdk.holding import HoldsNothing
from sonata_core.sdk.outer import HEAD, compression_of, decompressed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata_core.context import PluginContext
    from sonata_core.models.image import Descriptor, ImageSource, TransportOptions

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "i686": "386",
    "loongarch64": "loong64",
}
_KINDS = {"": OCI_LAYER, "gzip": f"{OCI_LAYER}+gzip", "zstd": f"{OCI_LAYER}+zstd"}


class TarballTransport(TransportHooks):
    """Archives that are no images yet: `tarball:PATH[:PATH…]`, base first. For reading only."""

    def __init__(self, context: PluginContext) -> None:
        machine = context.facts.machine
        self._architecture = _ARCHITECTURES.get(machine, machine)

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="tarball", version="0.1.0", summary="Archives of root file systems", contract="transport/1.2"
        )

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """The archives are the layers, byte for byte; manifest and config are made up, the same for the same files."""
        return TransportFacts(schemes=("tarball",))

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """Paths with a colon between them."""
        paths = text.split(":")
        if not all(paths) or "\0" in text:
            raise UsageError("tarball: no path is given", hint="write tarball:PATH, or tarball:BASE:MORE")
        if "-" in paths:
            raise UsageError("tarball: standard input is not read", hint="write it to a file, or use `import -`")
        return ImageReference(transport="tarball", rest=text, path=os.path.abspath(paths[0]))

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Open for reading. Raises NotFound, Unsupported."""
        return TarballSource(tuple(reference.rest.split(":")), self._architecture)


class TarballSource(HoldsNothing):
    """An image made of archives. Its time is that of the newest of them."""

    def __init__(self, paths: tuple[str, ...], architecture: str) -> None:
        self._paths = paths
        self._architecture = architecture
        self._manifest: ManifestBytes | None = None
        self._files: dict[str, str] = {}
        self._config: tuple[str, bytes] = ("", b"")

    def resolve(self) -> ManifestBytes:
        """The manifest that is made up: every archive is read once. Raises NotFound, Unsupported, Damaged."""
        if self._manifest is None:
            self._manifest = self._make()
        return self._manifest

    def _make(self) -> ManifestBytes:
        layers = [_Layer(path) for path in self._paths]
        self._files = {layer.digest: layer.path for layer in layers}
        config = _json(
            {
                "created": _time(max(layer.changed for layer in layers)),
                "architecture": self._architecture,
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
                "history": [_step(layer) for layer in layers],
            }
        )
        self._config = ("sha256:" + hashlib.sha256(config).hexdigest(), config)
        described = {"mediaType": OCI_CONFIG, "digest": self._config[0], "size": len(config)}
        rows = [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in layers]
        content = _json({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": rows})
        own = Digest("sha256:" + hashlib.sha256(content).hexdigest())
        return ManifestBytes(media_type=OCI_MANIFEST, digest=own, content=content)

    def manifest(self, digest: Digest) -> ManifestBytes:
        """The one that there is. Raises NotFound for any other."""
        found = self.resolve()
        if found.digest != digest:
            raise NotFound(f"tarball: there is no manifest {check_digest(digest)}")
        return found

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """The config, or an archive as it is. Raises NotFound."""
        self.resolve()
        if blob.digest == self._config[0]:
            return io.BytesIO(self._config[1][offset:])
        path = self._files.get(blob.digest)
        if path is None:
            raise NotFound(f"tarball: there is no blob {check_digest(blob.digest)}")
        fd, size = open_regular(path)
        skipped = min(offset, size)
        return Section(fd, skipped, size - skipped, os.close).as_binary()

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """An archive has none."""
        check_digest(digest)
        return ()


class _Layer:
    """One archive: read once as it is, and once more uncompressed where it is compressed."""

    def __init__(self, path: str) -> None:
        self.path = path
        fd, self.size = open_regular(path)
        try:
            self.changed = os.fstat(fd).st_mtime_ns
            name = compression_of(os.pread(fd, HEAD, 0))
            if name not in _KINDS:
                raise Unsupported(
                    f"{path} is compressed with {name}, which layers of images are not",
                    hint="gzip and zstd are read, and plain archives",
                )
            self.media_type = _KINDS[name]
            self.digest = self.diff_id = _digest(lambda: os.read(fd, BLOCK))
            if name:
                os.lseek(fd, 0, os.SEEK_SET)
                pieces = decompressed(name, lambda: os.read(fd, BLOCK))
                self.diff_id = _digest(lambda: next(pieces, b""))
        finally:
            os.close(fd)


def _digest(read: Callable[[], bytes]) -> str:
    state = hashlib.sha256()
    while chunk := read():
        state.update(chunk)
    return "sha256:" + state.hexdigest()


def _step(layer: _Layer) -> dict[str, str]:
    """A step of the history, as Skopeo tells it."""
    return {
        "created": _time(layer.changed),
        "created_by": f"/bin/sh -c #(nop) ADD file:{layer.diff_id.removeprefix('sha256:')} in /",
        "comment": "imported from tarball",
    }


def _time(nanoseconds: int) -> str:
    from datetime import UTC, datetime

    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
