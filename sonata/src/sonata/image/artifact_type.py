"""What a file is by its first bytes: the algorithm of mimesniff.spec.whatwg.org as Go's net/http has it.

Podman asks it for the media type of a file that `artifact add` is not told the type of.
"""

from __future__ import annotations

WINDOW = 512
"""Bytes that count."""

_BLANK = b"\t\n\x0c\r "
_TAGS = (
    *(b"<!DOCTYPE HTML", b"<HTML", b"<HEAD", b"<SCRIPT", b"<IFRAME", b"<H1", b"<DIV", b"<FONT", b"<TABLE", b"<A"),
    *(b"<STYLE", b"<TITLE", b"<B", b"<BODY", b"<BR", b"<P", b"<!--"),
)
_BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xfe\xff..", "text/plain; charset=utf-16be"),
    (b"\xff\xfe..", "text/plain; charset=utf-16le"),
    (b"\xef\xbb\xbf.", "text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x02\x00", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF....WEBPVP", "image/webp"),
    (b"\x89PNG\x0d\x0a\x1a\x0a", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"FORM....AIFF", "audio/aiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"RIFF....AVI ", "video/avi"),
    (b"RIFF....WAVE", "audio/wave"),
)
"""A dot stands for any byte."""
_AFTER_MP4 = (
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"." * 34 + b"LP", "application/vnd.ms-fontobject"),
    (b"\x00\x01\x00\x00", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"),
    (b"\x00asm", "application/wasm"),
)
_BINARY = bytes((*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)))


def media_type(data: bytes) -> str:
    """The media type of content that begins with `data`; never empty."""
    data = data[:WINDOW]
    plain = data.lstrip(_BLANK)
    if any(_is_tag(plain, tag) for tag in _TAGS):
        return "text/html; charset=utf-8"
    if plain.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    found = _known(data, _BEGINNINGS) or _mp4(data) or _known(data, _AFTER_MP4)
    if found:
        return found
    return "application/octet-stream" if plain.translate(None, _BINARY) != plain else "text/plain; charset=utf-8"


def _is_tag(data: bytes, tag: bytes) -> bool:
    return data[: len(tag)].upper() == tag and data[len(tag) : len(tag) + 1] in (b" ", b">")


def _known(data: bytes, table: tuple[tuple[bytes, str], ...]) -> str:
    for pattern, kind in table:
        if len(data) >= len(pattern) and all(want in (0x2E, got) for want, got in zip(pattern, data, strict=False)):
            return kind
    return ""


def _mp4(data: bytes) -> str:
    if len(data) < 12 or data[4:8] != b"ftyp":
        return ""
    size = int.from_bytes(data[:4], "big")
    if size % 4 or len(data) < size:
        return ""
    brands = (data[at : at + 3] for at in range(8, size, 4) if at != 12)
    return "video/mp4" if b"mp4" in brands else ""
