"""What `image sync` is to copy: repositories of registries, folders full of images, or a file that lists them."""

from __future__ import annotations

import os

from sonata.engine.images.ends import source_end
from sonata.model.image_request import PullOptions
from sonata.model.semver import Range, version_of
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.hookspecs.transport import TransportTags
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import parse_name
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine

_LARGEST = 4 << 20
_DEEPEST = 16


class Item(Record):
    """One image to copy: where from, how to ask there, and its place below the destination, in short and in full."""

    source: str
    options: PullOptions
    short: str
    full: str


class Listed(Record):
    """What was found, from how many sources, and what could not be listed."""

    items: tuple[Item, ...]
    sources: int
    troubles: tuple[SonataError, ...] = ()


def list_images(engine: Engine, kind: str, source: str, options: PullOptions, filters: tuple[str, ...]) -> Listed:
    """Everything that a source names; `filters`: `tag=REGEX`, `semver=RANGE`. Raises UsageError, NotFound, Denied."""
    chosen = _filter(filters)
    if kind == "docker":
        items = tuple(item for item in _repository(engine, source, options, chosen))
        return Listed(items=items, sources=1)
    if kind == "dir":
        return Listed(items=tuple(item for item in _folders(source, options) if _wanted(item, chosen)), sources=1)
    return _file(engine, source, options, chosen)


def _filter(filters: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a tag is wanted: every filter must agree."""
    tests: list[Callable[[str], bool]] = []
    for text in filters:
        key, equals, value = text.partition("=")
        if key not in ("tag", "semver") or not equals:
            raise UsageError(f"{text!r} is an invalid filter", hint="tag=REGEX and semver=RANGE are known")
        tests.append(_by_pattern(value) if key == "tag" else _by_version(value))
    return lambda tag: all(test(tag) for test in tests)


def _by_pattern(text: str) -> Callable[[str], bool]:
    import re

    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}") from error
    return lambda tag: pattern.search(tag) is not None


def _by_version(text: str) -> Callable[[str], bool]:
    wanted = Range(text)

    def test(tag: str) -> bool:
        version = version_of(tag)
        return version is not None and wanted.holds(version)

    return test


def _wanted(item: Item, chosen: Callable[[str], bool]) -> bool:
    return chosen(item.short.rpartition(":")[2])


def _repository(
    engine: Engine, text: str, options: PullOptions, chosen: Callable[[str], bool], only: str | None = None
) -> Iterator[Item]:
    """The image that is named, or all tags of the repository. `only` is one tag or digest of it."""
    name = parse_name(text)
    tag = only if only is not None else name.digest or name.tag
    tags: tuple[str, ...]
    if tag:
        tags = (tag,)
    else:
        end = source_end(engine, f"docker://{name.repository}", options)
        slot = end.slot.require(TransportTags)
        try:
            found = slot.transport_tags(reference=end.reference, options=end.options)
        except SonataError as error:
            error.message = f"Error determining repository tags for repo {name.repository}: {error.message}"
            raise
        tags = tuple(one for one in found if chosen(one))
        if not tags:
            raise NotFound(f"No images to sync found in {name.repository}")
    for one in tags:
        joint = "@" if one.startswith("sha256:") else ":"
        full = f"{name.repository}{joint}{one}"
        yield Item(
            source=f"docker://{full}", options=options, short=f"{name.path.rpartition('/')[2]}{joint}{one}", full=full
        )


def _folders(base: str, options: PullOptions) -> Iterator[Item]:
    """Every folder below `base` with an image of the `dir` transport. Links are not followed."""
    if not os.path.isdir(base):
        raise NotFound(f"{base}: no such folder")
    root = os.path.abspath(base)
    found = False
    for folder, below, files in os.walk(root):
        below.sort()
        if folder.count("/") - root.count("/") >= _DEEPEST:
            below.clear()
        if "manifest.json" in files:
            found = True
            place = os.path.relpath(folder, root)
            place = os.path.basename(root) if place == "." else place
            yield Item(source=f"dir:{folder}", options=options, short=place, full=place)
    if not found:
        raise NotFound(f"No images to sync found in {base}")


def _file(engine: Engine, path: str, options: PullOptions, chosen: Callable[[str], bool]) -> Listed:
    """A file of registries, each with `images`, `images-by-tag-regex`, `images-by-semver`, and how to talk to it."""
    items: list[Item] = []
    troubles: list[SonataError] = []
    document = _read(path)
    for host, table in document.items():
        own = _options(host, table, options)
        for key, make in (("images", None), ("images-by-tag-regex", _by_pattern), ("images-by-semver", _by_version)):
            for repository, value in _part(table, key, host).items():
                try:
                    items += _listed(engine, f"{host}/{repository}", value, own, (make, chosen))
                except SonataError as error:
                    error.details.setdefault("object", f"{host}/{repository}")
                    troubles.append(error)
    once = {item.source: item for item in reversed(items)}
    items = [item for item in items if once.get(item.source) is item]
    return Listed(items=tuple(items), sources=len(document), troubles=tuple(troubles))


def _read(path: str) -> dict[str, Any]:
    from sonata.config import yaml_text

    try:
        with open(path, "rb") as file:
            document = yaml_text.loads(file.read(_LARGEST).decode("utf-8"))
    except OSError as error:
        raise NotFound(f"open {path}: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise UsageError(f"Failed to unmarshal {path!r}: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(one, dict) for one in document.values()):
        raise UsageError(f"{path} is no map of registries", hint="registry.example: {images: {app: [1, 2]}}")
    return document


def _part(table: dict[str, Any], key: str, host: str) -> dict[str, Any]:
    found = table.get(key) or {}
    if not isinstance(found, dict):
        raise UsageError(f"{key} of {host} is no map of repositories")
    return found


def _options(host: str, table: dict[str, Any], options: PullOptions) -> PullOptions:
    known = {"images", "images-by-tag-regex", "images-by-semver", "credentials", "tls-verify", "cert-dir"}
    unknown = sorted(str(key) for key in set(table) - known)
    if unknown:
        raise UsageError(f"{host} has the unknown key {unknown[0]!r}", hint=f"known are {', '.join(sorted(known))}")
    given: dict[str, Any] = {}
    credentials = table.get("credentials") or {}
    if credentials:
        given["creds"] = f"{credentials.get('username', '')}:{credentials.get('password', '')}"
    if isinstance(table.get("tls-verify"), bool):
        given["tls_verify"] = table["tls-verify"]
    if table.get("cert-dir"):
        given["cert_dir"] = str(table["cert-dir"])
    return options.replace(**given)


def _listed(
    engine: Engine,
    repository: str,
    value: Any,
    options: PullOptions,
    how: tuple[Callable[[str], Callable[[str], bool]] | None, Callable[[str], bool]],
) -> list[Item]:
    make, chosen = how
    if make is not None:
        own = make(str(value))
        return list(_repository(engine, repository, options, lambda tag: own(tag) and chosen(tag)))
    if not value:
        return list(_repository(engine, repository, options, chosen))
    tags = value if isinstance(value, list) else [value]
    return [
        item for tag in tags if chosen(str(tag)) for item in _repository(engine, repository, options, chosen, str(tag))
    ]
