"""`exec` in full: descriptors, sessions on record and their clean-up, whom and where, exit codes, other phases."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from both_ways import Root
from live_world import LiveWorld, eventually

pytestmark = pytest.mark.needs_root
NAME = "x"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path_factory.mktemp("exec")), who)
    with open(f"{made.rootfs}/etc/passwd", "w", encoding="ascii") as file:
        file.write("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")
    with open(f"{made.rootfs}/etc/group", "w", encoding="ascii") as file:
        file.write("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
    made.start(NAME)
    yield made
    made.end()


class Gate:
    """What a container's shell waits for (`wait`): it goes on when the test says so."""

    def __init__(self, world: LiveWorld, name: str) -> None:
        self._path = f"{world.rootfs}/gate-{name}"
        self.wait = f"until test -e /gate-{name}; do sleep 0.05; done"

    def open(self) -> None:
        open(self._path, "w", encoding="ascii").close()


def with_descriptors(world: LiveWorld, numbers: tuple[int, ...], *words: str) -> subprocess.CompletedProcess[str]:
    """Run with the reading ends of pipes at these numbers; each says its number."""
    argv = world.argv(*words)
    opened = [os.pipe() for _ in numbers]
    for number, (_, write_end) in zip(numbers, opened, strict=True):
        os.write(write_end, f"from {number}\n".encode())
        os.close(write_end)
    script = " ".join(f"{number}<&{read_end}" for number, (read_end, _) in zip(numbers, opened, strict=True))
    # The shell's own syntax knows one digit only; that is enough.
    shell = ["/bin/bash", "-c", f'exec "$@" {script}', "bash", *argv]
    try:
        return subprocess.run(
            shell, pass_fds=[pair[0] for pair in opened], capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        for read_end, _ in opened:
            os.close(read_end)


def run_words(*words: str) -> tuple[str, ...]:
    return ("run", "--rm", "--network=none", "--cgroup-parent=/sonata_test", *words)


@pytest.mark.parametrize("verb", ["exec", "run"])
@pytest.mark.parametrize(
    ("option", "numbers", "script", "said"),
    [
        ("--preserve-fds=2", (3, 4), "cat <&3; cat <&4", "from 3\nfrom 4\n"),
        ("--preserve-fd=5,7", (5, 7), "cat <&7; cat <&5; cat <&6", "from 7\nfrom 5\n"),
        ("--preserve-fds=2", (3, 4, 6), "cat <&4; cat <&6 || echo none", "from 4\nnone\n"),
    ],
)
def test_descriptors_are_passed_under_their_numbers(
    world: LiveWorld, verb: str, option: str, numbers: tuple[int, ...], script: str, said: str
) -> None:
    command = ("sh", "-c", script)
    words = (
        ("exec", option, NAME, *command) if verb == "exec" else run_words(option, "--rootfs", world.rootfs, *command)
    )
    done = with_descriptors(world, numbers, *words)
    assert (done.returncode, done.stdout) == (0, said), done


@pytest.mark.parametrize("verb", ["exec", "run"])
def test_descriptors_that_nobody_passed_are_refused(world: LiveWorld, verb: str) -> None:
    for option in ("preserve-fds=2", "preserve-fd=4"):
        words = ("exec", f"--{option}", NAME, "true") if verb == "exec" else run_words(
            f"--{option}", "--rootfs", world.rootfs, "true")  # fmt: skip
        done = with_descriptors(world, (3,), *words)
        assert done.returncode == 125
        assert f"file descriptor 4 is not available - the {option.partition('=')[0]} option requires" in done.stderr
    assert "cannot preserve FD 1" in world.run("exec", "--preserve-fd=1", NAME, "true").stderr


LISTENING = "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4"


@pytest.mark.parametrize("runtime", [name for name in ("crun", "runc") if shutil.which(name)])
def test_sockets_of_a_service_manager_reach_the_container(
    world: LiveWorld, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    """LISTEN_FDS of sd_listen_fds(3), also for `start`; `exec` and a start by policy have none to give."""
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDNAMES", "a:b")
    options = (f"--runtime={runtime}", "--network=none", "--rootfs", world.rootfs)
    said = "2 1 a:b\nfrom 3\nfrom 4\n"
    done = with_descriptors(world, (3, 4), "run", "--rm", *options, "sh", "-c", LISTENING)
    assert (done.returncode, done.stdout) == (0, said), done
    again = ("sh", "-c", f"test -e /tmp/again && exec sleep 1000; touch /tmp/again; {LISTENING}; exit 1")
    world.ok("create", "--restart=on-failure:1", "--name=listening", *options, *again)
    done = with_descriptors(world, (3, 4), "start", "--attach", "listening")
    assert done.stdout == said, done
    assert eventually(lambda: world.inspect("listening")["State"]["Running"])
    done = with_descriptors(world, (3, 4), "exec", "listening", "env")
    world.ok("rm", "-f", "-t0", "listening")
    os.unlink(f"{world.rootfs}/tmp/again")
    assert (done.returncode, "LISTEN" in done.stdout) == (0, False), done


def test_sockets_that_are_promised_and_not_there(world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One promised to another process is not ours to miss; a count that is none is refused."""
    command = ("run", "--rm", "--network=none", "--rootfs", world.rootfs, "env")
    monkeypatch.setenv("LISTEN_FDS", "2")
    monkeypatch.setenv("LISTEN_PID", "1")
    done = world.run(*command)
    assert (done.returncode, "LISTEN" in done.stdout) == (0, False), done
    monkeypatch.delenv("LISTEN_PID")
    assert "file descriptor 3 is not available - LISTEN_FDS=2 promises it" in world.run(*command).stderr
    monkeypatch.setenv("LISTEN_FDS", "x")
    assert 'converting LISTEN_FDS=x: strconv.Atoi: parsing "x": invalid syntax' in world.run(*command).stderr
    monkeypatch.setenv("LISTEN_FDS", "1")
    done = with_descriptors(world, (3, 4), "run", "--preserve-fds=2", *command[1:-1], "sh", "-c", "cat <&4")
    assert (done.stdout, "Ignoring LISTEN_FDS to preserve" in done.stderr) == ("from 4\n", True), done


def test_nothing_else_of_the_caller_stays_open_in_the_monitor(world: LiveWorld) -> None:
    done = with_descriptors(
        world, (8,), "run", "-d", "--name=y", "--network=none", "--rootfs", world.rootfs, "sleep", "1000"
    )
    assert done.returncode == 0, done
    monitor = world.inspect("y")["State"]["ConmonPid"]
    ours = os.stat("/proc/self/fd/0")
    links = [os.readlink(f"/proc/{monitor}/fd/{name}") for name in os.listdir(f"/proc/{monitor}/fd")]
    world.ok("rm", "-f", "-t0", "y")
    held = [link for link in links if link.startswith("pipe:")]
    assert len(held) <= 3, (links, ours)  # the container's own streams, and nothing of ours


def sessions(world: LiveWorld) -> list[str]:
    found: list[str] = world.inspect(NAME)["ExecIDs"]
    return found


def folders(world: LiveWorld) -> list[str]:
    bundle = world.inspect(NAME)["StaticDir"]
    return [name for name in os.listdir(bundle) if len(name) == 64]


def test_a_detached_session_is_on_record_until_it_ends(world: LiveWorld) -> None:
    gate = Gate(world, "detached")
    ident = world.ok("exec", "-d", NAME, "sh", "-c", gate.wait)
    assert sessions(world) == [ident]
    assert folders(world) == [ident]
    gate.open()
    assert eventually(lambda: not sessions(world) and not folders(world))
    died = [one for one in world.events("--filter=event=exec_died") if one["Attributes"].get("execID") == ident]
    assert len(died) == 1


def test_a_session_in_the_foreground_is_on_record_unless_that_is_not_wanted(world: LiveWorld) -> None:
    for options, expected in (((), 1), (("--no-session",), 0)):
        gate = Gate(world, f"foreground{expected}")
        with subprocess.Popen(world.argv("exec", *options, NAME, "sh", "-c", f"echo on; {gate.wait}"),
                              stdout=subprocess.PIPE) as running:  # fmt: skip
            assert running.stdout is not None
            assert running.stdout.readline() == b"on\n"
            assert eventually(lambda wanted=expected: len(sessions(world)) == wanted)  # type: ignore[misc]
            gate.open()
        assert running.returncode == 0
        assert sessions(world) == []
    assert eventually(lambda: not folders(world))


def test_a_detached_session_whose_command_is_none_leaves_nothing(world: LiveWorld) -> None:
    done = world.run("exec", "-d", NAME, "no-such-thing")
    assert done.returncode == 125
    assert "not found in $PATH" in done.stderr
    assert (sessions(world), folders(world)) == ([], [])


def test_cleaning_up_a_session_by_hand(world: LiveWorld) -> None:
    gate = Gate(world, "by-hand")
    ident = world.ok("exec", "-d", NAME, "sh", "-c", gate.wait)
    world.ok("container", "cleanup", "--exec", ident, NAME)
    assert sessions(world) == [ident], "one that runs is left alone"
    world.ok("container", "cleanup", "--exec", "unknown", NAME)
    done = world.run("container", "cleanup", "--exec", ident, NAME, NAME)
    assert (done.returncode, "more than one container" in done.stderr) == (125, True)
    gate.open()
    assert eventually(lambda: not folders(world))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-u", "user", NAME, "sh", "-c", "id -u; id -G; echo $HOME"), "1000\n1000 2000\n/tmp"),
        (("-u", "user:extra", NAME, "id", "-g"), "2000"),
        (("-u", "0:77", NAME, "id", "-g"), "77"),
        (("-w", "/tmp", NAME, "sh", "-c", "pwd"), "/tmp"),
        (("-e", "A=1", "-e", "A=2", NAME, "sh", "-c", "echo $A"), "2"),
        (("-t", NAME, "sh", "-c", "echo $TERM; test -t 0 && echo tty"), "xterm\ntty"),
        (("--privileged", NAME, "sh", "-c", "test -d /proc/sys && echo yes"), "yes"),
    ],
)
def test_whom_where_and_with_what(world: LiveWorld, words: tuple[str, ...], said: str) -> None:
    assert world.ok("exec", *words).replace("\r", "") == said


def test_privileged_has_more_capabilities(world: LiveWorld) -> None:
    def effective(*options: str) -> int:
        text = world.ok("exec", *options, NAME, "sh", "-c", "while read a b; do echo $a $b; done </proc/self/status")
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("CapEff:")), 16)

    assert effective("--privileged").bit_count() > effective().bit_count()
    assert effective("--privileged", "-u", "user") == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ((NAME, "sh", "-c", "exit 7"), 7, ""),
        ((NAME, "sh", "-c", "kill -9 $$"), 137, ""),
        ((NAME, "no-such-thing"), 127, "not found in $PATH"),
        ((NAME, "/etc"), 126, "OCI permission denied"),
        ((NAME,), 125, "must provide a non-empty command"),
        (("nobody", "true"), 125, 'no container with name or ID "nobody" found'),
        (("--wait", "1", "nobody", "true"), 125, "timed out waiting for container: nobody"),
        (("-u", "nobody", NAME, "true"), 255, "unable to find user nobody: no matching entries in passwd file"),
        (("--detach-keys", "xx", NAME, "true"), 255, "invalid detach keys: Unknown character: 'xx'"),
        (("-d", "--no-session", NAME, "true"), 125, "--no-session cannot be used with --detach or --detach-keys"),
    ],
)
def test_exit_codes(world: LiveWorld, words: tuple[str, ...], code: int, text: str) -> None:
    done = world.run("exec", *words)
    assert done.returncode == code, done
    assert text in done.stderr


def test_waiting_for_the_container(world: LiveWorld) -> None:
    with subprocess.Popen(
        world.argv("exec", "--wait=20", "late", "sh", "-c", "echo here"), stdout=subprocess.PIPE
    ) as waiting:
        time.sleep(0.3)
        world.start("late")
        out, _ = waiting.communicate(timeout=20)
    world.ok("rm", "-f", "-t0", "late")
    assert (waiting.returncode, out) == (0, b"here\n")


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_in_a_container_that_does_not_run(world: LiveWorld) -> None:
    text = "can only create exec sessions on running containers: container state improper"
    world.ok("pause", NAME)
    try:
        done = world.run("exec", NAME, "true")
    finally:
        world.ok("unpause", NAME)
    assert (done.returncode, text in done.stderr) == (255, True)
    assert world.ok("exec", NAME, "sh", "-c", "echo again") == "again"


def test_in_a_container_that_is_dying(world: LiveWorld) -> None:
    """The session dies with it; the command says so and leaves nothing."""
    world.start("dying", command=("sh", "-c", "trap : TERM; sleep 1000"))
    with subprocess.Popen(world.argv("exec", "dying", "sh", "-c", "echo on; sleep 1000"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == b"on\n"
        world.ok("kill", "-s", "KILL", "dying")
        _, err = running.communicate(timeout=20)
    assert running.returncode in (137, 255)
    assert b"Traceback" not in err
    done = world.run("exec", "dying", "true")
    assert done.returncode == 255
    world.ok("rm", "-f", "-t0", "dying")


def test_which_container_and_which_variables(world: LiveWorld) -> None:
    """The latest one, one that a file names, and variables from a file, which those of `-e` come after."""
    variables, named = f"{world.base}/variables", f"{world.base}/named"
    with open(variables, "w", encoding="ascii") as file:
        file.write("# a remark\nA=file\nB=also\n")
    gate = Gate(world, "latest")
    talks = gate.wait.replace("do ", "do echo on; ")
    ident = world.start("latest", f"--cidfile={named}", command=("sh", "-c", f"trap 'exit 6' TERM; {talks}"))
    told = world.ok("exec", f"--env-file={variables}", "-e", "A=option", "--cidfile", named, "sh", "-c", "echo $A $B")
    assert told == "option also"
    assert world.ok("exec", "--latest", "sh", "-c", "echo $HOSTNAME") == ident[:12]
    assert eventually(lambda: world.ok("logs", "--latest").startswith("on"))
    words = world.argv("attach", "--latest", "--no-stdin")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == b"on\n"
        gate.open()
    assert attached.returncode == 0
    world.ok("rm", "-f", "-t0", "latest")
