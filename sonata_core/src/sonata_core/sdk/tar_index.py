"""A tar archive as a table of its files: nothing is ever extracted, links are followed inside only.

Reads ustar, GNU (long names, large sizes) and PAX headers. Of several entries with one name the
last counts, as it would after extraction. A layer's own tar is read elsewhere, by the engine.
"""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import shown
from sonata_core.record import Record
from sonata_core.sdk.content import Section

if TYPE_CHECKING:
    from typing import Self

_BLOCK = 512
_MOST_ENTRIES = 100_000
_LONGEST_HEADER = 1 << 20
_MOST_LINKS = 16
_FILES = b"0\x007"
_LINKS = b"12"


class Place(Record):
    """Where a file's bytes lie in the archive."""

    start: int
    size: int


class TarIndex:
    """The files of an archive, read by position from `fd`, which it closes at the end."""

    def __init__(self, fd: int, size: int, what: str) -> None:
        self._fd = fd
        self._size = size
        self._what = what
        self._files: dict[str, Place] = {}
        self._links: dict[str, str] = {}
        try:
            self._scan()
        except BaseException:
            os.close(fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the archive; streams from it can no longer be read."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def find(self, name: str) -> Place:
        """A file by name, links followed. Raises NotFound, Damaged for links that lead out or in circles."""
        path = _inside("", name)
        for _ in range(_MOST_LINKS):
            if path is None:
                raise Damaged(f"{self._what}: {shown(name)} leads out of the archive")
            place = self._files.get(path)
            if place is not None:
                return place
            target = self._links.get(path)
            if target is None:
                raise NotFound(f"{self._what}: file {shown(name)} not found in archive")
            path = _inside(path.rpartition("/")[0], target)
        raise Damaged(f"{self._what}: the links of {shown(name)} go in circles")

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            self.find(name)
        except NotFound:
            return False
        return True

    def open(self, name: str, offset: int = 0) -> Section:
        """A stream of a file from `offset` on. Raises NotFound, Damaged."""
        place = self.find(name)
        skipped = min(offset, place.size)
        return Section(self._fd, place.start + skipped, place.size - skipped)

    def read(self, name: str, limit: int) -> bytes:
        """A whole small file. Raises NotFound, Damaged for more than `limit` bytes."""
        place = self.find(name)
        if place.size > limit:
            raise Damaged(
                f"{self._what}: {shown(name)} has {place.size} bytes, more than the {limit} that are accepted"
            )
        return Section(self._fd, place.start, place.size).read() if place.size else b""

    def _scan(self) -> None:
        at = 0
        extra: dict[str, str] = {}
        for _ in range(_MOST_ENTRIES):
            header = os.pread(self._fd, _BLOCK, at)
            if len(header) < _BLOCK or header == bytes(_BLOCK):
                if not at or (header and len(header) < _BLOCK):
                    raise Damaged(f"{self._what} is no tar archive, or is cut short")
                return
            kind, size = self._check(header, at), _number(header[124:136], self._what)
            if "size" in extra and kind not in b"xgLK":
                size = _decimal(extra["size"], self._what)
            if at + _BLOCK + size > self._size:
                raise Damaged(f"{self._what} is cut short: an entry of {size} bytes goes beyond its end")
            if kind in b"xLKg":
                self._extend(extra, kind, at + _BLOCK, size)
            else:
                self._note(header, kind, Place(start=at + _BLOCK, size=size), extra)
                extra = {}
            at += _BLOCK + -(-size // _BLOCK) * _BLOCK
        raise Damaged(f"{self._what} has more than {_MOST_ENTRIES} entries: it is no archive of images")

    def _check(self, header: bytes, at: int) -> bytes:
        """The entry's type, once its checksum is right."""
        total = sum(header) - sum(header[148:156]) + 8 * 32
        if _number(header[148:156], self._what) != total:
            raise Damaged(f"{self._what} is no tar archive: the header at {at} has a wrong checksum")
        return header[156:157]

    def _extend(self, extra: dict[str, str], kind: bytes, start: int, size: int) -> None:
        """What a PAX or GNU header says of the entry that follows."""
        if size > _LONGEST_HEADER:
            raise Damaged(f"{self._what}: an extended header of {size} bytes")
        content = os.pread(self._fd, size, start)
        if kind == b"L":
            extra["path"] = _text(content)
        elif kind == b"K":
            extra["linkpath"] = _text(content)
        elif kind == b"x":
            extra.update(_pax(content, self._what))

    def _note(self, header: bytes, kind: bytes, place: Place, extra: dict[str, str]) -> None:
        prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
        name = extra.get("path") or "/".join(part for part in (prefix, _text(header[:100])) if part)
        path = _inside("", name)
        if not path:
            return
        self._files.pop(path, None)
        self._links.pop(path, None)
        if any(key.startswith("GNU.sparse.") for key in extra):
            raise Damaged(f"{self._what}: {shown(name)} is stored as a sparse file, which archives of images are not")
        if kind in _FILES:
            self._files[path] = place
        elif kind in _LINKS:
            target = extra.get("linkpath") or _text(header[157:257])
            self._links[path] = target if kind == b"2" else f"/{target}"


def _inside(folder: str, name: str) -> str | None:
    """A name below the archive's root, with `.` and `..` resolved; None where it leads out of it."""
    parts: list[str] = [] if name.startswith("/") else [part for part in folder.split("/") if part]
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes, what: str) -> int:
    """A header's number: octal digits, or big endian with the top bit set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            raise Damaged(f"{what}: a header has a negative size")
        return value
    text = field.strip(b" \0")
    if not all(48 <= digit < 56 for digit in text):
        raise Damaged(f"{what}: a header has a number that is none")
    return int(text or b"0", 8)


def _decimal(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Damaged(f"{what}: an extended header has a size that is no number")
    return int(text)


def _pax(content: bytes, what: str) -> dict[str, str]:
    """Records of a PAX header: `length key=value\\n`."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        digits, space, _ = content[at : at + 20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if length <= len(digits) or not equals or not value.endswith(b"\n"):
            raise Damaged(f"{what}: an extended header is malformed")
        found[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        at += length
    return found
