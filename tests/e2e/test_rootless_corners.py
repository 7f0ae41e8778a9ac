"""An ordinary user whose settings are not what they seem: root's files in his home, another driver, no session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ordinary import NAME, UID, OrdinaryHost, user_needs

pytestmark = user_needs()
HOME = f"/home/{NAME}"
SETTINGS = f"{HOME}/.config/containers"
NONE = ("--network", "none")
FALLS_BACK = f"""\
Warning: The cgroupv2 manager is set to systemd but there is no systemd user session available
Warning: For using systemd, you may need to log in using a user session
Warning: Alternatively, you can enable lingering with: `loginctl enable-linger {UID}` (possibly as root)
Warning: Falling back to --cgroup-manager=cgroupfs"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("corners"))) as made:
        made.pull()
        yield made


@pytest.fixture(autouse=True)
def settings(host: OrdinaryHost) -> Iterator[None]:
    host.as_user("mkdir", "-p", SETTINGS)
    yield
    host.as_root("rm", "-rf", f"{HOME}/.config")


def written(host: OrdinaryHost, name: str, text: str, mode: str) -> str:
    """A file of root's among the user's settings."""
    path = f"{SETTINGS}/{name}"
    host.as_root("sh", "-c", f"mkdir -p $(dirname {path}); printf '%s' '{text}' > {path}; chmod {mode} {path}")
    return path


def test_what_root_put_into_the_users_home_holds(host: OrdinaryHost) -> None:
    written(host, "containers.conf", '[containers]\nenv = ["FROM_ROOT=yes", "PATH=/bin"]\n', "644")
    assert host.ok("run", "--rm", *NONE, host.image, "sh", "-c", "echo $FROM_ROOT") == "yes"


@pytest.mark.parametrize("name", ["containers.conf", "storage.conf", "containers.conf.d/a.conf"])
def test_settings_that_cannot_be_read_are_not_passed_over(host: OrdinaryHost, name: str) -> None:
    path = written(host, name, "", "600")
    done = host("images", "-q")
    assert (done.code, done.err.splitlines()[0]) == (125, f"Error: open {path}: Permission denied")


def test_a_folder_of_settings_that_cannot_be_read(host: OrdinaryHost) -> None:
    written(host, "containers.conf.d/a.conf", "", "644")
    host.as_root("chmod", "700", f"{SETTINGS}/containers.conf.d")
    done = host("images", "-q")
    assert (done.code, done.err.splitlines()[0]) == (
        125,
        f"Error: open {SETTINGS}/containers.conf.d: Permission denied",
    )


def test_settings_of_another_users_home_do_not_hold(host: OrdinaryHost) -> None:
    """As a third user might leave them for somebody who keeps his HOME by mistake."""
    path = written(host, "containers.conf", '[containers]\nenv = ["FROM_ANOTHER=yes", "PATH=/bin"]\n', "644")
    host.as_root("chown", "-R", "1999:1999", f"{HOME}/.config")
    host.as_root(
        "sh", "-c", f"mkdir -p /home/third/.config; cp -r {SETTINGS} /home/third/.config/; chown -R 1999 /home/third"
    )
    words = ("--root", host.graph, "run", "--rm", *NONE, host.image, "sh", "-c", "echo $FROM_ANOTHER")
    assert host.as_root("test", "-e", path).code == 0
    argv = [word.replace(f"HOME={HOME}", "HOME=/home/third") for word in host.argv(*words)]
    done = host.program(argv)
    assert (done.code, done.out) == (0, "")


def test_a_store_stays_what_it_was_begun_with(host: OrdinaryHost) -> None:
    images = host.ok("images", "-q")
    written(host, "storage.conf", '[storage]\ndriver = "vfs"\n', "644")
    done = host("images", "-q")
    assert (done.code, done.out) == (0, images)
    assert 'User-selected graph driver "vfs" overwritten by graph driver "overlay" of the store in' in done.err
    assert host.ok("info", "--format", "{{.Store.GraphDriverName}}") == "overlay"
    assert host.ok("--storage-driver", "vfs", "images", "-q") == ""


def test_without_a_session_systemd_makes_no_groups(host: OrdinaryHost) -> None:
    done = host("--cgroup-manager", "systemd", "run", "--rm", *NONE, host.image, "true")
    assert (done.code, done.err) == (0, FALLS_BACK)
    written(host, "containers.conf", '[engine]\ncgroup_manager = "systemd"\n', "644")
    assert host.ok("info", "--format", "{{.Host.CgroupManager}}") == "cgroupfs"
    done = host("--cgroup-manager", "none", "ps")
    told = "Error: configuring runtime: cgroup manager must be one of cgroupfs and systemd: invalid argument"
    assert (done.code, done.err) == (125, told)


def test_the_users_own_processes_are_listed(host: OrdinaryHost) -> None:
    """Of ps(1) without -e: those of whoever asks."""
    host.ok("run", "-d", "--name", "kept", "--userns", "keep-id", *NONE, host.image, "sleep", "1000")
    try:
        assert host.ok("top", "kept", "-o", "uid,args").splitlines()[1].split() == [str(UID), "sleep", "1000"]
    finally:
        host.ok("rm", "-f", "-t", "0", "kept")
