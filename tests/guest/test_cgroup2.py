"""Containers on a host with cgroup version 2, in a virtual machine: one boot, many answers."""

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
say load $sonata load -q -i /image.tar
I=localhost/web:guest
say memory $sonata run --rm --network none -m 64m $I cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max
say cpus $sonata run --rm --network none --cpus 0.5 $I cat /sys/fs/cgroup/cpu.max
say pids $sonata run --rm --network none --pids-limit 10 $I cat /sys/fs/cgroup/pids.max
say default-pids $sonata run --rm --network none $I cat /sys/fs/cgroup/pids.max
say shares $sonata run --rm --network none --cpu-shares 512 $I cat /sys/fs/cgroup/cpu.weight
say cpuset $sonata run --rm --network none --cpuset-cpus 0 $I cat /sys/fs/cgroup/cpuset.cpus
say unified $sonata run --rm --network none --cgroup-conf memory.high=33554432 $I cat /sys/fs/cgroup/memory.high
say private $sonata run --rm --network none $I cat /proc/self/cgroup
say shared $sonata run --rm --network none --cgroupns host $I cat /proc/self/cgroup
say swappiness $sonata run --rm --network none --memory-swappiness 10 $I true
say runc $sonata --runtime runc run --rm --network none -m 64m $I cat /sys/fs/cgroup/memory.max
say runtime $sonata run -d --name web -p 8080:80 $I
sleep 2
say fetch busybox wget -q -O - http://127.0.0.1:8080/
say exec $sonata exec web cat /proc/self/cgroup
say oom $sonata run --name hungry --network none -m 16m --memory-swap 16m $I sh -c 'x=a; while true; do x=$x$x; done'
say oom-killed $sonata inspect hungry --format '{{.State.ExitCode}}'
say stop $sonata rm -f -t 0 web hungry
say left sh -c 'cd /sys/fs/cgroup/libpod_parent; echo libpod-*; ls /run/netns; ls /sys/class/net | grep -c veth'
say doctor $sonata doctor
"""


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the guest said: exit code and text by name."""
    return ask(SCRIPT, tmp_path_factory.mktemp("guest"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("memory", "67108864\n67108864\n"),
        ("cpus", "50000 100000\n"),
        ("pids", "10\n"),
        ("default-pids", "2048\n"),
        ("cpuset", "0\n"),
        ("unified", "33554432\n"),
        ("private", "0::/\n"),
        ("runc", "67108864\n"),
        ("exec", "0::/\n"),
    ],
)
def test_limits_are_what_the_kernel_enforces(answers: Answers, name: str, text: str) -> None:
    assert answers[name] == (0, text)


def test_shares_become_a_weight(answers: Answers) -> None:
    code, text = answers["shares"]
    assert code == 0
    assert 1 < int(text) < 100


def test_the_hosts_groups_are_seen_only_when_asked_for(answers: Answers) -> None:
    assert "libpod_parent/libpod-" in answers["shared"][1]


def test_what_version_2_lacks_is_refused(answers: Answers) -> None:
    code, text = answers["swappiness"]
    assert code != 0
    assert "swappiness" in text


def test_a_web_server_is_reached_through_its_port(answers: Answers) -> None:
    assert answers["runtime"][0] == 0
    assert "A page from a container." in answers["fetch"][1]


def test_a_container_beyond_its_memory_is_killed(answers: Answers) -> None:
    assert answers["oom"][0] == 137
    assert answers["oom-killed"][1] == "137\n"


def test_nothing_is_left(answers: Answers) -> None:
    assert answers["stop"][0] == 0
    assert answers["left"][1].split() == ["libpod-*", "0"]


def test_doctor_finds_that_the_main_job_runs(answers: Answers) -> None:
    assert answers["doctor"][0] == 0, answers["doctor"][1]
