"""`images`: what there is in the store."""

from __future__ import annotations

from sonata.engine.images.filters import Kin, conditions
from sonata.model.image_listing import ListedImage
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata_core.models.ids import LayerId


def listing(
    engine: Engine,
    names: Iterable[str] = (),
    filters: Iterable[str] = (),
    *,
    details: bool = False,
    intermediate: bool = True,
) -> list[ListedImage]:
    """The images that the names and filters (`KEY=VALUE`, `KEY!=VALUE`) leave, in the order of the stores.

    One that lies in several stores is told of once for each.

    `details` reads each image's config. `intermediate`: also images without a name that others are built upon, which
    a filter of that name asks for too. Raises UsageError for a filter that makes no sense.
    """
    wanted = [*filters, *(f"reference={name}" for name in names)]
    kin = Kin(engine)
    chosen = conditions(engine, kin, wanted, intermediate=intermediate)
    layers = engine.store.layers()
    uses = _uses(engine)
    labels = details or any(text.startswith("label") for text in wanted)
    found = []
    for image in engine.store.image_records():
        if any(_hidden(flag) for flag in image.flags):
            continue
        one = listed_image(engine, image, layers, uses.get(image.id, 0), details=labels)
        if not all(condition(one) for condition in chosen):
            continue
        if details:
            parent = kin.get().parent(image)
            one = one.replace(parent=parent.id if parent else "", dangling=kin.is_dangling(one))
        found.append(one)
    return _named_only(found, wanted)


def _named_only(found: list[ListedImage], wanted: list[str]) -> list[ListedImage]:
    """Asked for by one whole name, an image is shown by that alone; by a digest, by its names in the repository."""
    references = [text.partition("=")[2] for text in wanted if text.startswith("reference=")]
    if len(references) != 1:
        return found
    repository, at, _ = references[0].partition("@")

    def fits(name: str) -> bool:
        return name == references[0] or (bool(at) and name.rpartition(":")[0] == repository)

    if not any(fits(name) for image in found for name in image.names):
        return found
    return [image.replace(names=tuple(filter(fits, image.names))) for image in found]


_YEAR_ONE = -62_135_596_800 * 10**9
"""What Go's zero time is in nanoseconds since 1970."""


def _hidden(flag: str) -> bool:
    return flag == "incomplete"


def _uses(engine: Engine) -> dict[str, int]:
    found: dict[str, int] = {}
    for container in engine.store.containers():
        if container.image:
            found[container.image] = found.get(container.image, 0) + 1
    return found


def listed_image(
    engine: Engine, image: ImageRecord, layers: dict[LayerId, LayerRecord], containers: int, *, details: bool
) -> ListedImage:
    """One image."""
    listed = ListedImage(
        id=image.id,
        names=image.names,
        names_history=image.names_history,
        digest=str(image.digest),
        digests=tuple(str(digest) for digest in image.digests),
        created=image.created or _YEAR_ONE * str(image.data.get("created")).startswith("0001-"),
        size=size_of(image, layers),
        read_only=image.read_only,
        containers=containers,
    )
    if not details:
        return listed
    from sonata.engine.images.facts import is_list, read_config

    if is_list(engine, image):
        return listed.replace(is_list=True)
    config = read_config(engine, image)
    return listed.replace(
        labels=dict(config.labels) if config.labels or _says_labels(engine, image) else None,
        architecture=config.architecture,
        os=config.os,
    )


def _says_labels(engine: Engine, image: ImageRecord) -> bool:
    """Whether a config without labels says that it has none, which JSON tells apart."""
    from sonata.image.view import absent

    content = engine.store.image_data(image, f"sha256:{image.id}")
    return b'"Labels"' in content and "labels" not in absent(content)


def size_of(image: ImageRecord, layers: dict[LayerId, LayerRecord]) -> int:
    """Bytes of an image's layers, uncompressed, and of its documents."""
    total = sum(int(size) for size in image.big_data_sizes.values())
    layer = image.layer
    while layer and layer in layers:
        total += max(layers[layer].diff_size, 0)
        layer = layers[layer].parent
    return total
