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


def ask(script: str, folder: Path, timeout: float = 420) -> Answers:
    """Boot a guest that has an image in /image.tar; the script says `@ NAME`, a command's output, `= CODE`."""
    missing = [name for name in ("qemu-system-x86_64", "cpio", "mke2fs") if not shutil.which(name, path=_PATH)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install qemu-system-x86 cpio e2fsprogs")
    import guest

    image = folder / "image.tar"
    tool = Path(guest.__file__).with_name("make_image.py")
    subprocess.run([sys.executable, str(tool), str(image), "localhost/web:guest"], check=True)
    shutil.copy(image, guest.root_tree() / "image.tar")
    _, told = guest.run(script, timeout=timeout)
    found: Answers = {}
    for part in told.split("@ ")[1:]:
        name, _, rest = part.partition("\n")
        text, _, code = rest.rpartition("= ")
        found[name] = (int(code.split()[0]), text)
    return found
