"""`sonata pod stats`."""

from __future__ import annotations

import time

from sonata.cli.pods.selection import selection
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.pod import PodConfig
    from sonata.model.stats import ContainerStats

COLUMNS = (
    ("Pod", "POD"),
    ("CID", "CID"),
    ("Name", "NAME"),
    ("CPU", "CPU %"),
    ("MemUsage", "MEM USAGE/ LIMIT"),
    ("Mem", "MEM %"),
    ("NetIO", "NET IO"),
    ("BlockIO", "BLOCK IO"),
    ("PIDS", "PIDS"),
)
HEADINGS = {**dict(COLUMNS), "MemUsageBytes": "MEM USAGE/ LIMIT"}
_INTERVAL = 5.0
_CLEAR = "\x1b[2J\x1b[H"
_NONE = "-- / --"


def command(parsed: Parsed, call: Call) -> int:
    """Print what the containers of pods use: once, or again and again. Without names: of pods that run."""
    from sonata.engine.pods.processes import sample
    from sonata.engine.pods.select import select

    engine, form, wanted = call.engine, parsed["format"], selection(parsed)
    before: dict[str, ContainerStats] = {}
    while True:
        try:
            pods = [pod for pod, _ in select(engine, wanted)]
        except NotFound as error:
            raise NotFound(f"unable to get list of pods: {error.message}", error.hint) from error
        found = sample(engine, pods, before)
        if not (wanted.names or wanted.all or wanted.latest):
            running = {pod.id for pod, one in found if one.taken}
            found = [(pod, one) for pod, one in found if pod.id in running]
        text = shown(found, form)
        if not parsed["no-stream"] and not parsed["no-reset"] and not form:
            text = _CLEAR + text
        print(text, end="", flush=True)
        if parsed["no-stream"]:
            return 0
        before = {one.id: one for _, one in found}
        time.sleep(_INTERVAL)


def shown(found: Iterable[tuple[PodConfig, ContainerStats]], form: str) -> str:
    """What is printed for one look."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    rows = [fields(pod, one) for pod, one in found]
    if form and is_json(form):
        return json_text(form, rows, 5)
    text = render_rows(Report("stats", "pods.podStats", COLUMNS, HEADINGS), rows, form or None)
    if not form or form.startswith("table "):
        return text
    # Podman puts headings above any template here, and aligns nothing.
    return render_rows(Report("stats", "pods.podStats", COLUMNS, HEADINGS), [HEADINGS], form) + text


def fields(pod: PodConfig, one: ContainerStats) -> dict[str, str]:
    """The members of a row, as templates and JSON name them; what is nothing is dashes."""
    from sonata.cli.render.human import bytes_size, human_size

    lives = bool(one.memory or one.taken)
    return {
        "CPU": f"{one.cpu:.2f}%",
        "MemUsage": f"{human_size(one.memory)} / {human_size(one.memory_limit)}" if lives else _NONE,
        "MemUsageBytes": f"{bytes_size(one.memory)} / {bytes_size(one.memory_limit)}" if lives else _NONE,
        "Mem": f"{one.memory_percent:.2f}%",
        "NetIO": _pair(one.received, one.sent),
        "BlockIO": _pair(one.io_read, one.io_written),
        "PIDS": str(one.pids) if one.pids else "--",
        "Pod": pod.id[:12],
        "CID": one.id[:12],
        "Name": one.name,
    }


def _pair(one: int, other: int) -> str:
    from sonata.cli.render.human import human_size

    return f"{human_size(one)} / {human_size(other)}" if one or other else _NONE
