"""Which mounts show an overlay layer. Source of the option strings: containers/storage as Podman 4 and 5 mount it."""

from __future__ import annotations

import os

from sonata_core.errors import Unsupported
from sonata_core.models.mount import Mount, MountPlan
from sonata_core.models.storage import MountOptions
from sonata_core.sdk.trees import remove_tree
from sonata_storage_overlay.layout import LINKS, Lower, diffs_of, volatile_mark

MAX_LOWERS = 500
_PAGE = 3800
"""Room for option data in a mount(2) call's one page, less what else goes in."""


def plan_mounts(folder: str, lowers: list[Lower], target: str, options: MountOptions, userxattr: bool) -> MountPlan:
    """The plan for one layer. Raises Unsupported beyond the kernel's number of lower layers."""
    transient, homes = _mapped(folder, lowers, options)
    below = diffs_of(folder)[1:]
    for lower in lowers:
        below += [_placed(diff, lower, homes) for diff in diffs_of(lower.folder)]
    if len(below) > MAX_LOWERS:
        raise Unsupported(
            f"layer {os.path.basename(folder)} has {len(below)} layers below it, overlay takes {MAX_LOWERS}",
            hint="squash the image, or use the vfs driver",
        )
    if not homes:
        below = _short(below, lowers)
    writable = not options.read_only
    data = list(options.extra)
    if writable:
        _forget_volatile(folder)
        lower_text = ":".join(_escape(path) for path in below or [os.path.join(folder, "empty")])
        data += [f"lowerdir={lower_text}", f"upperdir={_escape(folder)}/diff", f"workdir={_escape(folder)}/work"]
        data += ["volatile"] if options.volatile else []
    else:
        below = [os.path.join(folder, "diff"), *below]
        if len(below) == 1:
            # The kernel wants two layers for a mount without an upper one.
            below.append(_empty(folder, target))
        data += ["ro", f"lowerdir={':'.join(_escape(path) for path in below)}"]
    data += ["userxattr"] if userxattr else []
    data += [f'context="{options.label}"'] if options.label else []
    overlay = Mount(type="overlay", source="overlay", target=target, options=tuple(data))
    return MountPlan(root=target, mounts=(*transient, overlay), writable=writable)


def _mapped(folder: str, lowers: list[Lower], options: MountOptions) -> tuple[list[Mount], dict[str, str]]:
    """One bind mount for each home that has lower layers, with the owners shifted, and where it is."""
    if options.id_mapping is None:
        return [], {}
    homes: dict[str, str] = {}
    mounts = []
    for lower in lowers:
        if lower.home in homes:
            continue
        place = os.path.join(folder, "mapped", str(len(homes)))
        os.makedirs(place, 0o700, exist_ok=True)
        homes[lower.home] = place
        mounts.append(
            Mount(
                type="bind",
                source=lower.home,
                target=place,
                options=("bind",),
                id_mapping=options.id_mapping,
                transient=True,
            )
        )
    return mounts, homes


def _placed(diff: str, lower: Lower, homes: dict[str, str]) -> str:
    home = homes.get(lower.home)
    return diff if home is None else home + diff[len(lower.home) :]


def _short(below: list[str], lowers: list[Lower]) -> list[str]:
    """Names through `l/` where the long ones would not fit into a page; they need no more than a link that exists."""
    if sum(len(path) + 1 for path in below) < _PAGE:
        return below
    short = {}
    for lower in lowers:
        link = lower.link or _link_file(lower.folder)
        if link:
            short[os.path.join(lower.folder, "diff")] = os.path.join(lower.home, LINKS, link)
    return [short.get(path, path) for path in below]


def _link_file(folder: str) -> str:
    try:
        with open(os.path.join(folder, "link"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _empty(folder: str, target: str) -> str:
    """An empty folder to stand as the second lower layer: the layer's own, or one beside the mount point."""
    own = os.path.join(folder, "empty")
    if os.path.isdir(own):
        return own
    place = os.path.join(os.path.dirname(target), "empty")
    os.makedirs(place, 0o700, exist_ok=True)
    return place


def _escape(path: str) -> str:
    """`:`, `,` and `\\` have a meaning of their own in overlay's options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _forget_volatile(folder: str) -> None:
    """A volatile mount that was not unmounted leaves this mark, and the kernel refuses the next mount."""
    remove_tree(volatile_mark(folder))
