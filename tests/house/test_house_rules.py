"""The rules of the house that a linter does not know. STYLE.md says why each is there."""

import ast
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sources import ROOT, checks, nodes, parsed, short, sources, tracked

FILE_LIMIT = 600
FUNCTION_LIMIT = 60
LONG_FILES: dict[str, str] = {}
"""Files over the limit: reason and date."""
LONG_FUNCTIONS: dict[str, str] = {
    "sonata/tests/layer_corpus.py:_raw_headers": "a table of tar headers, one row each (2026-11)",
    "sonata/tests/test_pull_image.py:test_skopeo_writes_the_same_layers": "one comparison, step by step (2026-11)",
}
"""Functions over the limit: reason and date."""

CATCH_ALL = {
    "sonata/src/sonata/__main__.py": "the front door",
    "sonata/src/sonata/engine/undo.py": "unwinding goes on whatever a step says",
    "sonata_core/src/sonata_core/fanout.py": "a participant's failure is its own",
    "sonata/src/sonata/codememo.py": "a module that cannot be prepared is imported as ever",
    "sonata_core/src/sonata_core/border.py": "makes PluginCrashed of what is no SonataError",
}
CARRIED = {
    "sonata/src/sonata/engine/background.py": "carries it to the thread that asked",
    "sonata/src/sonata/image/crew.py": "carries it to the thread that asked",
    "sonata/src/sonata/image/layers/feed.py": "carries it to the thread that asked",
    "sonata_core/src/sonata_core/sdk/syscalls.py": "carries it to the thread that asked",
}
FORKS = {"sonata_testkit/src/sonata_testkit/faults.py": "kills a child at every step"}
PRIVILEGE_ROOMS = (
    "sonata/src/sonata/host/",
    "sonata/src/sonata/plan/",
    "sonata/src/sonata/config/",
    "sonata/src/sonata/engine/system/doctor/",
)
PRIVILEGE = {
    "sonata/src/sonata/engine/containers/aside.py": "who makes the control group of helpers",
    "sonata/src/sonata/engine/rootless.py": "an ordinary user's way in",
    "sonata/src/sonata/engine/networks/shared.py": "where an ordinary user's bridges are (2026-11)",
    "sonata/src/sonata/engine/storage.py": "refuses, in Podman's words, what needs the host's root",
    "sonata/src/sonata/engine/containers/network.py": "compares a backend's facts with the host's",
    "sonata/src/sonata/image/layers/unpack.py": "devices and owners that the kernel refuses to a namespace's root",
    "plugins/storage-overlay/src/sonata_storage_overlay/plugin.py": "which overlay attributes the kernel allows",
    "sonata_core/src/sonata_core/sdk/oci_cli.py": "where a runtime keeps its state",
    "plugins/net-pasta/src/sonata_net_pasta/plugin.py": "keeps pasta from becoming nobody, who would not get in",
    "plugins/net-cni/src/sonata_net_cni/plugin.py": "where an ordinary user's notes lie",
    "plugins/net-netavark/src/sonata_net_netavark/setup.py": "what only the host's root may set up",
    "plugins/net-netavark/src/sonata_net_netavark/plugin.py": "says that it cannot serve, with its reason",
}
RUNS_CODE = {"sonata/src/sonata/codememo.py": "does what import does, with code that it kept itself"}
DANGEROUS = {"eval", "exec", "os.system", "os.popen", "compile"}
MACHINES = re.compile(re.escape(str(ROOT)) + r"(?![\w-])|--(extra-)?index-url|https?://[^\s\"']*/simple\b")
"""Where somebody's machine or package host would show."""


def functions(path: Path):
    return nodes(path, ast.FunctionDef, ast.AsyncFunctionDef)


def test_files_are_not_too_long():
    long = {short(path): len(path.read_text().splitlines()) for path in (*sources(), *checks())}
    long = {name: count for name, count in long.items() if count > FILE_LIMIT}
    assert set(long) == set(LONG_FILES), long


@pytest.mark.parametrize("files", [sources, pytest.param(checks, marks=pytest.mark.heavy)], ids=["sources", "checks"])
def test_functions_are_not_too_long(files):
    names = {short(path) for path in files()}
    long = {
        f"{short(path)}:{node.name}"
        for path in files()
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LIMIT
    }
    assert long == {name for name in LONG_FUNCTIONS if name.partition(":")[0] in names}


def test_nothing_is_named_utils():
    bad = re.compile(r"(^|_)(utils?|helpers?|common|misc|manager)(_|$)")
    named = [short(path) for path in sources() if bad.search(path.stem) and path.stem != "helper_process"]
    assert not named


def test_packages_export_nothing():
    for path in sources():
        if path.name == "__init__.py":
            body = parsed(path).body
            assert all(isinstance(node, ast.Expr) for node in body), f"{short(path)} holds more than a docstring"


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_nothing_dangerous_is_called():
    found = []
    for path in sources():
        for node in nodes(path, ast.Call):
            name = dotted(node.func)
            shell = any(word.arg == "shell" for word in node.keywords)
            if short(path) in RUNS_CODE and name == "exec":
                continue
            if name in DANGEROUS or name.endswith((".extractall", ".extract")) or shell:
                found.append(f"{short(path)}:{node.lineno} {name}")
    assert not found


def test_fork_is_called_nowhere():
    calls = {
        short(path)
        for path in sources()
        for node in nodes(path, ast.Call)
        if dotted(node.func) in ("os.fork", "os.forkpty", "fork")
    }
    assert calls == set(FORKS)


def test_nothing_runs_between_fork_and_exec():
    for path in sources():
        for node in nodes(path, ast.Call):
            assert not any(word.arg == "preexec_fn" for word in node.keywords), f"{short(path)}:{node.lineno}"


def handlers(path: Path, name: str):
    for node in nodes(path, ast.ExceptHandler):
        kind = dotted(node.type) if node.type is not None else "BaseException"
        if kind == name:
            yield node


def test_everything_is_caught_in_known_places_only():
    found = {short(path) for path in sources() if any(handlers(path, "Exception"))}
    assert found <= set(CATCH_ALL), found - set(CATCH_ALL)


def test_whoever_catches_all_raises_again():
    for path in sources():
        if short(path) in CARRIED:
            continue
        for node in handlers(path, "BaseException"):
            raises = [last for last in ast.walk(node) if isinstance(last, ast.Raise)]
            assert raises, f"{short(path)}:{node.lineno} swallows everything, Ctrl-C included"


def test_privilege_is_a_fact_not_a_branch():
    found = set()
    for path in sources():
        if short(path).startswith(PRIVILEGE_ROOMS):
            continue
        for node in nodes(path, ast.If, ast.IfExp, ast.While):
            words = {dotted(part).rsplit(".", 1)[-1] for part in ast.walk(node.test) if isinstance(part, ast.expr)}
            if {"rootless", "_rootless", "is_rootless"} & words:
                found.add(short(path))
    assert found <= set(PRIVILEGE), f"ask the host's facts in plan: {sorted(found - set(PRIVILEGE))}"


def test_no_machine_or_package_host_is_named():
    here = Path(__file__).resolve()
    found = []
    for path in tracked():
        if path.resolve() == here:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{short(path)}: {match.group()}" for match in MACHINES.finditer(text)]
    assert not found


def test_locks_carry_hashes_and_no_address():
    for path in (ROOT / "requirements").glob("*.txt"):
        pins = 0
        for entry in path.read_text().replace("\\\n", " ").splitlines():
            if not entry or entry.startswith("#"):
                continue
            assert re.match(r"[a-z0-9-]+==\S+ ", entry), f"{path.name}: {entry[:60]}"
            assert "--hash=sha256:" in entry, f"{path.name}: {entry[:60]} has no hash"
            assert "://" not in entry
            pins += 1
        assert pins


@pytest.mark.parametrize("package", ["sonata_core"])
def test_public_functions_say_what_they_do(package):
    missing = []
    for path in (ROOT / package / "src").rglob("*.py"):
        if not ast.get_docstring(parsed(path)) and path.name != "__init__.py":
            missing.append(short(path))
        for node in _public(parsed(path)):
            if not ast.get_docstring(node):
                missing.append(f"{short(path)}:{node.lineno} {node.name}")
    assert not missing


def _public(tree: ast.Module | ast.ClassDef):
    """Functions, classes and methods that others may call; a protocol's one-line members speak for themselves."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.FunctionDef) and (ast.unparse(node.body[0]) == "..." or _implements(node)):
            continue
        yield node
        if isinstance(node, ast.ClassDef):
            yield from _public(node)


def _implements(node: ast.FunctionDef) -> bool:
    """An implementation means what its hookspec says, or what pluggy says of the method that it overrides."""
    return node.name.startswith("parse_hook") or any("hookimpl" in ast.unparse(one) for one in node.decorator_list)


BEHIND = ("plan", "state", "store", "image", "host", "monitor")
"""Rooms behind the engine: doors may name their types for the type checker, and import nothing of them."""


def imports(node: ast.AST):
    """Modules that are imported when the code runs: not those below `if TYPE_CHECKING`."""
    if isinstance(node, ast.If) and dotted(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{name.name}" for name in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imports(child)


def test_doors_ask_the_engine_alone():
    forbidden = (*(f"sonata.{room}." for room in BEHIND), "sonata_core.hookspecs.")
    found = [
        f"{short(path)}: {name}"
        for path in sources()
        if short(path).startswith("sonata/src/sonata/cli/")
        for name in imports(parsed(path))
        if f"{name}.".startswith(forbidden)
    ]
    assert not found
