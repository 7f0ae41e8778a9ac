"""Rows of images that travel: in from a registry, out to one, into archives and back, from folder to folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import images
import measure
from measure import Program, Taken
from rows import Row, World

AIM = 0.8
SHAPES = {
    "1 GB in one layer": images.Shape("one", layers=1, files=64, size=1 << 30),
    "300 MB in 20 layers": images.Shape("twenty", layers=20, files=2_000, size=300 << 20),
    "60,000 small files": images.Shape("small", layers=1, files=60_000, size=120 << 20),
}


def shipping(world: World, only: str = "") -> Iterator[Row]:
    """Every way in and out, for images of three shapes, or of the one of this name only."""
    times = max(world.times // 4, 2)
    for title, shape in SHAPES.items():
        if only not in ("", shape.name):
            continue
        name = images.push(images.layers(world.work, shape), world.registry, shape.name)
        yield from _registry(world, title, name, times)
        yield from _archives(world, title, name, times)
        yield from _copies(world, title, name, times)
        for one in world.programs:
            one.do("rmi", "-f", name)
        shutil.rmtree(world.work / shape.name)


def _registry(world: World, title: str, name: str, times: int) -> Iterator[Row]:
    pull = ("pull", "-q", "--tls-verify=false", name)
    acts = [_after(one(*pull), lambda one=one: one.do("rmi", "-f", name)) for one in world.programs]  # type: ignore[misc]
    yield Row(f"`pull`, {title}", AIM, measure.by_turns(acts, times, 0), memory=True)
    for one in world.programs:
        one.do(*pull)
    acts = [_after(one(*pull)) for one in world.programs]
    yield Row(f"`pull` again, {title}", AIM, measure.by_turns(acts, times, 1), memory=True)
    target = f"{world.registry}/pushed/{name.rpartition('/')[2]}"
    for kind in ("gzip", "zstd"):
        words = ("push", "-q", "--tls-verify=false", "--force-compression", "--compression-format", kind, name, target)
        # What was pushed goes with the registry's whole folder of blobs: whoever is next uploads all of it.
        acts = [_after(one(*words), lambda: images.forget(world.work / "registry", "pushed")) for one in world.programs]
        yield Row(f"`push` as {kind}, {title}", AIM, measure.by_turns(acts, times, 0), memory=True)


def _archives(world: World, title: str, name: str, times: int) -> Iterator[Row]:
    for kind in ("docker-archive", "oci-archive"):
        paths = [world.work / f"{one.name}.tar" for one in world.programs]
        pairs = list(zip(world.programs, paths, strict=True))
        acts = [_after(one("save", "-q", "--format", kind, "-o", str(path), name), path.unlink) for one, path in pairs]
        yield Row(f"`save` as {kind}, {title}", AIM, measure.by_turns(acts, times, 0), memory=True)
        for one, path in pairs:
            one.do("save", "-q", "--format", kind, "-o", str(path), name)
            one.do("rmi", "-f", name)
        acts = [
            _after(one("load", "-q", "-i", str(path)), lambda one=one: one.do("rmi", "-f", name))  # type: ignore[misc]
            for one, path in pairs
        ]
        yield Row(f"`load` of {kind}, {title}", AIM, measure.by_turns(acts, times, 0), memory=True)
        for one, path in pairs:
            one.do("load", "-q", "-i", str(path))
            path.unlink()


def _copies(world: World, title: str, name: str, times: int) -> Iterator[Row]:
    source = world.work / "layout"
    world.programs[0].do("push", "-q", name, f"oci:{source}:x")
    folders = [world.work / f"{one.name}-layout" for one in world.programs]
    copiers = [Program("sonata", (*world.programs[0].prefix, "image")), Program("peer", world.copier)]
    acts = [
        _after(one("copy", "-q", f"oci:{source}:x", f"oci:{folder}:x"), lambda folder=folder: shutil.rmtree(folder))  # type: ignore[misc]
        for one, folder in zip(copiers, folders, strict=True)
    ]
    yield Row(f"`image copy` from layout to layout, {title}", AIM, measure.by_turns(acts, times, 1), memory=True)
    shutil.rmtree(source)


def _after(argv: list[str], then: Callable[[], object] = lambda: None) -> Callable[[], Taken]:
    """A command, and what is done after it, untimed."""

    def act() -> Taken:
        taken = measure.once(argv)
        then()
        return taken

    return act
