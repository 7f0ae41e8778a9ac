"""Finding what is wrong in a store. Each finding says what, on what evidence, and what a repair does.

The caller holds the locks. Nothing here changes anything: `repair.py` does.
"""

import os
import stat
import time
from collections.abc import Mapping

from sonata.store.bigdata import item_path
from sonata.store.layers import rings
from sonata.store.list_items import whole_items
from sonata.store.locks import KINDS
from sonata.store.names import is_id, is_time, parse_time
from sonata.store.place import Place
from sonata.store.table import Row, Table, read_rows
from sonata_core.errors import Damaged, NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import LayerId
from sonata_core.models.storage import LayerRef
from sonata_core.record import Record
from sonata_core.sdk.stages import dead_stages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sonata.store.layers import Opener
    from sonata_core.models.storage import StorageFinding

_AGAIN = "remove the record, and images that need it where no container does; pull them again"
_LAYER_WORDS = {
    "incomplete": ("incomplete layer", "remove it"),
    "broken": ("broken layer", _AGAIN),
    "ring": ("layer that stands on itself", _AGAIN),
    "tar-split": ("layer whose tar cannot be made again", _AGAIN),
    "contents": ("layer whose files are not what was unpacked", _AGAIN),
    "size": ("wrong size of a layer", "write the right one into its record"),
}


class Finding(Record):
    """Something wrong. `kind` is a constant name, `subject` an id or a path. Without `repair` nothing is done."""

    kind: str
    what: str
    subject: str
    evidence: str
    repair: str = ""
    root: str = ""


class Truth(Record):
    """What a layer's files turned out to be when all were read: `evidence` that they are not what was unpacked, else
    how many bytes its tar has."""

    evidence: str = ""
    size: int = 0


class Loaded(Record):
    """All records of the writable stores, by root, and every layer that a read-only store has."""

    layers: dict[str, list[Row]]
    images: dict[str, list[Row]]
    containers: list[Row]
    foreign: frozenset[str]
    foreign_images: frozenset[str] = frozenset()

    def layer_ids(self) -> set[str]:
        """Ids of layers with a record."""
        return {row["id"] for rows in self.layers.values() for row in rows}


class Look(Record):
    """How to look. `quick` reads no contents: it compares names and sizes.

    A layer that nothing needs and that is younger than `grace` seconds is left alone: it may be part of a pull.
    `own` are containers that need no record, because they run from a folder of the host's. `truths`: what the layers'
    files are, where somebody has read them.
    """

    quick: bool = False
    grace: float = 0
    own: tuple[str, ...] = ()
    truths: Mapping[LayerId, Truth] = {}


def find(place: Place, driver: "Opener", look: Look) -> list[Finding]:
    """Look at everything."""
    found = [*_files(place)]
    if any(one.kind == "records" for one in found):
        # Nothing can be said of the rest while a list of records cannot be read.
        return found
    loaded = load(place)
    found += _stages(place)
    found += [
        Finding(kind="driver", what=one.what, subject=one.layer or one.path, evidence=one.evidence, repair=one.repair)
        for one in _driver_check(driver, repair=False)
    ]
    broken = list(_layers(place, driver, loaded))
    broken += _spoiled(place, loaded, look.truths, {one.subject for one in broken})
    found += broken
    found += _sizes(loaded, look.truths)
    found += _times(loaded)
    lost = _closure(loaded, {one.subject for one in broken})
    splits = list(_tar_splits(place, loaded, lost, look))
    images = list(_images(place, loaded, lost, quick=look.quick))
    found += [*splits, *images]
    ruined = _closure(loaded, {one.subject for one in splits}) - lost
    found += _containers(loaded, lost, ruined, {one.subject for one in images if one.kind == "image"})
    found += _unrecorded(place, driver, loaded, look.own)
    found += _unreferenced(loaded, time.time_ns() - int(look.grace * 1e9))
    return found


def load(place: Place) -> Loaded:
    """Read all records. Raises Damaged."""
    foreign: set[str] = set()
    foreign_images: set[str] = set()
    for root in place.additional:
        foreign |= {row["id"] for row in Table(place.folder("layers", root), "layers").all()}
        foreign_images |= {row["id"] for row in Table(place.folder("images", root), "images").all()}
    return Loaded(
        layers={root: Table(place.folder("layers", root), "layers").all() for root in place.writable},
        images={root: Table(place.folder("images", root), "images").all() for root in place.writable},
        containers=Table(place.folder("containers", place.graph), "containers").all(),
        foreign=frozenset(foreign),
        foreign_images=frozenset(foreign_images),
    )


def _driver_check(driver: "Opener", *, repair: bool) -> "tuple[StorageFinding, ...]":
    check = getattr(driver(), "storage_check", None)
    if check is None:
        return ()
    found: tuple[StorageFinding, ...] = check(repair=repair) or ()
    return found


def record_folders(place: Place) -> "Iterator[tuple[str, str, str]]":
    """Kind, root and folder of every list of records that we write, where the folder exists."""
    for kind in KINDS:
        for root in (place.graph,) if kind == "containers" else place.writable:
            folder = place.folder(kind, root)
            if os.path.isdir(folder):
                yield kind, root, folder


def obstacles(place: Place) -> "Iterator[Finding]":
    """What lies where a folder or a lock file of the store belongs, and is none: nobody can read on, or lock."""
    locks = [(place.graph, os.path.join(place.graph, name)) for name in ("storage.lock", "userns.lock")]
    for kind in KINDS:
        for root in (place.graph,) if kind == "containers" else place.writable:
            folder = place.folder(kind, root)
            locks.append((root, place.lock_path(kind, root)))
            if os.path.lexists(folder) and not os.path.isdir(folder):
                yield Finding(
                    kind="lock",
                    what="folder of the store that is no folder",
                    subject=folder,
                    evidence="a file or the like lies in its place",
                    repair="set it aside",
                    root=root,
                )
    for root, path in locks:
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
            yield Finding(
                kind="lock",
                what="lock file that is no file",
                subject=path,
                evidence="it is a folder, a link or the like, so nobody can lock it",
                repair="set it aside: whoever locks next makes it anew",
                root=root,
            )


def _files(place: Place) -> "Iterator[Finding]":
    for kind, root, folder in record_folders(place):
        for name in (f"{kind}.json", f"volatile-{kind}.json"):
            path = os.path.join(folder, name)
            try:
                read_rows(path)
            except Damaged as error:
                yield Finding(
                    kind="records",
                    what=f"the records of {kind} cannot be read",
                    subject=path,
                    evidence=error.message,
                    repair="set the file aside and keep every record in it that is whole",
                    root=root,
                )
        for name in sorted(os.listdir(folder)):
            if name.startswith(".tmp-"):
                yield Finding(
                    kind="temporary",
                    what="a save that was cut short",
                    subject=os.path.join(folder, name),
                    evidence="its writer never renamed it, and nobody holds the lock",
                    repair="remove it",
                )
    counts = os.path.join(place.folder("layers", place.run), "mountpoints.json")
    try:
        read_rows(counts)
    except Damaged as error:
        yield Finding(
            kind="temporary",
            what="counts of mounts that cannot be read",
            subject=counts,
            evidence=error.message,
            repair="remove them: what is mounted is counted anew",
        )


def _stages(place: Place) -> "Iterator[Finding]":
    folder = os.path.join(place.folder("layers", place.graph), "tmp")
    for name in dead_stages(folder):
        yield Finding(
            kind="stage",
            what="stale staging folder",
            subject=os.path.join(folder, f"temp-dir-{name}"),
            evidence=f"nobody holds lock-{name}",
            repair="remove the folder and its lock file",
        )


def _layers(place: Place, driver: "Opener", loaded: Loaded) -> "Iterator[Finding]":
    known = loaded.layer_ids() | loaded.foreign
    round_about = rings({row["id"]: row.get("parent") for rows in loaded.layers.values() for row in rows})
    for root, rows in loaded.layers.items():
        for row in rows:
            key = row["id"]
            if key in round_about:
                yield _layer("ring", key, f"its parent is {row['parent']}, and that leads back to it", root)
                continue
            if (row.get("flags") or {}).get("incomplete"):
                yield _layer("incomplete", key, "its record says so", root)
                continue
            if row.get("parent") and row["parent"] not in known:
                yield _layer("broken", key, f"no record of its parent {row['parent']}", root)
                continue
            evidence = _driver_evidence(driver, LayerRef(store=root, id=LayerId(key)))
            if evidence:
                yield _layer("broken", key, evidence, root)


def _spoiled(place: Place, loaded: Loaded, truths: "Mapping[LayerId, Truth]", known: set[str]) -> "Iterator[Finding]":
    for root, rows in loaded.layers.items():
        for row in rows:
            truth = truths.get(row["id"])
            if truth is None or not truth.evidence or row["id"] in known:
                continue
            # Where the tar-split data are damaged, nothing can be said of the files.
            if not _tar_split_evidence(place.tar_split(row["id"]), quick=False):
                yield _layer("contents", row["id"], truth.evidence, root)


def _sizes(loaded: Loaded, truths: "Mapping[LayerId, Truth]") -> "Iterator[Finding]":
    for root, rows in loaded.layers.items():
        for row in rows:
            truth = truths.get(row["id"])
            if truth is not None and not truth.evidence and row.get("diff-size", 0) != truth.size:
                evidence = f"its tar has {truth.size} bytes, its record says {row.get('diff-size', 0)}"
                yield _layer("size", row["id"], evidence, root)


def _times(loaded: Loaded) -> "Iterator[Finding]":
    """Times that other engines refuse to read, and all records with them."""
    folders = [*loaded.layers.items(), *loaded.images.items(), ("", loaded.containers)]
    for root, rows in folders:
        for row in rows:
            created = row.get("created")
            if created is not None and not is_time(created):
                yield Finding(
                    kind="time",
                    what="time that is none",
                    subject=row["id"],
                    evidence=f"its record says that it was made {created!r}",
                    repair="write that it was made now",
                    root=root,
                )


def _driver_evidence(driver: "Opener", ref: LayerRef) -> str:
    try:
        driver().storage_info(layer=ref)
    except (NotFound, Damaged) as error:
        return error.message
    return ""


def _layer(kind: str, key: str, evidence: str, root: str) -> Finding:
    what, repair = _LAYER_WORDS[kind]
    return Finding(kind=kind, what=what, subject=key, evidence=evidence, repair=repair, root=root)


def _closure(loaded: Loaded, broken: set[str]) -> set[str]:
    """Broken layers and all that stand on them."""
    lost = set(broken)
    children: dict[str, list[str]] = {}
    for rows in loaded.layers.values():
        for row in rows:
            children.setdefault(row.get("parent") or "", []).append(row["id"])
    pending = list(broken)
    while pending:
        for child in children.get(pending.pop(), []):
            if child not in lost:
                lost.add(child)
                pending.append(child)
    return lost


def _tar_splits(place: Place, loaded: Loaded, lost: set[str], look: Look) -> "Iterator[Finding]":
    for root, rows in loaded.layers.items():
        for row in rows:
            if row["id"] in lost or not row.get("diff-digest"):
                continue
            truth = look.truths.get(row["id"])
            read = truth is not None and not truth.evidence
            evidence = _tar_split_evidence(place.tar_split(row["id"]), quick=look.quick or read)
            if evidence:
                yield _layer("tar-split", row["id"], evidence, root)


def _tar_split_evidence(path: str, *, quick: bool) -> str:
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return f"{path} is absent"
    if not stat.S_ISREG(seen.st_mode):
        return f"{path} is no file"
    if seen.st_size == 0:
        return f"{path} is empty"
    if quick:
        return ""
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                continue
    except (OSError, EOFError, zlib.error) as error:
        return f"{path}: {error}"
    return ""


def _images(place: Place, loaded: Loaded, lost: set[str], *, quick: bool) -> "Iterator[Finding]":
    known = loaded.layer_ids() | loaded.foreign
    for root, rows in loaded.images.items():
        for row in rows:
            evidence = _image_evidence(place.folder("images", root), row, quick=quick)
            tops = [top for top in (row.get("layer"), *(row.get("mapped-layers") or ())) if top]
            gone = next((top for top in tops if top not in known or top in lost), None)
            if gone:
                evidence = f"its layer {gone} is broken or has no record"
            if evidence and not gone and whole_items(place.folder("images", root), row):
                yield _late_list(row["id"], evidence, root)
            elif evidence:
                yield Finding(
                    kind="image",
                    what="broken image",
                    subject=row["id"],
                    evidence=evidence,
                    repair="remove it, unless a container needs it; pull it again",
                    root=root,
                )


def _late_list(image: str, evidence: str, root: str) -> Finding:
    return Finding(
        kind="list",
        what="list of images that was being changed",
        subject=image,
        evidence=evidence,
        repair="note in its record what its items are",
        root=root,
    )


def _image_evidence(folder: str, row: Row, *, quick: bool) -> str:
    names = row.get("big-data-names") or []
    if not names:
        # A copied record of a read-only store's image has no items of its own.
        return ""
    if "manifest" not in names:
        return "it has no manifest"
    for name in names:
        path = item_path(folder, row["id"], name)
        try:
            seen = os.lstat(path)
        except FileNotFoundError:
            return f"item {name} is absent"
        if not stat.S_ISREG(seen.st_mode):
            return f"item {name} is no file"
        size = seen.st_size
        wanted = (row.get("big-data-sizes") or {}).get(name)
        if wanted is not None and size != wanted:
            return f"item {name} has {size} bytes, its record says {wanted}"
        digest = (row.get("big-data-digests") or {}).get(name, "")
        if not quick and digest.startswith("sha256:") and _digest(path) != digest:
            return f"item {name} does not have the digest {digest}"
    return ""


def _digest(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _containers(loaded: Loaded, lost: set[str], ruined: set[str], images: set[str]) -> "Iterator[Finding]":
    """`lost` layers cannot be mounted, of `ruined` ones the tar cannot be made again; `images` are broken."""
    known = loaded.layer_ids()
    named = {row["id"] for rows in loaded.images.values() for row in rows} | loaded.foreign_images
    for row in loaded.containers:
        layer, image = row.get("layer") or "", row.get("image") or ""
        if layer not in known:
            yield Finding(
                kind="container",
                what="container without its layer",
                subject=row["id"],
                evidence=f"no record of layer {layer or '(none)'}",
                repair="remove its record: its files are gone",
            )
        elif layer in lost:
            yield _kept("container that cannot be mounted", row, f"its layer {layer} or one below it is broken")
        elif layer in ruined:
            yield _kept("container on a broken layer", row, "the tar of a layer below it cannot be made again")
        elif image in images:
            yield _kept("container of a broken image", row, f"its image is {image}")
        elif image and image not in named:
            yield _kept("container whose image is gone", row, f"no record of image {image}")


def _kept(what: str, row: Row, evidence: str) -> Finding:
    """A container that nothing but force removes: what it has written is there."""
    repair = "with --force: remove it"
    return Finding(kind="container-kept", what=what, subject=row["id"], evidence=evidence, repair=repair)


def _unrecorded(place: Place, driver: "Opener", loaded: Loaded, own: "Collection[str]") -> "Iterator[Finding]":
    known = loaded.layer_ids()
    for layer in driver().storage_list():
        if layer not in known:
            yield Finding(
                kind="orphan-layer",
                what="layer folder without a record",
                subject=layer,
                evidence=f"{place.driver} has a folder of it, and no record names it",
                repair="remove the folder",
            )
    owners = {
        "layers": known,
        "images": {row["id"] for rows in loaded.images.values() for row in rows},
        "containers": {*own, *(row["id"] for row in loaded.containers)},
    }
    for kind, _root, folder in record_folders(place):
        for name in sorted(os.listdir(folder)):
            key = name.removesuffix(".tar-split.gz")
            if is_id(key) and key not in owners[kind]:
                yield Finding(
                    kind="orphan-data",
                    what=f"data of {kind} without a record",
                    subject=os.path.join(folder, name),
                    evidence="no record names it",
                    repair="remove it",
                )


def _unreferenced(loaded: Loaded, before: int) -> "Iterator[Finding]":
    parents = {row["id"]: row.get("parent") for rows in loaded.layers.values() for row in rows}
    needed = {row.get("layer") for row in loaded.containers}
    for rows in loaded.images.values():
        for row in rows:
            needed |= {row.get("layer"), *(row.get("mapped-layers") or ())}
    used: set[str] = set()
    for top in needed:
        here = top
        while here and here not in used:
            used.add(here)
            here = parents.get(here)
    for root, rows in loaded.layers.items():
        for row in rows:
            if row["id"] not in used and not (row.get("flags") or {}).get("incomplete"):
                yield Finding(
                    kind="unreferenced",
                    what="layer that nothing needs",
                    subject=row["id"],
                    evidence="no image, container or needed layer names it",
                    repair="remove it" if parse_time(row.get("created") or "") <= before else "",
                    root=root,
                )


def errors_of(error: SonataError) -> str:
    """One line for a repair that could not be made."""
    return error.message if error.hint is None else f"{error.message} ({error.hint})"
