"""The table, printed and kept in docs/benchmarks.md."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import rows
from measure import Result

HEAD = "| row | Sonata | peer | ratio | aim | |\n|---|---|---|---|---|---|"
PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"
MEMORY = 150 << 20
ABOVE_BARE = 0.020


def line(row: rows.Row) -> str:
    """One row: medians, least in brackets, ratio of the medians."""
    ours, peer = row.results
    verdict = "met" if met(row) else "**missed**"
    memory = f"; peak {ours.memory >> 20} MB, peer {peer.memory >> 20} MB" if row.memory and ours.memory else ""
    return f"| {row.name}{memory} | {_time(ours)} | {_time(peer)} | {ratio(row):.2f} | {row.aim} | {verdict} |"


def ratio(row: rows.Row) -> float:
    """Ours over the peer's, of the medians."""
    return row.results[0].median / row.results[1].median


def met(row: rows.Row) -> bool:
    """Is the row within its aim, and its memory within the bound?"""
    return ratio(row) <= row.aim and (not row.memory or row.results[0].memory <= MEMORY or "pull" not in row.name)


def version_line(ours: Result, bare: Result) -> str:
    """`version` above the bare interpreter."""
    above = ours.median - bare.median
    verdict = "met" if above <= ABOVE_BARE else "**missed**"
    times = f"{_time(ours)} | {_time(bare)} | +{above * 1000:.1f} ms"
    return f"| `version` above the bare interpreter | {times} | 20 ms | {verdict} |"


def _time(result: Result) -> str:
    scale, unit = (1, "s") if result.median >= 2 else (1000, "ms")
    digits = 2 if unit == "s" else 1
    return f"{result.median * scale:.{digits}f} {unit} ({result.least * scale:.{digits}f})"


def phases(events: list[dict[str, object]]) -> str:
    """The timeline's phases as a table: when each began, how long it took, in milliseconds."""
    out = ["| ms | took | phase |", "|---|---|---|"]
    kept = [one for one in events if one.get("ph") == "X" and one.get("cat") in ("phase", "program")]
    for one in sorted(kept, key=lambda event: float(str(event["ts"]))):
        began, took = float(str(one["ts"])) / 1000, float(str(one["dur"])) / 1000
        out.append(f"| {began:.1f} | {took:.1f} | {os.path.basename(str(one['name']))} |")
    return "\n".join(out)


def write(world: rows.World, found: list[rows.Row], version: tuple[Result, Result] | None) -> None:
    """Replace this peer's section in the page, or add it."""
    name = subprocess.run([world.programs[1].prefix[0], "--version"], capture_output=True, text=True, check=True)
    title = f"## Against {name.stdout.strip()}"
    body = [title, "", time.strftime("Measured on %Y-%m-%d: ") + _machine() + ".", "", HEAD]
    body += [line(row) for row in found]
    if version is not None:
        body.append(version_line(*version))
    text = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n"
    before, mark, rest = text.partition(title + "\n")
    after = "\n## " + rest.partition("\n## ")[2] if mark and "\n## " in rest else ""
    PAGE.write_text(before.rstrip() + "\n\n" + "\n".join(body) + "\n" + after)


def _machine() -> str:
    uname = os.uname()
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} processors, Linux {uname.release}, {uname.machine}, load {load:.1f} at the end"
