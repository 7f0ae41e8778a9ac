"""Files that the store's layers have, found by size and CRC-64, as tar-split data tell them.

The sum is no proof: who takes a file from here compares the digest of all that he makes of it.
"""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.image.layers.chunks import Local
    from sonata.store.records import LayerRecord

_BUDGET = 64 << 20
"""Bytes of tar-split data, compressed, that are looked through."""


class LocalFiles:
    """The files of all layers of a store, newest layers first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def choose(self, wanted: Iterable[tuple[int, int]]) -> Local:
        """What opens the files that are wanted, as far as there are such."""
        open_ones = set(wanted)
        found: dict[tuple[int, int], tuple[LayerRecord, bytes]] = {}
        budget = _BUDGET
        layers = self._engine.store.layers().values()
        for layer in sorted(layers, key=lambda one: -one.created):
            path = self._engine.store.tar_split(layer.id)
            if path is None or not open_ones:
                continue
            try:
                budget -= os.stat(path).st_size
                if budget < 0:
                    break
                for key, name in _files(path, open_ones):
                    found[key] = layer, name
                    open_ones.discard(key)
            except (Damaged, FileNotFoundError):
                continue  # gone meanwhile, or for `system check` to tell of

        def local(size: int, crc: int) -> int | None:
            where = found.get((size, crc))
            return None if where is None else self._open(*where, size)

        return local

    def _open(self, layer: LayerRecord, name: bytes, size: int) -> int | None:
        from sonata.image.layers.tarsplit import InFolders

        folders: list[int] = []
        try:
            for target in self._engine.storage.hook.storage_contents(layer=layer.ref):
                folders.append(os.open(target.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            with InFolders(tuple(folders)) as find:
                fd = find(name)
        except (Damaged, NotFound, FileNotFoundError):
            return None
        finally:
            for folder in folders:
                os.close(folder)
        if os.fstat(fd).st_size == size:
            return fd
        os.close(fd)
        return None


def _files(path: str, wanted: set[tuple[int, int]]) -> Iterable[tuple[tuple[int, int], bytes]]:
    from sonata.image.layers.tarsplit import entries

    with open(path, "rb") as file:
        for _, name, size, payload in entries(file, files_only=True):
            key = size, int.from_bytes(payload, "big")
            if size and key in wanted:
                yield key, name
