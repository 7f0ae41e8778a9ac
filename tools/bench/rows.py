"""The rows of the table: each yields its name, its aim, and what the programs took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import images
import measure
from measure import Program, Result, Taken

SMALL = "localhost/small:1"
AT_ONCE = BACK_TO_BACK = 20


class Row(NamedTuple):
    """A row's results, ours first. `aim` is the ratio not to exceed."""

    name: str
    aim: float
    results: list[Result]
    trace: tuple[str, ...] = ()
    """A command of ours whose timeline explains the row."""
    memory: bool = False


class World(NamedTuple):
    """What is measured, and with what."""

    programs: list[Program]
    stores: list[str]
    """The folder of each program's store."""
    work: Path
    times: int
    objects: tuple[int, ...]
    registry: str
    layers: list[images.Blob]
    copier: tuple[str, ...]
    """What copies images beside us: Skopeo."""


def running(world: World) -> Iterator[Row]:
    """`run --rm IMAGE true`."""
    for network in ("none", "host", "bridge"):
        words = ("--rm", "--network", network)
        yield Row(
            f"`run --rm --network {network} IMAGE true`",
            0.5,
            measure.by_turns(
                [_command(one, "run", *one.run, *words, SMALL, "true") for one in world.programs], world.times, 2
            ),
            ("run", *words, SMALL, "true"),
        )
    yield Row(
        f"… bridge, {BACK_TO_BACK} back to back, teardown included",
        0.7,
        measure.by_turns(
            [_back_to_back(one, store) for one, store in zip(world.programs, world.stores, strict=True)],
            max(world.times // 3, 3),
            0,
        ),
        ("run", "--rm", "--network", "bridge", SMALL, "true"),
    )


def _command(program: Program, *words: str) -> Callable[[], Taken]:
    return lambda: measure.once(program(*words))


def _back_to_back(program: Program, store: str) -> Callable[[], Taken]:
    def act() -> Taken:
        began = time.perf_counter()
        for _ in range(BACK_TO_BACK):
            measure.once(program("run", *program.run, "--rm", "--network", "bridge", SMALL, "true"))
        measure.quiet(store)
        return Taken(time.perf_counter() - began, 0)

    return act


def living(world: World) -> Iterator[Row]:
    """`exec`, and `run -d` followed by `rm -f`."""
    for one in world.programs:
        one.do("run", *one.run, "-d", "--network", "none", "--name", "living", SMALL, "sleep", "1000000")
    acts = [_command(one, "exec", "living", "true") for one in world.programs]
    yield Row("`exec C true`", 0.5, measure.by_turns(acts, world.times, 2), ("exec", "living", "true"))
    for one in world.programs:
        one.do("rm", "-f", "-t", "0", "living")
    detached = ("-d", "--network", "none", "--name", "short", SMALL, "sleep", "1000000")

    def act(program: Program) -> Callable[[], Taken]:
        def both() -> Taken:
            first = measure.once(program("run", *program.run, *detached))
            second = measure.once(program("rm", "-f", "-t", "0", "short"))
            return Taken(first.seconds + second.seconds, max(first.memory, second.memory))

        return both

    yield Row("`run -d` then `rm -f -t 0`", 0.5, measure.by_turns([act(one) for one in world.programs], world.times))


def at_once(world: World) -> Iterator[Row]:
    """Twenty containers started together."""
    for network in ("none", "bridge"):
        acts = [_at_once(one, network) for one in world.programs]
        results = measure.by_turns(acts, max(world.times // 3, 3), 0)
        yield Row(f"{AT_ONCE} `run -d` at once ({network})", 0.7, results)


def _at_once(program: Program, network: str) -> Callable[[], Taken]:
    names = [f"at-once-{number}" for number in range(AT_ONCE)]

    def act() -> Taken:
        words = ("run", *program.run, "-d", "--network", network)
        taken = measure.together([program(*words, "--name", name, SMALL, "sleep", "1000000") for name in names])
        program.do("rm", "-f", "-t", "0", *names)
        return taken

    return act


def listing(world: World) -> Iterator[Row]:
    """`ps -a`, `images` and `inspect` beside more and more objects."""
    made = 0
    for count in world.objects:
        for one in world.programs:
            for number in range(made, count):
                one.do("create", *one.run, "--network", "none", "--name", f"c{number}", SMALL, "true")
        made = count
        names = [f"c{number}" for number in range(count)]
        for name, words in (
            ("`ps -a`", ["ps", "-a"]),
            ("`inspect` of all", ["inspect", "--type", "container", *names]),
        ):
            acts = [_command(one, *words) for one in world.programs]
            results = measure.by_turns(acts, world.times)
            yield Row(f"{name}, {count} container{'s' * (count > 1)}", 0.8, results, tuple(words))
    for one in world.programs:
        one.do("rm", "-a", "-f")
    for count in world.objects:
        archive = world.work / "many.tar"
        archive.write_bytes(images.many(count))
        for one in world.programs:
            one.do("load", "-i", str(archive))
        acts = [_command(one, "images") for one in world.programs]
        yield Row(f"`images`, {count} image{'s' * (count > 1)}", 0.8, measure.by_turns(acts, world.times), ("images",))


def moving(world: World) -> Iterator[Row]:
    """Pull, save and load of a large image."""
    name = images.push(world.layers, world.registry)
    pull = ("pull", "-q", "--tls-verify=false", name)
    times = max(world.times // 2, 3)
    for driver in ("overlay", "vfs"):
        programs = [_with_driver(one, world.work, driver) for one in world.programs]
        acts = [_then(one, pull, ("rmi", "-f", name)) for one in programs]
        yield Row(
            f"`pull` of 280 MB, 10 layers, 20,000 files ({driver})", 0.6, measure.by_turns(acts, times, 1), memory=True
        )
    for one in world.programs:
        one.do(*pull)
    archives = [world.work / f"large-{place}.tar" for place in range(len(world.programs))]
    acts = [
        _then(one, ("save", "-q", "-o", str(path), name), (), path)
        for one, path in zip(world.programs, archives, strict=True)
    ]
    yield Row("`save` of the same (docker-archive)", 0.8, measure.by_turns(acts, times, 1), memory=True)
    for one, path in zip(world.programs, archives, strict=True):
        path.unlink(missing_ok=True)
        one.do("save", "-q", "-o", str(path), name)
        one.do("rmi", "-f", name)
    acts = [
        _then(one, ("load", "-q", "-i", str(path)), ("rmi", "-f", name))
        for one, path in zip(world.programs, archives, strict=True)
    ]
    yield Row("`load` of the same (docker-archive)", 0.8, measure.by_turns(acts, times, 1), memory=True)


def _with_driver(program: Program, work: Path, driver: str) -> Program:
    if driver == "overlay":
        return program
    home = work / f"{program.name}-{driver}"
    words = ("--root", str(home / "root"), "--runroot", str(home / "run"), "--storage-driver", driver)
    return program._replace(prefix=(program.prefix[0], *words))


def _then(
    program: Program, words: tuple[str, ...], after: tuple[str, ...], gone: Path | None = None
) -> Callable[[], Taken]:
    def act() -> Taken:
        if gone is not None:
            gone.unlink(missing_ok=True)
        taken = measure.once(program(*words))
        if after:
            program.do(*after)
        return taken

    return act


def version(world: World) -> tuple[Result, Result]:
    """`version`, and the bare interpreter."""
    bare = ["/usr/bin/python3", "-I", "-S", "-c", "pass"]
    acts = [_command(world.programs[0], "version"), lambda: measure.once(bare)]
    ours, interpreter = measure.by_turns(acts, max(world.times, 20), 3)
    return ours, interpreter
