"""Cycles of create, start, exec, stop and remove end with the host as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from private_host import LONG, PrivateHost, difference, host_needs

pytestmark = host_needs()
CYCLES = 500 if LONG else 40


@pytest.fixture
def host(tmp_path: Path) -> Iterator[PrivateHost]:
    with PrivateHost(str(tmp_path)) as made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        yield made


def files(*places: str) -> set[str]:
    """Every file below these folders."""
    return {os.path.join(top, name) for place in places for top, _, names in os.walk(place) for name in names}


def test_cycles_leave_nothing(host: PrivateHost) -> None:
    cycle(host, 0)
    cycle(host, 1)
    run = f"/proc/{host.pid}/root/run"
    before, had = host.world(), files(host.graph, run)
    for number in range(2, CYCLES):
        cycle(host, number)
    assert difference(before, host.world()) == {}
    assert files(host.graph, run) == had
    assert host("system", "check").code == 0


def cycle(host: PrivateHost, number: int) -> None:
    """One container's life, of four kinds in turn: with a port, without network, with --rm, with a volume."""
    kind = number % 4
    extra = [["-p", "18091:80"], ["--network=none"], ["--network=none", "--rm"], ["--network=none", "-v", "/data"]][
        kind
    ]
    host.ok("create", "--name", "c", "--cgroup-parent", host.group, *extra, host.image, "sleep", "1000")
    host.ok("start", "c")
    assert host.ok("exec", "c", "echo", "hello") == "hello"
    if kind == 2:
        host.ok("stop", "-t", "0", "c")
        assert host("container", "exists", "c").code == 1
    else:
        host.ok("rm", "-f", "-v", "-t", "0", "c")
