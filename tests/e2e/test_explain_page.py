"""docs/explain.md: its commands run, and print what the page says."""

import os
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "sonata/tests"))
from live_world import LiveWorld

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explain.md"
TOUR = "/var/tmp/tour"
CONF = "[containers]\n# fewer than usual\npids_limit = 99\n"


def examples(folder):
    """Commands of the page, each with the lines that it is to print, in a folder of this test's own."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.replace(TOUR, folder).splitlines():
            if line.startswith("$ sonata "):
                found.append((shlex.split(line)[2:], []))
            else:
                found[-1][1].append(line)
    return found


def pattern(lines):
    """`…` is anything within a line, a line of `...` any lines."""
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(line).replace("…", ".*") + r"\n" for line in lines]
    return re.compile("".join(parts))


def test_patterns_can_fail():
    assert pattern(["a…c", "...", "z"]).fullmatch("abc\nd\ne\nz\n")
    assert not pattern(["a…c", "z"]).fullmatch("abc\nd\nz\n")
    assert not pattern(["a.c"]).fullmatch("abc\n")


@pytest.mark.docs
@pytest.mark.needs_root
def test_commands_print_what_the_page_says(tmp_path):
    world = LiveWorld(str(tmp_path))
    Path(world.base, "containers.conf").write_text(CONF)
    with tarfile.open(f"{world.base}/rootfs.tar", "w") as tar:
        tar.add(world.rootfs, arcname=".")
    changes = ("--change", "ENV LANGUAGE=en", "--change", 'CMD ["sleep", "1000"]')
    world.ok("import", *changes, f"{world.base}/rootfs.tar", "localhost/web:1")
    env = {**os.environ, "CONTAINERS_CONF": f"{world.base}/containers.conf"}
    commands = examples(world.base)
    assert len(commands) >= 7
    try:
        for words, lines in commands:
            done = subprocess.run(world.argv(*words), capture_output=True, text=True, check=False, env=env)
            assert done.returncode == 0, (words, done.stderr)
            assert pattern(lines).fullmatch(done.stdout), (words, done.stdout)
    finally:
        world.end()
