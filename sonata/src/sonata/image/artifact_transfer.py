"""Artifacts between the store and other places; every blob verified, on either way."""

from __future__ import annotations

import os

from sonata.image.manifest import Manifest, parse
from sonata.image.partial import BlobStream, PartialBlob
from sonata.image.transfer import choose_image
from sonata.image.verify import VerifyingReader
from sonata_core.errors import Interrupted, Unavailable, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import store_blob

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from sonata.image.artifact import Artifact
    from sonata.image.artifact_store import ArtifactChange, ArtifactStore
    from sonata.image.progress import Progress
    from sonata.image.pull_options import PullOptions
    from sonata_core.models.image import Descriptor, ImageSink, ImageSource, ManifestBytes

_OPEN = 200
"""As many blobs are kept open, and so need not be verified twice."""
_BLOCK = 1 << 18


def pull_artifact(
    source: ImageSource,
    store: ArtifactStore,
    name: str,
    options: PullOptions,
    progress: Progress,
    admit: Callable[[ManifestBytes], object],
) -> ManifestBytes:
    """Bring what the source names into the store under `name`, where it had none or over what was there.

    What is downloaded lies among the partial blobs until all is there: the store is locked for no longer
    than it takes to move it. `admit` is asked before any of it is.
    Raises NotFound, Damaged, Unsupported, RegistryFailure, Unavailable.
    """
    manifest = choose_image(source, options.platform).manifest
    document = parse(manifest)
    if not isinstance(document, Manifest):
        raise Unsupported(f"{manifest.digest} is of the type {manifest.media_type}: it is no artifact")
    admit(manifest)
    blobs = list({blob.digest: blob for blob in (*document.layers, document.config)}.values())
    _require_room(options.partial, [blob for blob in blobs if not store.has_blob(blob)])
    fetched: list[_Fetched] = []
    try:
        for part in (document.layers, (document.config,)):
            if part == (document.config,):
                progress.blob(document.config.digest, "config", 0, document.config.size)
            begun = [
                _Fetched(source, blob, options, progress)
                for blob in {one.digest: one for one in part}.values()
                if not _exists(store, blob, progress)
            ]
            fetched += begun
            _download(begun, options.parallel)
        with store.changing() as change:
            for one in fetched:
                one.place(change)
            if any(not change.has_blob(blob) for blob in blobs):  # somebody removed an artifact that had it too
                for blob in blobs:
                    _Fetched(source, blob, options, progress).place(change)
            change.put(name, manifest)
            change.commit()
            change.sweep()
    finally:
        for one in fetched:
            one.close()
    return manifest


def _require_room(folder: str, blobs: list[Descriptor]) -> None:
    """Raise Unavailable for more than the disk has room for: sizes are a stranger's, and may be anything."""
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    seen = os.statvfs(folder or "/")
    wanted, free = sum(blob.size for blob in blobs), seen.f_bavail * seen.f_frsize
    if wanted > free:
        raise Unavailable(
            f"the artifact has {wanted} bytes that are not here yet; {folder} has room for {free}",
            hint="make room, or use another store with --root",
        )


def _exists(store: ArtifactStore, blob: Descriptor, progress: Progress) -> bool:
    if not store.has_blob(blob):
        return False
    progress.blob(blob.digest, "exists", blob.size, blob.size)
    return True


def _download(blobs: list[_Fetched], parallel: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stop: list[bool] = []
    with ThreadPoolExecutor(max(1, parallel), thread_name_prefix="sonata-blob") as pool:
        jobs = [pool.submit(one.download, stop, keep=at < _OPEN) for at, one in enumerate(blobs)]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            stop.append(True)
            for job in jobs:
                job.cancel()
            raise


class _Fetched:
    """A blob that the store lacks: from the source to the partial blobs, from there into the store."""

    def __init__(self, source: ImageSource, blob: Descriptor, options: PullOptions, progress: Progress) -> None:
        self._source = source
        self._blob = blob
        self._options = options
        self._progress = progress
        self._partial: PartialBlob | None = None
        self._whole = False

    def download(self, stop: list[bool], *, keep: bool) -> None:
        """Have it all, verified. Raises Damaged (and forgets it), RegistryFailure, Interrupted."""
        self._partial = PartialBlob(self._options.partial, self._blob)
        if not self._partial.usable:
            return
        with self._stream(stop) as stream:
            try:
                while stream.read(_BLOCK):
                    pass
            except BaseException as error:
                self._forget_if_damaged(error)
                raise
        self._whole = True
        if not keep:
            self.close()

    def _stream(self, stop: list[bool]) -> BinaryIO:
        assert self._partial is not None
        options = self._options
        stream = BlobStream(
            self._blob, self._partial, self._source.open_blob, retries=options.retries, delay=options.retry_delay
        )
        told = _Told(stream, self._blob, self._progress, stop)
        return VerifyingReader(told, self._blob.digest, self._blob.size)  # type: ignore[return-value]

    def _forget_if_damaged(self, error: BaseException) -> None:
        from sonata_core.errors import Damaged

        if isinstance(error, Damaged) and self._partial is not None:
            self._partial.remove()

    def place(self, change: ArtifactChange) -> None:
        """Have it in the store, which is locked."""
        if change.has_blob(self._blob):
            self.close(drop=True)
        elif not (self._whole and self._partial is not None and self._partial.hand_over(change.place_for(self._blob))):
            self._partial = self._partial or PartialBlob(self._options.partial, self._blob)
            with self._stream([]) as stream:
                store_blob(change.place_for(self._blob), self._blob, stream)
            self.close(drop=True)
        self._progress.blob(self._blob.digest, "done", self._blob.size, self._blob.size)

    def close(self, *, drop: bool = False) -> None:
        """Let go; what came stays for the next pull unless `drop`."""
        partial, self._partial, self._whole = self._partial, None, False
        if partial is not None and drop:
            partial.remove()
        if partial is not None:
            partial.close()


class _Told:
    """A stream that tells how far it was read, and ends when another one failed."""

    def __init__(self, stream: BlobStream, blob: Descriptor, progress: Progress, stop: list[bool]) -> None:
        self._stream = stream
        self._blob = blob
        self._progress = progress
        self._stop = stop

    def read(self, size: int = _BLOCK) -> bytes:
        if self._stop:
            raise Interrupted("the pull was given up")
        part = self._stream.read(size)
        self._progress.blob(self._blob.digest, "copying", self._stream.done, self._blob.size)
        return part

    def close(self) -> None:
        self._stream.close()


def push_artifact(
    store: ArtifactStore, artifact: Artifact, sink: ImageSink, progress: Progress, *, parallel: int = 1
) -> None:
    """Send an artifact as it is: its digest is the same there. Raises Damaged, RegistryFailure, Denied, Unsupported."""
    from sonata.image.crew import in_order

    document = artifact.document
    layers = list({blob.digest: blob for blob in document.layers}.values())
    for _sent in in_order(lambda blob: _send(store, blob, sink, progress), layers, parallel):
        pass
    progress.blob(document.config.digest, "config", 0, document.config.size)
    _send(store, document.config, sink, progress)
    sink.commit(artifact.manifest)


def _send(store: ArtifactStore, blob: Descriptor, sink: ImageSink, progress: Progress) -> None:
    from sonata.image.packing import Told

    if sink.has_blob(blob):
        progress.blob(blob.digest, "exists", blob.size, blob.size)
        return
    with store.open_blob(blob) as stream:
        checked = VerifyingReader(stream, blob.digest, blob.size)
        sink.put_blob(blob, Told(checked, blob, progress))  # type: ignore[arg-type]
    progress.blob(blob.digest, "done", blob.size, blob.size)
