"""`images`: what there is in the store."""

from __future__ import annotations

from sonata.engine.containers.filters import has_label, moment
from sonata.engine.images import lookup
from sonata.model.image_listing import ListedImage
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord, LayerRecord
    from sonata_core.models.ids import LayerId

    Condition = Callable[[ListedImage], bool]


def listing(
    engine: Engine, names: Iterable[str] = (), filters: Iterable[str] = (), *, details: bool = False
) -> list[ListedImage]:
    """The images that the names and filters (`KEY=VALUE`, `KEY!=VALUE`) leave, newest first.

    `details` reads each image's config. Raises UsageError for a filter that makes no sense.
    """
    wanted = [*filters, *(f"reference={name}" for name in names)]
    conditions = [_condition(engine, text) for text in wanted]
    layers = engine.store.layers()
    uses = _uses(engine)
    details = details or any(text.startswith("label") for text in wanted)
    records = [image for image in engine.store.images() if not any(_hidden(flag) for flag in image.flags)]
    listed = [listed_image(engine, image, layers, uses.get(image.id, 0), details=details) for image in records]
    found = [image for image in listed if all(condition(image) for condition in conditions)]
    return sorted(found, key=lambda image: -image.created)


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
        names_history=image.names_history or image.names,
        digest=str(image.digest),
        digests=tuple(str(digest) for digest in image.digests),
        created=image.created,
        size=size_of(image, layers),
        read_only=image.read_only,
        containers=containers,
    )
    if not details:
        return listed
    from sonata.engine.images.facts import read_config

    config = read_config(engine, image)
    return listed.replace(
        labels=dict(config.labels),
        parent=config.parent.removeprefix("sha256:"),
        architecture=config.architecture,
        os=config.os,
    )


def size_of(image: ImageRecord, layers: dict[LayerId, LayerRecord]) -> int:
    """Bytes of an image's layers, uncompressed, and of its documents."""
    total = sum(int(size) for size in image.big_data_sizes.values())
    layer = image.layer
    while layer and layer in layers:
        total += max(layers[layer].diff_size, 0)
        layer = layers[layer].parent
    return total


def _condition(engine: Engine, text: str) -> Condition:
    key, equals, value = text.partition("=")
    negated = key.endswith("!")
    key = key.rstrip("!")
    if not equals or key not in _MAKERS:
        raise UsageError(f'invalid image filter "{key}": must be in the format "filter=value or filter!=value"')
    condition = _MAKERS[key](engine, value)
    return (lambda image: not condition(image)) if negated else condition


def _reference(engine: Engine, value: str) -> Condition:
    found = lookup.find(engine, value) if "*" not in value else None
    if found is not None:
        return lambda image: image.id == found[0].id

    def fits(image: ListedImage) -> bool:
        import fnmatch

        return any(fnmatch.fnmatchcase(form, value) for name in image.names for form in _forms(name))

    return fits


def _forms(name: str) -> list[str]:
    """A name, its ends after each slash, and all those without tag or digest."""
    parts = name.split("/")
    ends = ["/".join(parts[at:]) for at in range(len(parts))]
    return [*ends, *(end.partition("@")[0].rsplit(":", 1)[0] for end in ends)]


def _image_created(engine: Engine, value: str) -> int:
    return lookup.get(engine, value)[0].created


def _before(engine: Engine, value: str) -> Condition:
    limit = _image_created(engine, value)
    return lambda image: image.created < limit


def _since(engine: Engine, value: str) -> Condition:
    limit = _image_created(engine, value)
    return lambda image: image.created > limit


def _until(_engine: Engine, value: str) -> Condition:
    limit = moment(value)
    return lambda image: image.created < limit


def _truth(text: str) -> bool:
    if text.lower() in ("true", "1", "t"):
        return True
    if text.lower() in ("false", "0", "f"):
        return False
    raise UsageError(f'invalid filter value "{text}": strconv.ParseBool: parsing "{text}": invalid syntax')


def _flag(of: Callable[[ListedImage], bool]) -> Callable[[Engine, str], Condition]:
    def maker(_engine: Engine, value: str) -> Condition:
        wanted = _truth(value)
        return lambda image: of(image) == wanted

    return maker


def _digest(_engine: Engine, value: str) -> Condition:
    return lambda image: any(digest.startswith(value) for digest in (image.digest, *image.digests))


_MAKERS: dict[str, Callable[[Engine, str], Condition]] = {
    "after": _since,
    "before": _before,
    "containers": _flag(lambda image: image.containers > 0),
    "dangling": _flag(lambda image: not image.names),
    "digest": _digest,
    "id": lambda _engine, value: lambda image: image.id.startswith(value.removeprefix("sha256:")),
    "intermediate": _flag(lambda _image: False),
    "label": lambda _engine, value: lambda image: has_label(image.labels or {}, value),
    "readonly": _flag(lambda image: image.read_only),
    "reference": _reference,
    "since": _since,
    "until": _until,
}
