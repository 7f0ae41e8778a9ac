"""What `usage.py` answers."""

from sonata_core.models.ids import ContainerId, ImageId
from sonata_core.record import Record


class ImageUsage(Record):
    """An image: `size` in bytes, `shared` of them with other images, and how many containers stand on it."""

    id: ImageId
    names: tuple[str, ...]
    size: int
    shared: int
    containers: int
    read_only: bool = False

    @property
    def unique(self) -> int:
        """Bytes that go when the image goes."""
        return self.size - self.shared


class ContainerUsage(Record):
    """A container: `size` is what its own layer takes on disk, in bytes."""

    id: ContainerId
    names: tuple[str, ...]
    size: int


class StoreUsage(Record):
    """A store. `folders`: bytes on disk of every entry of its roots, which together are all there is."""

    images: tuple[ImageUsage, ...]
    containers: tuple[ContainerUsage, ...]
    folders: dict[str, int]
