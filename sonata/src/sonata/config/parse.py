"""TOML files to values, key by key; every complaint says file, line and cause."""

from __future__ import annotations

import re
import tomllib

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.config.settings import Setting

_LARGEST = 1 << 20


def read_toml(path: str) -> tuple[dict[str, Any], str]:
    """A file's tables, and its text for `line_of`. Raises UsageError: unreadable, too large, malformed."""
    try:
        with open(path, "rb") as handle:
            content = handle.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{path}: larger than {_LARGEST} bytes", hint="Is this a configuration file?")
        text = content.decode("utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise UsageError(f"open {path}: {error.strerror}", hint="Make the file readable, or remove it.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8", hint="Configuration files are UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_syntax(path, str(error), text), hint=f"Mend that line of {path}.") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; tables without end
        raise UsageError(f"{path}: a number is too long, or something too deep", hint=f"Mend {path}.") from error


def _syntax(path: str, message: str, text: str) -> str:
    at = re.search(r" \(at line (\d+), column \d+\)$", message)
    line = int(at.group(1)) if at else text.count("\n") + 1
    cause = message[: at.start()] if at else message.removesuffix(" (at end of document)")
    return f"{path}:{line}: {cause}"


def line_of(text: str, table: str, key: str) -> int:
    """The line of a key below a `[table]` header, else of the header, else 1."""
    inside, best = not table, 1
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            name = header.group(1).replace('"', "").replace(" ", "")
            inside = name == table
            if inside or name == f"{table}.{key}".lstrip("."):
                best = number
        elif inside and wanted.match(line):
            return number
    return best


def complain(path: str, text: str, table: str, key: str, cause: object) -> UsageError:
    """The error for a value that makes no sense."""
    name = f"{table}.{key}".lstrip(".")
    return UsageError(
        f"{path}:{line_of(text, table, key)}: {name}: {cause}", hint=f"sonata.conf(5) says what {name} takes."
    )


class Reader:
    """Reads files one over the other into values of a table of settings.

    Lists replace what an earlier file said, unless `{append=true}` stands among the items, which
    from then on holds for later files too. Tables of names are merged name by name.
    """

    def __init__(self, settings: Iterable[Setting]) -> None:
        self.rows = {(row.table, row.key): row for row in settings}
        self.tables = {row.table for row in self.rows.values()}
        self.values: dict[tuple[str, str], Any] = {at: row.default for at, row in self.rows.items()}
        self.origin: dict[tuple[str, str], str] = {}
        self.unknown: list[str] = []
        self._appends: set[tuple[str, str]] = set()

    def read(self, path: str) -> None:
        """Lay one file over what was read so far. Raises UsageError."""
        content, text = read_toml(path)
        tops = {table.partition(".")[0] for table in self.tables}
        for top, table in content.items():
            if top not in tops:
                continue
            if not isinstance(table, dict):
                raise complain(path, text, "", top, "want a table")
            self._table(path, text, top, table)

    def _table(self, path: str, text: str, name: str, content: dict[str, Any]) -> None:
        for key, value in content.items():
            row = self.rows.get((name, key))
            if row is not None:
                try:
                    self._put(row, value)
                except ValueError as cause:
                    raise complain(path, text, name, key, f"{cause}, got {_shown(value)}") from cause
                self.origin[(name, key)] = path
            elif isinstance(value, dict) and f"{name}.{key}" in self.tables:
                self._table(path, text, f"{name}.{key}", value)
            else:
                self.unknown.append(f"{path}: {name}.{key}")

    def _put(self, row: Setting, value: object) -> None:
        at = (row.table, row.key)
        if isinstance(value, list) and isinstance(row.default, tuple):
            value = self._attributes(at, value)
        parsed = row.parse(value)
        if at in self._appends:
            parsed = self.values[at] + parsed
        elif isinstance(parsed, dict):
            parsed = {**self.values[at], **parsed}
        self.values[at] = parsed

    def _attributes(self, at: tuple[str, str], items: list[Any]) -> list[Any]:
        plain = []
        for item in items:
            if isinstance(item, dict) and set(item) == {"append"}:
                if not isinstance(item["append"], bool):
                    raise ValueError("want append=true or append=false")
                (self._appends.add if item["append"] else self._appends.discard)(at)
            else:
                plain.append(item)
        return plain


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
