"""`sonata images`."""

from __future__ import annotations

import time

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.image_listing import ListedImage

COLUMNS = (
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("ID", "IMAGE ID"),
    ("Created", "CREATED"),
    ("Size", "SIZE"),
)
HEADINGS = {"ID": "IMAGE ID", "ReadOnly": "R/O"}
_DETAILS = ("Labels", "ParentId", "Arch", ".Os", "Dangling", "IsManifestList")


def command(parsed: Parsed, call: Call) -> int:
    """List images: a row for each name."""
    from sonata.cli.render.report import is_json
    from sonata.engine.images.listing import listing

    form = parsed["format"]
    if parsed.args and parsed["filter"]:
        raise UsageError("cannot specify an image and a filter(s)")
    details = is_json(form) or any(word in form for word in _DETAILS)
    found = listing(call.engine, parsed.args, parsed["filter"], details=details, intermediate=parsed["all"])
    if parsed["quiet"] and not is_json(form):
        rows = ordered(_rows(found), parsed["sort"])
        print("".join(f"{ident}\n" for ident in dict.fromkeys(_id(one, parsed) for one, _ in rows)), end="")
        return 0
    print(shown(parsed, found, time.time(), call.path.rpartition(" ")[2]), end="")
    return 0


def shown(parsed: Parsed, found: list[ListedImage], now: float, command_name: str = "images") -> str:
    """What is printed for the images; templates' errors name the command."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    form = parsed.get("format")
    ranked = ordered(_rows(found), parsed["sort"])
    if form is not None and is_json(form):
        # An object for each name, as Podman prints them.
        if "." in form:
            return json_text(form, [as_template_json(one, name) for one, name in ranked])
        return json_text(form, [as_json(one) for one, _ in ranked], 4)
    columns = list(COLUMNS)
    if parsed["digests"]:
        columns.insert(2, ("Digest", "DIGEST"))
    if parsed["history"]:
        columns.append(("History", "HISTORY"))
    if any(one.read_only for one in found):
        columns.append(("ReadOnly", "R/O"))
    rows = [fields(one, name, now, _id(one, parsed)) for one, name in ranked]
    if form is None and parsed["history"]:
        rows = [{**row, "History": row["History"] or "<none>"} for row in rows]
    if "ImageSummary" in (form or ""):
        rows = [_with_summary(row, one) for row, (one, _) in zip(rows, ranked, strict=True)]
    report = Report(command_name, "images.imageReporter", columns, HEADINGS)
    return render_rows(report, rows, form, heading=not parsed["noheading"])


def _id(one: ListedImage, parsed: Parsed) -> str:
    return f"sha256:{one.id}" if parsed["no-trunc"] else one.id[:12]


def _rows(found: list[ListedImage]) -> list[tuple[ListedImage, str]]:
    """A row for each tag; for an image that has only digests one, and one for an image without a name."""
    rows = []
    for one in found:
        tagged = [name for name in one.names if split(name)[1] != "<none>"]
        rows += [(one, name) for name in tagged or one.names[:1] or ("",)]
    return rows


_KEYS: dict[str, Callable[[tuple[ListedImage, str]], Any]] = {
    "created": lambda row: -(row[0].created // 10**9),
    "id": lambda row: row[0].id,
    "repository": lambda row: split(row[1])[0],
    "size": lambda row: row[0].size,
    "tag": lambda row: split(row[1])[1],
}


def ordered(rows: list[tuple[ListedImage, str]], key: str) -> list[tuple[ListedImage, str]]:
    """Sorted as `--sort` says, by default newest first; what is alike stays in the order of the store."""
    return sorted(rows, key=_KEYS[key])


def split(name: str) -> tuple[str, str]:
    """Repository and tag of a name; `<none>` for what it lacks."""
    if not name:
        return "<none>", "<none>"
    plain = name.partition("@")[0]
    repository, colon, tag = plain.rpartition(":")
    if not colon or "/" in tag:
        return plain, "<none>"
    return repository, tag


def fields(one: ListedImage, name: str, now: float, ident: str) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    repository, tag = split(name)
    return {
        "Arch": one.architecture,
        "Containers": one.containers,
        "Created": lambda: ago(now, one.created),
        "CreatedAt": lambda: _utc(one.created),
        "CreatedSince": lambda: ago(now, one.created),
        "CreatedTime": lambda: _utc(one.created),
        "Dangling": bool(one.dangling),
        "Digest": one.digest or "<none>",
        "History": ", ".join(one.names_history),
        "ID": ident,
        "Id": one.id,
        "IsDangling": bool(one.dangling),
        "IsManifestList": one.is_list,
        "IsReadOnly": one.read_only,
        "Labels": dict(one.labels or {}),
        "Names": list(one.names),
        "Os": one.os,
        "ParentId": one.parent,
        "ReadOnly": one.read_only,
        "RepoDigests": repo_digests(one),
        "Repository": repository,
        "RepoTags": list(one.names),
        "SharedSize": 0,
        "Size": lambda: size_text(one.size),
        "Tag": tag,
        "VirtualSize": one.size,
    }


def _with_summary(row: Mapping[str, Any], one: ListedImage) -> Mapping[str, Any]:
    """A row of which the struct that Go has within it can be named, too: ids are whole there, numbers plain ones."""
    from sonata.cli.render.gotemplate.values import Struct

    plain = {"ID": one.id, "Size": one.size, "Created": one.created // 10**9, "History": list(one.names_history)}
    return {**row, "ImageSummary": Struct("types.ImageSummary", {**row, **plain})}


def repo_digests(one: ListedImage) -> list[str]:
    """Each repository that the image is named in, with each of its digests."""
    found = {f"{split(name)[0]}@{digest}" for name in one.names for digest in one.digests or (one.digest,) if digest}
    return sorted(found)


def as_json(one: ListedImage) -> dict[str, Any]:
    """The object of `--format json`: what is empty is left out, as Podman leaves it out."""
    shown: dict[str, Any] = {
        "Id": one.id,
        "ParentId": one.parent,
        "RepoTags": None,
        "RepoDigests": repo_digests(one),
        "Size": one.size,
        "SharedSize": 0,
        "VirtualSize": one.size,
        "Labels": None if one.labels is None else dict(sorted(one.labels.items())),
        "Containers": one.containers,
    }
    optional: Iterable[tuple[str, Any]] = (
        ("ReadOnly", one.read_only),
        ("Dangling", one.dangling),
        ("Digest", one.digest),
        ("History", list(one.names_history)),
        ("Names", list(one.names)),
    )
    shown.update({key: value for key, value in optional if value})
    shown["Created"] = one.created // 10**9
    shown["CreatedAt"] = _utc(one.created).replace(" ", "T", 1).partition(" ")[0] + "Z"
    return shown


def as_template_json(one: ListedImage, name: str) -> dict[str, Any]:
    """What `{{json .}}` makes of a row: its name, its tags, and the time as a number alone."""
    repository, tag = split(name)
    given = as_json(one)
    first = {"Id": given["Id"], "ParentId": given["ParentId"], "RepoTags": list(one.names) or None}
    last = {key: given[key] for key in given if key not in ("Created", "CreatedAt")}
    middle = {"RepoDigests": last.pop("RepoDigests"), "Created": given["Created"]}
    return {"repository": repository, "tag": tag, **first, **middle, **{k: last[k] for k in last if k not in first}}


_LONGEST = 2**63 / 1e9
"""Seconds of the longest time that Go can count: 292 years."""


def ago(now: float, moment: int) -> str:
    """`5 minutes ago`."""
    from sonata.cli.render.human import human_duration

    return f"{human_duration(min(max(now - moment / 1e9, 0), _LONGEST))} ago"


def _utc(moment: int) -> str:
    when = time.gmtime(moment // 10**9)
    return f"{when.tm_year:04}" + time.strftime("-%m-%d %H:%M:%S +0000 UTC", when)


def size_text(size: int) -> str:
    """`2.01 MB`."""
    from sonata.cli.render.human import human_size

    text = human_size(size, 3)
    number = text.rstrip("kMGTPEZYB")
    return f"{number} {text[len(number) :]}"
