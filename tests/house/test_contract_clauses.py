"""The contract's clauses: what the documents number, what the hooks cite and what the kit proves are the same."""

import importlib
import re
from pathlib import Path

import pytest

from sonata_core.groups import GROUPS
from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.markers import SPEC
from sonata_testkit.clauses import clauses_in

ROOT = Path(__file__).resolve().parents[2]
SUITES = {
    "runtime": ("sonata_testkit.runtime", "RuntimeConformance"),
    "net": ("sonata_testkit.net", "NetConformance"),
    "storage": ("sonata_testkit.storage", "StorageConformance"),
    "transport": ("sonata_testkit.transport", "TransportConformance"),
    "hooks": ("sonata_testkit.hooks", "HooksConformance"),
}


def documented(name: str) -> list[str]:
    text = (ROOT / f"docs/contract/{name}.md").read_text()
    return re.findall(r"^### ([A-Z]-\d\d) \S", text, re.MULTILINE)


def cited(spec: type) -> set[str]:
    found = set()
    for name, function in vars(spec).items():
        if hasattr(function, SPEC):
            head = (function.__doc__ or "").partition(". ")[0]
            ids = re.findall(r"[A-Z]-\d\d", head)
            assert ids, f"{spec.__name__}.{name} cites no clause"
            found.update(ids)
    return found


def proved(name: str) -> set[str]:
    module, suite = SUITES[name]
    return set(clauses_in(getattr(importlib.import_module(module), suite)))


@pytest.mark.parametrize("name", GROUPS)
def test_documents_hookspecs_and_kit_agree(name: str) -> None:
    group = GROUPS[name]
    numbered = documented(name)
    letter = numbered[0][0]
    assert numbered == sorted({one for one in numbered if one[0] == letter}), "in order, each once"
    hooks = cited(group.required).union(*(cited(each) for each in group.optional))
    assert hooks == set(numbered)
    assert {one for one in proved(name) if one[0] == letter} == set(numbered)


def test_what_every_plugin_promises() -> None:
    numbered = set(documented("plugin"))
    assert cited(PluginHooks) == numbered
    for name in GROUPS:
        assert {one for one in proved(name) if one.startswith("P-")} == numbered


def test_every_clause_says_something() -> None:
    for name in (*GROUPS, "plugin"):
        for part in (ROOT / f"docs/contract/{name}.md").read_text().split("\n### ")[1:]:
            title, _, body = part.partition("\n")
            assert len(body.strip()) > 20, title
