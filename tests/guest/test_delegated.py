"""Limits on a host with cgroup version 2: those of pods, and of an ordinary user to whom a group was handed over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from guest_answers import Answers, ask

pytestmark = [pytest.mark.slow, pytest.mark.needs_root]

SCRIPT = """
sonata=/opt/sonata/bin/sonata
say() { name=$1; shift; echo "@ $name"; "$@" 2>&1; echo "= $?"; }
I=localhost/web:guest
G=/sys/fs/cgroup
N="--network none"
say load $sonata load -q -i /image.tar
LIMITS="--memory 64m --cpus 0.5 --cpuset-cpus 0"
say pod $sonata pod create --name p $N $LIMITS --cpu-shares 512 --device-read-bps /dev/vda:1mb
say member $sonata run -d --name in --pod p $I sleep 1000
POD=$(ls $G/libpod_parent | grep -E "^[0-9a-f]{64}$")
for f in memory.max memory.swap.max cpu.max cpu.weight cpuset.cpus io.max; do
    say pod-$f cat $G/libpod_parent/$POD/$f
done
say update $sonata update --memory 32m --pids-limit 20 --cpus 0.25 in
say updated $sonata exec in cat $G/memory.max $G/pids.max $G/cpu.max
say full $sonata run --rm --pod p -m 1g $I sh -c 'x=a; while true; do x=$x$x; done'
say gone $sonata pod rm -f -t 0 p
say left sh -c "ls -d $G/libpod_parent/*/"

echo "ordinary:x:1777:1777::/home/ordinary:/bin/sh" >> /etc/passwd
echo ordinary:100000:65536 > /etc/subuid; cp /etc/subuid /etc/subgid
mkdir -p /home/ordinary /run/user/1777 /var/tmp; chown 1777:1777 /home/ordinary /run/user/1777
chmod 700 /run/user/1777; chmod 1777 /var/tmp; chmod 755 /var
mkdir -p $G/mine/session $G/theirs
echo "+cpu +memory +pids +io +cpuset" > $G/mine/cgroup.subtree_control
for d in $G/mine $G/mine/session; do
    chown 1777:1777 $d $d/cgroup.procs $d/cgroup.subtree_control $d/cgroup.threads
done
cat > /as.sh <<'X'
echo $$ > /sys/fs/cgroup/$1/cgroup.procs
shift
cd /home/ordinary
export HOME=/home/ordinary USER=ordinary PATH=/usr/bin:/bin:/usr/sbin:/sbin XDG_RUNTIME_DIR=/run/user/1777
exec /usr/bin/setpriv --reuid 1777 --regid 1777 --clear-groups --inh-caps=-all /opt/sonata/bin/sonata "$@"
X
user() { sh /as.sh mine/session "$@"; }
bare() { sh /as.sh theirs "$@"; }
LIMITS="-m 64m --pids-limit 10 --cpus 0.5 --cpuset-cpus 0"
SHOW="cat $G/memory.max $G/pids.max $G/cpu.max $G/cpuset.cpus"
say user-load user load -q -i /image.tar
say user-plain user run --rm $N $I cat $G/pids.max
say user-place user run --rm $N --cgroupns host $I cat /proc/self/cgroup
say user-limits user run --rm $N $LIMITS $I $SHOW
say user-runc user --runtime runc run --rm $N $LIMITS $I $SHOW
say user-parent user run --rm $N --cgroup-parent /mine/other $LIMITS $I $SHOW
say user-oom user run --rm $N -m 16m --memory-swap 16m $I sh -c 'x=a; while true; do x=$x$x; done'
say user-run user run -d --name c $N -m 64m $I sleep 1000
say user-update user update -m 32m c
say user-updated user exec c cat $G/memory.max /proc/self/cgroup
say user-pause user pause c
say user-paused user ps -a --format '{{.State}}'
say user-unpause user unpause c
say user-stats user stats --no-stream --format '{{.MemLimit}} {{.PIDs}}' c
say user-rm user rm -f -t 0 c
say user-pod user pod create --name p $N -m 48m --cpus 0.5
say user-member user run -d --name in --pod p $I sleep 1000
POD=$(ls $G/mine/libpod_parent | grep -E "^[0-9a-f]{64}$")
say user-pod-files cat $G/mine/libpod_parent/$POD/memory.max
say user-pod-rm user pod rm -f -t 0 p
say user-left find $G/mine -mindepth 1 -type d
say bare-plain bare run --rm $N $I cat /proc/self/cgroup
say bare-limits bare run --rm $N $LIMITS $I true
say bare-run bare run -d --name c $N $I sleep 1000
say bare-exec bare exec c echo here
say bare-stop bare stop -t 0 c
say bare-rm bare rm c
say bare-pod bare pod create --name q $N
say bare-member bare run --rm --pod q $I echo here
say bare-pod-rm bare pod rm -f -t 0 q
say bare-wrong bare run --rm $N --cgroup-parent /theirs $I true
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return ask(SCRIPT, tmp_path_factory.mktemp("guest"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pod-memory.max", "67108864\n"),
        ("pod-memory.swap.max", "67108864\n"),
        ("pod-cpu.max", "50000 100000\n"),
        ("pod-cpu.weight", "20\n"),
        ("pod-cpuset.cpus", "0\n"),
        ("pod-io.max", "254:0 rbps=1048576 wbps=max riops=max wiops=max\n"),
        ("updated", "33554432\n20\n25000 100000\n"),
    ],
)
def test_limits_of_pods_and_changed_ones(answers: Answers, name: str, text: str) -> None:
    assert answers[name] == (0, text)


def test_a_pod_holds_its_containers_to_its_memory(answers: Answers) -> None:
    """Though the container itself may have more."""
    assert answers["full"][0] == 137
    assert answers["gone"][0] == 0
    assert "libpod_parent/*/: No such file" in answers["left"][1]


@pytest.mark.parametrize("name", ["user-limits", "user-runc", "user-parent"])
def test_an_ordinary_users_limits_hold_below_what_was_handed_over(answers: Answers, name: str) -> None:
    assert answers[name] == (0, "67108864\n10\n50000 100000\n0\n")


def test_they_are_made_where_the_user_may(answers: Answers) -> None:
    assert answers["user-plain"] == (0, "2048\n")
    assert answers["user-place"][1].startswith("0::/mine/libpod_parent/libpod-")
    assert answers["user-oom"][0] == 137
    assert answers["user-update"][0] == 0
    assert answers["user-updated"][1].startswith("33554432\n0::/")
    assert answers["user-paused"] == (0, "paused\n")
    assert answers["user-unpause"][0] == 0
    assert answers["user-stats"] == (0, "33554432 1\n")


def test_a_pod_of_the_users_has_its_limits(answers: Answers) -> None:
    assert answers["user-pod-files"] == (0, "50331648\n")
    assert answers["user-pod-rm"][0] == 0
    assert "libpod-" not in answers["user-left"][1]


def test_without_a_group_of_ones_own_containers_run_and_limits_are_said_to_be_ignored(answers: Answers) -> None:
    assert answers["bare-plain"][0] == 0
    code, text = answers["bare-limits"]
    assert code == 0
    assert "Resource limits are ignored: no control group is delegated to this user" in text
    for name in ("bare-run", "bare-stop", "bare-rm", "bare-pod", "bare-pod-rm"):
        assert answers[name][0] == 0, (name, answers[name])
    assert answers["bare-exec"] == (0, "here\n")
    assert answers["bare-member"] == (0, "here\n")
    assert answers["bare-wrong"][0] != 0
