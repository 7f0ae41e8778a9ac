"""Records as values: a view of one JSON object and of the store that it came from."""

from sonata.store.names import parse_time
from sonata.store.table import Row
from sonata_core.models.ids import ContainerId, Digest, ImageId, LayerId
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import LayerRef
from sonata_core.record import Record

INSTANCES = "instances.json"
"""The item of a list of images that says where its instances are."""
TABLE = "sonata-chunks"
"""The item of a layer that came as zstd:chunked: its table of contents. Nobody has compared it with the content."""
TABLES = (TABLE, "zstd-chunked-manifest")
"""Ours, and that of other engines."""


class _Stored(Record):
    """What all records have. `store` is the root that holds the record; `data` is not to be changed."""

    data: Row
    store: str
    read_only: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.data.get("names") or ())

    @property
    def created(self) -> int:
        """Nanoseconds since 1970, 0 where unknown."""
        return parse_time(self.data.get("created") or "")

    @property
    def metadata(self) -> str:
        return str(self.data.get("metadata") or "")

    @property
    def flags(self) -> Row:
        return self.data.get("flags") or {}

    @property
    def big_data(self) -> tuple[str, ...]:
        """Keys of the big data items, in order."""
        return tuple(self.data.get("big-data-names") or ())

    @property
    def big_data_sizes(self) -> Row:
        return self.data.get("big-data-sizes") or {}

    @property
    def big_data_digests(self) -> Row:
        return self.data.get("big-data-digests") or {}

    def __hash__(self) -> int:
        return hash((self.store, self.data.get("id")))


class ImageRecord(_Stored):
    """An image."""

    @property
    def id(self) -> ImageId:
        return ImageId(self.data["id"])

    @property
    def digest(self) -> Digest:
        """The digest of the manifest or index that was first stored; empty for none."""
        return Digest(self.data.get("digest") or "")

    @property
    def names_history(self) -> tuple[str, ...]:
        return tuple(self.data.get("names-history") or ())

    @property
    def layer(self) -> LayerId | None:
        """The top layer; none for an index and an image without layers."""
        return LayerId(self.data["layer"]) if self.data.get("layer") else None

    @property
    def is_list(self) -> bool:
        """Whether it is a list of images, made here or by a peer."""
        return INSTANCES in self.big_data

    @property
    def mapped_layers(self) -> tuple[LayerId, ...]:
        return tuple(LayerId(one) for one in self.data.get("mapped-layers") or ())

    @property
    def digests(self) -> tuple[Digest, ...]:
        """Every manifest digest that the image answers to, its own first."""
        found = [self.digest] if self.digest else []
        for key, digest in self.big_data_digests.items():
            if key.startswith("manifest") and digest not in found:
                found.append(Digest(digest))
        return tuple(found)


class LayerRecord(_Stored):
    """A layer."""

    @property
    def id(self) -> LayerId:
        return LayerId(self.data["id"])

    @property
    def ref(self) -> LayerRef:
        return LayerRef(store=self.store, id=self.id)

    @property
    def parent(self) -> LayerId | None:
        return LayerId(self.data["parent"]) if self.data.get("parent") else None

    @property
    def incomplete(self) -> bool:
        return self.flags.get("incomplete") is True

    @property
    def diff_digest(self) -> Digest:
        """The digest of the uncompressed tar; empty for a container's layer."""
        return Digest(self.data.get("diff-digest") or "")

    @property
    def diff_size(self) -> int:
        """Bytes of the uncompressed tar."""
        return int(self.data.get("diff-size") or 0)

    @property
    def compressed_digest(self) -> Digest:
        return Digest(self.data.get("compressed-diff-digest") or "")

    @property
    def compressed_size(self) -> int:
        return int(self.data.get("compressed-size") or 0)

    @property
    def compression(self) -> int:
        """0 none, 1 bzip2, 2 gzip, 3 xz, 4 zstd."""
        return int(self.data.get("compression") or 0)


class ContainerRecord(_Stored):
    """A container as the store knows it: ours, or another engine's."""

    @property
    def id(self) -> ContainerId:
        return ContainerId(self.data["id"])

    @property
    def image(self) -> ImageId | None:
        return ImageId(self.data["image"]) if self.data.get("image") else None

    @property
    def layer(self) -> LayerId:
        return LayerId(self.data.get("layer") or "")

    @property
    def volatile(self) -> bool:
        return self.flags.get("Volatile") is True

    @property
    def transient(self) -> bool:
        return self.flags.get("SonataTransient") is True

    @property
    def id_mapping(self) -> IdMapping | None:
        maps = IdMapping(uids=_maps(self.data.get("uidmap")), gids=_maps(self.data.get("gidmap")))
        return maps if maps.uids or maps.gids else None


def _maps(rows: "list[Row] | None") -> tuple[IdMap, ...]:
    return tuple(
        IdMap(container_id=row["container_id"], host_id=row["host_id"], size=row["size"]) for row in rows or ()
    )


def map_rows(maps: tuple[IdMap, ...]) -> list[Row]:
    """The maps as records have them."""
    return [{"container_id": one.container_id, "host_id": one.host_id, "size": one.size} for one in maps]


class NewLayer(Record):
    """A layer to be recorded: what unpacking a blob, or a commit, found out. Sizes in bytes; see containers/storage."""

    id: LayerId
    parent: LayerId | None = None
    diff_digest: Digest = Digest("")
    diff_size: int = 0
    compressed_digest: Digest = Digest("")
    compressed_size: int = 0
    compression: int = 0
    uids: tuple[int, ...] = ()
    gids: tuple[int, ...] = ()
    tar_split: str = ""
    """A finished file in a stage of this store, which is moved into place; empty for none."""
    toc_digest: Digest = Digest("")
    table: bytes = b""
    """What says of which pieces its files are (`TABLE`); empty for none."""


class NewImage(Record):
    """An image to be recorded. `big_data` is in the order of writing; `created` as the config has it, verbatim."""

    id: ImageId
    layer: LayerId | None
    big_data: tuple[tuple[str, bytes], ...]
    names: tuple[str, ...] = ()
    names_are_new: bool = False
    """None of the names may be another image's: they are not taken away."""
    digest: Digest = Digest("")
    metadata: str = ""
    created: str = ""


class NewContainer(Record):
    """A container to be recorded, and its writable layer on top of `image_layer`."""

    id: ContainerId
    name: str
    image: ImageId | None = None
    image_layer: LayerId | None = None
    metadata: str = ""
    mount_label: str = ""
    process_label: str = ""
    mount_options: tuple[str, ...] = ()
    volatile: bool = False
    transient: bool = False
    """Its engine forgets it at the next boot."""
    id_mapping: IdMapping | None = None
    shifted: bool = False
    """`image_layer` has the owners of `id_mapping` already."""
    size_limit: int = 0
