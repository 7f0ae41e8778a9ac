"""What his containers have of a user's own rights: groups, devices, owners, capabilities; limits without effect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ordinary import NAME, PROGRAM, UID, OrdinaryHost, user_needs
from private_host import Ended

pytestmark = user_needs()
HOME = f"/home/{NAME}"
NONE = ("--network", "none")
GROUP = 5000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("rights"))) as made:
        made.pull()
        made.as_root("sh", "-c", f"mkdir -m 750 /run/ours; echo ours > /run/ours/f; chgrp -R {GROUP} /run/ours")
        yield made


def in_group(host: OrdinaryHost, *words: str) -> Ended:
    """`sonata WORDS` of the user, who has a supplementary group now."""
    become = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--groups", str(GROUP), "--inh-caps=-all"]
    return host.program(host.inside(*become, *host.environment(), *PROGRAM, *words))


def run(host: OrdinaryHost, *words: str) -> str:
    return host.ok("run", "--rm", *NONE, *words)


def test_the_users_groups_are_kept_when_asked_for(host: OrdinaryHost) -> None:
    look = [*NONE, "-v", "/run/ours:/g", host.image, "cat", "/g/f"]
    assert in_group(host, "run", "--rm", *look).code == 1
    assert in_group(host, "run", "--rm", "--group-add", "keep-groups", *look).out == "ours"
    with_user = in_group(host, "run", "--rm", "--group-add", "keep-groups", "--user", "5", *look)
    assert with_user.out == "ours"
    kept = ["--group-add", "keep-groups", "-v", "/run/ours:/g", *NONE, host.image, "sleep", "1000"]
    assert in_group(host, "run", "-d", "--name", "kept", *kept).code == 0
    assert in_group(host, "exec", "kept", "cat", "/g/f").out == "ours"
    assert in_group(host, "exec", "--user", "5", "kept", "cat", "/g/f").out == "ours"
    host.ok("rm", "-f", "-t", "0", "kept")


def test_keeping_groups_goes_with_no_other_and_not_with_runc(host: OrdinaryHost) -> None:
    words = ["run", "--rm", "--group-add", "keep-groups", *NONE]
    refused = host(*words, "--group-add", "5", host.image, "true")
    assert refused.code == 125
    assert "the '--group-add keep-groups' option is not allowed with any other --group-add options" in refused.err
    refused = host("--runtime", "runc", *words, host.image, "true")
    assert refused.code == 125
    assert "--group-add keep-groups: the runtime runc drops the groups" in refused.err


def test_devices_are_the_hosts_own_nodes(host: OrdinaryHost) -> None:
    shown = run(host, "--device", "/dev/fuse", "--device", "/dev/zero:/dev/null0:r", host.image, "ls", "-ln", "/dev/")
    rows = {line.split()[-1]: line.split() for line in shown.splitlines()[1:]}
    assert (rows["fuse"][4:6], rows["fuse"][2]) == (["10,", "229"], "65534")
    assert rows["null0"][4:6] == ["1,", "5"]
    assert run(host, "--device", "/dev/zero:/dev/null0", host.image, "head", "-c", "3", "/dev/null0") == "\0\0\0"
    every = run(host, "--privileged", host.image, "ls", "/dev/").split()
    assert "fuse" in every
    assert [one for one in every if one.startswith("tty") and one[3:].isdigit()] == [], "nobody's virtual console"


def test_rules_for_devices_are_refused_as_podman_refuses_them(host: OrdinaryHost) -> None:
    refused = host("run", "--rm", "--device-cgroup-rule", "c 1:1 r", *NONE, host.image, "true")
    assert refused.code == 125
    assert "device cgroup rules are not supported in rootless mode or in a user namespace" in refused.err


def test_pings_are_allowed(host: OrdinaryHost) -> None:
    """Without a raw socket: the range of groups that may send echo requests is the container's own."""
    assert run(host, host.image, "cat", "/proc/sys/net/ipv4/ping_group_range").split() == ["0", "0"]
    wider = ["--sysctl", "net.ipv4.ping_group_range=0 5"]
    assert run(host, *wider, host.image, "cat", "/proc/sys/net/ipv4/ping_group_range").split() == ["0", "5"]
    binds = [word for name in ("/usr", "/lib", "/lib64") for word in ("-v", f"{name}:{name}:ro")]
    ping = "import socket as s; s.socket(s.AF_INET, s.SOCK_DGRAM, s.IPPROTO_ICMP).bind(('127.0.0.1', 0)); print('sent')"
    words = ["--cap-drop", "all", *binds, host.image, "/usr/bin/python3", "-I", "-S", "-c", ping]
    assert run(host, *words) == "sent"
    none = host("run", "--rm", *NONE, "--sysctl", "net.ipv4.ping_group_range=1 0", *words)
    assert "PermissionError" in none.err


def test_capabilities_are_over_the_containers_own_namespace(host: OrdinaryHost) -> None:
    look = "/bin/busybox grep CapEff /proc/self/status; /bin/busybox date -s 2020-01-01 2>&1"
    shown = host("run", "--rm", *NONE, "--cap-add", "sys_time", host.image, "/bin/busybox", "sh", "-c", look)
    assert int(shown.out.split()[1], 16) & (1 << 25)
    assert "can't set date" in shown.out


def test_limits_have_no_effect_on_version_1_and_say_so(host: OrdinaryHost) -> None:
    words = ["--memory", "64m", "--cpus", "1", "--pids-limit", "5"]
    done = host("run", "--rm", *NONE, *words, host.image, "true")
    assert done.code == 0
    assert "Resource limits are not supported and ignored on cgroups V1 rootless systems" in done.err
    for mode in ("enabled", "disabled", "no-conmon"):
        assert host("run", "--rm", *NONE, "--cgroups", mode, host.image, "true").err == ""


def test_no_process_is_spared_more_than_the_engine(host: OrdinaryHost) -> None:
    done = host("run", "--rm", *NONE, "--oom-score-adj", "-500", host.image, "cat", "/proc/self/oom_score_adj")
    assert done.out == "0"
    assert "Requested oom_score_adj=-500 is lower than the current one, changing to 0" in done.err
    assert run(host, "--oom-score-adj", "500", host.image, "cat", "/proc/self/oom_score_adj") == "500"


def test_limits_of_processes(host: OrdinaryHost) -> None:
    own = host.as_user("sh", "-c", "ulimit -n").out
    assert run(host, "--ulimit", "host", host.image, "sh", "-c", "ulimit -n") == own
    refused = host("run", "--rm", *NONE, "--ulimit", "nofile=99999999:99999999", host.image, "true")
    assert refused.code == 126
    assert "RLIMIT_NOFILE" in refused.err


def test_owners_are_given_away_and_taken_back(host: OrdinaryHost) -> None:
    host.as_user("mkdir", "given")
    mount = ("-v", f"{HOME}/given:/u:U")
    for mode, inside, outside in (("keep-id", "5", "100005"), ("host", "7", "100006"), ("auto", "9", "100009")):
        script = "echo x > /u/made-$(id -u); ls -ln /u"
        shown = run(host, "--userns", mode, "--user", inside, *mount, host.image, "sh", "-c", script)
        assert {line.split()[2] for line in shown.splitlines()[1:]} == {inside}
        assert str(host.home("given").stat().st_uid) == outside
    run(host, "--userns", "keep-id", *mount, host.image, "true")
    assert {one.stat().st_uid for one in host.home("given").iterdir()} == {UID}
    host.as_root("touch", f"{HOME}/given/roots")
    refused = host("run", "--rm", *NONE, "--userns", "keep-id", *mount, host.image, "true")
    said = f"Error: failed to chown recursively host path: lchown {HOME}/given/roots: operation not permitted"
    assert (refused.code, refused.err.splitlines()[0]) == (126, said)


def test_owners_are_shifted_on_file_systems_of_the_users_own(host: OrdinaryHost) -> None:
    host.as_user("mkdir", "mine")
    host.ok("unshare", "sh", "-c", "mount -t tmpfs none mine && touch mine/x")
    look = (host.image, "ls", "-ln", "/m/x")
    assert run(host, "--userns", "auto", "-v", f"{HOME}/mine:/m", *look).split()[2] == "65534"
    assert run(host, "--userns", "auto", "-v", f"{HOME}/mine:/m:idmap", *look).split()[2] == "0"
    refused = host("run", "--rm", *NONE, "--userns", "auto", "-v", f"{HOME}:/m:idmap", *look)
    assert refused.code == 126
    assert f"mounting {HOME} with other owners (idmap): Operation not permitted" in refused.err
    host.ok("unshare", "umount", f"{HOME}/mine")


def test_the_users_ranges_by_name(host: OrdinaryHost) -> None:
    for option in ("--subuidname", "--subgidname"):
        shown = run(host, option, NAME, host.image, "cat", "/proc/self/uid_map")
        assert shown.split() == ["0", "1", "65536"]
    host.as_root("sh", "-c", "echo other:200000:65536 | tee -a /etc/subuid >> /etc/subgid")
    refused = host("run", "--rm", *NONE, "--subuidname", "other", host.image, "true")
    assert refused.code == 125
    assert 'the subordinate ids of user "other" are not all in this user namespace' in refused.err


def test_several_ranges_are_one_to_containers(host: OrdinaryHost) -> None:
    """The kernel takes no line of a map that lies in two ranges of the namespace around."""
    host.as_root("sh", "-c", f"echo {NAME}:400000:1000 | tee -a /etc/subuid >> /etc/subgid")
    host.ok("system", "migrate")
    look = (host.image, "cat", "/proc/self/uid_map")
    kept = [["0", "1", "1777"], ["1777", "0", "1"], ["1778", "1778", "63759"], ["65537", "65537", "1000"]]
    assert [line.split() for line in run(host, "--userns", "keep-id", *look).splitlines()] == kept
    moved = [["0", "1", "7"], ["7", "0", "1"], ["8", "8", "65529"], ["65537", "65537", "1000"]]
    assert [line.split() for line in run(host, "--uidmap", f"+7:@{UID}:1", *look).splitlines()] == moved
    assert run(host, "--userns", "auto:size=66000", *look).splitlines()[1].split() == ["65536", "65537", "464"]
    assert (
        run(host, "--userns", "nomap", host.image, "sh", "-c", "touch /x && chown 66000 /x && stat -c %u /x") == "66000"
    )
    host.as_root("sed", "-i", "/:400000:/d", "/etc/subuid", "/etc/subgid")
    host.ok("system", "migrate")
