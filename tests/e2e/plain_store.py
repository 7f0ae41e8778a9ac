"""The real program on a store of its own, with a busybox image: what tests of single commands need."""

from __future__ import annotations

import subprocess
from copy import copy
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from both_ways import Root

_SPEC = spec_from_file_location("transcripts", Path(__file__).parents[1] / "compat/transcripts.py")
assert _SPEC is not None
assert _SPEC.loader is not None
transcripts = module_from_spec(_SPEC)
_SPEC.loader.exec_module(transcripts)

IMAGE = "localhost/box:1"


class PlainStore:
    """`store("run", …)` runs the program; `store.out(…)` insists that it goes well, and gives what it printed."""

    def __init__(self, base: Path, driver: str = "overlay", who: Root | None = None) -> None:
        self.who = who or Root()
        self.base = base = self.who.folder(base)
        self.options = ["--root", f"{base}/root", "--runroot", f"{base}/run", "--storage-driver", driver]
        transcripts.make_archive(base / "box.tar")
        self.out("load", "-q", "-i", f"{base}/box.tar")

    @property
    def program(self) -> list[str]:
        """The words before a command's, for who starts one himself."""
        self.who.adopt(self.base, but=("root", "run"))
        return self.who.argv(self.options)

    def program_with(self, **environ: str) -> list[str]:
        """The same words, with variables."""
        self.who.adopt(self.base, but=("root", "run"))
        return self.who.argv(self.options, **environ)

    def __call__(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*self.program, *words], input=stdin, capture_output=True, timeout=120, check=False)

    def at(self, base: Path) -> PlainStore:
        """The same for a store in another place, with which nothing is done."""
        made = copy(self)
        made.base = base
        made.options = [word.replace(str(self.base), str(base)) for word in self.options]
        return made

    def raw(self, *words: str, stdin: bytes = b"") -> bytes:
        """What a command that must go well writes."""
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.returncode, done.stderr.decode())
        return done.stdout

    def out(self, *words: str, stdin: bytes = b"") -> str:
        """The same as text, without the last line's end."""
        return self.raw(*words, stdin=stdin).decode().rstrip("\n")

    def mounting(self, *words: str) -> str:
        """What a command that mounts prints; it must go well."""
        done = self._mounting(*words)
        assert done.returncode == 0, (words, done.returncode, done.stderr)
        return done.stdout.rstrip("\n")

    def mounting_refused(self, *words: str) -> str:
        """What such a command says that must fail."""
        done = self._mounting(*words)
        assert done.returncode > 0, (words, done.returncode)
        return done.stderr.strip()

    def _mounting(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = self.who.mounting([*self.options, *words])
        return subprocess.run(argv, capture_output=True, text=True, check=False)

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
