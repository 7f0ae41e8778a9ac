"""./check: formats, lints, type-checks and tests the workspace.

    ./check            everything that this host can run (as root: containers, networks, peers)
    ./check quick      format, lint, types, import directions, unprivileged tests: under a minute, no network
    ./check fix        let ruff format and mend what it can
    ./check root       the tests that need root
    ./check userns     the unprivileged tests and those marked needs_userns, inside a user namespace
    ./check contract NAME   the conformance suite against one plugin, such as storage-overlay
    ./check docs       pages against what they are generated from; the examples of the library page
    ./check weight     what a command imports and costs
    ./check long [NAME...|missing|list]   everything, slow suites whole: all suites one after the other, or these

Words after `--` go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import long_check
import packages
import second_look
import workspace

ROOT = workspace.ROOT
QUICK = ("-m", "not needs_root and not needs_peer and not slow and not timing and not heavy and not e2e")
FAR = ("--ignore=tests/e2e", "--ignore=tests/guest")
"""Folders of tests that all want the whole program: not even looked through by a quick check."""


def main(words: list[str]) -> int:
    """Run the check that the first word names. Returns the exit code: 0 only if all went well."""
    extra: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, extra = words[:at], words[at + 1 :]
    name = words[0] if words else "all"
    if name in ("help", "-h", "--help"):
        print(__doc__)
        return 0
    run = CHECKS.get(name)
    if run is None or (name not in ("contract", "long") and len(words) > 1):
        print(f"./check does not know {' '.join(words)!r}\n{__doc__}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    _environment()
    return run(words[1:], extra)


def _environment() -> None:
    """The same environment for everybody: the workspace's programs first, none of the caller's Python settings."""
    for name in [name for name in os.environ if name.startswith(("PYTHON", "SONATA_TEST_"))]:
        del os.environ[name]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["PATH"] = f"{workspace.VENV}/bin:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    os.environ["SONATA_LINTED"] = "1"
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    os.umask(0o022)


def quick(_words: list[str], extra: list[str]) -> int:
    """Everything that needs neither root nor network."""
    workspace.prepare()
    return _all_of(_lint(), [_pytest(*QUICK, *FAR, *_workers(), *extra)])


def everything(_words: list[str], extra: list[str]) -> int:
    """All that this host can run."""
    prepare_host()
    workspace.prepare()
    linted = _all_of(_lint())
    return second_look.run(["-m", "not slow", *_workers(), *extra]) or linted


def long(words: list[str], extra: list[str]) -> int:
    """All that this host can run, slow suites whole: `long_check`."""
    if words != ["list"]:
        os.environ["SONATA_LONG"] = "1"
        prepare_host()
        workspace.install_packages(packages.GUESTS)
        if not os.path.exists("/run/systemd/system"):
            workspace.install_packages(packages.DAEMONS)
        workspace.prepare()
    linted = 0 if words else _all_of(_lint())
    return long_check.run(words, _workers()[:2], extra) or linted


def fix(_words: list[str], _extra: list[str]) -> int:
    """Format, and mend what a linter can mend."""
    workspace.prepare()
    return _all_of([["ruff", "check", "-q", "--fix", "."], ["ruff", "format", "-q", "."]])


def root(_words: list[str], extra: list[str]) -> int:
    """The tests that need root."""
    if os.geteuid() != 0:
        print("./check root needs root: sudo ./check root", file=sys.stderr)
        return 1
    prepare_host()
    workspace.prepare()
    return _all_of([_pytest("-m", "needs_root and not slow", *_workers(), *extra)])


def userns(_words: list[str], extra: list[str]) -> int:
    """The tests that need no root, as root of a user namespace of their own."""
    workspace.prepare()
    inside = ["python", "tools/in_userns.py"]
    return _all_of([[*inside, *_pytest("-m", "needs_userns or not needs_root and not slow", *_workers(), *extra)]])


def contract(words: list[str], extra: list[str]) -> int:
    """One plugin's own tests, its conformance suite among them; nothing may be left out."""
    if len(words) != 1 or not (ROOT / "plugins" / words[0] / "tests").is_dir():
        have = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/tests"))
        print(f"./check contract NAME, with NAME one of: {' '.join(have)}", file=sys.stderr)
        return 2
    prepare_host()
    workspace.prepare()
    return _all_of([_pytest(f"plugins/{words[0]}/tests", *extra)])


def docs(_words: list[str], extra: list[str]) -> int:
    """Generated pages and examples."""
    prepare_host()
    workspace.prepare()
    return _all_of([_pytest("-m", "docs", *extra)])


def weight(_words: list[str], extra: list[str]) -> int:
    """What a command imports and costs."""
    workspace.prepare()
    return _all_of([_pytest("tests/house/test_weight.py", *extra)])


def prepare_host() -> None:
    """Install the programs that tests want, and say which are still missing."""
    wanted = {**packages.RUN, **packages.TOUR, **packages.PEERS}
    missing = workspace.install_packages(wanted)
    if missing:
        print(f"missing here, so some tests will say what they lack: {' '.join(missing)}", file=sys.stderr)
    if os.geteuid() == 0:
        mount_hugetlb()
    workspace.wheelhouse()


def mount_hugetlb() -> None:
    """Mount the hugetlb hierarchy on hosts with version 1 control groups that left it out: crun asks for it."""
    place = "/sys/fs/cgroup/hugetlb"
    try:
        controllers = Path("/proc/cgroups").read_text()
    except OSError:
        return
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    if "hugetlb" not in controllers or place in mounted or os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return
    try:
        os.makedirs(place, exist_ok=True)
    except OSError:
        return
    subprocess.run(["mount", "-t", "cgroup", "-o", "hugetlb", "cgroup", place], check=False, capture_output=True)


def _lint() -> list[list[str]]:
    sources = [f"{dist.folder.relative_to(ROOT)}/src" for dist in workspace.distributions()]
    return [
        ["ruff", "format", "--check", "-q", "."],
        ["ruff", "check", "-q", "."],
        ["mypy", "--no-error-summary", *sources],
        ["mypy", "--no-error-summary", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tools/**/*.py"))],
        ["lint-imports", "--no-logo"],
    ]


def _pytest(*words: str) -> list[str]:
    return ["python", "-m", "pytest", *words]


def _workers() -> list[str]:
    """Two workers at least, a file each; as root, each has a host of its own (tests/e2e/worker_host.py)."""
    count = max(2, min(len(os.sched_getaffinity(0)), 6))
    return ["-n", str(count), "--dist", "loadfile"]


def _all_of(*stages: list[list[str]]) -> int:
    """Run all steps of all stages, also after one has failed. Returns 0 if none did, else the first failure's code."""
    first = 0
    for argv in [step for stage in stages for step in stage]:
        begun = time.monotonic()
        print("$", " ".join(argv), flush=True)
        done = subprocess.run(argv, check=False)
        if done.returncode:
            first = first or done.returncode
            print(f"^ exit code {done.returncode} after {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    return first


CHECKS = {
    "all": everything,
    "quick": quick,
    "fix": fix,
    "root": root,
    "userns": userns,
    "contract": contract,
    "docs": docs,
    "weight": weight,
    "long": long,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
