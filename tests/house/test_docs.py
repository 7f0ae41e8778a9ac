"""Pages name files that exist, and decisions are numbered once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "STYLE.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
]


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:\./)?(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:md|py|toml))`", text)
    places = (ROOT, ROOT / "sonata/src/sonata", ROOT / "sonata_core/src", ROOT / "tests/house", ROOT / "sonata/tests")
    made_later = {
        "dist/",
        "src/",
        "tests/",
        "changes/NUMBER.TOPIC.md",
        "plan/",
        "pyproject.toml",
        "__init__.py",
        ".venv/bin/sonata",
        ".cache/long",
        "acme_net_example/plugin.py",
    }
    files = [name for name in named if not re.match(r"[A-Z]+/|\w+/\d", name)]  # what stands for a word; a contract
    missing = [name for name in files if name not in made_later and not any((at / name).exists() for at in places)]
    assert not missing


@pytest.mark.docs
def test_the_first_page_leads_to_every_other():
    text = (ROOT / "README.md").read_text()
    lost = [page for page in PAGES[1:] if f"`{page}`" not in text]
    assert not lost


@pytest.mark.docs
def test_modules_that_the_architecture_names_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    walk = text[text.index("step by step") : text.index("## Who may import")]
    missing = []
    for name in re.findall(r"`((?:cli|engine|plan|state|store|monitor)(?:\.\w+)+)`", walk):
        parts = name.split(".")
        found = any(
            (ROOT / "sonata/src/sonata" / "/".join(parts[:end])).with_suffix(".py").exists() for end in (2, 3, 4)
        )
        if not found:
            missing.append(name)
    assert not missing


@pytest.mark.docs
def test_rules_name_tests_that_exist():
    text = (ROOT / "STYLE.md").read_text()
    tests = {path.stem for place in (ROOT / "tests", ROOT / "sonata/tests") for path in place.rglob("test_*.py")}
    named = set(re.findall(r"\btest_\w+", text))
    assert named
    assert named <= tests, named - tests


@pytest.mark.docs
def test_decisions_are_numbered_once_and_say_why():
    pages = sorted((ROOT / "docs/adr").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(numbers) == len(set(numbers))
    for page in pages:
        text = page.read_text()
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        assert "## Context" in text, page.name


@pytest.mark.docs
def test_change_notes_have_a_number_and_a_topic():
    for page in (ROOT / "changes").iterdir():
        assert re.fullmatch(r"\d{4}[\w-]*\.[a-z-]+\.md", page.name), page.name
        assert page.read_text().strip()
