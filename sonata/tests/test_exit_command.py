"""conmon's exit command waits for whoever attends to the container, and then mostly has nothing to do."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import sonata

LAUNCH = str(Path(next(iter(sonata.__path__))) / "launch.py")


def start(path: str, *more: str) -> subprocess.Popen[bytes]:
    words = ["container", "cleanup", "--stopped-only", f"--unless-gone={path}", *more]
    return subprocess.Popen([sys.executable, "-I", "-S", LAUNCH, *words], stdout=-1, stderr=-1)


def test_nothing_is_done_where_the_container_is_gone(tmp_path: Path) -> None:
    # `--no-such-option` would be refused if the command line were looked at.
    with start(f"{tmp_path}/gone/", "--no-such-option") as found:
        assert found.communicate(timeout=20) == (b"", b"")
    assert found.returncode == 0


def test_the_command_goes_on_where_the_container_is_there(tmp_path: Path) -> None:
    with start(f"{tmp_path}/", "--no-such-option") as found:
        assert b"unknown flag: --no-such-option" in found.communicate(timeout=20)[1]
    assert found.returncode == 125


def test_it_waits_for_whoever_attends_to_the_container(tmp_path: Path) -> None:
    folder = tmp_path / "userdata"
    folder.mkdir()
    (folder / "pidfile").write_text("1")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    with start(f"{folder}/pidfile", "--no-such-option") as found:
        try:
            found.wait(0.3)
            raise AssertionError("it did not wait")
        except subprocess.TimeoutExpired:
            (folder / "pidfile").unlink()
        os.close(handle)
        assert found.communicate(timeout=20) == (b"", b"")
    assert found.returncode == 0
