"""No module leads back to itself by way of others, by imports in functions or for types neither."""

import configparser
import graphlib
import sys
from pathlib import Path

import grimp
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sources import ROOT


def test_no_module_leads_back_to_itself() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    graph = grimp.build_graph(*rules["importlinter"]["root_packages"].split(), cache_dir=None)
    order = graphlib.TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail("each of these imports the next: " + " → ".join(reversed(error.args[1])))
