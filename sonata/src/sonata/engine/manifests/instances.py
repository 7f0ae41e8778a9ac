"""The image that a list of images stands for on a platform."""

from __future__ import annotations

from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import Descriptor, Platform


def _chosen(engine: Engine, record: ImageRecord, platform: Platform | None) -> Descriptor:
    from sonata.image.manifest import Index, parse_bytes
    from sonata.image.platform import choose, host_platform

    index = parse_bytes(engine.store.image_data(record, "manifest"))
    if not isinstance(index, Index):
        raise NotFound(f"{record.id} is no list of images")
    return choose(index, platform or host_platform(engine.facts.machine))


def image_with(images: Iterable[ImageRecord], digest: str) -> ImageRecord | None:
    """The image of the store that has a manifest of that digest."""
    return next((image for image in images if digest in image.digests and not image.is_list), None)


def local_instance(
    engine: Engine, record: ImageRecord, images: Iterable[ImageRecord], platform: Platform | None = None
) -> ImageRecord | None:
    """The image that the list names for a platform (default: this host's), if the store has it. Raises Damaged."""
    try:
        wanted = _chosen(engine, record, platform)
    except NotFound:
        return None
    return image_with(images, wanted.digest)


def no_instance(engine: Engine, record: ImageRecord, text: str) -> NotFound:
    """Why a list stands for no image here, in Podman's words."""
    try:
        wanted = _chosen(engine, record, None)
    except NotFound as error:
        told = error.message.replace("image index", "manifest list")
        return NotFound(f"{told}: image not known", hint=error.hint, name=text)
    return NotFound(
        f"could not find image instance {wanted.digest} of manifest list {record.id} in local containers storage: "
        "image not known",
        hint="`sonata manifest inspect` shows where its images are; pull the one that is meant",
        name=text,
    )


def listed_digests(engine: Engine) -> frozenset[str]:
    """The digests of all instances of all lists of the store. A list that cannot be read has none."""
    from sonata.image.manifest import Index, parse_bytes
    from sonata_core.errors import SonataError

    found: set[str] = set()
    for record in engine.store.images():
        if not record.is_list:
            continue
        try:
            index = parse_bytes(engine.store.image_data(record, "manifest"))
        except SonataError:
            continue
        if isinstance(index, Index):
            found.update(entry.digest for entry in index.manifests)
    return frozenset(found)
