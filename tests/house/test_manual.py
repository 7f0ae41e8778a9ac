"""The manual against the command line: pages are current, and each option has its paragraph, and the reverse."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from sonata.cli import root, table
from sonata.cli.pflag import extras

ROOT = Path(__file__).parents[2]
_SPEC = spec_from_file_location("gendocs", ROOT / "tools/gendocs.py")
gendocs = module_from_spec(_SPEC)
_SPEC.loader.exec_module(gendocs)


def test_pages_are_current():
    assert gendocs.stale() == [], "run tools/gendocs.py"


@pytest.mark.parametrize("path", sorted(table.TABLE))
def test_every_option_has_a_paragraph_and_the_reverse(path):
    text = (ROOT / f"docs/man/sonata-{path.replace(' ', '-')}.1.md").read_text()
    told = dict(re.findall(r"(?m)^(?:\*\*-\w\*\*, )?\*\*--([\w-]+)\*\*.*\n\n(.+)$", text))
    own = root.options_of(path) if table.TABLE[path][0] else ()
    assert set(told) == {row[0] for row in own if not extras(row).get("hidden")}
    assert all(len(paragraph) > 8 for paragraph in told.values())


def test_what_is_refused_is_said_to_be():
    text = (ROOT / "docs/man/sonata-run.1.md").read_text()
    told = "**--link-local-ip**=*string*\n\nLink-local addresses of the container. *Refused: "
    assert told in text
