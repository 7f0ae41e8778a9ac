"""The boot unit under a real systemd: what runs after a shutdown and a boot, and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

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

_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, tuple[int, str]]]:
    """What the guest said at each of two boots: exit code and text by name."""
    missing = [name for name in ("qemu-system-x86_64", "cpio", "mke2fs") if not shutil.which(name, path=_PATH)]
    missing += [] if os.path.exists("/usr/lib/systemd/systemd") else ["systemd"]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install qemu-system-x86 cpio e2fsprogs systemd dbus")
    import guest_systemd

    image = tmp_path_factory.mktemp("reboot") / "image.tar"
    tool = Path(guest_systemd.__file__).with_name("make_image.py")
    subprocess.run([sys.executable, str(tool), str(image), "localhost/web:guest"], check=True)
    return [_parsed(told) for _, told in guest_systemd.boots([FIRST, SECOND], {"/image.tar": image})]


def _parsed(told: str) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for part in told.split("@ ")[1:]:
        name, _, rest = part.partition("\n")
        text, _, code = rest.rpartition("= ")
        found[name] = (int(code.split()[0]), text)
    return found


def test_before_the_shutdown_all_but_the_stopped_one_run(answers: list[dict[str, tuple[int, str]]]) -> None:
    failed = {name: said for name, said in answers[0].items() if said[0]}
    assert not failed
    assert sorted(answers[0]["running"][1].split()) == ["always", "limited", "no", "on-failure", "unless-stopped"]


def test_systemd_has_a_scope_for_a_container(answers: list[dict[str, tuple[int, str]]]) -> None:
    assert answers[0]["manager"] == (0, "systemd\n")
    assert "machine.slice/libpod-" in answers[0]["scope"][1], answers[0]["scope"]


def test_after_the_boot_those_run_that_are_to(answers: list[dict[str, tuple[int, str]]]) -> None:
    assert answers[1]["unit"] == (0, "active\n"), answers[1]
    assert sorted(answers[1]["running"][1].split()) == ["always", "unless-stopped"], answers[1]
    assert answers[1]["exec"] == (0, "awake\n")
