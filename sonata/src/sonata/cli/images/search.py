"""`sonata search`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.image_request import SearchRequest
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.images.search import Hit

COLUMNS = (("Name", "NAME"), ("Description", "DESCRIPTION"))
COMPATIBLE = (*COLUMNS, ("Stars", "STARS"), ("Official", "OFFICIAL"), ("Automated", "AUTOMATED"))
TAGS = (("Name", "NAME"), ("Tag", "TAG"))
_WIDEST = 44


def to_request(parsed: Parsed) -> SearchRequest:
    """The request that the command line makes."""
    return fill(SearchRequest, parsed, term=parsed.args[0])


def command(parsed: Parsed, call: Call) -> int:
    """Print what registries have under a name, or a repository's tags."""
    from sonata.engine.images.search import search

    found = search(call.engine, to_request(parsed))
    if found:
        print(shown(parsed, found), end="")
    return 0


def shown(parsed: Parsed, found: list[Hit]) -> str:
    """What is printed for the hits."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    form = parsed.get("format")
    if form and is_json(form):
        rows = _tag_lists(found) if parsed["list-tags"] else [_row(hit, 0) for hit in found]
        return json_text(form, rows, 4, escape_html=True)
    columns = TAGS if parsed["list-tags"] else COMPATIBLE if parsed["compatible"] else COLUMNS
    report = Report("search", "entities.ImageSearchReport", list(columns), {})
    return render_rows(report, [_row(hit, 0 if parsed["no-trunc"] else _WIDEST) for hit in found], form)


def _row(hit: Hit, widest: int) -> dict[str, Any]:
    text = hit.description
    return {
        "Index": hit.index,
        "Name": hit.name,
        "Description": f"{text[:widest]}..." if widest and len(text) > widest else text,
        "Stars": hit.stars,
        "Official": "[OK]" if hit.official else "",
        "Automated": "[OK]" if hit.automated else "",
        "Tag": hit.tag,
    }


def _tag_lists(found: list[Hit]) -> list[dict[str, Any]]:
    lists: dict[str, list[str]] = {}
    for hit in found:
        lists.setdefault(hit.name, []).append(hit.tag)
    return [{"Name": name, "Tags": tags} for name, tags in lists.items()]
