"""User namespaces of an ordinary user's containers, as Podman 5.8 maps them, seen from inside."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from ordinary import NAME, UID, OrdinaryHost, user_needs

pytestmark = user_needs()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("userns"))) as made:
        made.pull()
        yield made


def run(host: OrdinaryHost, *words: str, program: str) -> list[list[str]]:
    shown = host.ok("run", "--rm", "--network", "none", *words, host.image, "sh", "-c", program)
    return [line.split() for line in shown.splitlines()]


MAPS = {
    "keep-id": [["0", "1", "1777"], ["1777", "0", "1"], ["1778", "1778", "63759"]],
    "keep-id:uid=100,gid=200": [["0", "1", "100"], ["100", "0", "1"], ["101", "101", "65436"]],
    "keep-id:size=2000": [["0", "1", "1777"], ["1777", "0", "1"], ["1778", "1778", "222"]],
    "nomap": [["0", "1", "65536"]],
    "auto": [["0", "1", "1024"]],
    "auto:size=77": [["0", "1", "77"]],
    "host": [["0", str(UID), "1"], ["1", "100000", "65536"]],
}


@pytest.mark.parametrize("mode", list(MAPS))
def test_the_maps_are_podmans(host: OrdinaryHost, mode: str) -> None:
    seen = run(host, "--userns", mode, program="cat /proc/self/uid_map; ls -ln /bin/busybox")
    assert seen[:-1] == MAPS[mode]
    assert seen[-1][2:4] == ["0", "0"], "the image's files belong to the container's root"


@pytest.mark.parametrize(
    ("mode", "more", "ids"),
    [
        ("keep-id", [], ["1777", "1777"]),
        ("keep-id:uid=100,gid=200", [], ["100", "200"]),
        ("keep-id", ["--user", "5:6"], ["5", "6"]),
        ("nomap", [], ["0", "0", "0"]),
        ("nomap", ["--user", "5:6"], ["5", "6", "0"]),
    ],
)
def test_who_runs(host: OrdinaryHost, mode: str, more: list[str], ids: list[str]) -> None:
    seen = run(host, "--userns", mode, *more, program="id -u; id -g; sed -n 's/^Groups://p' /proc/self/status")
    assert [line[0] for line in seen][:2] == ids[:2]
    assert set(ids[2:]) <= set(seen[2])


def test_the_user_who_is_kept_has_his_files(host: OrdinaryHost) -> None:
    host.home("kept").mkdir()
    host.home("kept").chmod(0o700)
    host.as_root("chown", str(UID), f"/home/{NAME}/kept")
    mount = ["-v", f"/home/{NAME}/kept:/kept"]
    run(host, "--userns", "keep-id", *mount, program="echo x > /kept/made")
    assert host.home("kept/made").stat().st_uid == UID


def test_automatic_ranges_do_not_overlap(host: OrdinaryHost) -> None:
    host.ok("run", "-d", "--name", "a", "--userns", "auto", "--network", "none", host.image, "sleep", "1000")
    assert run(host, "--userns", "auto", program="cat /proc/self/uid_map") == [["0", "1025", "1024"]]
    host.ok("rm", "-f", "-t", "0", "a")


def test_nothing_shows_afterwards(host: OrdinaryHost) -> None:
    assert host.listed(f"/var/tmp/sonata-roots-{UID}") == []
    assert host("system", "check").code == 0


def test_a_folder_of_somebody_elses_is_not_used(host: OrdinaryHost) -> None:
    place = f"/var/tmp/sonata-roots-{UID}"
    host.as_root("rm", "-rf", place)
    host.as_root("mkdir", place)
    refused = host("run", "--rm", "--userns", "auto", "--network", "none", host.image, "true")
    assert refused.code in (125, 126)
    assert f"{place} is not this user's own folder" in refused.err
    host.as_root("rmdir", place)


REFUSED = {
    "stats": "pod stats is not supported in rootless mode without cgroups v2",
    "pause": "can not pause pods containing rootless containers with cgroup V1",
}
"""On version 1 of control groups."""


def test_containers_of_a_pod_run_as_the_user_that_it_keeps(host: OrdinaryHost) -> None:
    look = ("sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
    for mode, ids in (("keep-id", ["1777", "1777"]), ("keep-id:uid=100,gid=200", ["100", "200"])):
        host.ok("pod", "create", "--name", "kept", "--userns", mode, "--network", "none")
        words = ("run", "--rm", "--pod", "kept")
        assert host.ok(*words, host.image, *look).split()[:2] == ids
        assert host.ok(*words, "--user", "5:6", host.image, *look).split()[:2] == ["5", "6"]
        if os.path.exists("/sys/fs/cgroup/pids"):
            for command in ("pause", "stats"):
                refused = host("pod", command, "kept")
                assert refused.code == 125, refused
                assert REFUSED[command] in refused.err
        host.ok("pod", "rm", "-f", "-t", "0", "kept")


@pytest.mark.parametrize(
    ("options", "passwd", "group", "groups"),
    [
        ((), ["ordinary:*:1777:1777::/:/bin/sh"], ["ordinary:x:1777:ordinary"], {"1777"}),
        (("--userns=keep-id:size=3000",), ["ordinary:*:1777:1777::/:/bin/sh"], ["ordinary:x:1777:ordinary"], {"1777"}),
        (
            ("--user=4445:4446",),
            ["4445:*:4445:4446:container user:/:/bin/sh", "ordinary:*:1777:1777::/:/bin/sh"],
            ["ordinary:x:1777:ordinary", "4446:x:4446:4445"],
            {"1777", "4446"},
        ),
        (
            ("--passwd-entry=x:*:$UID:$GID:me:$HOME:/bin/zsh", "--group-entry=$GROUPNAME:x:$GID:"),
            ["x:*:1777:1777:me:/:/bin/zsh"],
            ["ordinary:x:1777:"],
            {"1777"},
        ),
        (("--passwd=false",), [], [], {"1777"}),
    ],
)
def test_keep_id_makes_the_files_that_an_image_lacks(
    host: OrdinaryHost, options: tuple[str, ...], passwd: list[str], group: list[str], groups: set[str]
) -> None:
    """As Podman 5.8; but its files are of mode 0600, and closed to whom `--user` names."""
    show = "for f in /etc/passwd /etc/group; do [ ! -e $f ] || cat $f; echo =; done; cat /proc/self/status"
    mode = () if "--userns" in "".join(options) else ("--userns=keep-id",)
    said = host.ok("run", "--rm", "--network", "none", *mode, *options, host.image, "sh", "-c", show)
    known = host.as_user("id", "-un").out  # this machine may have another name for his number
    accounts, members, status = said.replace(known, "ordinary").split("=\n")
    assert accounts.splitlines() == passwd
    assert members.splitlines() == group
    assert set(next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]) == groups
