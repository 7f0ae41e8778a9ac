"""What a guest says to a script: by the names that the script gives its commands, exit code and text."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

Answers = dict[str, tuple[int, str]]
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def ask(script: str, folder: Path, timeout: float = 1800) -> Answers:
    """Boot a guest that has an image in /image.tar; the script says `@ NAME`, a command's output, `= CODE`."""
    require("qemu-system-x86_64", "cpio", "mke2fs")
    import guest

    shutil.copy(archive(folder), guest.root_tree() / "image.tar")
    return parsed(guest.run(script, timeout=timeout)[1])


def ask_systemd(scripts: list[str], folder: Path) -> list[Answers]:
    """The same of a guest that systemd runs, which boots once for each script."""
    require("qemu-system-x86_64", "cpio", "mke2fs", "/usr/lib/systemd/systemd", "dbus-daemon")
    import guest_systemd

    return [parsed(told) for _, told in guest_systemd.boots(scripts, {"/image.tar": archive(folder)})]


def require(*programs: str) -> None:
    """Skip the tests where one of these is not installed."""
    missing = [name for name in programs if not shutil.which(name, path=_PATH)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install qemu-system-x86 cpio e2fsprogs systemd dbus")


def archive(folder: Path) -> Path:
    """The guest's image, as an archive."""
    image = folder / "image.tar"
    tool = Path(__file__).parents[2] / "tools/make_image.py"
    subprocess.run([sys.executable, str(tool), str(image), "localhost/web:guest"], check=True)
    return image


def parsed(told: str) -> Answers:
    """What a script's commands said, by the names that it gave them."""
    found: Answers = {}
    for part in told.split("@ ")[1:]:
        name, _, rest = part.partition("\n")
        text, _, code = rest.rpartition("= ")
        found[name] = (int(code.split()[0]), text)
    return found
