"""Sessions that were recorded from Podman 5.8.6, played with Sonata: every difference is named here with its reason."""

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


def beside(name):
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transcripts = beside("transcripts")
EXPLAINED = beside("explained").EXPLAINED

MOUNTS = "inspect m --format '{{json .HostConfig.Binds}}'"


def same(ours, theirs):
    """Equal, but for the order of binds, which is a map's in Podman, and for paths that Sonata has cleaned."""
    command = ours.split("\n", 1)[0][2:]
    if command == MOUNTS:
        return sorted(ours.replace("/x/../y", "/y").split('"')) == sorted(theirs.replace("/x/../y", "/y").split('"'))
    reason = EXPLAINED.get(command, "")
    if reason.startswith("order"):
        return sorted(re.split(r"[\s,]|(?<=\[)|(?=\])", ours)) == sorted(re.split(r"[\s,]|(?<=\[)|(?=\])", theirs))
    return ours == theirs or bool(reason)


def recorded(session):
    text = (Path(__file__).parent / "cli" / f"{session}.txt").read_text()
    parts = text.split("\n$ ")
    entries = [parts[0], *(f"$ {part}" for part in parts[1:])]
    return {one.split("\n", 1)[0][2:]: one.rstrip("\n") for one in entries}, [one.rstrip("\n") for one in entries]


@pytest.mark.needs_root
@pytest.mark.parametrize("session", sorted(transcripts.SESSIONS))
def test_session_reads_as_podmans(session, tmp_path):
    program = [sys.executable, "-m", "sonata", "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run"]
    transcripts.prepare(program, session, tmp_path)
    try:
        played = [one.rstrip("\n") for one in transcripts.play(program, session, tmp_path)]
    finally:
        subprocess.run([*program, "rm", "-fa", "-t0"], check=False, capture_output=True)
    _, theirs = recorded(session)
    assert [one.split("\n", 1)[0] for one in played] == [one.split("\n", 1)[0] for one in theirs]
    different = []
    for ours, their in zip(played, theirs, strict=True):
        if not same(ours, their):
            different.append(f"--- Podman\n{their}\n--- Sonata\n{ours}\n")
    assert not different, "\n".join(different)


def test_what_is_explained_is_played():
    lines = {line for text in transcripts.SESSIONS.values() for line in text.splitlines()}
    assert set(EXPLAINED) <= lines, sorted(set(EXPLAINED) - lines)
