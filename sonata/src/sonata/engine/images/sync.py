"""Mirroring many images at once: `image sync`. What is there already is left alone, so that a sync can be taken up."""

from __future__ import annotations

import os
from contextlib import contextmanager

from sonata.engine.images.copying import transfer
from sonata.engine.images.ends import End, sink_end, source_end
from sonata.engine.images.platforms import wanted_platform
from sonata.engine.images.sync_list import Item, list_images
from sonata.engine.images.trust import trust_for
from sonata.image.copy_options import SYSTEM
from sonata.image.progress import Quiet
from sonata.image.transfer import choose_image
from sonata_core.errors import Conflict, NotFound, SonataError, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress
    from sonata.model.copy_request import CopyChoices
    from sonata_core.models.image import Platform


class SyncRequest(Record):
    """From and to where: `docker`, `dir`, and for the source `yaml`.

    `scoped` keeps the whole name below the destination, `suffix` is put behind every tag.
    `filters`: `tag=REGEX`, `semver=RANGE`. `digestfile` gets a line for each image that is there then, as it comes.
    """

    source_kind: str
    source: str
    destination_kind: str
    destination: str
    scoped: bool = False
    suffix: str = ""
    keep_going: bool = False
    dry_run: bool = False
    filters: tuple[str, ...] = ()
    digestfile: str = ""


class Synced(Record):
    """How it went: names and digests of what was copied, how many lay there already, what failed."""

    copied: tuple[tuple[str, str], ...] = ()
    kept: int = 0
    failed: tuple[SonataError, ...] = ()
    sources: int = 0


def sync(
    engine: Engine, request: SyncRequest, choices: CopyChoices, say: Callable[[str], None], progress: Progress | None
) -> Synced:
    """Copy everything that the source names and the destination lacks.

    The first failure ends it, unless it is to keep going. Raises UsageError, NotFound, Denied.
    """
    _check(request)
    listed = list_images(engine, request.source_kind, request.source, choices.source, request.filters)
    failed = list(listed.troubles)
    if failed and not request.keep_going:
        raise failed[0]
    copied: list[tuple[str, str]] = []
    kept = 0
    with _digests(request.digestfile) as note:
        for number, item in enumerate(listed.items, 1):
            goal = destination(request, item)
            try:
                digest, new = _one(engine, item, goal, choices, None if request.dry_run else (progress or Quiet()))
            except SonataError as error:
                if not request.keep_going:
                    raise
                error.details.setdefault("object", item.source)
                failed.append(error)
                continue
            word = ("Would have copied" if request.dry_run else "Copied") if new else "Already there:"
            say(f"{word} image ref {number}/{len(listed.items)}: {item.source} to {goal}")
            if not request.dry_run:
                note(f"{digest} {goal}\n")
            copied += [(goal, digest)] if new else []
            kept += not new
    return Synced(copied=tuple(copied), kept=kept, failed=tuple(failed), sources=listed.sources)


@contextmanager
def _digests(path: str) -> Iterator[Callable[[str], object]]:
    """What writes a line of the digest file, at once. Raises Conflict where it cannot be written."""
    if not path:
        yield lambda _: None
        return
    try:
        file = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - closed below
    except OSError as error:
        raise Conflict(f"open {path}: {(error.strerror or '').lower()}") from error
    with file:
        yield file.write


def _check(request: SyncRequest) -> None:
    for kind, known, what in (
        (request.source_kind, ("docker", "dir", "yaml"), "source"),
        (request.destination_kind, ("docker", "dir"), "destination"),
    ):
        if not kind:
            raise UsageError(f"A {what} transport must be specified", hint=f"--{'src' if what == 'source' else 'dest'}")
        if kind not in known:
            raise UsageError(f"{kind!r} is not a valid {what} transport", hint=f"known are {', '.join(known)}")
    if request.source_kind == request.destination_kind == "dir":
        raise UsageError("sync from 'dir' to 'dir' not implemented, consider using rsync instead")


def destination(request: SyncRequest, item: Item) -> str:
    """Where an image goes. Raises UsageError for a name that is none."""
    below = item.full if request.scoped else item.short
    place = f"{request.destination.rstrip('/')}/{below}"
    if request.suffix and "@" not in below:
        tagged = ":" in below.rpartition("/")[2]
        place = f"{place}{request.suffix}" if tagged else f"{place}:latest{request.suffix}"
    if request.destination_kind == "dir":
        return f"dir:{place}"
    return f"docker://{parse_name(place).with_default_tag()}"


def _one(engine: Engine, item: Item, goal: str, choices: CopyChoices, progress: Progress | None) -> tuple[str, bool]:
    """Copy one image unless it lies there already: its digest, and whether it was copied.

    Without `progress` nothing is copied; the digest is then that of the source.
    """
    start = source_end(engine, item.source, item.options)
    trust_for(engine, item.options.signature_policy).forbid(start.reference)
    end = sink_end(engine, goal, choices.destination)
    wanted = _digest(start, choices, wanted_platform(engine, choices.source))
    if not choices.signing.wanted and _names(end, wanted):
        return wanted, False
    if progress is None:
        return wanted, True
    if goal.startswith("dir:"):
        _make_parent(goal.removeprefix("dir:"))
    return transfer(engine, start, end, choices.replace(source=item.options), progress), True


def _make_parent(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise Conflict(f"mkdir {os.path.dirname(path)}: {(error.strerror or '').lower()}") from error


def _names(goal: End, wanted: str) -> bool:
    """Whether the destination names the very manifest that would be copied, or the index."""
    try:
        with goal.slot.hook.transport_open_source(reference=goal.reference, options=goal.options) as source:
            found: str = source.resolve().digest
    except (NotFound, Unsupported):
        return False
    return found == wanted


def _digest(start: End, choices: CopyChoices, platform: Platform) -> str:
    with start.slot.hook.transport_open_source(reference=start.reference, options=start.options) as source:
        if choices.multi in ("", SYSTEM):
            return choose_image(source, platform).manifest.digest
        found: str = source.resolve().digest
        return found
