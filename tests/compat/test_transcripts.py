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
    "inspect m --format '{{json .Mounts}}'": "the order of Podman's mounts is a map's, and the paths are the store's",
    "ps -a --format '{{.Mounts}}'": "the order of Podman's mounts is a map's",
    "inspect l --format '{{json .HostConfig.Ulimits}}'": "the recording host's containers.conf had default ulimits",
    "create --network none --name q -p 18081:80 localhost/box:1": "Sonata says it as a warning",
    "create --hostname 'bad host' --name h localhost/box:1": "Podman's container would not start",
    "create --cpus -1 localhost/box:1": "Podman's container would not start",
    "create --oom-score-adj 5000 --name o localhost/box:1": "Podman's container would not start",
    "create --platform nonsense --pull never localhost/box:1": "Sonata takes the image that is there",
    "create --init --init-path /nosuch localhost/box:1": "the words after `not found on the host` differ",
    "inspect --type nosuch c1": "pods and artifacts are to come",
    "top c1": "Sonata's refusals of a wrong state all end alike",
    "attach s": "Sonata's refusals of a wrong state all end alike",
    "exec -w /nosuch s ls": "the words are crun's, and change with its version",
    "exec -u nosuch s id": "Sonata ends with 125 wherever a user is unknown",
    "exec --detach-keys 'ctrl-]]' s true": "Sonata ends with 125 for a bad option",
    "attach c1": "Sonata's refusals of a wrong state all end alike",
    "rename c2 'bad name'": "Sonata says the same of a name wherever it is given",
    "run --rm --network none localhost/box:1 /etc": "the words are crun's, and change with its version",
    "exec r1 /etc": "the words are crun's, and change with its version",
    "run -d --network none --name r1 localhost/box:1 sleep 1000": "Sonata tells of --replace in a hint",
    "top r1 nosuch": "Sonata knows the descriptors itself and does not run ps(1) in the container",
}
"""Commands that end otherwise than Podman's, and why."""


MOUNTS = "inspect m --format '{{json .HostConfig.Binds}}'"


def same(ours, theirs):
    """Equal, but for the order of binds, which is a map's in Podman, and for paths that Sonata has cleaned."""
    command = ours.split("\n", 1)[0][2:]
    if command == MOUNTS:
        return sorted(ours.replace("/x/../y", "/y").split('"')) == sorted(theirs.replace("/x/../y", "/y").split('"'))
    return ours == theirs or command in EXPLAINED


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
        if not same(ours, their):
            different.append(f"--- Podman\n{their}\n--- Sonata\n{ours}\n")
    assert not different, "\n".join(different)
