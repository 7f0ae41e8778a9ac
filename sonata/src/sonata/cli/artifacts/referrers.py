"""`sonata artifact referrers`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata_core.models.image import Descriptor

COLUMNS = (("Digest", "DIGEST"), ("ArtifactType", "ARTIFACT TYPE"), ("Size", "SIZE"))
_SHOWN = ("Digest", "ArtifactType", "MediaType", "Size", "Annotations")


def command(parsed: Parsed, call: Call) -> int:
    """List what refers to an image or artifact in its registry."""
    from sonata.engine.artifacts.referrers import referrers
    from sonata.model.image_request import PullOptions

    found = referrers(call.engine, parsed.args[0], parsed["artifact-type"], fill(PullOptions, parsed))
    print(shown(parsed, found), end="")
    return 0


def shown(parsed: Parsed, found: tuple[Descriptor, ...]) -> str:
    """What is printed for the referrers."""
    from sonata.cli.render.gotemplate.values import Struct
    from sonata.cli.render.report import Report, is_json, render_rows

    form = parsed.get("format")
    if form is not None and is_json(form):
        from sonata.cli.render.json import dumps

        return dumps([as_json(one) for one in found], indent=4) + "\n"
    rows = [Struct("referrer", fields(one, full=parsed["no-trunc"]), _SHOWN, as_json(one)) for one in found]
    return render_rows(Report("referrers", "referrer", COLUMNS), rows, form, heading=not parsed["noheading"])


def fields(one: Descriptor, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    return {
        "Annotations": dict(one.annotations),
        "ArtifactType": one.artifact_type,
        "Digest": one.digest if full else one.digest.partition(":")[2][:12],
        "MediaType": one.media_type,
        "Size": one.size,
    }


def as_json(one: Descriptor) -> dict[str, Any]:
    """The object of `--format json`: the descriptor, as the registry told it."""
    made = {"mediaType": one.media_type, "digest": one.digest, "size": one.size, "artifactType": one.artifact_type}
    return {**made, "annotations": dict(one.annotations)} if one.annotations else made
