"""More rows of the table: what people do with containers that are there, and with what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import measure
from measure import Program, Taken
from rows import SMALL, Row, World

GIGA = 1 << 30
FIFTY = 50
FILES = 20_000
SLEEP = (SMALL, "sleep", "1000000")
Before = Callable[[Program], object]


def _timed(program: Program, words: tuple[str, ...], before: Before = len, after: Before = len) -> measure.Act:
    """A command, with what makes it ready and what clears up beside the clock."""

    def act() -> Taken:
        before(program)
        taken = measure.once(program(*words))
        after(program)
        return taken

    return act


def _row(world: World, name: str, aim: float, words: tuple[str, ...], of: str = "", **more: Before) -> Row:
    acts = [_timed(one, words, **more) for one in world.programs]
    return Row(f"`{name}`{of}", aim, measure.by_turns(acts, world.times))


def _few(world: World, name: str, acts: list[measure.Act], memory: bool = False) -> Row:
    return Row(name, 0.8, measure.by_turns(acts, max(world.times // 3, 3), 0), memory=memory)


def _sleeper(program: Program, name: str = "one") -> None:
    program.do("run", *program.run, "-d", "--network", "none", "--name", name, *SLEEP)


def _gone(program: Program, name: str = "one") -> None:
    program.do("rm", "-f", "-t", "0", name)


def ending(world: World) -> Iterator[Row]:
    """`stop`, `rm -f` and `inspect` of one container."""
    yield _row(world, "stop -t 0 C", 0.5, ("stop", "-t", "0", "one"), before=_sleeper, after=_gone)
    yield _row(world, "rm -f -t 0 C", 0.8, ("rm", "-f", "-t", "0", "one"), before=_sleeper)
    for one in world.programs:
        _sleeper(one)
    yield _row(world, "inspect C", 0.5, ("inspect", "one"))
    for one in world.programs:
        _gone(one)


def filters(world: World) -> Iterator[Row]:
    """`ps` with filters beside many containers."""
    count = world.objects[-1]
    for one in world.programs:
        for number in range(count):
            words = ("--network", "none", "--name", f"c{number}", "--label", f"number={number % 10}")
            one.do("create", *one.run, *words, SMALL, "true")
    asked: tuple[tuple[str, ...], ...] = (
        ("--filter", "label=number=3"),
        ("--filter", "name=c4"),
        ("--filter", "status=running"),
        ("--filter", "label=number=3", "--filter", "name=c1", "--filter", "status=created", "-q"),
    )
    for each in asked:
        yield _row(world, f"ps -a {' '.join(each)}", 0.8, ("ps", "-a", *each), of=f", {count} containers")
    for one in world.programs:
        one.do("rm", "-a", "-f")


def logs(world: World) -> Iterator[Row]:
    """`logs` of a gigabyte."""
    line = "a line as programs write them, with a few words and a number 0123456789"
    script = f"busybox yes '{line}' | busybox head -c {GIGA}"
    for one in world.programs:
        options = ("--log-driver", "k8s-file", "--log-opt", "max-size=8g")
        one.do("run", *one.run, "-d", "--network", "none", "--name", "loud", *options, SMALL, "sh", "-c", script)
        one.do("wait", "loud")
    acts = [_timed(one, ("logs", "loud")) for one in world.programs]
    yield _few(world, "`logs` of 1 GB", acts, memory=True)
    acts = [_timed(one, ("logs", "--tail", "10", "loud")) for one in world.programs]
    yield _few(world, "`logs --tail 10` of 1 GB", acts)
    for one in world.programs:
        _gone(one, "loud")


def copying(world: World) -> Iterator[Row]:
    """`cp` of one large file, in and out."""
    large = world.work / "large"
    block = os.urandom(1 << 20)
    with open(large, "wb") as file:
        for _ in range(GIGA >> 20):
            file.write(block)
    yield from _copied(world, large, "1 GB")


def copying_many(world: World) -> Iterator[Row]:
    """`cp` of many small files, in and out."""
    many = world.work / "many"
    block = os.urandom(4096)
    for number in range(FILES):
        path = many / str(number % 100) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(block[: number % 4096])
    yield from _copied(world, many, "20,000 files")


def _copied(world: World, source: Path, name: str) -> Iterator[Row]:
    out = world.work / "out"
    out.mkdir(exist_ok=True)
    for one in world.programs:
        _sleeper(one)
    acts = [_timed(one, ("cp", str(source), "one:/tmp"), after=_emptied(source.name)) for one in world.programs]
    yield _few(world, f"`cp` of {name} into a container", acts, memory=True)
    for one in world.programs:
        one.do("cp", str(source), "one:/tmp")
    acts = [_timed(one, ("cp", f"one:/tmp/{source.name}", str(out)), after=_cleared(out)) for one in world.programs]
    yield _few(world, f"`cp` of {name} out of a container", acts, memory=True)
    for one in world.programs:
        _gone(one)


def _emptied(name: str) -> Before:
    return lambda program: program.do("exec", "one", "rm", "-rf", f"/tmp/{name}")


def _cleared(folder: Path) -> Before:
    import shutil

    def act(_: Program) -> None:
        for each in folder.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink()

    return act


def committing(world: World) -> Iterator[Row]:
    """`commit` of a container that has written 500 MB."""
    script = "busybox dd if=/dev/urandom of=/tmp/data bs=1M count=500"
    for one in world.programs:
        one.do("run", *one.run, "--network", "none", "--name", "fat", SMALL, "sh", "-c", script)
    forget: Before = lambda program: program.do("rmi", "-f", "localhost/fat:1")  # noqa: E731
    acts = [_timed(one, ("commit", "-q", "fat", "localhost/fat:1"), after=forget) for one in world.programs]
    yield _few(world, "`commit` of 500 MB", acts, memory=True)
    for one in world.programs:
        _gone(one, "fat")


def fifty(world: World) -> Iterator[Row]:
    """Fifty containers: started at once, and looked at."""
    names = [f"many-{number}" for number in range(FIFTY)]

    def starts(program: Program) -> measure.Act:
        def act() -> Taken:
            for name in names:
                program.do("create", *program.run, "--network", "none", "--name", name, *SLEEP)
            taken = measure.together([program("start", name) for name in names])
            program.do("rm", "-f", "-t", "0", *names)
            return taken

        return act

    yield _few(world, f"{FIFTY} `start` at once", [starts(one) for one in world.programs])
    for one in world.programs:
        for name in names:
            _sleeper(one, name)
    yield _row(world, "stats --no-stream", 0.8, ("stats", "--no-stream"), of=f", {FIFTY} containers")
    for one in world.programs:
        one.do("rm", "-f", "-t", "0", *names)
