"""Layers from their source into the store, side by side.

A layer is one pipeline: source → partial blob on disk, unless the source is there → hash → decompress → hash →
unpack and tar-split. Pipelines of different layers overlap; the store takes layers parent first. A driver that
can unpack only over the parent's copy (vfs) downloads side by side and unpacks one after the other.
"""

from __future__ import annotations

from sonata.image.landing import LandingStage, PulledLayer
from sonata.image.layers.apply import Applied, apply_layer
from sonata.image.partial import BlobStream, PartialBlob, disk_is_full
from sonata.image.verify import VerifyingReader
from sonata_core.errors import Damaged, Interrupted, NotFound, RegistryFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest, LayerId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future, ThreadPoolExecutor
    from typing import BinaryIO

    from sonata.image.chunked_pull import Parts
    from sonata.image.landing import Landing
    from sonata.image.limits import Limits
    from sonata.image.progress import Progress
    from sonata.image.pull_options import PullOptions
    from sonata.model.image import ImageConfig
    from sonata_core.models.image import Descriptor, ImageSource
    from sonata_core.models.storage import UnpackTarget


def diff_ids_of(
    source: ImageSource, layers: tuple[Descriptor, ...], options: PullOptions, progress: Progress
) -> list[str]:
    """Diff ids that no config tells (schema 1): layers are downloaded and hashed; the blobs stay for unpacking."""
    import hashlib

    from sonata.image.layers.compress import Decompressor

    found: list[str] = []
    for blob in layers:
        work = _Blob(source, blob, options, progress, [])
        try:
            digest = hashlib.sha256()
            plain = Decompressor(work.stream(), options.limits.of_blob(blob.size).size)
            while part := plain.read(1 << 18):
                digest.update(part)
            found.append("sha256:" + digest.hexdigest())
        finally:
            work.close()
    return found


class _Blob:
    """One blob on its way, and everything that must be let go of afterwards."""

    def __init__(
        self, source: ImageSource, blob: Descriptor, options: PullOptions, progress: Progress, stop: list[bool]
    ) -> None:
        self.blob = blob
        self._stop = stop
        self._progress = progress
        self.partial = PartialBlob(options.partial, blob)
        self._bytes = BlobStream(
            blob, self.partial, source.open_blob, retries=options.retries, delay=options.retry_delay
        )
        self._reader: VerifyingReader | None = None

    @property
    def size(self) -> int:
        """Bytes read so far."""
        return self._reader.done if self._reader is not None else 0

    def stream(self) -> "BinaryIO":
        """The verified bytes."""
        self._reader = VerifyingReader(self, self.blob.digest, self.blob.size)
        return self._reader  # type: ignore[return-value]

    def read(self, size: int = 1 << 18) -> bytes:
        """The next bytes, not yet verified. Raises Interrupted when another layer failed."""
        if self._stop:
            raise Interrupted("the pull was given up")
        part = self._bytes.read(size)
        self._progress.blob(self.blob.digest, "copying", self._bytes.done, self.blob.size)
        return part

    def download(self) -> None:
        """Have the whole blob in the partial folder, verified."""
        stream = self.stream()
        while stream.read(1 << 18):
            pass

    def close(self) -> None:
        """Keep what came for the next pull."""
        self._bytes.close()
        self.partial.close()

    def drop(self) -> None:
        """Keep nothing."""
        self._bytes.close()
        self.partial.remove()


class Layers:
    """All layers of one pull."""

    def __init__(self, source: ImageSource, landing: Landing, options: PullOptions, progress: Progress) -> None:
        self._source = source
        self._landing = landing
        self._options = options
        self._progress = progress
        self._stop: list[bool] = []

    def bring(self, blobs: tuple[Descriptor, ...], chain: list[LayerId], config: "ImageConfig") -> None:
        """Have every layer of the chain in the store, parent first."""
        from concurrent.futures import ThreadPoolExecutor

        missing: list[int] = []
        for at, layer in enumerate(chain):
            if self._landing.has_layer(layer):
                self._progress.blob(blobs[at].digest, "exists", max(blobs[at].size, 0), blobs[at].size)
            else:
                missing.append(at)
        if not missing:
            return
        with ThreadPoolExecutor(max(1, self._options.parallel), thread_name_prefix="sonata-layer") as pool:
            jobs = self._begin(pool, missing, blobs, chain, config)
            full = False
            try:
                for job, result in jobs:
                    job.place(result)
            except BaseException as error:
                full = disk_is_full(error)
                self._stop.append(True)
                for _, result in jobs:
                    result.cancel()
                raise
            finally:
                pool.shutdown(wait=True)
                for job, _ in jobs:
                    job.close(drop=full)

    def _begin(
        self,
        pool: "ThreadPoolExecutor",
        missing: list[int],
        blobs: tuple[Descriptor, ...],
        chain: list[LayerId],
        config: "ImageConfig",
    ) -> "list[tuple[_Layer, Future[Applied | None]]]":
        jobs: list[tuple[_Layer, Future[Applied | None]]] = []
        for at in missing:
            self._progress.blob(blobs[at].digest, "waiting", 0, blobs[at].size)
            parent = chain[at - 1] if at else None
            job = _Layer(self._landing, chain[at], parent, blobs[at], Digest(config.diff_ids[at]))
            job.equip(self._source, self._options, self._progress, self._stop)
            jobs.append((job, pool.submit(job.run)))
        return jobs


class _Layer:
    """One layer: downloaded and, where the driver has a stage, unpacked by a thread; put in place by the caller."""

    def __init__(
        self, landing: Landing, layer: LayerId, parent: LayerId | None, blob: Descriptor, diff_id: Digest
    ) -> None:
        self._landing = landing
        self._layer = layer
        self._parent = parent
        self._descriptor = blob
        self._diff_id = diff_id
        self._stage: LandingStage | None = None
        self._blob: _Blob | None = None
        self._kind = "uncompressed"
        self._parts: Parts | None = None
        self._table = b""

    def equip(self, source: ImageSource, options: PullOptions, progress: Progress, stop: list[bool]) -> None:
        """Say where from, and how."""
        self._source = source
        self._options = options
        self._progress = progress
        self._stop = stop

    def _open(self) -> _Blob:
        return _Blob(self._source, self._descriptor, self._options, self._progress, self._stop)

    def run(self) -> Applied | None:
        """In a thread. A partial blob that turns out bad is forgotten, and tried once more from its start."""
        if self._stop:
            raise Interrupted("the pull was given up")
        self._blob = self._open()
        had = self._blob.partial.have
        try:
            return self._attempt()
        except Damaged:
            self._blob.drop()
            if not had:
                raise
        self._end_stage()
        self._blob = self._open()
        try:
            return self._attempt()
        except Damaged:
            self._blob.drop()
            raise

    def _attempt(self) -> Applied | None:
        assert self._blob is not None
        self._stage = self._landing.stage()
        if self._stage.target is None:
            if self._options.partial:
                self._blob.download()
            return None
        applied = self._from_parts()
        return applied or self._unpack(self._blob, self._stage.target)

    def _from_parts(self) -> Applied | None:
        """Of files that the store has, and parts of the blob; None, with a fresh stage, where the whole is needed."""
        assert self._blob is not None
        assert self._stage is not None
        assert self._stage.target is not None
        if self._options.reuse is None or self._blob.partial.have:
            return None
        from sonata.image.chunked_pull import NoRanges, open_parts
        from sonata.image.layers.compress import Pieces

        parts = open_parts(self._source, self._descriptor, self._options.reuse)
        if parts is None:
            return None
        self._table = parts.table
        try:
            if not parts.worth:
                return None
            applied = self._apply(Pieces(self._told(parts)), self._stage.target)
        except (Damaged, NotFound, RegistryFailure, NoRanges):
            self._end_stage()
            self._stage = self._landing.stage()
            return None
        finally:
            parts.close()
        self._parts = parts
        self._progress.blob(self._descriptor.digest, "unpacked", parts.fetched, self._descriptor.size)
        return applied

    def _told(self, parts: "Parts") -> "Iterator[bytes]":
        for piece in parts.tar():
            if self._stop:
                raise Interrupted("the pull was given up")
            yield piece
            self._progress.blob(self._descriptor.digest, "copying", parts.fetched, self._descriptor.size)

    def _unpack(self, blob: _Blob, target: UnpackTarget) -> Applied:
        from sonata.image.layers.compress import Decompressor

        plain = Decompressor(blob.stream(), self._limits.size)
        applied = self._apply(plain, target)
        self._kind = plain.kind
        self._progress.blob(self._descriptor.digest, "unpacked", blob.size, self._descriptor.size)
        return applied

    @property
    def _limits(self) -> Limits:
        return self._options.limits.of_blob(self._descriptor.size)

    def _apply(self, plain: object, target: UnpackTarget) -> Applied:
        """Unpack a tar. Raises Damaged where it is not the one that the image's config names."""
        assert self._stage is not None
        with open(self._stage.tar_split, "wb") as record:
            applied = apply_layer(
                plain,  # type: ignore[arg-type]
                target,
                mapping=self._options.mapping,
                tarsplit=record,
                rootless=self._options.rootless,
                any_owner=self._options.any_owner,
                limits=self._limits,
            )
        if applied.diff_digest != self._diff_id:
            raise Damaged(
                f"layer {self._descriptor.digest} does not match the image's config: "
                f"it unpacks to {applied.diff_digest}, the config says {self._diff_id}"
            )
        return applied

    def place(self, result: "Future[Applied | None]") -> None:
        """Wait for the thread and put the layer into the store."""
        applied = result.result()
        assert self._stage is not None
        assert self._blob is not None
        self._landing.put_layer(lambda target: self._facts(applied, target), self._layer, self._parent, self._stage)
        self._blob.drop()
        done = self._blob.size if self._parts is None else self._parts.fetched
        self._progress.blob(self._descriptor.digest, "done", done, self._descriptor.size)
        self._end_stage()

    def _facts(self, applied: Applied | None, target: UnpackTarget | None) -> PulledLayer:
        assert self._stage is not None
        assert self._blob is not None
        if applied is None:
            assert target is not None
            applied = self._unpack_downloaded(target)
        return PulledLayer(
            id=self._layer,
            parent=self._parent,
            diff_digest=Digest(applied.diff_digest),
            diff_size=applied.diff_size,
            # Of a blob that was not read to its end nobody knows that it has the digest.
            compressed_digest=self._descriptor.digest if self._parts is None else Digest(""),
            compressed_size=self._blob.size if self._parts is None else 0,
            compression=self._kind,
            uids=applied.uids,
            gids=applied.gids,
            tar_split=self._stage.tar_split,
            table=self._table,
        )

    def _unpack_downloaded(self, target: UnpackTarget) -> Applied:
        """From the partial folder over the parent's copy; hashed again, as the folder is not trusted."""
        assert self._blob is not None
        self._blob.close()
        self._blob = self._open()
        return self._unpack(self._blob, target)

    def _end_stage(self) -> None:
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def close(self, *, drop: bool = False) -> None:
        """Let go of everything; idempotent. What came of a blob stays for the next pull unless `drop`."""
        if self._blob is not None and drop:
            self._blob.drop()
        elif self._blob is not None:
            self._blob.close()
        self._end_stage()
