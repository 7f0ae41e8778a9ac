"""The memo of compiled code: it serves what has not changed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonata import codememo
from sonata.cli.options import root

SCRIPT = """
import sys
from sonata import codememo
sys.path.append({site!r})
codememo._path = lambda here: {memo!r}
sys.argv = ["sonata", "--root", "/x", "run", "--rm"]
codememo.install("")
finder = sys.meta_path[2]
early = "first.second" in sys.modules
import first.second
print(first.second.VALUE, "first.second" in finder.missed, type(first.second.__loader__).__name__)
codememo.keep()
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site" / "first"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "second.py").write_text("VALUE = 1\n")
    return tmp_path / "site"


def run(site: Path, text: str = SCRIPT) -> list[str]:
    memo = f"{site.parent}/cache/code/memo"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    script = text.format(site=str(site), memo=memo)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ)
    return done.stdout.split()


def memo_of(site: Path) -> Path:
    return site.parent / "cache/code/memo"


def test_the_second_start_is_served_from_the_memo(site: Path) -> None:
    assert run(site) == ["1", "True", "SourceFileLoader"]
    assert memo_of(site).stat().st_mode & 0o777 == 0o600
    assert memo_of(site).parent.stat().st_mode & 0o777 == 0o700
    assert run(site) == ["1", "False", "_Loader"]


def test_the_third_start_runs_what_the_second_imported_at_once(site: Path) -> None:
    (site / "first/second.py").write_text("import sys\nfrom first import third\nVALUE = third.VALUE\n")
    (site / "first/third.py").write_text("import sys\nVALUE = 'early' if not sys._getframe(1).f_back else 'late'\n")
    shown = (
        SCRIPT
        + "print(early, *finder.orders.get('run', ['forgotten']), first.second.__spec__.parent, first.third.__file__)"
    )
    run(site)
    run(site)
    order = ["first", "first.third", "first.second"]
    found = run(site, shown)
    assert found[3:] == ["True", *order, "first", f"{site}/first/third.py"]
    (site / "first/third.py").write_text("VALUE = 'other'\n")
    # A module changed: what its commands import may have changed as well, and is noted anew by the next start.
    assert run(site, shown)[:5] == ["other", "False", "_Loader", "False", "forgotten"]
    assert run(site, shown)[3:7] == ["False", *order]
    assert run(site, shown)[3] == "True"


def test_a_package_that_imports_its_own_modules_does_not_end_the_order(site: Path) -> None:
    (site / "first/__init__.py").write_text("from first import inner\n")
    (site / "first/inner.py").write_text("")
    run(site)
    run(site)
    found = run(site, SCRIPT + "print(early, *finder.orders.get('run', ['forgotten']))")
    assert found[3:] == ["True", "first.inner", "first", "first.second"]


def test_a_failed_command_tells_nothing_of_its_kind(site: Path) -> None:
    failing = SCRIPT.replace("keep()", "keep(1)") + "print(*finder.orders)"
    run(site)
    run(site, failing)
    assert run(site, failing)[3:] == []
    assert run(site, SCRIPT + "print(*finder.orders)")[3:] == ["run"]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["run", "--rm", "x"], "run"),
        (["--root", "/a", "--log-level=debug", "ps", "-a"], "ps"),
        (["container", "cleanup", "--rm"], "container cleanup"),
        (["--root", "/a", "--storage-driver", "overlay", "inspect", "x"], "inspect"),
        (["--syslog", "--storage-driver=overlay", "stop", "x"], "stop"),
        (["pod", "--help"], "pod"),
        (["images"], "images"),
        (["--version"], ""),
        ([], ""),
    ],
)
def test_what_tells_commands_apart(words: list[str], command: str) -> None:
    assert codememo._command(["sonata", *words]) == command


def test_global_options_without_a_value_are_those_of_the_table() -> None:
    rows = [row for row in root.LEADING + root.PERSISTENT if row[2] == "bool"]
    names = {"-h", *(f"--{row[0]}" for row in rows), *(f"-{row[1] or row[4]}" for row in rows)} - {"-"}
    assert names == set(codememo._FLAGS)


def test_a_changed_module_is_not_served(site: Path) -> None:
    run(site)
    source = site / "first/second.py"
    before = source.stat()
    source.write_text("VALUE = 2\n")
    # The same size and the same second: Python's own compiled file would be taken for fresh.
    (site / "first/__pycache__").joinpath(f"second.{sys.implementation.cache_tag}.pyc").unlink()
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 1000))
    assert run(site) == ["2", "True", "SourceFileLoader"]
    assert run(site) == ["2", "False", "_Loader"]


def test_a_module_that_is_gone_is_not_served(site: Path) -> None:
    run(site)
    (site / "first/second.py").unlink()
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(site)
    assert "No module named 'first.second'" in failed.value.stderr


@pytest.mark.parametrize("spoil", ["open folder", "writable", "short", "garbage", "link"])
def test_a_memo_that_is_not_to_be_believed_is_not_used(site: Path, spoil: str) -> None:
    run(site)
    memo = memo_of(site)
    if spoil == "open folder":
        memo.parent.chmod(0o755)
    elif spoil == "writable":
        memo.chmod(0o666)
    elif spoil == "short":
        memo.write_bytes(memo.read_bytes()[: len(codememo.MAGIC) + 20])
    elif spoil == "garbage":
        memo.write_bytes(b"garbage" * 100)
    else:
        memo.rename(memo.with_name("other"))
        memo.symlink_to("other")
    assert run(site) == ["1", "True", "SourceFileLoader"]


def test_code_that_cannot_be_read_is_taken_from_the_source(site: Path) -> None:
    run(site)
    memo = memo_of(site)
    raw = memo.read_bytes()
    head = len(codememo.MAGIC) + 8
    start = head + int.from_bytes(raw[head - 8 : head], "little")
    memo.write_bytes(raw[:start] + b"?" * (len(raw) - start))
    assert run(site) == ["1", "False", "_Loader"]
