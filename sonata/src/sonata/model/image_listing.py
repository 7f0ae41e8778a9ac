"""What `images` is told of one image."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class ListedImage(Record):
    """An image of the store. `created` in nanoseconds, `size` in bytes; `containers` made from it.

    `labels`, and what follows them, is told only where it is asked for: configs are read for it.
    `parent` is the id of the image that this one was built upon.
    """

    id: str
    names: tuple[str, ...]
    names_history: tuple[str, ...]
    digest: str
    digests: tuple[str, ...]
    created: int
    size: int
    read_only: bool = False
    containers: int = 0
    labels: Mapping[str, str] | None = None
    parent: str = ""
    architecture: str = ""
    os: str = ""
    dangling: bool | None = None
    """Without a name and without children; None where nobody asked."""
    is_list: bool = False


class Twig(Record):
    """A layer of an image's tree: its size in bytes unpacked, and the tags of the images whose last it is."""

    layer: str
    size: int
    tags: tuple[str, ...] = ()
    lead: str = ""
    """What stands before it: the lines of the tree."""


class ImageTree(Record):
    """An image and its layers, base first; or what is upon its last layer, each before what is upon it."""

    image: str
    tags: tuple[str, ...]
    size: int
    layers: tuple[Twig, ...] = ()
