"""Mending what `check.py` found, under all locks. User data is never removed: a container's files stay."""

from __future__ import annotations

import json
import os
import time

from sonata.store.check import Finding, Look, errors_of, find, load, obstacles, record_folders
from sonata.store.containers import Containers
from sonata.store.images import Images
from sonata.store.layers import Layers
from sonata.store.locks import KINDS, Locks
from sonata.store.names import dump_json, format_time, is_time
from sonata.store.table import Row, Table, misfit, write_file, write_token
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ImageId, LayerId
from sonata_core.models.storage import LayerRef
from sonata_core.record import Record
from sonata_core.sdk.stages import reap_stages
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from collections.abc import Collection

    from sonata.store.layers import Opener
    from sonata.store.place import Place

_ROUNDS = 6
"""Removing one thing may leave another without need: an image's layers, one below the other."""


class CheckResult(Record):
    """What was found. `mended` are findings that are gone, `left` those that stay, `notes` why."""

    mended: tuple[Finding, ...] = ()
    left: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def check(
    place: Place,
    driver: Opener,
    look: Look,
    *,
    repair: bool = False,
    only: Collection[str] = (),
) -> CheckResult:
    """Look at a whole store, and mend it if asked to; `only` mends these kinds. Other engines wait meanwhile."""
    crooked = list(obstacles(place))
    if crooked and not repair:
        return CheckResult(left=tuple(crooked))
    for one in crooked:
        os.rename(one.subject, f"{one.subject}.broken-{int(time.time())}")
    with Locks(place, *KINDS) as locks:
        if not repair:
            return CheckResult(left=tuple(find(place, driver, look)))
        seen: dict[tuple[str, str], Finding] = {(one.kind, one.subject): one for one in crooked}
        notes: list[str] = []
        left: list[Finding] = []
        for turn in range(_ROUNDS):
            left = find(place, driver, look)
            fresh = [one for one in left if _is_ours_to_mend(one) and (not only or one.kind in only)]
            seen.update({(one.kind, one.subject): one for one in left})
            if not fresh:
                break
            # What the driver can mend is no reason to give up a layer.
            first = [one for one in fresh if one.kind == "driver"] if turn == 0 else []
            notes = _mend(place, driver, locks, look, first or fresh)
        still = {(one.kind, one.subject) for one in left}
        mended = tuple(one for key, one in seen.items() if key not in still)
        return CheckResult(mended=mended, left=tuple(left), notes=tuple(notes))


def _is_ours_to_mend(one: Finding) -> bool:
    """Containers are left to who knows whether one runs."""
    return bool(one.repair) and one.kind != "container-kept"


def _mend(place: Place, driver: Opener, locks: Locks, look: Look, findings: list[Finding]) -> list[str]:
    """One round. Returns what could not be done."""
    notes = []
    for one in findings:
        if one.kind == "records":
            _salvage(one, locks)
            return []
    for one in findings:
        try:
            _mend_one(place, driver, locks, look, one)
        except SonataError as error:
            notes.append(errors_of(error))
        except OSError as error:
            notes.append(f"{one.what} {one.subject}: {error.strerror}")
    return notes


def _mend_one(place: Place, driver: Opener, locks: Locks, look: Look, one: Finding) -> None:
    if one.kind in ("temporary", "orphan-data"):
        remove_tree(one.subject)
    elif one.kind == "stage":
        reap_stages(os.path.dirname(one.subject))
    elif one.kind == "image":
        _drop_image(place, locks, ImageId(one.subject))
    elif one.kind == "list":
        Images(place, locks).renote(ImageId(one.subject))
    elif one.kind in ("driver", "orphan-layer"):
        _mend_folder(place, driver, one)
    else:
        _mend_record(place, driver, locks, look, one)


def _mend_folder(place: Place, driver: Opener, one: Finding) -> None:
    """What lies in the driver's own folder."""
    if one.kind == "driver":
        # Optional, so no part of the type.
        getattr(driver(), "storage_check")(repair=True)  # noqa: B009
        return
    for root in place.writable:
        driver().storage_remove(layer=LayerRef(store=root, id=LayerId(one.subject)))


def _mend_record(place: Place, driver: Opener, locks: Locks, look: Look, one: Finding) -> None:
    """What a record of a layer or container says wrongly."""
    if one.kind == "incomplete":
        Layers(place, locks, driver)
    elif one.kind == "container":
        containers = Containers(place, locks)
        for record in [record for record in containers.all() if record.id == one.subject]:
            containers.delete(record, Layers(place, locks, driver), None)
    elif one.kind in ("broken", "tar-split", "contents", "ring"):
        _drop_layer(place, driver, locks, one)
    elif one.kind == "size":
        Layers(place, locks, driver).set_size(LayerId(one.subject), look.truths[LayerId(one.subject)].size)
    elif one.kind == "time":
        _set_time(place, locks, one)
    elif one.kind == "unreferenced":
        _drop_unreferenced(place, driver, locks, LayerId(one.subject))


def _set_time(place: Place, locks: Locks, one: Finding) -> None:
    for kind, root, folder in record_folders(place):
        table = Table(folder, kind)
        row = table.find(one.subject)
        if row is not None and not is_time(row.get("created") or format_time(0)):
            table.change(row, created=format_time(time.time_ns()))
            locks.save(table, kind, root, durable=True)


def _drop_image(place: Place, locks: Locks, image: ImageId) -> None:
    loaded = load(place)
    if any(row.get("image") == image for row in loaded.containers):
        raise SonataError(f"image {image} is broken and a container needs it", hint="remove the container first")
    images = Images(place, locks)
    record = images.find(image)
    if record is not None:
        images.remove(record)


def _drop_layer(place: Place, driver: Opener, locks: Locks, one: Finding) -> None:
    """Images on the layer go first; the layer itself once nothing stands on it."""
    loaded = load(place)
    children: dict[str, set[str]] = {}
    for rows in loaded.layers.values():
        for row in rows:
            children.setdefault(row.get("parent") or "", set()).add(row["id"])
    above, pending = {one.subject}, [one.subject]
    while pending:
        more = children.get(pending.pop(), set()) - above
        above |= more
        pending += more
    if any(row.get("layer") in above for row in loaded.containers):
        raise SonataError(
            f"layer {one.subject}: {one.evidence}; a container needs it", hint="remove the container first"
        )
    for rows in loaded.images.values():
        for row in rows:
            if above & {row.get("layer"), *(row.get("mapped-layers") or ())}:
                _drop_image(place, locks, ImageId(row["id"]))
    if one.kind == "ring":
        # Each has a child for ever; what stands on it is without a parent then, and goes next.
        layers = Layers(place, locks, driver)
        layers.delete(layers.get(LayerId(one.subject)))
    elif above == {one.subject}:
        _drop_unreferenced(place, driver, locks, LayerId(one.subject))


def _drop_unreferenced(place: Place, driver: Opener, locks: Locks, layer: LayerId) -> None:
    layers = Layers(place, locks, driver)
    record = layers.find(layer)
    has_child = any(other.parent == layer for other in layers.all())
    if record is not None and record.store in place.writable and not has_child:
        layers.delete(record)


def _salvage(one: Finding, locks: Locks) -> None:
    """Keep the records that are whole; the file as it was is set aside."""
    aside = f"{one.subject}.broken-{int(time.time())}"
    raw = b""
    if os.path.isfile(one.subject):
        with open(one.subject, "rb") as file:
            raw = file.read()
        write_file(aside, raw, durable=True)
    elif os.path.lexists(one.subject):
        os.rename(one.subject, aside)
    kind = os.path.basename(one.subject).removesuffix(".json").removeprefix("volatile-")
    write_token(locks.of(kind, one.root))
    write_file(one.subject, dump_json(whole_records(raw)), durable=True)


def whole_records(raw: bytes) -> list[Row]:
    """Every record of a damaged list that can be read, each id once."""
    text = raw.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    found: dict[str, Row] = {}
    place = text.find("{")
    while place >= 0:
        try:
            row, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            if isinstance(row, dict) and row.get("id") and "created" in row and not misfit(row):
                found[row["id"]] = row
        place = text.find("{", end)
    return list(found.values())
