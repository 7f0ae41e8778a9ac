"""What docs/plugin-author.md shows is what works."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sonata_core.border import Border
from sonata_core.groups import RUNTIME
from sonata_core.slot import seat
from sonata_testkit.clauses import clauses_in
from sonata_testkit.fixtures import KeptLog, find_program, make_context
from sonata_testkit.runtime import RuntimeConformance

PAGE = (Path(__file__).resolve().parents[2] / "docs/plugin-author.md").read_text()


def block(kind: str, word: str) -> str:
    found = [text for text in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if word in text]
    assert len(found) == 1
    return str(found[0])


def test_the_backend_in_thirty_lines(tmp_path: Path) -> None:
    if find_program("runc") is None:
        pytest.skip("needs runc")
    source = block("python", "class YoukiRuntime")
    project = tomllib.loads(block("toml", "[project]"))["project"]
    assert len(source.splitlines()) + len(block("toml", "[project]").splitlines()) <= 31
    space: dict[str, Any] = {"__name__": "acme"}
    exec(source.replace('"youki"\n', '"runc"\n'), space)
    slot = seat(RUNTIME, "youki", space["YoukiRuntime"](make_context("youki", tmp_path)), Border("runtime", KeptLog()))
    assert slot.info().name == "youki"
    assert slot.hook.runtime_facts().version
    assert list(project["entry-points"]) == [RUNTIME.entry_points]


def test_the_clauses_that_it_names_exist() -> None:
    named = set(re.findall(r"\bR-\d\d\b", PAGE))
    assert named <= clauses_in(RuntimeConformance)
