"""The part of YAML that configuration is written in: maps, lists, plain, quoted and block scalars, JSON-like flow.

No anchors, aliases, tags or complex keys: what is refused cannot grow beyond its text. Plain scalars are read as
the Go libraries of container tools read them: `0644` is an octal number, `yes` is text.
"""

from __future__ import annotations

from sonata_core.lite import Any

DEEPEST = 32
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "/": "/", "e": "\x1b", " ": " "}
_FORBIDDEN = "&*!|>%@`"


def loads(text: str) -> Any:
    """The value of a document. Raises ValueError with the line that is wrong, or that is not supported."""
    reader = _Reader(text)
    value = reader.block(0, 0)
    reader.end()
    return value


class _Reader:
    """Lines with their indentation, without comments and empty ones; and where we are."""

    def __init__(self, text: str) -> None:
        self.raw = text.splitlines()
        self.at = 0
        self._skip()
        if self.at < len(self.raw) and self.raw[self.at].rstrip() == "---":
            self.at += 1

    def fail(self, what: str) -> ValueError:
        return ValueError(f"line {min(self.at + 1, len(self.raw))}: {what}")

    def _skip(self) -> None:
        while self.at < len(self.raw) and self.raw[self.at].strip(" \r")[:1] in ("", "#"):
            self.at += 1

    def peek(self) -> tuple[int, str] | None:
        """Indentation and words of the next line that says something."""
        self._skip()
        if self.at >= len(self.raw) or self.raw[self.at].rstrip() in ("...", "---"):
            return None
        line = self.raw[self.at].rstrip()
        words = line.lstrip(" ")
        if words.startswith("\t"):
            raise self.fail("a tab indents nothing")
        return len(line) - len(words), words

    def end(self) -> None:
        """Raises ValueError where something is left."""
        if self.at < len(self.raw) and self.raw[self.at].rstrip() in ("...", "---"):
            self.at += 1
        if self.peek() is not None:
            raise self.fail("this does not belong here")
        if self.at < len(self.raw):
            raise self.fail("only one document is read")

    def block(self, least: int, depth: int) -> Any:
        """The value that begins on the next line, if that is indented at least so far."""
        if depth > DEEPEST:
            raise self.fail("too deeply nested")
        found = self.peek()
        if found is None or found[0] < least:
            return None
        indent, words = found
        if words == "-" or words.startswith("- "):
            return self._list(indent, depth)
        if _key_end(words) >= 0:
            return self._map(indent, depth)
        self.at += 1
        return self.inline(_bare(words), indent, depth)

    def _list(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while (found := self.peek()) is not None and found[0] == indent:
            words = found[1]
            if words != "-" and not words.startswith("- "):
                break
            rest = words[1:].lstrip(" ")
            inner = indent + len(words) - len(rest)
            if not rest or rest.startswith("#"):
                self.at += 1
                items.append(self.block(indent + 1, depth + 1))
            elif rest == "-" or rest.startswith("- ") or _key_end(rest) >= 0:
                self.raw[self.at] = " " * inner + rest  # the dash is read: the rest is a block of its own
                items.append(self.block(inner, depth + 1))
            else:
                self.at += 1
                items.append(self.inline(_bare(rest), indent, depth + 1))
        return items

    def _map(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (line := self.peek()) is not None and line[0] == indent:
            words = line[1]
            end = _key_end(words)
            if end < 0:
                raise self.fail("want KEY: VALUE")
            key = str(_text(words[:end], self))
            if key in found:
                raise self.fail(f"{key!r} appears twice")
            rest = _bare(words[end + 1 :].lstrip(" "))
            self.at += 1
            found[key] = self.inline(rest, indent, depth + 1) if rest else self._below(indent, depth)
        if (line := self.peek()) is not None and line[0] > indent:
            raise self.fail("this line is indented too far")
        return found

    def _below(self, indent: int, depth: int) -> Any:
        """What stands under `KEY:`: deeper, or a list at the same indentation."""
        line = self.peek()
        if line is not None and line[0] == indent and (line[1] == "-" or line[1].startswith("- ")):
            return self.block(indent, depth + 1)
        return self.block(indent + 1, depth + 1)

    def inline(self, words: str, indent: int, depth: int) -> Any:
        """A value on a line with its key or dash; it may go on below."""
        if words[0] in "|>":
            return self._literal(words, indent)
        if words[0] in "[{":
            while not _closed(words):
                line = self.peek()
                if line is None:
                    raise self.fail("the bracket is not closed")
                words += " " + _bare(line[1])
                self.at += 1
            value, rest = _flow(words, 0, self, depth)
            if words[rest:].strip():
                raise self.fail(f"after the bracket: {words[rest:].strip()!r}")
            return value
        return _scalar(words, self)

    def _literal(self, words: str, indent: int) -> str:
        if words.rstrip("+-") not in ("|", ">"):
            raise self.fail(f"{words!r} is not supported")
        lines: list[str] = []
        while self.at < len(self.raw):
            line = self.raw[self.at].rstrip("\r")
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            lines.append(line)
            self.at += 1
        margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        text = ("\n" if words[0] == "|" else " ").join(line[margin:] for line in lines)
        return text.rstrip("\n ") + ("" if words.endswith("-") else "\n")


def _key_end(words: str) -> int:
    """Where the colon after a key stands; -1 where there is none."""
    if words[0] in "\"'":
        end = _quote_end(words, 0)
        return end if end < len(words) and words[end] == ":" and words[end + 1 : end + 2] in ("", " ") else -1
    if words[0] in "[{":
        return -1
    at = words.find(":")
    while at >= 0 and words[at + 1 : at + 2] not in ("", " "):
        at = words.find(":", at + 1)
    comment = words.find(" #")
    return -1 if 0 <= comment < at else at


def _quote_end(words: str, start: int) -> int:
    """The place after the closing quote; the length of the words where there is none."""
    quote, at = words[start], start + 1
    while at < len(words):
        if words[at] == "\\" and quote == '"':
            at += 2
        elif words[at] == quote:
            if quote == "'" and words[at + 1 : at + 2] == "'":
                at += 2
                continue
            return at + 1
        else:
            at += 1
    return len(words)


def _bare(words: str) -> str:
    """Words without the comment after them."""
    at = 0
    while at < len(words):
        if words[at] in "\"'" and (at == 0 or words[at - 1] in " [{,:"):
            at = _quote_end(words, at)
        elif words[at] == "#" and (at == 0 or words[at - 1] == " "):
            return words[:at].rstrip()
        else:
            at += 1
    return words.rstrip()


def _closed(words: str) -> bool:
    depth, at = 0, 0
    while at < len(words):
        if words[at] in "\"'":
            at = _quote_end(words, at)
            continue
        depth += (words[at] in "[{") - (words[at] in "]}")
        at += 1
    return depth <= 0


def _flow(words: str, at: int, where: _Reader, depth: int) -> tuple[Any, int]:
    """A value of the flow style, and where it ends."""
    if depth > DEEPEST:
        raise where.fail("too deeply nested")
    at = _blank(words, at)
    if words[at : at + 1] in ("[", "{"):
        return _flow_many(words, at, where, depth)
    if words[at : at + 1] in ('"', "'"):
        end = _quote_end(words, at)
        return _text(words[at:end], where), end
    end = at
    while end < len(words) and words[end] not in ",]}" and not (words[end] == ":" and words[end + 1 : end + 2] == " "):
        end += 1
    return _scalar(words[at:end].strip(), where), end


def _flow_many(words: str, at: int, where: _Reader, depth: int) -> tuple[Any, int]:
    closing = "]" if words[at] == "[" else "}"
    items: list[Any] = []
    pairs: dict[str, Any] = {}
    at = _blank(words, at + 1)
    while words[at : at + 1] != closing:
        value, at = _flow(words, at, where, depth + 1)
        at = _blank(words, at)
        if closing == "}":
            if words[at : at + 1] != ":" or str(value) in pairs:
                raise where.fail("want KEY: VALUE, each key once")
            pairs[str(value)], at = _flow(words, at + 1, where, depth + 1)
            at = _blank(words, at)
        else:
            items.append(value)
        if words[at : at + 1] == ",":
            at = _blank(words, at + 1)
        elif words[at : at + 1] != closing:
            raise where.fail("want a comma or a closing bracket")
    return (items if closing == "]" else pairs), at + 1


def _blank(words: str, at: int) -> int:
    while words[at : at + 1] == " ":
        at += 1
    return at


def _text(words: str, where: _Reader) -> str:
    """A key or a quoted scalar as text."""
    if words[:1] == "'":
        return words[1:-1].replace("''", "'")
    if words[:1] != '"':
        return words.strip()
    if len(words) < 2 or words[-1] != '"':
        raise where.fail("the quote is not closed")
    out, at, inner = [], 0, words[1:-1]
    while at < len(inner):
        if inner[at] != "\\":
            out.append(inner[at])
            at += 1
            continue
        kind = inner[at + 1 : at + 2]
        length = {"x": 2, "u": 4, "U": 8}.get(kind, 0)
        if length:
            out.append(chr(int(inner[at + 2 : at + 2 + length], 16)))
        elif kind in _ESCAPES:
            out.append(_ESCAPES[kind])
        else:
            raise where.fail(f"unknown escape \\{kind}")
        at += 2 + length
    return "".join(out)


def _scalar(words: str, where: _Reader) -> Any:
    if words[:1] in ("'", '"'):
        if _quote_end(words, 0) != len(words) or len(words) < 2 or words[-1] != words[0]:
            raise where.fail("the quote is not closed, or something follows it")
        return _text(words, where)
    if words[:1] and words[0] in _FORBIDDEN:
        raise where.fail(f"{words[0]!r} is not supported: write values plainly")
    if words in _NULLS:
        return None
    if words in _TRUE or words in _FALSE:
        return words in _TRUE
    if ": " in words or words.endswith(":"):
        raise where.fail("a map cannot begin here")
    return _number(words)


def _number(words: str) -> Any:
    bare = words[1:] if words[0] in "+-" else words
    if not bare.isascii() or not bare[:1].isdigit() or len(bare) > 20:
        return words
    try:
        if bare.isdigit():
            return int(words, 8) if len(bare) > 1 and bare[0] == "0" else int(words)
        if bare[:2] in ("0x", "0o", "0b"):
            return int(words, 0)
        return float(words)
    except ValueError:
        return words
