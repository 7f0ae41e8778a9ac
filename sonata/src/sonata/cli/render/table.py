"""Tables, aligned as Podman's are: Go's tabwriter with columns of at least 12, two blanks between.

A command's own table needs no template: `table` takes columns and rows. Nothing heavier is imported.
"""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NARROWEST = 12
_PADDING = 2


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, Any]], *, heading: bool = True) -> str:
    """Rows as a table. `columns` are pairs of a member's name and its heading; computed members are called."""
    lines = [[head for _, head in columns]] if heading else []
    for row in rows:
        lines.append([_cell(row.get(name)) for name, _ in columns])
    return align_cells(lines)


def _cell(value: Any) -> str:
    if callable(value):
        value = value()
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    from sonata.cli.render.gotemplate.fmt import show

    return show(value)


def align(text: str) -> str:
    """Lines with tabs between their cells, aligned."""
    if not text:
        return ""
    lines = text.split("\n")
    tail = lines.pop()
    made = align_cells([line.split("\t") for line in lines])
    return made + tail


def align_cells(lines: list[list[str]]) -> str:
    """Lines of cells, aligned; the last cell of a line belongs to no column and is never padded.

    As with text/tabwriter a column is a run of lines that have a cell there, so a shorter line between
    two longer ones starts the columns anew.
    """
    written: list[str] = []
    _block(lines, 0, len(lines), [], written)
    return "".join(written)


def _block(lines: list[list[str]], first: int, last: int, widths: list[int], written: list[str]) -> None:
    column = len(widths)
    at = first
    while at < last:
        if column >= len(lines[at]) - 1:
            _write(lines[at], widths, written)
            at += 1
            continue
        end, width = at, _NARROWEST
        while end < last and column < len(lines[end]) - 1:
            width = max(width, len(lines[end][column]) + _PADDING)
            end += 1
        _block(lines, at, end, [*widths, width], written)
        at = end


def _write(line: list[str], widths: list[int], written: list[str]) -> None:
    cells = [cell.ljust(widths[at]) if at < len(widths) else cell for at, cell in enumerate(line)]
    written.append("".join(cells) + "\n")


def heading_of(field: str) -> str:
    """A member's heading: its name, split where its camel has humps, in capitals."""
    runs: list[str] = []
    kinds: list[int] = []
    for sign in field:
        kind = 1 if sign.islower() else 2 if sign.isupper() else 3 if sign.isdigit() else 4
        if kinds and kinds[-1] == kind:
            runs[-1] += sign
        else:
            runs.append(sign)
            kinds.append(kind)
    for at in range(len(runs) - 1):
        # The last capital before small letters begins their word: PDFLoader is PDF Loader.
        if kinds[at] == 2 and kinds[at + 1] == 1:
            runs[at + 1] = runs[at][-1] + runs[at + 1]
            runs[at] = runs[at][:-1]
    return " ".join(run for run in runs if run).upper()
