"""`./check long`: every suite whole, one after the other; what each said is kept, so that it need not be run at one go.

    ./check long              all suites; one that fails does not keep the next from running
    ./check long NAME...      these
    ./check long missing      those that have not passed yet on this commit
    ./check long list         their names, and what they said last

Whole output is in `.cache/long/NAME.log`. The summary is a table as docs/long-check.md has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import workspace

PLACE = workspace.ROOT / ".cache/long"
LOADFILE, LOAD = "loadfile", "load"
SUITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "kill": (LOAD, ("tests/e2e/test_kill_moments.py",)),
    "kill-networks": (LOAD, ("tests/e2e/test_network_kill_moments.py",)),
    "helpers": (LOADFILE, ("tests/e2e/test_kill_helpers.py", "tests/e2e/test_lost_helpers.py")),
    "leaks": (LOADFILE, ("tests/e2e/test_leaks*.py",)),
    "hostile": (LOAD, ("tests/e2e/test_hostile_corpus.py",)),
    "fuzz": (LOADFILE, ("sonata/tests/test_fuzz_*.py", "plugins/*/tests/test_fuzz_*.py")),
    "churn": (LOADFILE, ("tests/e2e/test_names_under_churn.py",)),
    "luck": (LOADFILE, ("tests/e2e/test_luck_*.py",)),
    "peers": (
        LOADFILE,
        (
            "tests/e2e/test_*interop.py",
            "tests/e2e/test_varied_images.py",
            "sonata/tests/test_store_interop.py",
            "sonata/tests/test_trust_verdicts.py",
            "tests/compat/test_live_podman.py",
        ),
    ),
    "docker": (
        LOADFILE,
        ("tests/e2e/test_real_dockerd.py", "plugins/transport-docker-archive/tests/test_docker_daemon.py"),
    ),
    "guests": (LOADFILE, ("tests/guest/test_*.py",)),
}
"""By name: how its tests are dealt out to the workers, and its files. What is in none is `slow` or `usual`."""
OTHERS = {"slow": "slow", "usual": "not slow"}


def run(words: list[str], workers: list[str], extra: list[str]) -> int:
    """Run the suites that the words name, with so many workers and these words for pytest. 0 if all passed."""
    names = [*SUITES, *OTHERS]
    before = _results()
    if words == ["list"]:
        print("\n".join(f"{name:14} {_told(before.get(name))}" for name in names))
        return 0
    wanted = words or names
    if words == ["missing"]:
        wanted = [name for name in names if not _passed(before.get(name))]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        print(f"./check long knows no suite {' '.join(unknown)!r}, but {' '.join(names)}", file=sys.stderr)
        return 2
    done = [_one(name, workers, extra) for name in wanted]
    print("\n| suite | date | took | load average | result |\n|---|---|---|---|---|")
    print("\n".join(row(found) for found in done))
    return int(any(found["code"] for found in done))


def files(name: str) -> list[str]:
    """The files of a suite."""
    return sorted(_matching(SUITES[name][1]))


def chosen(name: str, workers: list[str]) -> list[str]:
    """pytest's words for a suite."""
    if name in SUITES:
        return [*workers, "--dist", SUITES[name][0], *files(name)]
    claimed = [path for suite in SUITES for path in files(suite)]
    return [*workers, "--dist", LOADFILE, "-m", OTHERS[name], *(f"--ignore={path}" for path in claimed)]


def row(found: dict[str, Any]) -> str:
    """A result as a line of the table."""
    took = f"{found['seconds'] // 60} min {found['seconds'] % 60} s"
    return f"| {found['name']} | {found['date']} | {took} | {found['load']} | {'; '.join(found['said'])} |"


def _one(name: str, workers: list[str], extra: list[str]) -> dict[str, Any]:
    """Run one suite and keep its result."""
    PLACE.mkdir(parents=True, exist_ok=True)
    log, failed = PLACE / f"{name}.log", PLACE / f"{name}.failed"
    failed.unlink(missing_ok=True)
    print(f"{time.strftime('%H:%M:%S')} {name}: tail -f {log.relative_to(workspace.ROOT)}", flush=True)
    begun, load = time.monotonic(), os.getloadavg()[0]
    words = ["python", "-m", "pytest", *chosen(name, workers), "-ra", "--durations=20", f"--failed-to={failed}", *extra]
    with log.open("wb") as out:
        code = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
    found: dict[str, Any] = {"name": name, "code": code, "commit": commit(), "date": time.strftime("%Y-%m-%d")}
    found["seconds"] = round(time.monotonic() - begun)
    found["load"] = " to ".join(dict.fromkeys(f"{one:.0f}" for one in sorted((load, os.getloadavg()[0]))))
    found["said"] = [_last_line(log), *(failed.read_text().split("\n") if failed.exists() and code else [])]
    (PLACE / f"{name}.json").write_text(json.dumps(found))
    print("\n    ".join([f"{time.strftime('%H:%M:%S')} {name}: exit code {code}:", *found["said"]]), flush=True)
    return found


def commit() -> str:
    """What is being tested: the commit, and whether the files are its; empty outside of a repository."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(asked, cwd=workspace.ROOT, check=False, capture_output=True, text=True).stdout.strip()


def _matching(patterns: Iterable[str]) -> set[str]:
    return {str(path.relative_to(workspace.ROOT)) for each in patterns for path in workspace.ROOT.glob(each)}


def _results() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in PLACE.glob("*.json")}


def _passed(found: dict[str, Any] | None) -> bool:
    now = commit()
    return bool(found and found["code"] == 0 and found["commit"] == now and now and not now.endswith("-dirty"))


def _told(found: dict[str, Any] | None) -> str:
    if not found:
        return "never run here"
    return f"{found['date']} {found['commit']} {found['seconds']:5} s  {found['said'][0]}"


def _last_line(log: Path) -> str:
    """What pytest said last, such as `7 passed in 3.01s`, without how long it took."""
    lines = log.read_text(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return (last.rpartition(" in ")[0] or last).strip("= ")
