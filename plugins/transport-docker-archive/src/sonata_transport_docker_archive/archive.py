"""`manifest.json` of a docker-archive: which images there are, and which one is meant."""

from __future__ import annotations

import json

from sonata_core.errors import Damaged, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name, shown
from sonata_core.record import Record
from sonata_core.sdk.local_reference import index_of

if TYPE_CHECKING:
    from sonata_core.sdk.tar_index import TarIndex

_LIMIT = 1 << 20


class Item(Record):
    """One image: the paths of its config and its layers inside the archive, and its names as written."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def read_items(index: TarIndex, where: str) -> tuple[Item, ...]:
    """The images of the archive. Raises NotFound where it is none, Damaged."""
    try:
        content = index.read("manifest.json", _LIMIT)
    except NotFound as error:
        raise NotFound(f"{where} is no docker-archive: it has no manifest.json") from error
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"manifest.json of {where} is not valid JSON") from error
    if not isinstance(found, list):
        raise Damaged(f"manifest.json of {where} is not a list")
    return tuple(_item(item, where) for item in found)


def _item(item: object, where: str) -> Item:
    if not isinstance(item, dict):
        raise Damaged(f"manifest.json of {where}: an image is not an object")
    config, tags, layers = item.get("Config"), item.get("RepoTags") or [], item.get("Layers") or []
    if not isinstance(config, str) or not _texts(tags) or not _texts(layers):
        raise Damaged(f"manifest.json of {where}: an image lacks its config, names or layers")
    return Item(config=config, tags=tuple(tags), layers=tuple(layers))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def full_name(tag: str) -> str:
    """A name of `RepoTags` normalised as Docker does, `latest` added; as it is where it is no name."""
    try:
        return str(parse_name(tag).with_default_tag())
    except UsageError:
        return tag


def choose(items: tuple[Item, ...], selector: str, where: str) -> Item:
    """The image that a selector means. Raises NotFound, UsageError."""
    number = index_of(selector)
    if number is not None:
        if number >= len(items):
            raise NotFound(f"{where} has {len(items)} images: there is none with index {number}")
        return items[number]
    if selector:
        wanted = full_name(selector)
        for item in items:
            if wanted in map(full_name, item.tags):
                return item
        raise NotFound(f"Tag {shown(wanted)} not found in {where}", hint=_there(items))
    if not items:
        raise NotFound(f"{where} holds no image")
    if len(items) > 1:
        raise UsageError(f"more than one image in {where}, choose an image", hint=_there(items))
    return items[0]


def names(items: tuple[Item, ...]) -> tuple[str, ...]:
    """A selector for every name of every image, in order; `@index` for an image without names."""
    found: list[str] = []
    for number, item in enumerate(items):
        found += item.tags or (f"@{number}",)
    return tuple(dict.fromkeys(found))


def _there(items: tuple[Item, ...]) -> str:
    return f"it has: {', '.join(names(items)[:20]) or 'nothing'}"
