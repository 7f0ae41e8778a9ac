"""The contract as it is written down is the contract as it is: a change to a hook or model is seen in review."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gencontract", ROOT / "tools/gencontract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_golden_files_are_what_the_hookspecs_say() -> None:
    wanted = generator().texts()
    folder = ROOT / "docs/contract/golden"
    assert {path.name for path in folder.iterdir()} == set(wanted)
    for name, text in wanted.items():
        assert (folder / name).read_text() == text, f"{name}: run tools/gencontract.py, and look at what changed"
