"""Names are derivable: two words give the folder, the distribution, the module and the entry point."""

import importlib
import tomllib
from pathlib import Path

import pytest

from sonata_core.groups import GROUPS

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").exists())
ENGINE = [ROOT / name for name in ("sonata_core", "sonata", "sonata_testkit")]
SCHEMES = {
    "transport-docker-archive": {"docker-archive", "docker-daemon"},
    "transport-registry": {"docker"},
    "transport-oci": {"oci", "oci-archive", "tarball"},
}
"""A transport's entry points are its schemes; where they are not the folder's second word they stand here."""


def project(folder: Path):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugins_names(folder):
    kind, name = folder.name.split("-", 1)
    made = project(folder)
    assert made["name"] == f"sonata-{folder.name}"
    assert (folder / "src" / f"sonata_{folder.name.replace('-', '_')}" / "__init__.py").exists()
    group = GROUPS[kind]
    assert set(made["entry-points"]) == {group.entry_points}
    assert set(made["entry-points"][group.entry_points]) == SCHEMES.get(folder.name, {name})
    assert made["name"] in group.distributions, "groups.py names it where a backend is missing"


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugins_entry_points_are_classes(folder):
    for members in project(folder)["entry-points"].values():
        for target in members.values():
            module, _, name = target.partition(":")
            assert module.startswith(f"sonata_{folder.name.replace('-', '_')}.")
            assert isinstance(getattr(importlib.import_module(module), name), type)


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_depends_on_the_contract_only(folder):
    ours = [name for name in project(folder)["dependencies"] if name.startswith("sonata")]
    assert ours == ["sonata-core>=0.1,<2"]


@pytest.mark.parametrize("folder", [*ENGINE, *PLUGINS], ids=lambda path: path.name)
def test_a_distribution_is_complete(folder):
    made = project(folder)
    assert made["description"].endswith(".")
    assert len((folder / "README.md").read_text().splitlines()) >= 3
    packages = [path.parent for path in (folder / "src").glob("*/__init__.py")]
    assert [path.name for path in packages] == [made["name"].replace("-", "_")]
    assert (packages[0] / "py.typed").exists()
    assert (folder / "tests").is_dir(), "every distribution brings its tests"


def test_every_distribution_named_in_the_groups_is_here():
    named = {name for group in GROUPS.values() for name in group.distributions}
    assert named == {f"sonata-{path.name}" for path in PLUGINS}


def test_file_names_of_tests_are_unique():
    places = [*ROOT.glob("sonata*/tests"), *ROOT.glob("plugins/*/tests"), ROOT / "tests"]
    names = [path.name for place in places for path in place.rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
