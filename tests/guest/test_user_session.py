"""An ordinary user who has logged in under a real systemd: its scopes and slices hold his containers and his limits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from guest_answers import Answers, ask_systemd

pytestmark = [pytest.mark.slow, pytest.mark.needs_root]

SCRIPT = r"""
cat > /say.sh <<'X'
say() { name=$1; shift; echo "@ $name"; "$@" 2>&1; echo "= $?"; }
X
I=localhost/web:guest
G=/sys/fs/cgroup
N="--network none"
LIMITS="-m 64m --pids-limit 10 --cpus 0.5"
SHOW="cat $G/memory.max $G/pids.max $G/cpu.max"
echo "ordinary:x:1777:1777::/home/ordinary:/bin/sh" >> /etc/passwd
echo "ordinary:x:1777:" >> /etc/group
echo ordinary:100000:65536 > /etc/subuid; cp /etc/subuid /etc/subgid
mkdir -p /home/ordinary; chown 1777:1777 /home/ordinary
chmod 4755 /usr/bin/newuidmap /usr/bin/newgidmap
systemctl start systemd-logind

cat > /first.sh <<X
. /say.sh
say place cat /proc/self/cgroup
say info sonata info --format '{{.Host.CgroupManager}} {{.Host.CgroupControllers}}'
say load sonata load -q -i /image.tar
say limits sonata run --rm $N $LIMITS $I $SHOW
say cgroupfs sonata --cgroup-manager cgroupfs run --rm $N $LIMITS $I $SHOW
say cgroupfs-place sonata --cgroup-manager cgroupfs run --rm --cgroupns host $N $I cat /proc/self/cgroup
say run sonata run -d --name c $N -m 64m $I sleep 1000000
say conmon sh -c 'cat /proc/\$(sonata inspect c --format {{.State.ConmonPid}})/cgroup'
say stats sonata stats --no-stream --format '{{.MemLimit}} {{.PIDs}}' c
say update sonata update -m 32m c
say exec sonata exec c cat $G/memory.max
say pod sonata pod create --name p $N -m 48m --cpus 0.5
say member sonata run -d --name in --pod p $I sleep 1000000
say pod-place sh -c 'cat /proc/\$(sonata inspect in --format {{.State.Pid}})/cgroup'
say pod-path sonata pod inspect p --format '{{.CgroupParent}} {{.CgroupPath}}'
cd $G/user.slice/user-1777.slice/user@1777.service/user.slice/user-libpod_pod_*.slice
say pod-limits cat memory.max cpu.max
cd
X
cat > /second.sh <<X
. /say.sh
say later sonata exec c echo still here
say pod-rm sonata pod rm -f -t0 p
say rm sonata rm -fa -t0
say left systemctl --user list-units --no-legend --plain --no-pager '*libpod*'
say doctor sonata doctor
X
cat > /third.sh <<X
. /say.sh
say controllers cat $G/user.slice/user-1777.slice/user@1777.service/cgroup.controllers
say lacking sonata run --rm $N --cpus 0.5 $I true
say lacking-doctor sonata doctor
X
chmod 644 /*.sh
runuser -l ordinary -c "sh /first.sh"
runuser -l ordinary -c "sh /second.sh"
mkdir -p /etc/systemd/system/user@.service.d
printf '[Service]\nDelegate=pids memory\n' > /etc/systemd/system/user@.service.d/less.conf
systemctl daemon-reload
loginctl enable-linger ordinary
systemctl stop user@1777
for f in $G/user.slice/user-1777.slice $G/user.slice; do echo -cpu > $f/cgroup.subtree_control; done
systemctl start user@1777
runuser -l ordinary -c "sh /third.sh"
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return ask_systemd([SCRIPT], tmp_path_factory.mktemp("session"))[0]


MANAGER = "0::/user.slice/user-1777.slice/user@1777.service"


def test_limits_hold_though_the_login_itself_is_roots(answers: Answers) -> None:
    assert answers["place"][1].startswith("0::/user.slice/user-1777.slice/session-")
    assert answers["info"] == (0, "systemd [cpu memory pids]\n")
    limits = (0, "67108864\n10\n50000 100000\n")
    assert (answers["limits"], answers["cgroupfs"]) == (limits, limits)
    assert answers["cgroupfs-place"][1].startswith(f"{MANAGER}/libpod_parent/libpod-")


def test_what_runs_outlives_the_login_and_can_be_entered_from_another(answers: Answers) -> None:
    """The kernel moves no process out of a login's group, which is root's, into a container's."""
    ident = answers["run"][1].strip()
    assert answers["conmon"] == (0, f"{MANAGER}/user.slice/libpod-conmon-{ident}.scope\n")
    assert answers["stats"] == (0, "67108864 1\n")
    assert answers["update"][0] == 0
    assert answers["exec"] == (0, "33554432\n")
    assert answers["later"] == (0, "still here\n")


def test_a_pod_is_a_slice_with_its_limits_and_goes_with_it(answers: Answers) -> None:
    ident = answers["pod"][1].strip()
    path = f"user.slice/user-libpod_pod_{ident}.slice"
    assert answers["pod-path"] == (0, f"user.slice {path}\n")
    member = answers["member"][1].strip()
    assert answers["pod-place"][1].startswith(f"{MANAGER}/{path}/libpod-{member}.scope")
    assert answers["pod-limits"] == (0, "50331648\n50000 100000\n")
    assert (answers["pod-rm"][0], answers["rm"][0]) == (0, 0)
    assert answers["left"] == (0, "")


def test_doctor_knows_that_a_logout_ends_containers(answers: Answers) -> None:
    assert "loginctl enable-linger ordinary" in answers["doctor"][1]
    assert "cgroup-delegation" not in answers["doctor"][1]


def test_a_controller_that_was_not_handed_over_is_named(answers: Answers) -> None:
    assert answers["controllers"] == (0, "memory pids\n")
    told = "Error: OCI runtime error: crun: the requested cgroup controller `cpu` is not available\n"
    assert answers["lacking"] == (126, told)
    assert "the controllers cpu are not delegated" in answers["lacking-doctor"][1]
