"""`--format`: what a list command prints, by the rules of Podman's reports.

`json` (also `{{json}}`) asks for JSON, `{{json .}}` for an object a line; `table TEMPLATE` for headings and aligned
columns; anything else is a template for each row, unless it ranges over the rows itself.
"""

from __future__ import annotations

from sonata.cli.render.table import align, heading_of, table
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.cli.render.gotemplate.evaluate import Template


class Report:
    """What a command can show: its name in errors, its own columns, headings that differ from names.

    `type_name` is what errors call a row.
    """

    __slots__ = ("columns", "headings", "name", "type_name")

    def __init__(
        self, name: str, type_name: str, columns: Sequence[tuple[str, str]], headings: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.type_name = type_name
        self.columns = columns
        self.headings = headings or {}


def is_json(form: str) -> bool:
    """Whether a format asks for JSON."""
    plain = form.replace(" ", "")
    return plain in ("json", "{{json}}", "{{json.}}")


def json_text(form: str, documents: Sequence[Any], indent: int | None = 2, *, escape_html: bool = False) -> str:
    """Documents as a format that asks for JSON wants them: one array, or an object a line for `{{json .}}`.

    That is what Docker does, and Podman since 5.
    """
    from sonata.cli.render.json import dumps

    if form.replace(" ", "") == "{{json.}}":
        return "".join(f"{dumps(one, escape_html=escape_html)}\n" for one in documents)
    return dumps(list(documents), indent=indent, escape_html=escape_html) + "\n"


def render_rows(
    report: Report, rows: Sequence[Mapping[str, Any]], form: str | None = None, *, heading: bool = True
) -> str:
    """The text for rows by a format other than JSON. Raises UsageError with Go's message.

    Without a format the command's own columns are shown.
    """
    if form is None:
        return table(report.columns, rows, heading=heading)
    from sonata.cli.render.gotemplate.values import GoMap, Struct

    data = [row if isinstance(row, Struct) else Struct(report.type_name, row) for row in rows]
    template = _parsed(report.name, form)
    text = template.execute(data)
    if not form.startswith("table "):
        return text
    if heading:
        names = {name: heading_of(name) for row in rows[:1] for name in row}
        names.update(dict(report.columns))
        names.update({name: head.upper() for name, head in report.headings.items()})
        text = template.execute([GoMap.of(names, "string")]) + text
    return align(text)


def render_objects(name: str, values: Sequence[Any], form: str) -> str:
    """Objects that `inspect` found, each by the template. Raises UsageError with Go's message."""
    return _parsed(name, form).execute(list(values))


def render_object(name: str, value: Any, form: str) -> str:
    """One object by a template: `info`, `version`. Raises UsageError with Go's message."""
    return _compiled(name, _normal(form), form).execute(value)


def _normal(form: str) -> str:
    """With `\\t` and `\\n` as tab and newline, and ending in a newline.

    After the word `table`, which is taken away, every blank becomes a tab, as Podman has it.
    """
    plain = form.replace("table ", "") if form.startswith("table ") else form
    plain = plain.replace("\\t", "\t").replace("\\n", "\n")
    if form.startswith("table "):
        plain = plain.replace(" ", "\t")
    return plain if plain.endswith("\n") else plain + "\n"


def ranges(form: str) -> bool:
    """Whether a template ranges over its data by itself."""
    import re

    return re.search(r"(?s)\{\{-?\s*range\s*\.\s*-?\}\}.*\{\{-?\s*end\s*-?\}\}", form) is not None


def _parsed(name: str, form: str) -> Template:
    """The template that goes over all rows."""
    texts = [
        text if ranges(text) else "{{range .}}" + text + "{{end -}}"
        for text in (_normal(form), form.removeprefix("table "))
    ]
    return _compiled(name, *texts)


def _compiled(name: str, text: str, typed: str) -> Template:
    """Of a text that escapes spoil, as newlines do in {{printf "\\n"}}, what was typed is taken as it is."""
    from sonata.cli.render.gotemplate.evaluate import Template
    from sonata_core.errors import UsageError

    try:
        return Template(name, text)
    except UsageError:
        return Template(name, typed)
