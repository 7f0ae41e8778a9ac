"""Files of the store's layers, and pieces of them, that a zstd:chunked layer need not fetch.

A file is found by size and CRC-64, as tar-split data tell them. The sum is no proof: who takes a file from here
compares the digest of all that he makes of it. Pieces are found by tables of contents that were kept with layers, and
in files of the same name, where an older version of a file has what its newer one took over. They are given out by
their digest.
"""

from __future__ import annotations

import os
from hashlib import sha256

from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sonata.engine.engine import Engine
    from sonata.image.layers.chunks import Local, Wanted
    from sonata.image.layers.tarsplit import InFolders
    from sonata.image.layers.toc import Content, Piece
    from sonata.store.records import LayerRecord

    Spot = tuple[LayerRecord, bytes, int]
    """A file of a layer: its name in the layer's tar, its size."""

_BUDGET = 64 << 20
"""Bytes of tar-split data, and of tables, as they are packed, that are looked through."""
_PIECE = 8 << 20
"""Bytes of the largest piece that is taken from a file: it is compared before anything is made of it."""
_OLDER = 2
"""Files of the same name in which pieces are looked for, newest layers first."""
_OPEN = 16
"""Layers whose folders are held open."""


class LocalFiles:
    """The files of all layers of a store, newest layers first."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def choose(self, wanted: Iterable[Wanted]) -> Local:
        """What opens the files that are wanted, as far as there are such, and reads pieces of the others."""
        found = _Found(self._engine)
        search = _Search(wanted)
        layers = sorted(self._engine.store.layers().values(), key=lambda one: -one.created)
        budget = _BUDGET
        for layer in layers:
            path = self._engine.store.tar_split(layer.id)
            if path is None or not search.contents:
                continue
            try:
                budget -= os.stat(path).st_size
                if budget < 0:
                    break
                search.look(layer, path)
            except (Damaged, FileNotFoundError):
                continue  # gone meanwhile, or for `system check` to tell of
        found.files = search.files
        pieces = {piece.digest: piece for content in search.left() for piece in content.pieces if not piece.zeros}
        if pieces:
            self._of_tables(layers, pieces, found)
            for name, spots in search.older.items():
                found.probe(search.names[name], spots)
        return found

    def _of_tables(self, layers: list[LayerRecord], wanted: dict[bytes, Piece], found: _Found) -> None:
        from sonata.image.layers.toc import TABLE_LIMIT, unpack_table

        budget = _BUDGET
        for layer in layers:
            for table in self._engine.store.layer_tables(layer):
                budget -= len(table)
                if budget < 0:
                    return
                try:
                    contents = unpack_table(table, TABLE_LIMIT, 1 << 60).contents
                except Damaged:
                    continue
                for name, content in contents.items():
                    spot = layer, name, content.size
                    for piece in content.pieces:
                        if piece.digest in wanted:
                            found.pieces.setdefault(piece.digest, (spot, piece.at))


class _Search:
    """Which of the files that are wanted layers have, and which layers have others of their names."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        from sonata.image.layers.tarread import clean

        self.files: dict[tuple[int, int], Spot] = {}
        self.contents: dict[tuple[int, int], Content] = {}
        self.names: dict[bytes, Content] = {}
        self.older: dict[bytes, list[Spot]] = {}
        for one in wanted:
            self.contents[one.size, one.crc] = one.content
            if len(one.content.pieces) > 1:
                self.names[clean(one.name)] = one.content

    def look(self, layer: LayerRecord, path: str) -> None:
        """Through a layer's tar-split data. Raises Damaged, FileNotFoundError."""
        from sonata.image.layers.tarread import clean

        for key, name in _files(path):
            if self.contents.pop(key, None) is not None:
                self.files[key] = layer, name, key[0]
            elif (own := clean(name)) in self.names and len(spots := self.older.setdefault(own, [])) < _OLDER:
                spots.append((layer, name, key[0]))

    def left(self) -> Iterable[Content]:
        """The files that no layer has."""
        return self.contents.values()


class _Found:
    """`image.layers.chunks.Local`."""

    def __init__(self, engine: Engine) -> None:
        self.files: dict[tuple[int, int], Spot] = {}
        self.pieces: dict[bytes, tuple[Spot, int]] = {}
        """By their digests: the file, and where in it."""
        self._engine = engine
        self._open: dict[str, tuple[InFolders, tuple[int, ...]]] = {}
        self._last: tuple[Spot, int] | None = None

    def file(self, wanted: Wanted) -> int | None:
        """A descriptor of a file with this size and CRC-64, or None."""
        spot = self.files.get((wanted.size, wanted.crc))
        return None if spot is None else self._file(spot)

    def piece(self, piece: Piece) -> bytes | None:
        """These very bytes, if a file has them."""
        where = self.pieces.get(piece.digest)
        if where is None or piece.size > _PIECE:
            return None
        return self._read(*where, piece)

    def probe(self, content: Content, spots: list[Spot]) -> None:
        """Look for a file's pieces in files that have its name: where they are here, and as far from the end."""
        for spot in spots:
            shift = 0
            for piece in content.pieces:
                if piece.zeros or piece.size > _PIECE or piece.digest in self.pieces:
                    continue
                for by in dict.fromkeys((shift, 0, spot[2] - content.size)):
                    if self._read(spot, piece.at + by, piece) is not None:
                        self.pieces[piece.digest] = spot, piece.at + by
                        shift = by
                        break

    def _read(self, spot: Spot, at: int, piece: Piece) -> bytes | None:
        if not 0 <= at <= spot[2] - piece.size:
            return None
        if self._last is None or self._last[0] is not spot:
            self._forget()
            fd = self._file(spot)
            if fd is None:
                return None
            self._last = spot, fd
        data = os.pread(self._last[1], piece.size, at)
        return data if sha256(data).digest() == piece.digest else None

    def _file(self, spot: Spot) -> int | None:
        layer, name, size = spot
        try:
            fd = self._folders(layer)(name)
        except (Damaged, NotFound, FileNotFoundError):
            return None
        if os.fstat(fd).st_size == size:
            return fd
        os.close(fd)
        return None

    def _folders(self, layer: LayerRecord) -> InFolders:
        from sonata.image.layers.tarsplit import InFolders

        if layer.id in self._open:
            return self._open[layer.id][0]
        if len(self._open) >= _OPEN:
            self._shut(next(iter(self._open)))
        folders: list[int] = []
        try:
            for target in self._engine.storage.hook.storage_contents(layer=layer.ref):
                folders.append(os.open(target.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except BaseException:
            for folder in folders:
                os.close(folder)
            raise
        self._open[layer.id] = InFolders(tuple(folders)), tuple(folders)
        return self._open[layer.id][0]

    def _shut(self, layer: str) -> None:
        find, folders = self._open.pop(layer)
        with find:
            for folder in folders:
                os.close(folder)

    def _forget(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            os.close(last[1])

    def close(self) -> None:
        """Let go of the files. Idempotent."""
        self._forget()
        for layer in tuple(self._open):
            self._shut(layer)


def _files(path: str) -> Iterator[tuple[tuple[int, int], bytes]]:
    from sonata.image.layers.tarsplit import entries

    with open(path, "rb") as file:
        for _, name, size, payload in entries(file, files_only=True):
            if size:
                yield (size, int.from_bytes(payload, "big")), name
