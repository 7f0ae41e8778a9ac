"""Items of lists of images, which are written anew while the list lives.

A list is changed item by item, and its record last. Whoever is killed in between leaves a record that
says old sizes and digests of items that are whole: nothing is lost, and the record can be made to agree.
"""

from __future__ import annotations

from sonata.store.bigdata import read_item
from sonata.store.records import INSTANCES
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.store.table import Row

Items = tuple[tuple[str, bytes], ...]


def whole_items(folder: str, row: Row) -> Items:
    """All items of a list's record, if each is there and a JSON object; else none, and for other images none."""
    import json

    names = row.get("big-data-names") or []
    if INSTANCES not in names or row.get("layer"):
        return ()
    found: list[tuple[str, bytes]] = []
    for name in names:
        try:
            data = read_item(folder, row["id"], name)
            if not isinstance(json.loads(data), dict):
                return ()
        except (SonataError, ValueError, RecursionError):
            return ()
        found.append((name, data))
    return tuple(found)


def in_safe_order(old: bytes, items: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The items in an order in which each instance of the index can be found whenever the writing breaks off.

    `old` is `instances.json` as it is. Where it grows it comes first, where it shrinks the index does.
    """
    new = dict(items).get(INSTANCES, b"")
    grows = len(new) >= len(old)
    return sorted(items, key=lambda item: (item[0] == "manifest") is grows)
