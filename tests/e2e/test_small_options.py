"""Options of which each has one small effect: seen on real containers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root

READS = ("sh", "-c", "read line; echo got $line; read other; echo then $other")


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def test_attach_gives_its_input_unless_told_not_to(store: PlainStore) -> None:
    store.out("run", "-d", "-i", "--network", "none", "--name", "r", IMAGE, *READS)
    without = subprocess.Popen(
        [*store.program, "attach", "--no-stdin", "r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert without.stdin is not None
    without.stdin.write(b"never\n")
    without.stdin.flush()
    time.sleep(0.5)
    assert store.out("attach", "--latest", stdin=b"one\ntwo\n").endswith("then two")
    out, _ = without.communicate(timeout=20)
    assert out == b"got one\nthen two\n"


def test_start_gives_its_input(store: PlainStore) -> None:
    store.out("create", "-i", "--network", "none", "--name", "r", IMAGE, *READS)
    assert store.out("start", "-a", "--interactive", "r", stdin=b"one\ntwo\n") == "got one\nthen two"


def test_cp_gives_files_to_the_containers_user_unless_told_not_to(store: PlainStore, tmp_path: Path) -> None:
    store.out("run", "-d", "--network", "none", "--name", "c", "--user", "5:6", IMAGE, "sleep", "1000")
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o644)
    store.out("cp", str(tmp_path / "file"), "c:/tmp/a")
    store.out("cp", "--archive=false", str(tmp_path / "file"), "c:/tmp/b")
    said = store.out("exec", "c", "busybox", "stat", "-c", "%u:%g", "/tmp/a", "/tmp/b").splitlines()
    assert said == ["5:6", "0:0"]
    for option in ("--extract", "--pause"):  # Podman takes them, and says that they do nothing
        store.out("cp", option, str(tmp_path / "file"), "c:/tmp/a")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_stats_shows_whole_ids_and_top_its_columns(store: PlainStore) -> None:
    ident = store.sleeper("s")
    assert ident in store.out("stats", "--no-stream", "--no-trunc")
    assert ident not in store.out("stats", "--no-stream")
    descriptors = store.out("top", "--list-descriptors").split()
    assert {"pid", "user", "hpid", "seccomp", "capeff"} <= set(descriptors)
    assert store.out("top", "s", "pid", "args").splitlines()[1].split()[0] == "1"


def test_help_knows_every_command(store: PlainStore) -> None:
    assert "sonata container COMMAND" in store("container").stderr.decode()
    assert store.out("help", "container", "run").splitlines()[0] == store.out("run", "--help").splitlines()[0]
    for group in ("container", "volume", "secret", "system", "healthcheck", "image", "network", "manifest"):
        assert f"sonata {group} [command]" in store.out(group, "--help")


def test_import_names_the_system(store: PlainStore) -> None:
    store.out("create", "--network", "none", "--name", "c", IMAGE)
    store.out("import", "-q", "--os", "freebsd", "-", "localhost/other:1", stdin=store.raw("export", "c"))
    assert store.out("image", "inspect", "localhost/other:1", "--format", "{{.Os}}") == "freebsd"


def test_a_clones_block_weight_is_kept_or_refused(store: PlainStore) -> None:
    store.out("create", "--network", "none", "--name", "c", IMAGE)
    disks = [entry for entry in Path("/dev").iterdir() if entry.is_block_device()]
    if not disks:
        pytest.skip("needs a block device")
    words = ("--blkio-weight", "200", "--blkio-weight-device", f"{disks[0]}:300")
    done = store("container", "clone", *words, "c", "d")
    if done.returncode:
        assert b"does not support Block I/O weight" in done.stderr
        assert store("container", "exists", "d").returncode == 1
        return
    kept = store.out("inspect", "d", "--format", "{{.HostConfig.BlkioWeight}} {{len .HostConfig.BlkioWeightDevice}}")
    assert kept == "200 1"


def test_a_user_without_a_name_has_one_also_in_an_image_without_users(store: PlainStore) -> None:
    """The host's name for the number where it has one, as Podman has it; its own file nobody but root can read."""
    run = ("run", "--rm", "--network", "none")
    added = "4321:*:4321:0:container user:/:/bin/sh\n0:x:0:4321"
    for more in ((), ("--read-only",)):
        assert store.out(*run, *more, "--user", "4321", IMAGE, "cat", "/etc/passwd", "/etc/group") == added
    named = store.out(*run, "--user", "0:7", IMAGE, "cat", "/etc/passwd", "/etc/group")
    assert named == "root:*:0:7:root:/:/bin/sh\n7:x:7:0"
    assert store(*run, IMAGE, "test", "-e", "/etc/passwd").returncode == 1
    assert store(*run, "--user", "4321", "--passwd=false", IMAGE, "test", "-e", "/etc/passwd").returncode == 1
