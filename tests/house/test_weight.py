"""What a command weighs: time above the bare interpreter, and modules that it must not load.

Each entry runs in a fresh interpreter as the launcher starts it (`-I -S`). Processor time is measured, and
the least of several runs counts, because noise only adds. Failures show all modules that were loaded.
"""

import os
import subprocess
import sys

import pytest

HEAVY = {
    "click",
    "pluggy",
    "stevedore",
    "structlog",
    "pydantic",
    "pyroute2",
    "asyncio",
    "dataclasses",
    "inspect",
    "logging",
    "tomllib",
    "importlib.metadata",
    "subprocess",
    "tempfile",
    "pathlib",
    "typing",
    "contextlib",
}

BROUGHT_ALONG = {"socket", "selectors", "enum", "collections", "functools", "operator", "ctypes", "re", "json"}
"""What hot modules do without, a fifth of what a `run` imported. C modules behind these are loaded by themselves."""

_HEAD = "import sys; sys.path[:0] = {paths!r}; "
_MAIN = "from sonata.__main__ import main; main({words!r}); "
_CALLS = (
    "from sonata.host.linux import LinuxKernel; from sonata_core.sdk import interfaces, safepath; import os; "
    "LinuxKernel().prctl(3, 0); interfaces.interfaces(''); os.close(safepath.open_in_root(os.open('/', 0), 'etc', 0)); "
)
"""Calls that every `run` makes: none of them loads a package."""
_TAIL = "print('\\n'.join(sorted(sys.modules)), file=sys.stderr)"

COMMANDS = [
    (["version"], 20),
    (["--version"], 20),
    (["--help"], 60),
    (["run", "--help"], 60),
    (["__complete", "run", "--na"], 60),
]

ROOMS = [
    "sonata.cli.root",
    "sonata.cli.pflag",
    "sonata.cli.table",
    "sonata.cli.arguments",
    "sonata.cli.errors",
    "sonata.cli.options.create",
    "sonata.cli.options.containers",
    "sonata.assemble",
    "sonata.cli.containers.exec",
    "sonata.cli.containers.ps",
    "sonata.cli.containers.run",
    "sonata.engine.containers.cleanup",
    "sonata.engine.containers.exec",
    "sonata.engine.containers.inspect",
    "sonata.engine.containers.listing",
    "sonata.engine.containers.run",
    "sonata.engine.engine",
    "sonata.engine.images.listing",
    "sonata_core.errors",
    "sonata_core.record",
    "sonata_core.sdk.c_library",
    "sonata_core.sdk.interfaces",
    "sonata_core.sdk.safepath",
    "sonata_core.trace",
]


def paths():
    return [path for path in sys.path if path.endswith("/src") and os.path.isdir(path)]


def fresh(code):
    """Run code in a bare interpreter; returns seconds of processor time and what it wrote to stderr."""
    before = os.times()
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    after = os.times()
    assert done.returncode == 0, done.stderr
    took = after.children_user + after.children_system - before.children_user - before.children_system
    return took, done.stderr


def least(code, runs=7):
    return min(fresh(code)[0] for _ in range(runs))


@pytest.mark.timing
@pytest.mark.parametrize(
    ("words", "budget"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else str(value)
)
def test_time_above_the_interpreter(words, budget):
    bare = least(_HEAD.format(paths=paths()))
    whole = least((_HEAD + _MAIN).format(paths=paths(), words=words))
    above = (whole - bare) * 1000
    assert above <= budget, (
        f"sonata {' '.join(words)} takes {above:.1f} ms above the interpreter; {budget} is its budget"
    )


@pytest.mark.parametrize(
    ("words", "budget"), COMMANDS, ids=lambda value: " ".join(value) if isinstance(value, list) else str(value)
)
def test_modules_of_a_command(words, budget):
    _, loaded = fresh((_HEAD + _MAIN + _TAIL).format(paths=paths(), words=words))
    assert not HEAVY & set(loaded.split())


STORE_COMMANDS = [["ps", "-a"], ["container", "exists", "x"], ["images"], ["inspect", "--type", "container", "x"]]


@pytest.mark.needs_root
@pytest.mark.parametrize("words", STORE_COMMANDS, ids=" ".join)
def test_modules_of_a_command_on_the_store(words, tmp_path):
    where = ["--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run", "--storage-driver", "vfs"]
    fresh((_HEAD + _MAIN).format(paths=paths(), words=[*where, "images"]))  # makes the store and fills the memos
    code = (_HEAD + _MAIN + _TAIL).format(paths=paths(), words=[*where, *words])
    # Another copy of Sonata on this machine may put its own memo in our place meanwhile.
    heavy = min((sorted(HEAVY & set(fresh(code)[1].split())) for _ in range(4)), key=len)
    assert not heavy


@pytest.mark.needs_root
def test_time_of_ps_above_the_interpreter(tmp_path):
    where = ["--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run", "--storage-driver", "vfs"]
    fresh((_HEAD + _MAIN).format(paths=paths(), words=[*where, "images"]))
    code = (_HEAD + _MAIN).format(paths=paths(), words=[*where, "ps"])
    above = (least(code) - least(_HEAD.format(paths=paths()))) * 1000
    assert above <= 70, f"sonata ps takes {above:.1f} ms above the interpreter"


@pytest.mark.parametrize("room", ROOMS)
def test_modules_of_a_room(room):
    _, loaded = fresh((_HEAD + "import " + room + "; " + _TAIL).format(paths=paths()))
    assert not (HEAVY | BROUGHT_ALONG) & set(loaded.split()), room


def test_modules_of_system_calls():
    _, loaded = fresh((_HEAD + _CALLS + _TAIL).format(paths=paths()))
    assert not (HEAVY | BROUGHT_ALONG) & set(loaded.split())
