"""The real program on a store of its own, with a busybox image: what tests of single commands need."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_SPEC = spec_from_file_location("transcripts", Path(__file__).parents[1] / "compat/transcripts.py")
assert _SPEC is not None
assert _SPEC.loader is not None
transcripts = module_from_spec(_SPEC)
_SPEC.loader.exec_module(transcripts)

IMAGE = "localhost/box:1"


class PlainStore:
    """`store("run", …)` runs the program; `store.out(…)` insists that it goes well, and gives what it printed."""

    def __init__(self, base: Path, driver: str = "overlay") -> None:
        self.base = base
        self.program = [sys.executable, "-m", "sonata", "--root", f"{base}/root", "--runroot", f"{base}/run"]
        self.program += ["--storage-driver", driver]
        transcripts.make_archive(base / "box.tar")
        self.out("load", "-q", "-i", f"{base}/box.tar")

    def __call__(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self.program, *words], input=stdin, capture_output=True, timeout=120, check=False)

    def raw(self, *words: str, stdin: bytes = b"") -> bytes:
        """What a command that must go well writes."""
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.returncode, done.stderr.decode())
        return done.stdout

    def out(self, *words: str, stdin: bytes = b"") -> str:
        """The same as text, without the last line's end."""
        return self.raw(*words, stdin=stdin).decode().rstrip("\n")

    def refused(self, *words: str) -> str:
        """What a command that must fail says."""
        done = self(*words)
        assert done.returncode > 0, (words, done.returncode)
        return done.stderr.decode().strip()

    def sleeper(self, name: str, *options: str) -> str:
        """A running container without a network; its id."""
        return self.out("run", "-d", "--network", "none", "--name", name, *options, IMAGE, "sleep", "1000")

    def close(self) -> None:
        """Take all containers away."""
        self("rm", "-fa", "-t0")
