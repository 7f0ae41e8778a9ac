"""The boot unit under a real systemd: what runs after a shutdown and a boot, and what does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from guest_answers import Answers, ask_systemd

pytestmark = [pytest.mark.slow, pytest.mark.needs_root]

SAY = 'say() { name=$1; shift; echo "@ $name"; "$@" 2>&1; echo "= $?"; }\nI=localhost/web:guest\n'
FIRST = (
    SAY
    + """
say load sonata load -q -i /image.tar
say enable systemctl enable sonata-restart.service
say start systemctl start sonata-restart.service
for policy in always unless-stopped on-failure no; do
    say $policy sonata run -d --name $policy --network none --restart $policy $I sleep 1000000
done
say stopped sonata run -d --name stopped --network none --restart unless-stopped $I sleep 1000000
say stop sonata stop -t 0 stopped
say limited sonata run -d --name limited --network none -m 64m $I sleep 1000000
say manager sonata info --format '{{.Host.CgroupManager}}'
say scope sh -c 'cat /proc/$(sonata inspect limited --format {{.State.Pid}})/cgroup'
say running sonata ps --format '{{.Names}}'
"""
)
SECOND = (
    SAY
    + """
say unit systemctl is-active sonata-restart.service
say running sonata ps --format '{{.Names}}'
say all sonata ps -a --format '{{.Names}} {{.State}}'
say exec sonata exec always echo awake
"""
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[Answers]:
    """What the guest said at each of two boots."""
    return ask_systemd([FIRST, SECOND], tmp_path_factory.mktemp("reboot"))


def test_before_the_shutdown_all_but_the_stopped_one_run(answers: list[Answers]) -> None:
    failed = {name: said for name, said in answers[0].items() if said[0]}
    assert not failed
    assert sorted(answers[0]["running"][1].split()) == ["always", "limited", "no", "on-failure", "unless-stopped"]


def test_systemd_has_a_scope_for_a_container(answers: list[Answers]) -> None:
    assert answers[0]["manager"] == (0, "systemd\n")
    assert "machine.slice/libpod-" in answers[0]["scope"][1], answers[0]["scope"]


def test_after_the_boot_those_run_that_are_to(answers: list[Answers]) -> None:
    assert answers[1]["unit"] == (0, "active\n"), answers[1]
    assert sorted(answers[1]["running"][1].split()) == ["always", "unless-stopped"], answers[1]
    assert answers[1]["exec"] == (0, "awake\n")
