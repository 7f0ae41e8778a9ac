"""Sessions that were recorded from Podman 5.8.6, played with Sonata: every difference is named here with its reason."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_SPEC = spec_from_file_location("transcripts", Path(__file__).with_name("transcripts.py"))
transcripts = module_from_spec(_SPEC)
_SPEC.loader.exec_module(transcripts)

EXPLAINED: dict[str, str] = {
    "network create --subnet nonsense n2": "Sonata's error names the subnet as well",
    "volume create 'bad name'": "Sonata's error names the volume as well",
    "tag localhost/box:1 'BAD NAME'": "Podman says the same thing twice",
    "create --name c localhost/box:1": "the words after `initializing source` are the platform's",
    "inspect --type nosuch c1": "pods and artifacts are to come",
    "top c1": "Sonata's refusals of a wrong state all end alike",
    "attach c1": "Sonata's refusals of a wrong state all end alike",
    "rename c2 'bad name'": "Sonata says the same of a name wherever it is given",
    "run --rm --network none localhost/box:1 /etc": "the words are crun's, and change with its version",
    "exec r1 /etc": "the words are crun's, and change with its version",
    "run -d --network none --name r1 localhost/box:1 sleep 1000": "Sonata tells of --replace in a hint",
    "top r1 nosuch": "Sonata knows the descriptors itself and does not run ps(1) in the container",
}
"""Commands that end otherwise than Podman's, and why."""


def recorded(session):
    text = (Path(__file__).parent / "cli" / f"{session}.txt").read_text()
    parts = text.split("\n$ ")
    entries = [parts[0], *(f"$ {part}" for part in parts[1:])]
    return {one.split("\n", 1)[0][2:]: one.rstrip("\n") for one in entries}, [one.rstrip("\n") for one in entries]


@pytest.mark.needs_root
@pytest.mark.parametrize("session", sorted(transcripts.SESSIONS))
def test_session_reads_as_podmans(session, tmp_path):
    program = [sys.executable, "-m", "sonata", "--root", f"{tmp_path}/root", "--runroot", f"{tmp_path}/run"]
    transcripts.make_archive(tmp_path / "box.tar")
    subprocess.run([*program, "load", "-q", "-i", f"{tmp_path}/box.tar"], check=True, capture_output=True)
    try:
        played = [one.rstrip("\n") for one in transcripts.play(program, session)]
    finally:
        subprocess.run([*program, "rm", "-fa", "-t0"], check=False, capture_output=True)
    _, theirs = recorded(session)
    assert [one.split("\n", 1)[0] for one in played] == [one.split("\n", 1)[0] for one in theirs]
    different = []
    for ours, their in zip(played, theirs, strict=True):
        command = ours.split("\n", 1)[0][2:]
        if ours != their and command not in EXPLAINED:
            different.append(f"--- Podman\n{their}\n--- Sonata\n{ours}\n")
    assert not different, "\n".join(different)
