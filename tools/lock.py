"""Pin what the workspace needs: `requirements/*.in` become `requirements/*.txt`.

Each pin carries the hashes of every file that the package index offers for that version, so that the
same file serves machines of every kind; no address is written down, so that everybody's own index serves.
Run it where an index can be reached: `python3 tools/lock.py [--upgrade]`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("run", "build", "dev")
HEAD = "# Made by tools/lock.py from {name}.in; do not edit.\n"
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
)


def main(words: list[str]) -> int:
    """Make all lock files anew. Pins that still fit stay, unless `--upgrade` is given."""
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder], check=True)
        subprocess.run(["pip", "--python", python, "install", "-q", "pip-tools", "pip"], check=True)
        for name in NAMES:
            target = ROOT / f"requirements/{name}.txt"
            argv = [python, "-m", "piptools", "compile", *OPTIONS, *words, "-o", target.name, f"{name}.in"]
            subprocess.run(argv, check=True, cwd=target.parent)
            target.write_text(HEAD.format(name=name) + target.read_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
