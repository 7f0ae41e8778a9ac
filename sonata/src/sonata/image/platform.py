"""Choosing an image from an index (containers/image `pkg/platform`; containers-storage notes 5.6)."""

from __future__ import annotations

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Platform
from sonata_core.models.media import DOCKER_LIST

if TYPE_CHECKING:
    from sonata.image.manifest import Index
    from sonata_core.models.image import Descriptor

_GO_NAMES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv8l": "arm",
    "armv7l": "arm",
    "armv6l": "arm",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "loongarch64": "loong64",
    "mips64": "mips64le",
}
_MACHINE_VARIANTS = {"armv8l": "v8", "armv7l": "v7", "armv6l": "v6"}
_VARIANTS = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v8",)}
_ZSTD = "io.github.containers.compression.zstd"


def machine_name(text: str) -> str:
    """An architecture in Go's words: amd64 for x86_64."""
    return _GO_NAMES.get(text, text)


def host_platform(machine: str) -> Platform:
    """The platform of a host whose `uname -m` is `machine`, in Go's words."""
    architecture = machine_name(machine)
    variant = "v8" if architecture == "arm64" else _MACHINE_VARIANTS.get(machine, "")
    return Platform(os="linux", architecture=architecture, variant=variant)


def parse_platform(text: str, host: Platform) -> Platform:
    """`os/arch[/variant]`, or just an architecture or `os`, as of `--platform`. Raises UsageError."""
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise UsageError(
            f'invalid platform syntax for --platform="{text}": platform must be of the form os/arch[/variant]',
            hint="for example linux/arm64 or linux/arm/v7",
        )
    if len(parts) == 1:
        if parts[0] in ("linux", "windows", "darwin", "freebsd"):
            return host.replace(os=parts[0])
        parts = [host.os, parts[0]]
    architecture = machine_name(parts[1])
    return Platform(os=parts[0], architecture=architecture, variant=parts[2] if len(parts) == 3 else "")


def wanted(platform: Platform) -> tuple[Platform, ...]:
    """The platforms that will do for `platform`, best first.

    A known variant takes the weaker ones of its architecture as well; without one, any will do. An
    architecture that was asked for by name comes without the host's variant (`parse_platform`).
    """
    table = _VARIANTS.get(platform.architecture, ())
    if platform.variant in table:
        variants = (*table[table.index(platform.variant) :], "")
    elif platform.variant:
        variants = (platform.variant, "")
    else:
        variants = ("", *table)
    return tuple(Platform(os=platform.os, architecture=platform.architecture, variant=name) for name in variants)


def choose(index: Index, platform: Platform) -> Descriptor:
    """The entry of `index` for `platform`. Raises NotFound, naming the platforms that there are."""
    order = wanted(platform)
    best: tuple[tuple[int, int, int], Descriptor] | None = None
    for position, entry in enumerate(index.manifests):
        rank = _rank(entry, order, last_resort=index.media_type != DOCKER_LIST)
        if rank < 0:
            continue
        zstd = 0 if entry.annotations.get(_ZSTD) == "true" and index.media_type != DOCKER_LIST else 1
        key = (rank, zstd, position)
        if best is None or key < best[0]:
            best = (key, entry)
    if best is not None:
        return best[1]
    there = sorted({spell(entry.platform) for entry in index.manifests if entry.platform is not None})
    raise NotFound(
        "no image found in image index for architecture "
        f'"{platform.architecture}", variant "{platform.variant}", OS "{platform.os}"',
        hint=f"the index has: {', '.join(there) or 'nothing'}; choose with --platform",
    )


def _rank(entry: Descriptor, order: tuple[Platform, ...], *, last_resort: bool) -> int:
    """Place of an entry in the wanted order; -1 where it will not do."""
    found = entry.platform
    if found is None:
        return len(order) if last_resort else -1
    for rank, want in enumerate(order):
        if (found.os, found.architecture, found.variant) == (want.os, want.architecture, want.variant):
            return rank
    return -1


def spell(platform: Platform) -> str:
    """`linux/arm/v7`."""
    return "/".join(part for part in (platform.os, platform.architecture, platform.variant) if part)
