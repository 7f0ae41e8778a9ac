"""Filters of `images` and `image prune`: texts to conditions on images. All must be met, of references one."""

from __future__ import annotations

from sonata.engine.containers.filters import has_label, moment
from sonata.engine.globs import fits
from sonata.engine.images import lookup
from sonata_core.errors import Conflict, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.engine.images.kinship import Kinship
    from sonata.model.image_listing import ListedImage
    from sonata.store.records import ImageRecord

    Condition = Callable[[ListedImage], bool]


class Kin:
    """The images' kinship, looked at when it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kinship: Kinship | None = None
        self._records: dict[str, ImageRecord] = {}
        self._in_lists: frozenset[str] | None = None

    def get(self) -> Kinship:
        """All of it."""
        if self._kinship is None:
            from sonata.engine.images.kinship import Kinship

            self._kinship = Kinship(self._engine)
        return self._kinship

    def is_intermediate(self, image: ListedImage) -> bool:
        """Has it no name, and children?"""
        return not image.names and self.get().has_children(self._record(image))

    def is_dangling(self, image: ListedImage) -> bool:
        """Has it neither, and no place in a list of images?"""
        if image.names or not self._listed().isdisjoint(image.digests):
            return False
        return not self.get().has_children(self._record(image))

    def _listed(self) -> frozenset[str]:
        if self._in_lists is None:
            from sonata.engine.manifests.instances import listed_digests

            self._in_lists = listed_digests(self._engine)
        return self._in_lists

    def _record(self, image: ListedImage) -> ImageRecord:
        if not self._records:
            self._records = {one.id: one for one in self._engine.store.images()}
        return self._records[image.id]


def conditions(engine: Engine, kin: Kin, wanted: list[str], *, intermediate: bool) -> list[Condition]:
    """A condition for each filter; of references one is enough. Raises UsageError."""
    given: dict[str, str] = {}
    found: list[Condition] = []
    references: list[Condition] = []
    for text in wanted:
        key, value, negated = _split(text)
        if key in _ONCE and given.setdefault(key, value) != value:
            raise UsageError(f'specifying "{key}" filter more than once with different values is not supported')
        condition = _condition(engine, kin, key, value, negated=negated)
        (references if key == "reference" and not negated else found).append(condition)
    if references:
        found.append(lambda image: any(condition(image) for condition in references))
    if not intermediate and "intermediate" not in given:
        found.append(lambda image: not kin.is_intermediate(image))
    return found


def _split(text: str) -> tuple[str, str, bool]:
    """Key and value of a filter, and whether it is negated. Raises UsageError."""
    key, equals, value = text.partition("=")
    negated = key.endswith("!")
    key = key.rstrip("!")
    if not equals:
        raise UsageError(f'invalid image filter "{key}": must be in the format "filter=value or filter!=value"')
    return key, value, negated


def _condition(engine: Engine, kin: Kin, key: str, value: str, *, negated: bool) -> Condition:
    if key in ("dangling", "intermediate"):
        condition = _flag(key, kin.is_dangling if key == "dangling" else kin.is_intermediate)(engine, value)
    elif key in _MAKERS:
        condition = _MAKERS[key](engine, value)
    else:
        raise UsageError(f'invalid image filter "{key}": must be in the format "filter=value or filter!=value"')
    return (lambda image: not condition(image)) if negated else condition


def _reference(engine: Engine, value: str) -> Condition:
    """What the value names, and what it fits as a pattern: a pattern need not be a name."""
    try:
        found = lookup.find(engine, value, lists=True)
    except (UsageError, Conflict):
        found = None
    ident = "" if found is None else found[0].id
    return lambda image: image.id == ident or any(fits(value, form) for name in image.names for form in _forms(name))


def _forms(name: str) -> list[str]:
    """A name, its path, its last part, and each of them with and without tag or digest, as Podman matches them."""
    plain = name.partition("@")[0]
    if ":" in plain.rsplit("/", 1)[-1]:
        plain = plain.rpartition(":")[0]
    path, last, rest = plain.partition("/")[2], plain.rpartition("/")[2], name[len(plain) :]
    return [name, plain, path, path + rest, last, last + rest]


def _image_created(engine: Engine, key: str, value: str) -> int:
    try:
        return lookup.get(engine, value, lists=True)[0].created
    except (NotFound, UsageError) as error:
        raise UsageError(f'could not find local image for filter "{key}"="{value}": {error.message}') from error


def _before(engine: Engine, value: str) -> Condition:
    limit = _image_created(engine, "before", value)
    return lambda image: image.created < limit


def _since(key: str) -> Callable[[Engine, str], Condition]:
    def maker(engine: Engine, value: str) -> Condition:
        limit = _image_created(engine, key, value)
        return lambda image: image.created > limit

    return maker


def _until(_engine: Engine, value: str) -> Condition:
    limit = moment(value)
    return lambda image: image.created < limit


def _truth(key: str, text: str) -> bool:
    if text in ("true", "True", "TRUE", "1", "t", "T"):
        return True
    if text in ("false", "False", "FALSE", "0", "f", "F"):
        return False
    # Key and value stand where Podman has them.
    raise UsageError(
        f'non-boolean value "{key}" for {text} filter: strconv.ParseBool: parsing "{text}": invalid syntax'
    )


def _flag(key: str, of: Callable[[ListedImage], bool]) -> Callable[[Engine, str], Condition]:
    def maker(_engine: Engine, value: str) -> Condition:
        wanted = _truth(key, value)
        return lambda image: of(image) == wanted

    return maker


def _containers(engine: Engine, value: str) -> Condition:
    """`external`: no container but those of other engines uses the image."""
    if value == "external":
        from sonata.engine.containers.external import listed

        others: dict[str, int] = {}
        for container in listed(engine):
            others[container.image_id] = others.get(container.image_id, 0) + 1
        return lambda image: image.containers == others.get(image.id, 0)
    if value not in ("true", "false"):
        raise UsageError(f'unsupported value "{value}" for containers filter')
    return lambda image: (image.containers > 0) == (value == "true")


def _digest(_engine: Engine, value: str) -> Condition:
    if not value.startswith("sha256:"):
        raise UsageError(f'invalid value "{value}" for digest filter')
    return lambda image: any(digest.startswith(value) for digest in (image.digest, *image.digests))


def _manifest(engine: Engine, value: str) -> Condition:
    from sonata.engine.images.facts import is_list

    wanted = _truth("manifest", value)
    records = {str(one.id): one for one in engine.store.images()}
    return lambda image: is_list(engine, records[image.id]) == wanted


_ONCE = ("containers", "dangling", "intermediate", "readonly", "manifest")
"""Filters that stand for one value."""

_MAKERS: dict[str, Callable[[Engine, str], Condition]] = {
    "after": _since("after"),
    "before": _before,
    "containers": _containers,
    "digest": _digest,
    "id": lambda _engine, value: lambda image: image.id.startswith(value.removeprefix("sha256:")),
    "label": lambda _engine, value: lambda image: has_label(image.labels or {}, value),
    "manifest": _manifest,
    "readonly": _flag("readonly", lambda image: image.read_only),
    "reference": _reference,
    "since": _since("since"),
    "until": _until,
}
