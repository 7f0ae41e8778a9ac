"""What house tests look at: the workspace's own source files."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def sources() -> tuple[Path, ...]:
    """Python files of all distributions, without their tests."""
    folders = [*ROOT.glob("sonata*/src"), *ROOT.glob("plugins/*/src")]
    return tuple(sorted(path for folder in folders for path in folder.rglob("*.py")))


@functools.cache
def checks() -> tuple[Path, ...]:
    """Python files of tests and tools."""
    folders = [*ROOT.glob("sonata*/tests"), *ROOT.glob("plugins/*/tests"), ROOT / "tests", ROOT / "tools"]
    return tuple(sorted(path for folder in folders for path in folder.rglob("*.py")))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(), str(path))


@functools.cache
def nodes(path: Path, *kinds: type[ast.AST]) -> tuple[ast.AST, ...]:
    """All nodes of a file's syntax tree, or those of these kinds."""
    if kinds:
        return tuple(node for node in nodes(path) if isinstance(node, kinds))
    return tuple(ast.walk(parsed(path)))


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file that belongs to the repository."""
    argv = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(argv, capture_output=True, check=False, text=True)
    if done.returncode:  # an unpacked archive has no history: everything that is no product belongs
        skipped = {".git", ".cache", "dist", "build"}
        found = [path for path in ROOT.rglob("*") if not skipped & set(path.relative_to(ROOT).parts)]
        return tuple(
            path for path in found if path.is_file() and ".venv" not in str(path) and "_cache" not in str(path)
        )
    return tuple(ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def short(path: Path) -> str:
    """A path as messages show it."""
    return str(path.relative_to(ROOT))
