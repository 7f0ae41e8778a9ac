"""The recorded sessions, played by the Podman that is installed and by Sonata, side by side.

An older Podman than the recorded one may end otherwise where the recorded one ends as Sonata does; nothing else
may differ that is not explained.
"""

import os
import re
import subprocess
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

_SPEC = spec_from_file_location("test_transcripts", Path(__file__).with_name("test_transcripts.py"))
recorded = module_from_spec(_SPEC)
_SPEC.loader.exec_module(recorded)
transcripts = recorded.transcripts

RECORDED = (5, 8)
CONF = """[containers]
default_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
default_subnet = "10.196.0.0/16"
"""
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_peer("podman"),
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SONATA_LONG"), reason="a part of ./check long"),
]


def version():
    said = subprocess.run(["podman", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def played(program, session, folder):
    """What the session says; in a folder with a short name, for Podman refuses long ones."""
    whole = [*program, "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp"]
    transcripts.prepare(whole, session, folder)
    try:
        return [one.rstrip("\n") for one in transcripts.play(whole, session, folder)]
    finally:
        subprocess.run([*whole, "rm", "-fa", "-t0"], check=False, capture_output=True)
        subprocess.run(["umount", f"{folder}/root/overlay"], check=False, capture_output=True)


@pytest.mark.parametrize("session", sorted(transcripts.SESSIONS))
def test_session_reads_as_the_installed_podmans(session, tmp_path, monkeypatch):
    (tmp_path / "containers.conf").write_text(CONF)
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        theirs = played(["podman"], session, Path(folder))
    monkeypatch.undo()
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        ours = played([sys.executable, "-m", "sonata"], session, Path(folder))
    before = recorded.recorded(session)[1]
    older = version() < RECORDED
    different, alike = [], 0
    for our, their, once in zip(ours, theirs, before, strict=True):
        alike += our == their
        if not recorded.same(our, their) and not (older and recorded.same(our, once)):
            different.append(f"--- Podman\n{their}\n--- Sonata\n{our}\n")
    assert not different, "\n".join(different)
    assert alike > len(ours) // 4, "hardly anything is as the installed Podman has it"
