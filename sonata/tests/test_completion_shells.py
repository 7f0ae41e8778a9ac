"""Completion in the shells themselves: keys are typed at a real prompt; the words that the program then gets count."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='> '\nsource {script}\n"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D\nsource {script}\n"),
}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a program `sonata` that writes down what it is called with, and completes as the real one does."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/sonata"
    program.write_text(
        "#!/bin/sh\n"
        f'case $1 in __complete*|completion) exec {sys.executable} -m sonata "$@";; esac\n'
        f"""printf '%s\\n' "$@" >{tmp_path}/got.new; mv {tmp_path}/got.new {tmp_path}/got\n"""
    )
    program.chmod(0o755)
    return tmp_path


def script_of(world: Path, shell: str, *words: str) -> Path:
    script = world / f"_sonata.{shell}"
    subprocess.run([world / "bin/sonata", "completion", shell, "-f", script, *words], check=True)
    return script


def typed(world: Path, shell: str, keys: str) -> list[str]:
    """The arguments that the program gets when these keys are typed."""
    argv, setup = SETUP[shell]
    script = script_of(world, shell)
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.chdir(world)
        env = {"PATH": f"{world}/bin:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(world), "LANG": "C.UTF-8"}
        os.execvpe(argv[0], argv, env)
    try:
        os.write(terminal, (setup.format(script=script) + f"touch {world}/ready\n").encode())
        wait_for(world / "ready", terminal)
        os.write(terminal, f"{keys}\n".encode())
        wait_for(world / "got", terminal)
    finally:
        os.kill(pid, 9)
        os.close(terminal)
        os.waitpid(pid, 0)
    return (world / "got").read_text().splitlines()


def wait_for(path: Path, terminal: int, seconds: float = 30.0) -> None:
    shown = b""
    os.set_blocking(terminal, False)
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, shown.decode(errors="replace")
        try:
            shown += os.read(terminal, 65536)
        except BlockingIOError:
            time.sleep(0.02)


CASES = [
    ("sonata system res\t --fo\t", ["system", "reset", "--force"]),
    ("sonata volume ls --form\t x", ["volume", "ls", "--format", "x"]),
    ("sonata --log-level=deb\t info", ["--log-level=debug", "info"]),
]


@pytest.mark.parametrize("shell", sorted(SETUP))
@pytest.mark.parametrize(("keys", "wanted"), CASES)
def test_words_are_completed_at_the_prompt(world: Path, shell: str, keys: str, wanted: list[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    assert typed(world, shell, keys) == wanted


def test_names_with_a_colon_are_completed_in_bash(world: Path) -> None:
    (world / "bin/sonata").write_text(
        (world / "bin/sonata")
        .read_text()
        .replace("case $1", "case $1 in __complete) echo a/b:one; echo :4; exit;; esac; case $1")
    )
    assert typed(world, "bash", "sonata run a/b:o\t sh") == ["run", "a/b:one", "sh"]
    (world / "got").unlink()
    (world / "ready").unlink()
    assert typed(world, "bash", "sonata run a/\t sh") == ["run", "a/b:one", "sh"]


def test_files_where_nothing_better_is_known(world: Path) -> None:
    (world / "notes.txt").touch()
    assert typed(world, "bash", "sonata run --env-file not\t x") == ["run", "--env-file", "notes.txt", "x"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sonata system res", "reset\tReset Sonata's storage"),
        ("sonata system reset --fo", "--force\tDo not prompt for confirmation"),
        ("sonata completion ", "powershell"),
        ("sonata --log-level ", "debug"),
    ],
)
def test_fish_is_given_what_fits(world: Path, line: str, wanted: str) -> None:
    script = script_of(world, "fish")
    env = {"PATH": f"{world}/bin:{os.environ['PATH']}", "HOME": str(world), "LANG": "C.UTF-8"}
    argv = ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert wanted in done.stdout.splitlines()


def test_powershell_script_has_the_parts_that_powershell_wants(world: Path) -> None:
    text = script_of(world, "powershell").read_text()
    assert "Register-ArgumentCompleter -Native -CommandName 'sonata' -ScriptBlock {" in text
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
    assert "sonata __complete @Words" in text
    assert "sonata __completeNoDesc @Words" in script_of(world, "powershell", "--no-desc").read_text()


def test_without_descriptions_there_are_none(world: Path) -> None:
    done = subprocess.run(
        [world / "bin/sonata", "__completeNoDesc", "system", "res"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "reset\n:4\n"
