"""Where a store's files are."""

import os

from sonata_core.record import Record


class Place(Record):
    """The folders of a store: graph root, run root, image store (the graph root unless split), read-only stores."""

    graph: str
    run: str
    driver: str
    image_root: str = ""
    additional: tuple[str, ...] = ()
    sync: bool = False
    """Whether a layer's files are waited for on the disk before its record says that it is there."""

    @property
    def images(self) -> str:
        """The root that images are written to."""
        return self.image_root or self.graph

    @property
    def writable(self) -> tuple[str, ...]:
        """Roots that we write to, the graph root first: the order in which they are locked."""
        return (self.graph, self.image_root) if self.image_root and self.image_root != self.graph else (self.graph,)

    @property
    def roots(self) -> tuple[str, ...]:
        """Every root, in the order in which a name is looked up."""
        return (*self.writable, *self.additional)

    def folder(self, kind: str, root: str) -> str:
        """The folder of one kind of record: `layers`, `images`, `containers`."""
        return os.path.join(root, f"{self.driver}-{kind}")

    def lock_path(self, kind: str, root: str) -> str:
        """The lock file of one kind of record."""
        return os.path.join(self.folder(kind, root), f"{kind}.lock")

    def tar_split(self, layer: str) -> str:
        """Where a layer's tar-split file is: with a split store still in the graph root."""
        return os.path.join(self.folder("layers", self.graph), f"{layer}.tar-split.gz")
