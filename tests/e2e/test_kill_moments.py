"""`kill -9` of the program at moments spread evenly over each command: what the next ones find, and what is left."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_host import LONG, Ended, PrivateHost, difference, host_needs, packed

pytestmark = host_needs()
MOMENTS = 50
MANY = 100
SAMPLE = 8
SEED = int(os.environ.get("SONATA_SEED", "2"))

RUNS = {
    "detached": ["run", "-d", "--name", "victim", "--network", "none"],
    "foreground": ["run", "--rm", "--name", "victim", "--network", "none"],
    "bridge": ["run", "-d", "--name", "victim", "-p", "18080:80"],
    "bridge foreground": ["run", "--rm", "--name", "victim", "-p", "18080:80"],
    "image": ["run", "-d", "--name", "victim", "--network", "none", "-v", "/data"],
}

# Names that no id can begin with: `rm` takes a prefix of an id, too.
PORT = ["-p", "18080:80", "--cgroup-parent", "GROUP"]
CREATE = ["create", "--name", "victim", "-v", "/data", *PORT, "IMAGE", "sleep", "1000"]
RM = ["rm", "-f", "-v", "-t", "0", "victim"]
PULL = ["pull", "-q", "--tls-verify=false", "BIG"]
RMI = ["rmi", "-f", "BIG"]
OF_IMAGES = ("rmi", "push", "load", "save", "commit")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    base = str(tmp_path_factory.mktemp("kill"))
    made = host_kind(base)
    os.chmod(base, 0o777)  # for what an ordinary user saves
    os.makedirs(f"{base}/image-big")
    for number, junk in enumerate((3_000_000, 5_000_000, 1_000_000), 1):
        Path(f"{base}/image-big/{number}.tar").write_bytes(packed("", junk))
    with made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("volume", "create", "kept")
        made.ok("create", "--name", "keeper", "-v", "kept:/data", made.image, "true")
        made.ok("run", "--rm", made.image, "true")  # what a first run on a network sets up for good
        big = f"{made.registry}/big:1"
        made.ok("pull", "-q", "--tls-verify=false", big)
        made.ok("save", "-q", "-o", f"{base}/big.tar", big)
        made.ok("rmi", big)
        yield made


def moments(many: int = MOMENTS) -> list[float]:
    """Parts of a command's time: all in the long check; otherwise a few, one from every stretch, chosen by a seed."""
    if LONG:
        return [number / many for number in range(1, many + 1)]
    dice = random.Random(SEED)
    return [(part + dice.random()) / SAMPLE for part in range(SAMPLE)]


def duration(host: PrivateHost, words: list[str], after: Callable[[], None], before: Callable[[], None]) -> float:
    """How long the command takes when nobody kills it: the median of three."""
    taken = []
    for _ in range(3):
        before()
        began = time.monotonic()
        host.ok(*words)
        taken.append(time.monotonic() - began)
        after()
    return statistics.median(taken)


def every_command_works(host: PrivateHost) -> None:
    for words in (("images",), ("network", "ls"), ("inspect", "keeper")) if LONG else (("images",),):
        host.ok(*words)
    assert host.ok("ps", "-a", "--filter", "name=^keeper$", "--format", "{{.Names}}") == "keeper"
    assert "kept" in host.ok("volume", "ls", "-q").split()
    host.ok("run", "--rm", "--name", "probe", "--network", "none", host.image, "true")


def repaired(host: PrivateHost, before: dict[str, list[str]], moment: object) -> None:
    """After `system check --repair` the world is as before; a second look finds nothing more to mend."""
    host("system", "check", "--repair")
    again = host("system", "check")
    assert again.code == 0, (moment, again)
    assert difference(before, host.world()) == {}, moment


@pytest.mark.parametrize("how", list(RUNS))
def test_run(host: PrivateHost, how: str) -> None:
    group = ["--cgroup-parent", host.group]
    ends = ["true"] if "foreground" in how else ["sleep", "1000"]
    words = [*RUNS[how], *group, host.image, *ends]

    def clear() -> None:
        host("rm", "-f", "-v", "-t", "0", "victim")

    whole = duration(host, words, clear, lambda: None)
    before = host.world()
    for moment in moments():
        killed = host.killed_after(whole * moment, *words)
        every_command_works(host)
        check_acknowledged(host, killed, moment)
        clear()
        host.ok(*words)  # name, address and port are free
        clear()
        repaired(host, before, moment)


def check_acknowledged(host: PrivateHost, killed: Ended, moment: float) -> None:
    """A container whose id was printed is there and runs."""
    if len(killed.out) == 64:
        status = host.ok("inspect", "--format", "{{.Id}} {{.State.Status}}", "victim")
        assert status == f"{killed.out} running", moment


def test_remove(host: PrivateHost) -> None:
    start = [
        "run",
        "-d",
        "--name",
        "victim",
        "-p",
        "18080:80",
        "--cgroup-parent",
        host.group,
        host.image,
        "sleep",
        "1000",
    ]
    words = ["rm", "-f", "-t", "0", "victim"]
    whole = duration(host, words, lambda: None, lambda: (host.ok(*start), None)[1])
    before = host.world()
    for moment in moments():
        host.ok(*start)
        killed = host.killed_after(whole * moment, *words)
        every_command_works(host)
        if killed.out == "victim":
            assert host("container", "exists", "victim").code == 1, moment
        if host("container", "exists", "victim").code == 0:
            host.ok(*words)
        repaired(host, before, moment)


OTHERS: dict[str, tuple[list[list[str]], list[str], list[list[str]]]] = {
    "create": ([], ["create", "--name", "victim", "-v", "/data", *PORT, "IMAGE", "true"], [RM]),
    "start": ([CREATE], ["start", "victim"], [RM]),
    "stop": ([CREATE, ["start", "victim"]], ["stop", "-t", "0", "victim"], [RM]),
    "restart": ([CREATE, ["start", "victim"]], ["restart", "-t", "0", "victim"], [RM]),
    "exec": ([CREATE, ["start", "victim"]], ["exec", "victim", "sleep", "0.1"], [RM]),
    "exec detached": ([CREATE, ["start", "victim"]], ["exec", "-d", "victim", "sleep", "1000"], [RM]),
    "rename": ([CREATE], ["rename", "victim", "renamed"], [RM, ["rm", "-f", "-v", "renamed"]]),
    "network create": ([], ["network", "create", "n"], [["network", "rm", "-f", "n"]]),
    "network rm": ([["network", "create", "n"]], ["network", "rm", "n"], [["network", "rm", "-f", "n"]]),
    "volume create": ([], ["volume", "create", "v"], [["volume", "rm", "-f", "v"]]),
    "volume rm": ([["volume", "create", "v"]], ["volume", "rm", "v"], [["volume", "rm", "-f", "v"]]),
    "tag": ([], ["tag", "IMAGE", "localhost/t:1"], [["untag", "IMAGE", "localhost/t:1"]]),
    "artifact add": ([], ["artifact", "add", "localhost/a", "FILE"], [["artifact", "rm", "-i", "localhost/a"]]),
    "artifact pull": ([], ["artifact", "pull", "-q", "--tls-verify=false", "BIG"], [["artifact", "rm", "-i", "BIG"]]),
    "artifact rm": ([["artifact", "add", "--replace", "localhost/a", "FILE"]], ["artifact", "rm", "localhost/a"], []),
    "rmi": ([PULL], ["rmi", "BIG"], [RMI]),
    "push": ([PULL], ["push", "-q", "--tls-verify=false", "BIG", "NEW"], [RMI]),
    "load": ([], ["load", "-q", "-i", "BIGTAR"], [RMI]),
    "save": ([PULL], ["save", "-q", "-o", "SAVED", "BIG"], [RMI]),
    "commit": ([CREATE], ["commit", "-q", "victim", "localhost/c:1"], [["rmi", "-f", "localhost/c:1"], RM]),
}
"""What comes before, the command that is killed, and what takes its effect away; the last may find nothing to do."""


@pytest.mark.parametrize("name", list(OTHERS))
def test_other_commands(host: PrivateHost, name: str) -> None:
    """The command does its work when it is given again, and nothing is left once that is taken away."""

    def words_of(line: list[str]) -> list[str]:
        known = {"IMAGE": host.image, "BIG": f"{host.registry}/big:1", "GROUP": host.group}
        known |= {"FILE": f"{host.base}/image-big/2.tar", "BIGTAR": f"{host.base}/big.tar"}
        # Each time another repository: what the registry has already is not sent again.
        known |= {"SAVED": f"{host.base}/saved.tar", "NEW": f"{host.registry}/new{len(tries)}:1"}
        return [known.get(word, word) for word in line]

    prepare, line, clear = OTHERS[name]
    tries: list[None] = []

    def ready() -> None:
        tries.append(None)
        for words in prepare:
            host.ok(*words_of(words))

    def away() -> None:
        for words in clear:
            host(*words_of(words))
        Path(host.base, "saved.tar").unlink(missing_ok=True)

    whole = duration(host, words_of(line), away, ready)
    before = host.world()
    many = moments(MANY if name in OF_IMAGES else MOMENTS)
    for moment in many if LONG else many[1::3] if name not in OF_IMAGES else many[2::4]:
        ready()
        words = words_of(line)
        killed = host.killed_after(whole * moment, *words)
        every_command_works(host)
        check_made(host, name, killed, moment)
        away()
        ready()
        host.ok(*words)
        away()
        repaired(host, before, moment)


def check_made(host: PrivateHost, name: str, killed: Ended, moment: float) -> None:
    """An image whose id was printed is there."""
    if name == "commit" and len(killed.out) == 64:
        assert host.ok("inspect", "--format", "{{.Id}}", "localhost/c:1") == killed.out, moment
    if name == "save":  # the archive is whole, or it is not there
        archive = Path(host.base, "saved.tar")
        assert not archive.exists() or archive.stat().st_size in (0, Path(host.base, "big.tar").stat().st_size), moment
        assert sorted(path.name for path in Path(host.base).glob("*saved*")) in ([], ["saved.tar"]), moment
    if name == "load" and killed.out.startswith("Loaded image"):
        assert host("image", "exists", f"{host.registry}/big:1").code == 0, moment


def test_pull(host: PrivateHost) -> None:
    image = f"{host.registry}/big:1"
    words = ["pull", "-q", "--tls-verify=false", image]

    def clear() -> None:
        host("rmi", "-f", image)

    whole = duration(host, words, clear, lambda: None)
    before = host.world()
    for moment in moments(MANY):
        killed = host.killed_after(whole * moment, *words)
        every_command_works(host)
        if len(killed.out) == 64:
            assert host.ok("inspect", "--format", "{{.Id}}", image) == killed.out
        host.ok(*words)
        assert host.ok("run", "--rm", "--network", "none", "--entrypoint", "", host.image, "true") == ""
        clear()
        repaired(host, before, moment)
