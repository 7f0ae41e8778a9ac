"""Tests with real containers run as root and as an ordinary user; the files that do not say why, here."""

import ast
from pathlib import Path

from sources import ROOT, nodes, parsed, short

E2E = ROOT / "tests/e2e"
LIVE = ROOT / "sonata/tests"
CALLERS = {"who", "host_kind"}
"""Fixtures that make a test run both ways: conftest.py."""
WORLD = "world"
"""A fixture of conftest.py that asks for a caller, where a file has none of that name."""

ROOT_ALONE = {
    "test_cni.py": "looks at links and rules of the host's; as a user: test_rootless_cni",
    "test_containers_live.py": "a monitor and a runtime without an engine, and so without an engine's namespaces",
    "test_e2e_interop.py": "one store by turns with root's Podman; as a user: test_rootless_storage",
    "test_e2e_userns.py": "maps of ids that are the host's; as a user: test_rootless_userns",
    "test_explain_live.py": "the engine works within the tests' own process, which is root's",
    "test_explain_page.py": "commands print what the page says: addresses, ids and groups of root's containers",
    "test_library_page.py": "the library is called from the tests' own process, which is root's",
    "test_network_commands.py": "looks at links and rules of the host's; as a user: test_rootless_bridges",
    "test_network_drivers.py": "looks at links of the host's; as a user: test_rootless_bridges",
    "test_network_newer.py": "looks at links and rules of the host's; as a user: test_rootless_bridges",
    "test_network_options.py": "looks at links and rules of the host's; as a user: test_rootless_bridges",
    "test_network_traffic.py": "firewalls of the host's, by traffic; as a user: test_rootless_bridges",
    "test_real_dockerd.py": "Docker's daemon is root's",
    "test_reconcile_command.py": "breaks links and rules of the host's; as a user: test_rootless_ports",
    "test_registry_settings.py": "mounts over what the host has: files of /etc/containers",
    "test_scp_command.py": "the daemon of ssh is root's; as a user: test_scp_users",
    "test_stats_live.py": "what is counted stands in control groups, and those of version 1 are root's alone",
    "test_thirdparty.py": "installs distributions of others; what they add is used alike by everybody",
    "test_varied_images.py": "four engines on one store, three of them root's; as a user: test_rootless_storage",
    "test_volume_drivers.py": "the driver is a daemon of root's that makes folders of root's",
    "test_wheels.py": "installs distributions; what is installed is used alike by everybody",
}
"""Files whose commands are root's alone, and why. A reason that names a file: there the same is done as a user."""


def files() -> list[Path]:
    return sorted([*E2E.glob("test_*.py"), *LIVE.glob("test_*_live.py")])


def asks(path: Path) -> set[str]:
    """Names of a file's functions that take one of these fixtures."""
    functions = [node for node in nodes(path, ast.FunctionDef) if isinstance(node, ast.FunctionDef)]
    callers = CALLERS if WORLD in {node.name for node in functions} else CALLERS | {WORLD}
    return {node.name for node in functions if callers & {each.arg for each in node.args.args}}


def imported(path: Path) -> list[tuple[str, str]]:
    """Modules and names that a file takes from its neighbours."""
    rows = [node for node in parsed(path).body if isinstance(node, ast.ImportFrom)]
    return [(node.module or "", each.name) for node in rows for each in node.names]


def runs_both_ways(path: Path) -> bool:
    """Whether a file asks for a caller, has a fixture that does, or a host of an ordinary user."""
    taken = imported(path)
    if asks(path) or any(module == "ordinary" for module, _ in taken):
        return True
    neighbours = [(folder / f"{module}.py", name) for module, name in taken for folder in (E2E, LIVE)]
    return any(place.exists() and name in asks(place) for place, name in neighbours)


def test_every_file_runs_both_ways_or_says_why() -> None:
    alone = {short(path).rpartition("/")[2] for path in files() if not runs_both_ways(path)}
    assert alone == set(ROOT_ALONE)


def test_reasons_name_files_that_are_there() -> None:
    words = [word.rstrip(".,") for reason in ROOT_ALONE.values() for word in reason.split()]
    named = [word for word in words if word.startswith("test_")]
    known = {path.stem: path for path in files()}
    assert [name for name in named if name not in known or not runs_both_ways(known[name])] == []
    assert all(len(reason) > 10 for reason in ROOT_ALONE.values())
