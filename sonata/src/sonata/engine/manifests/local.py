"""Images of the store as members of lists: how they are written down, found again and read."""

from __future__ import annotations

from sonata.engine.manifests.instances import image_with
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import ManifestBytes
from sonata_core.sdk.holding import HoldsNothing

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor

SCHEME = "containers-storage"


def reference_to(engine: Engine, record: ImageRecord, name: str = "") -> str:
    """An image of the store with the store that it is in, as peers write it: by name, else by id."""
    storage = engine.config.storage
    place = f"[{engine.driver}@{storage.graph_root}+{storage.run_root}]"
    return f"{SCHEME}:{place}{name or '@' + record.id}"


def find(engine: Engine, rest: str, *, lists: bool = False) -> tuple[Engine, ImageRecord, str]:
    """What `containers-storage:REST` names: the engine on its store, the image, and its name (empty: by its id).

    Raises NotFound, UsageError.
    """
    from sonata.engine.images.lookup import named
    from sonata.engine.images.other_store import opened

    here = engine
    if rest.startswith("["):
        place, _, name = rest[1:].partition("]")
        graph = place.partition("@")[2].partition("+")[0] or place.partition("+")[0]
        if graph in [store.path for store in engine.stores()]:
            rest = name
        else:
            here, rest = opened(engine, rest)
    return here, *named(here, rest, lists=lists)


class StoredSource(HoldsNothing):
    """`ImageSource` for an image or a list of the store; of blobs it has the configs alone."""

    def __init__(self, engine: Engine, record: ImageRecord) -> None:
        self._engine = engine
        self._record = record

    def resolve(self) -> ManifestBytes:
        """The image's manifest, or the list. Raises Damaged."""
        return _typed(self._engine.store.image_data(self._record, "manifest"))

    def manifest(self, digest: Digest) -> ManifestBytes:
        """The manifest of an instance that the store has. Raises NotFound."""
        record = self.instance(digest)
        keys = [key for key, one in record.big_data_digests.items() if one == digest and key.startswith("manifest")]
        return _typed(self._engine.store.image_data(record, keys[0] if keys else "manifest"))

    def instance(self, digest: str) -> ImageRecord:
        """The image of the store with that manifest. Raises NotFound."""
        found = image_with(self._engine.store.images(), digest)
        if found is None:
            raise NotFound(
                f"the store has no image with the manifest {digest}", hint="pull it, or add the list from its registry"
            )
        return found

    def open_blob(self, blob: Descriptor, offset: int) -> BinaryIO:
        """An image's config. Raises NotFound."""
        from io import BytesIO

        record = self._engine.store.find_image(blob.digest.partition(":")[2]) or self._record
        return BytesIO(self._engine.store.image_data(record, blob.digest)[offset:])

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """None are given away here."""
        return ()


def _typed(content: bytes) -> ManifestBytes:
    from sonata.image.manifest import detect
    from sonata_core.sdk.manifests import digest_of

    return ManifestBytes(media_type=detect(content), digest=digest_of(content), content=content)
