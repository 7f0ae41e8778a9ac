"""What is wrong in the driver's own folder: stages of the dead, links to nothing, layers without their link, marks."""

from __future__ import annotations

import os

from sonata_core.errors import Damaged, NotFound
from sonata_core.models.storage import StorageFinding
from sonata_core.sdk.stages import stage_findings
from sonata_core.sdk.trees import remove_tree
from sonata_storage_overlay.layout import (
    LINKS,
    TEMPDIRS,
    is_link,
    layer_ids,
    link_of,
    linked_lowers,
    lowers_of,
    new_link,
    read_text,
    volatile_mark,
    write_text,
)


def check_home(homes: tuple[str, ...], home: str, *, repair: bool) -> list[StorageFinding]:
    """Look at one `overlay` folder; with `repair`, mend what was found. The caller holds layers.lock.

    `homes` are those in which layers below others may be.
    """
    stages = stage_findings(os.path.join(home, TEMPDIRS), repair=repair)
    own = [*stages, *_links(home, repair), *_layers(home, repair)]
    return [*own, *_lowers(homes, home, repair), *_marks(home, repair)]


def _links(home: str, repair: bool) -> list[StorageFinding]:
    folder = os.path.join(home, LINKS)
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        path = os.path.join(folder, name)
        if not is_link(name) or not os.path.islink(path) or os.path.exists(path):
            continue
        found.append(
            StorageFinding(
                what="broken link",
                path=path,
                evidence=f"it points to {os.readlink(path)}, which is absent",
                repair="remove the link",
            )
        )
        if repair:
            os.unlink(path)
    return found


def _layers(home: str, repair: bool) -> list[StorageFinding]:
    found = []
    for layer in layer_ids(home):
        folder = os.path.join(home, layer)
        if not os.path.isdir(os.path.join(folder, "diff")):
            continue
        link = read_text(os.path.join(folder, "link"))
        wanted = f"../{layer}/diff"
        if link and is_link(link):
            path = os.path.join(home, LINKS, link)
            if os.path.islink(path) and os.readlink(path) == wanted:
                continue
            evidence = f"l/{link} is absent or points elsewhere"
            if _is_anothers(home, path, link):
                link = _link_to(home, wanted) or new_link()
                path = os.path.join(home, LINKS, link)
        else:
            link = _link_to(home, wanted) or new_link()
            path = os.path.join(home, LINKS, link)
            evidence = "its file `link` is absent or empty"
        found.append(
            StorageFinding(
                what="layer without its link",
                path=folder,
                evidence=evidence,
                repair=f"write `link` and make l/{link}",
                layer=layer,
            )
        )
        if repair:
            _relink(folder, path, link, wanted)
    return found


def _lowers(homes: tuple[str, ...], home: str, repair: bool) -> list[StorageFinding]:
    """What an older peer would take a layer's lower ones to be: too few, and containers miss files."""
    found = []
    for layer in layer_ids(home):
        folder = os.path.join(home, layer)
        if not read_text(os.path.join(folder, "lower-layers")) or not os.path.isdir(os.path.join(folder, "diff")):
            continue
        try:
            lowers = lowers_of(homes, folder)
            text = ":".join(f"{LINKS}/{lower.link or link_of(lower.folder)}" for lower in lowers)
        except (Damaged, NotFound):
            continue  # a layer is gone, or its link: that is told of itself
        try:
            if [lower.id for lower in linked_lowers(homes, folder)] == [lower.id for lower in lowers]:
                continue
            evidence = "it does not name the layers that `lower-layers` names"
        except Damaged as error:
            evidence = error.message
        found.append(
            StorageFinding(
                what="layer with a wrong `lower`",
                path=folder,
                evidence=evidence,
                repair="write it by `lower-layers`",
                layer=layer,
            )
        )
        if repair:
            remove_tree(os.path.join(folder, "lower"))
            write_text(os.path.join(folder, "lower"), text)
    return found


def _marks(home: str, repair: bool) -> list[StorageFinding]:
    """The kernel refuses a layer that was mounted `volatile` when the host went down, until its mark is gone."""
    found = []
    for layer in layer_ids(home):
        mark = volatile_mark(os.path.join(home, layer))
        merged = os.path.join(home, layer, "merged")
        if not os.path.isdir(mark) or os.path.ismount(merged):
            continue
        found.append(
            StorageFinding(
                what="mark of a volatile mount that was never taken away",
                path=mark,
                evidence=f"nothing is mounted at {merged}",
                repair="remove the mark; what was written last may be lost",
                layer=layer,
            )
        )
        if repair:
            remove_tree(mark)
    return found


def _is_anothers(home: str, path: str, link: str) -> bool:
    """Whether a link leads to a layer that calls it its own."""
    try:
        layer = os.path.dirname(os.path.join(home, LINKS, os.readlink(path)))
    except OSError:
        return False
    return read_text(os.path.join(layer, "link")) == link


def _link_to(home: str, wanted: str) -> str | None:
    """A link that points to the layer already: its children's `lower` name it."""
    folder = os.path.join(home, LINKS)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if os.path.islink(path) and os.readlink(path) == wanted:
            return name
    return None


def _relink(folder: str, path: str, link: str, wanted: str) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    remove_tree(path)
    os.symlink(wanted, path)
    remove_tree(os.path.join(folder, "link"))
    write_text(os.path.join(folder, "link"), link)
