"""An ordinary user's commands, on real namespaces: entered, shared with each other, made anew."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from ordinary import NAME, PROGRAM, UID, OrdinaryHost, user_needs

pytestmark = user_needs()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("ordinary"))) as made:
        made.pull()
        yield made


def test_the_user_is_root_inside_and_himself_outside(host: OrdinaryHost) -> None:
    assert host.ok("run", "--rm", "--network", "none", host.image, "id", "-u") == "0"
    maps = host.ok("run", "--rm", "--network", "none", host.image, "cat", "/proc/self/uid_map").split()
    assert maps == ["0", str(UID), "1", "1", "100000", "65536"]


def test_one_namespace_serves_all_commands(host: OrdinaryHost) -> None:
    pause = host.runtime("libpod/tmp/pause.pid").read_text()
    host.ok("ps")
    assert host.runtime("libpod/tmp/pause.pid").read_text() == pause


def test_first_commands_at_once_make_one_namespace(host: OrdinaryHost) -> None:
    words = host.argv("unshare", "readlink", "/proc/self/ns/user")
    for _ in range(3):
        host.ok("system", "migrate")
        several = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(8)]
        seen = {one.communicate()[0] for one in several}
        assert len(seen) == 1, seen
        assert all(one.returncode == 0 for one in several)


def test_a_lost_keeper_is_replaced(host: OrdinaryHost) -> None:
    pause = host.runtime("libpod/tmp/pause.pid").read_text()
    assert host.as_root("kill", "-9", pause).code == 0
    assert host.ok("run", "--rm", "--network", "none", host.image, "echo", "again") == "again"
    assert host.runtime("libpod/tmp/pause.pid").read_text() != pause


def test_a_keeper_that_died_before_whoever_started_it_is_replaced(host: OrdinaryHost) -> None:
    """Until that command ends nobody waits for the keeper: it has a number still, and no namespaces."""
    host.ok("system", "migrate")
    first = host.begin("unshare", "sh", "-c", "echo ready; exec sleep 1234")
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"ready\n"
        pause = host.runtime("libpod/tmp/pause.pid").read_text()
        assert host.as_root("kill", "-9", pause).code == 0
        assert host.ok("run", "--rm", "--network", "none", host.image, "echo", "again") == "again"
        assert host.runtime("libpod/tmp/pause.pid").read_text() != pause
    finally:
        host.as_root("kill", next(str(pid) for pid, words in host.proc().items() if words == "sleep 1234"))
        first.communicate()


def test_the_namespace_of_running_containers_outlives_its_keeper(host: OrdinaryHost) -> None:
    host.ok("run", "-d", "--name", "kept", "--network", "none", host.image, "sleep", "1000")
    space = host.ok("unshare", "readlink", "/proc/self/ns/mnt")
    assert host.as_root("kill", "-9", host.runtime("libpod/tmp/pause.pid").read_text()).code == 0
    assert host.ok("exec", "kept", "echo", "here") == "here"
    assert host.ok("unshare", "readlink", "/proc/self/ns/mnt") == space
    assert host.ok("rm", "-f", "-t", "0", "kept") == "kept"
    assert host.ok("images", "-q") != ""
    assert host.listed(f"{host.graph}/overlay-containers") == ["containers.json", "containers.lock"]


def test_a_foreign_process_is_not_taken_for_the_keeper(host: OrdinaryHost) -> None:
    host.runtime("libpod/tmp/pause.pid").write_text("1")
    assert host.ok("images", "-q") != ""
    assert host.runtime("libpod/tmp/pause.pid").read_text() != "1"


def test_a_process_of_roots_is_not_taken_for_the_keeper_whatever_its_name(host: OrdinaryHost) -> None:
    host.as_root("sh", "-c", "sleep 1000 >/dev/null 2>&1 &")
    foreign = next(str(pid) for pid, words in host.proc().items() if words == "sleep 1000")
    host.runtime("libpod/tmp/pause.pid").write_text(foreign)
    try:
        assert host.ok("images", "-q") != ""
        assert host.runtime("libpod/tmp/pause.pid").read_text() != foreign
    finally:
        host.as_root("kill", foreign)


def test_what_the_user_makes_is_his(host: OrdinaryHost) -> None:
    host.home("data").mkdir(mode=0o777)
    host.home("data").chmod(0o777)
    where = f"/home/{NAME}/data:/data"
    host.ok("run", "--rm", "--network", "none", "-v", where, host.image, "sh", "-c", "echo x > /data/made")
    host.ok("run", "--rm", "--network", "none", "-u", "5", "-v", where, host.image, "sh", "-c", "echo x > /data/other")
    assert host.home("data/made").stat().st_uid == UID
    assert host.home("data/other").stat().st_uid == 100004


def test_a_container_lives_and_goes(host: OrdinaryHost) -> None:
    host.ok("run", "-d", "--name", "c", "--network", "none", host.image, "sleep", "1000")
    assert host.ok("exec", "c", "id", "-u") == "0"
    assert host.ok("ps", "--format", "{{.Names}} {{.State}}") == "c running"
    assert host.ok("rm", "-f", "-t", "0", "c") == "c"
    assert host.ok("ps", "-aq") == ""


def test_unshare_runs_a_program_inside(host: OrdinaryHost) -> None:
    assert host.ok("unshare", "id", "-u") == "0"
    found = host.ok("unshare", "env").splitlines()
    assert f"CONTAINERS_GRAPHROOT={host.graph}" in found
    assert f"CONTAINERS_RUNROOT={host.run_root}" in found
    assert host("unshare", "sh", "-c", "exit 7").code == 7
    missing = host("unshare", "nosuch")
    assert (missing.code, missing.err) == (127, 'Error: exec: "nosuch": executable file not found in $PATH')
    refused = host("unshare", "/etc/passwd")
    assert (refused.code, refused.err) == (126, "Error: fork/exec /etc/passwd: permission denied")


def test_unshare_is_nothing_for_root(host: OrdinaryHost) -> None:
    words = host.user_argv()[: host.user_argv().index("setpriv")]
    done = host.program([*words, *PROGRAM, "unshare", "true"])
    assert (done.code, done.err) == (125, "Error: please use unshare with rootless")


def test_migrate_ends_the_namespace(host: OrdinaryHost) -> None:
    host.ok("run", "-d", "--name", "m", "--network", "none", host.image, "sleep", "1000")
    keeper = int(host.runtime("libpod/tmp/pause.pid").read_text())
    host.ok("system", "migrate")
    assert not host.runtime("libpod/tmp/pause.pid").exists()
    for _ in range(1000):  # it was killed, and may be on its way out
        if keeper not in host.proc():
            break
        time.sleep(0.01)
    else:
        pytest.fail(f"{keeper} keeps the namespaces still: {host.proc()}")
    assert host.ok("ps", "-a", "--format", "{{.Names}} {{.State}}") == "m exited"
    host.ok("rm", "m")


def test_without_subordinate_ids_there_is_one(host: OrdinaryHost) -> None:
    """As another user, who has none: a warning, and a namespace of one id."""
    become = ["setpriv", "--reuid", "1999", "--regid", "1999", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin"]
    host.as_root("mkdir", "-p", "/run/user/1999", "/home/single")
    host.as_root("chown", "1999", "/run/user/1999", "/home/single")
    host.as_root("chmod", "700", "/run/user/1999", "/home/single")
    where = ["HOME=/home/single", "XDG_RUNTIME_DIR=/run/user/1999"]
    done = host.as_root(*become, *where, *PROGRAM, "unshare", "cat", "/proc/self/uid_map")
    assert done.code == 0, done
    assert done.out.split() == ["0", "1999", "1"]
    assert "Using rootless single mapping into the namespace" in done.err
    run = ["run", "--rm", "-q", "--network=none", "--tls-verify=false", host.image, "id", "-u"]
    done = host.as_root(*become, *where, *PROGRAM, *run)
    assert (done.code, done.out, done.err) == (0, "0", "")
    host.as_root(*become, *where, *PROGRAM, "system", "migrate")


def test_artifacts_are_the_users_own(host: OrdinaryHost) -> None:
    """Added, extracted and mounted without privilege; what is extracted belongs to the user."""
    host.as_user("sh", "-c", "echo hello > a.txt; mkdir -p to")
    host.ok("artifact", "add", "--replace", "localhost/a", "a.txt")
    host.ok("artifact", "extract", "localhost/a", "to")
    assert (host.home("to/a.txt").read_text(), host.home("to/a.txt").stat().st_uid) == ("hello\n", UID)
    mount = ("--mount", "type=artifact,src=localhost/a,dst=/x")
    assert host.ok("run", "--rm", "--network", "none", *mount, host.image, "cat", "/x") == "hello"
    host.ok("artifact", "rm", "-a")
