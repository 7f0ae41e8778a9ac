"""Odd surroundings: folders that are gone, masks, closed outputs, many words, strange names, full disks."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import IMAGE, Unchanged, World, bare, own_network, sample, wait_for, world

__all__ = ["bare", "own_network", "world"]
pytestmark = pytest.mark.needs_root

WALK = [("run", "--rm", IMAGE, "echo", "hi"), ("run", "-d", "--name", "x", "-p", "18110:80", IMAGE, "sleep", "60"),
        ("exec", "x", "true"), ("ps",), ("logs", "x"), ("rm", "-f", "-t", "0", "x")]  # fmt: skip
"""A container's life in commands."""


@pytest.mark.rootful("the tests begin an ordinary user's commands in his home")
def test_a_working_directory_that_is_gone(world: World) -> None:
    place = world.base / "gone"
    with Unchanged(world):
        for words in (*WALK, ("images",), ("pull", "-q", "--policy=missing", IMAGE)):
            place.mkdir()
            code = "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"
            done = subprocess.run(
                [sys.executable, "-c", code, str(place), *world.argv(*words)],
                env=world.env, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode and words[0] == "pull":
                assert "unknown flag" in done.stderr
                continue
            assert (done.returncode, done.stderr) == (0, ""), (words, done)


@pytest.mark.parametrize("mask", [0o777, 0o077, 0o000])
def test_an_odd_umask(bare: World, mask: int) -> None:
    """Files are as if the mask were 022: what is others' business is readable, what is not is not."""
    bare.load()
    old = os.umask(mask)
    try:
        with Unchanged(bare):
            for words in WALK:
                bare.ok(*words)
            assert bare.ok("run", "--rm", "--network=none", IMAGE, "sh", "-c", "umask") == "0022"
            mode = bare.ok(
                "run", "--rm", "--network=none", "-v", "vol:/v", IMAGE, "stat", "-c", "%a", "/v", "/etc/hosts"
            )
            bare.ok("volume", "rm", "vol")
    finally:
        os.umask(old)
    assert mode.split() == ["755", "644"]
    for place in bare.root.rglob("*"):
        if not place.is_symlink() and "diff" not in place.parts and "merged" not in place.parts:
            assert not stat.S_IMODE(place.lstat().st_mode) & 0o002, place


@pytest.mark.parametrize("mask", [0o777, 0o077])
def test_a_first_command_under_an_odd_umask(bare: World, mask: int) -> None:
    old = os.umask(mask)
    try:
        bare.ok("images")
        bare.ok("volume", "create", "v")
        bare.ok("network", "create", "n")
    finally:
        os.umask(old)
    bare.load()
    bare.ok("run", "--rm", "-v", "v:/v", "--network=n", "--user=1000", IMAGE, "ls", "/v")


@pytest.mark.parametrize("place", sample(("/no/such", "", "relative", "/dev/null", "/proc", "with space\nand more"), 3))
def test_an_odd_tmpdir(world: World, place: str) -> None:
    with Unchanged(world):
        for words in WALK:
            world.ok(*words, env={"TMPDIR": place})
        archive = world.base / "out.tar"
        done = world.do("save", "-o", str(archive), IMAGE, env={"TMPDIR": place})
        assert done.code == 0 or (done.code == 125 and done.err.startswith("Error: ")), done


@pytest.mark.parametrize("home", ["", "/no/such", "/dev/null"])
def test_an_odd_home(world: World, home: str) -> None:
    with Unchanged(world):
        for words in WALK[:1]:
            # An ordinary user's runtime folder must be one; test_rootless_doctor has those that are not.
            runtime = {} if world.who.ordinary else {"XDG_RUNTIME_DIR": home}
            world.ok(*words, env={"HOME": home, **runtime})


@pytest.mark.parametrize("words", [("ps", "-a"), ("images",), ("inspect", IMAGE), ("--help",), ("version",), ("info",)])
def test_a_reader_that_is_gone(world: World, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    made = world.background(*words, stdout=writer)
    os.close(writer)
    _, err = made.communicate(timeout=20)
    assert made.returncode in (-signal.SIGPIPE, 141), err
    assert err == ""


@pytest.mark.parametrize("words", [("ps", "-a"), ("images",), ("run", "--rm", "--network=none", IMAGE, "echo", "hi")])
def test_outputs_that_are_closed(world: World, words: tuple[str, ...]) -> None:
    """Descriptors 0, 1 and 2 closed: nothing of ours is ever opened as one of them."""
    with Unchanged(world):
        script = 'exec "$@" <&- >&- 2>&-'
        done = subprocess.run(["sh", "-c", script, "sh", *world.argv(*words)], env=world.env, timeout=60, check=False)
        assert done.returncode in (0, 1, 125)


def test_a_reader_that_stops_in_the_middle(world: World) -> None:
    with Unchanged(world):
        made = world.background("run", "--rm", "--network=none", IMAGE, "yes", stdout=subprocess.PIPE)
        assert made.stdout is not None
        assert made.stdout.read(4) == "y\ny\n"
        made.stdout.close()
        made.stdout = None
        wait_for(lambda: made.poll() is not None or world.ok("ps", "-q") != "", 20)
        if made.poll() is None:
            made.kill()
        made.communicate(timeout=10)
        world.do("rm", "-a", "-f", "-t", "0")


def test_a_full_device_as_output(world: World) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        made = world.background("images", stdout=full)
        _, err = made.communicate(timeout=20)
    assert made.returncode == 125
    assert "no space left on device" in err.lower()


def test_a_huge_list_of_words(world: World) -> None:
    with Unchanged(world):
        many = ["word"] * 20_000
        assert world.ok("run", "--rm", "--network=none", IMAGE, "sh", "-c", "echo $#", "sh", *many) == "20000"
        one = "x" * 120_000
        assert (
            len(world.ok("run", "--rm", "--network=none", "-e", f"LONG={one}", IMAGE, "sh", "-c", "echo $LONG"))
            == 120_000
        )
        done = world.do(
            "run", "--rm", "--network=none", *(f"-eV{at}={one[:100_000]}" for at in range(19)), IMAGE, "true"
        )
        assert done.code in (0, 1, 125, 126, 127), done


def test_few_descriptors_and_processes(world: World) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    with Unchanged(world):
        done = world.do("run", "--rm", "--network=none", IMAGE, "true", preexec_fn=little)
        assert done.code in (0, 125, 126), done
        assert done.code == 0 or done.err.startswith("Error: ")


def test_variables_with_odd_contents(world: World) -> None:
    values = ["line one\nline two", "tab\there", "", "=", "a=b=c", "ünï", "\x1b[31mred", "'\"$(id)`"]
    with Unchanged(world):
        for value in values:
            got = world.do("run", "--rm", "--network=none", "-e", f"V={value}", IMAGE, "sh", "-c", 'printf "%s" "$V"')
            assert (got.code, got.out) == (0, value), got
        path = world.base / "env"
        path.write_bytes(b"A=1\r\nB=\xff\nexport C=3\n# none\n\nHOSTS\n")
        done = world.do("run", "--rm", "--network=none", "--env-file", str(path), IMAGE, "env")
        assert done.code in (0, 125), done


def test_no_variable_of_the_host_gets_in(world: World) -> None:
    odd = {"HOSTSECRET": "s3cret", "LD_PRELOAD": "", "PYTHONPATH": "/tmp", "CONTAINERS_X": "1"}
    with Unchanged(world):
        for name in ("one", "two"):
            world.ok(
                "run", "-d", "--name", name, "-e", f"ONLY_{name}=1", "--network=none", IMAGE, "sleep", "60", env=odd
            )
            for words in (("exec", name, "env"), ("exec", name, "cat", "/proc/1/environ")):
                said = world.ok(*words, env=odd)
                assert "s3cret" not in said
                assert f"ONLY_{name}" in said
                assert "PYTHON" not in said
        assert "ONLY_one" not in world.ok("exec", "two", "env")
        world.ok("rm", "-f", "-t", "0", "one", "two")


HOSTILE = [
    "../../etc",
    "a/b",
    "-x",
    ".",
    "..",
    "a b",
    "a\nb",
    "",
    "ü",
    "a" * 300,
    "%s",
    "{{.ID}}",
    "$(id)",
    "\x1b[2J",
    "x\u202ey",
]


@pytest.mark.parametrize("name", sample(HOSTILE, 5), ids=repr)
def test_a_hostile_name(world: World, name: str) -> None:
    with Unchanged(world):
        for words in (("create", f"--name={name}", IMAGE), ("volume", "create", "--", name),
                      ("network", "create", "--", name)):  # fmt: skip
            done = world.do(*words)
            if done.code == 0:
                assert name in ("", "a" * 300), done
                kind = ("rm",) if words[0] == "create" else (words[0], "rm")
                world.ok(*kind, done.id)
            else:
                assert done.code == 125, done
                assert done.err.startswith("Error: "), done
                assert "\x1b" not in done.err
        for words in (("inspect", "--", name), ("rm", "-f", "--", name), ("logs", "--", name), ("rmi", "--", name),
                      ("start", "--", name), ("volume", "rm", "--", name), ("network", "rm", "--", name),
                      ("exec", "--", name, "true"), ("stop", "--", name)):  # fmt: skip
            done = world.do(*words)
            assert done.code in (0, 1, 125), done
            assert done.code == 0 or done.err.startswith("Error: "), done


def test_configuration_files_that_are_broken(world: World) -> None:
    for text in ("[engine", "[engine]\nruntime = 5\n", "\0\0", "[engine]\n" + "a" * 100_000):
        (world.base / "containers.conf").write_text(text)
        done = world.fails(125, "containers.conf", "ps")
        assert "Traceback" not in done.err
    (world.base / "containers.conf").write_text("")
    (world.base / "registries.conf").write_text("[[registry")
    world.fails(125, "registries.conf", "pull", "x/y")


@pytest.mark.parametrize("damage", ["empty", "noise", "cut", "gone"])
def test_a_damaged_database(world: World, damage: str) -> None:
    world.ok("create", "--name", "x", IMAGE)
    path = next(world.root.glob("**/state.db"))
    connection = world.database()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for side in path.parent.glob("state.db-*"):
        side.unlink()
    good = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "noise": os.urandom(8192), "cut": good[: len(good) // 2]}[damage])
        world.who.give(str(path))
    for words in (("ps", "-a"), ("run", "--rm", "--network=none", IMAGE, "true"), ("inspect", "x")):
        done = world.do(*words)
        assert done.code in (0, 125), done
        assert done.code == 0 or "state.db" in done.err or "no such object" in done.err, done
    for side in path.parent.glob("state.db*"):
        side.unlink()
    path.write_bytes(good)
    world.who.give(str(path))
    world.ok("rm", "x")


BROKEN = [
    (name, text)
    for name in ("layers", "images", "containers")
    for text in ("", "{", "{}", '[{"id": 5}]', '[{"id": "../../x"}]')
]


@pytest.mark.parametrize(("name", "text"), sample(BROKEN, 5))
def test_damaged_records(world: World, name: str, text: str) -> None:
    world.ok("create", "--name", "x", IMAGE)
    path = next(world.root.glob(f"*-{name}/{name}.json"))
    good = path.read_bytes()
    path.write_text(text)
    for words in (("ps", "-a"), ("images",), ("create", IMAGE), ("rmi", IMAGE)):
        done = world.do(*words)
        assert done.code in (0, 1, 2, 125), done
        assert done.code == 0 or any(line.startswith("Error: ") for line in done.err.splitlines()), done
    path.write_bytes(good)


def test_folders_that_cannot_be_written(world: World, tmp_path: Path) -> None:
    for option in ("root", "runroot", "tmpdir"):
        for place in ("/proc/nothing", "/dev/null/x"):
            done = world.do(f"--{option}={place}", "ps")
            assert done.code in (0, 125), done
            done = world.do(f"--{option}={place}", "run", "--rm", "--network=none", "--pull=never", IMAGE, "true")
            assert done.code in (125, 126), done
            assert done.err.startswith("Error: "), done


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[World]:
    """A store on a file system of 24 MB, with the image in it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", disk], check=True)
    made = World(disk)
    try:
        made.load()
        yield made
    finally:
        made.clear()
        subprocess.run(["umount", disk], check=True)


KEPT = [("create", "--name=x", "--network=none", "-v", "/data", IMAGE, "sleep", "60")]
ON_A_FULL_DISK = [
    ([], KEPT[0]),
    ([], ("run", "--rm", "--name=x", "--network=none", "-v", "/data", IMAGE, "true")),
    (KEPT, ("start", "x")),
    (KEPT, ("export", "-o", "/dev/null", "x")),
    ([*KEPT, ("start", "x")], ("exec", "x", "true")),
    (KEPT, ("commit", "-q", "x", "localhost/made")),
    (KEPT, ("rename", "x", "y")),
    ([("volume", "create", "v")], ("volume", "rm", "v")),
]
LEFT = (0, 16384, 49152, 81920, 131072)


@pytest.mark.rootful("the store lies on a file system of its own, which root mounts")
@pytest.mark.parametrize(
    ("prepare", "words", "left"), sample([(*case, left) for case in ON_A_FULL_DISK for left in LEFT], 2)
)
def test_a_full_disk(small_disk: World, prepare: list[tuple[str, ...]], words: tuple[str, ...], left: int) -> None:
    """Done, or refused in a sentence; when there is room again nothing is left of it, and the same command does it."""
    fill = small_disk.base / "fill"
    with Unchanged(small_disk):
        for line in prepare:
            small_disk.ok(*line)
        with fill.open("wb") as file:
            free = os.statvfs(fill).f_bavail * os.statvfs(fill).f_frsize
            os.posix_fallocate(file.fileno(), 0, max(free - left, 1))
        done = small_disk.do(*words)
        fill.unlink()
        assert done.code == 0 or "space" in done.err or (done.code == 255 and words[0] == "exec"), done
        if done.code:
            small_disk.ok(*words)
        small_disk.ok("rm", "-f", "-v", "-i", "-t", "0", "x", "y")
        small_disk.ok("volume", "rm", "-f", "v")
        small_disk.do("rmi", "localhost/made")
        assert small_disk.ok("volume", "ls", "-q") == ""


@pytest.mark.rootful("a mount that only root can make keeps the store from being written")
def test_a_store_that_cannot_be_written_leaves_no_volume(world: World) -> None:
    layers = world.root / "overlay-layers"
    with Unchanged(world):
        subprocess.run(["mount", "--bind", "-o", "ro", layers, layers], check=True)
        try:
            world.fails(125, "ead-only file system", "create", "-v", "/data", IMAGE, "true")
        finally:
            subprocess.run(["umount", layers], check=True)
        assert world.ok("volume", "ls", "-q") == ""
        assert world.ok("ps", "-aq") == ""
