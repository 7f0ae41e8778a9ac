"""WWW-Authenticate headers (RFC 7235): what a registry wants to see."""

from __future__ import annotations

from collections.abc import Mapping

from sonata_core.record import Record

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~")


class Challenge(Record):
    """One challenge: its scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse(headers: list[str]) -> tuple[Challenge, ...]:
    """The challenges of all headers, in order. What is malformed ends its header."""
    found: list[Challenge] = []
    for header in headers:
        found += _parse_one(header[:8192])
    return tuple(found)


def _parse_one(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = 0
    while at < len(header):
        word, at = _token(header, _skip(header, at))
        if not word:
            break
        after = _skip(header, at, commas=False)
        if after < len(header) and header[after] == "=" and found:
            value, at = _value(header, after + 1)
            found[-1] = found[-1].replace(parameters={**found[-1].parameters, word.lower(): value})
        else:
            found.append(Challenge(scheme=word.lower(), parameters={}))
    return found


def _skip(text: str, at: int, *, commas: bool = True) -> int:
    while at < len(text) and (text[at] in " \t" or (commas and text[at] == ",")):
        at += 1
    return at


def _token(text: str, at: int) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] in _TOKEN:
        at += 1
    return text[start:at], at


def _value(text: str, at: int) -> tuple[str, int]:
    at = _skip(text, at, commas=False)
    if at >= len(text) or text[at] != '"':
        return _token(text, at)
    found: list[str] = []
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        found.append(text[at])
        at += 1
    return "".join(found), at + 1
