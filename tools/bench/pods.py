"""Rows of pods, and of many containers on one network."""

from __future__ import annotations

from collections.abc import Iterator

import measure
from measure import Program, Taken
from rows import SMALL, Row, World

MEMBERS = 10
HUNDRED = 100
SLEEP = (SMALL, "sleep", "1000000")


def pods(world: World) -> Iterator[Row]:
    """A pod of ten containers, started and stopped."""
    for one in world.programs:
        one.do("pod", "create", "--name", "band")
        for number in range(MEMBERS):
            one.do("create", *one.run, "--pod", "band", "--name", f"player-{number}", *SLEEP)
    start, stop = ("pod", "start", "band"), ("pod", "stop", "-t", "0", "band")
    for name, words, before, after in (("`pod start`", start, (), stop), ("`pod stop -t 0`", stop, start, ())):
        acts = [_between(one, before, words, after) for one in world.programs]
        yield Row(f"{name}, {MEMBERS} containers", 1.0, measure.by_turns(acts, max(world.times // 2, 3)), words)
    for one in world.programs:
        one.do("pod", "rm", "-f", "-t", "0", "band")


def _between(program: Program, before: tuple[str, ...], words: tuple[str, ...], after: tuple[str, ...]) -> measure.Act:
    def act() -> Taken:
        if before:
            program.do(*before)
        taken = measure.once(program(*words))
        if after:
            program.do(*after)
        return taken

    return act


def hundred(world: World) -> Iterator[Row]:
    """A hundred containers of one network, started at once."""
    names = [f"h{number}" for number in range(HUNDRED)]
    for one in world.programs:
        one.do("network", "create", "crowd")

    def starts(program: Program) -> measure.Act:
        def act() -> Taken:
            words = ("run", *program.run, "-d", "--network", "crowd")
            taken = measure.together([program(*words, "--name", name, *SLEEP) for name in names])
            program.do("rm", "-f", "-t", "0", *names)
            return taken

        return act

    results = measure.by_turns([starts(one) for one in world.programs], max(world.times // 5, 1), 0)
    yield Row(f"{HUNDRED} `run -d` at once, one network", 1.0, results)
    for one in world.programs:
        one.do("network", "rm", "crowd")
