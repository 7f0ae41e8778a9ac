"""What `images` is told of one image."""

from collections.abc import Mapping

from sonata_core.record import Record


class ListedImage(Record):
    """An image of the store. `created` in nanoseconds, `size` in bytes; `containers` made from it.

    `labels` and `parent` stand in the image's config, which is read only where it is asked for:
    None where it was not.
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
