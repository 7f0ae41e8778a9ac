"""A store with an image that has things at places of volumes, and what mounts look like from inside."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

from both_ways import Root
from plain_store import PlainStore

FULL = "localhost/full:1"
APPLETS = ("sh", "true", "cat", "ls", "sleep", "stat", "touch", "grep", "ln", "mkdir", "rm", "df", "readlink", "test")


def packed(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Entries as a tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """A header; a folder or program may be entered and run."""
    made = tarfile.TarInfo(name)
    made.type, made.mode = kind, 0o755
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def full_image() -> bytes:
    """A root with busybox, and /data of 7:8 and 0750 with a file of 5:6, a link and a folder."""
    program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
    folder = tarfile.DIRTYPE
    entries = [(entry(name, folder), b"") for name in ("bin", "etc", "tmp", "vol", "home")]
    entries += [
        (entry("data", folder, uid=7, gid=8, mode=0o750), b""),
        (entry("data/file", uid=5, gid=6, mode=0o640), b"hello\n"),
        (entry("data/link", tarfile.SYMTYPE, linkname="file"), b""),
        (entry("data/sub", folder), b""),
        (entry("data/sub/in"), b"in\n"),
        (entry("etc/passwd"), b"root:x:0:0:root:/:/bin/sh\n"),
        (entry("bin/busybox"), program),
        *((entry(f"bin/{name}", tarfile.SYMTYPE, linkname="busybox"), b"") for name in APPLETS),
    ]
    return packed(entries)


class VolumeWorld(PlainStore):
    """`world.inside(options, script)`: what a shell in a fresh container says."""

    def __init__(self, base: Path, driver: str = "overlay", who: Root | None = None) -> None:
        super().__init__(base, driver, who)
        self.out("import", "-c", "VOLUME /vol", "-", FULL, stdin=full_image())
        self.source = self.base / "source"
        (self.source / "sub").mkdir(parents=True)
        (self.source / "file").write_text("host\n")

    def inside(self, *words: str) -> str:
        """Run `sh -c` with the last word; the others are options."""
        return self.out("run", "--rm", "--network", "none", *words[:-1], FULL, "sh", "-c", words[-1])

    def mounted(self, place: str, *options: str) -> str:
        """The line of mountinfo for a place in a fresh container, from the place on."""
        return self.inside(*options, f"grep ' {place} ' /proc/self/mountinfo").split(" ", 4)[4]

    def run_refused(self, *words: str) -> tuple[int, str]:
        """How a run that must fail ends."""
        done = self("run", "--rm", "--network", "none", *words, FULL, "true")
        assert done.returncode > 0, words
        return done.returncode, done.stderr.decode().splitlines()[0]

    def close(self) -> None:
        super().close()
        for name in self.out("volume", "ls", "-q").split():
            self("volume", "rm", "-f", name)
