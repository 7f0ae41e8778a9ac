"""Many commands at once on one store: nothing is lost, nothing is given twice, all is gone at the end."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from private_host import Ended, PrivateHost, difference, host_needs, packed

pytestmark = host_needs()
MANY = 50


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, host_kind: type[PrivateHost]) -> Iterator[PrivateHost]:
    base = str(tmp_path_factory.mktemp("many"))
    made = host_kind(base)
    for number in range(10):
        os.makedirs(f"{base}/image-m{number}")
        Path(f"{base}/image-m{number}/1.tar").write_bytes(packed("", 300_000 + number))
    with made:
        made.ok("pull", "-q", "--tls-verify=false", made.image)
        made.ok("run", "--rm", made.image, "true")
        yield made


def at_once(jobs: list[Callable[[], None]]) -> None:
    """Run every job in a thread of its own; the first failure is raised."""
    failed: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise AssertionError(f"{len(failed)} of {len(jobs)} failed") from failed[0]


def all_of(host: PrivateHost, lines: list[list[str]]) -> list[Ended]:
    """Begin all of these commands, then wait for all of them."""
    started = [
        subprocess.Popen(host.argv(*line), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in lines
    ]
    ended = []
    for one in started:
        out, err = one.communicate(timeout=300)
        ended.append(Ended(one.returncode, out, err))
    return ended


def test_fifty_lives_at_once(host: PrivateHost) -> None:
    """Create, start, list, exec, inspect and remove, each of fifty on its own, half of them on a bridge."""
    before = host.world()
    addresses: list[str] = []
    ids: list[str] = []

    def life(number: int) -> None:
        name, network = f"c{number}", "bridge" if number % 2 else "none"
        where = ["--network", network, "--cgroup-parent", host.group]
        made = host.ok("create", "--name", name, *where, host.image, "sleep", "1000")
        host.ok("start", name)
        assert name in host.ok("ps", "--format", "{{.Names}}").split()
        assert host.ok("exec", name, "echo", "hello", name) == f"hello {name}"
        if network == "bridge":
            addresses.append(host.ok("inspect", "--format", "{{.NetworkSettings.Networks.podman.IPAddress}}", name))
        ids.append(made)
        assert host.ok("rm", "-f", "-t", "0", name) == name

    at_once([lambda number=number: life(number) for number in range(MANY)])  # type: ignore[misc]
    assert len(set(ids)) == MANY
    assert all(addresses)
    assert host.ok("ps", "-aq") == ""
    assert difference(before, host.world()) == {}


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_twenty_detached_runs_at_once(host: PrivateHost, network: str) -> None:
    before = host.world()
    line = ["run", "-d", "--network", network, "--cgroup-parent", host.group, host.image, "sleep", "1000"]
    ended = all_of(host, [line] * 20)
    assert [one for one in ended if one.code or one.err] == []
    ids = [one.out for one in ended]
    assert sorted(host.ok("ps", "-q", "--no-trunc").split()) == sorted(ids)
    assert len(set(host.ok("ps", "--format", "{{.Names}}").split())) == 20
    if network == "bridge":
        shown = host.ok("inspect", "--format", "{{.NetworkSettings.Networks.podman.IPAddress}}", *ids).split()
        assert len(set(shown)) == 20, shown
    host.ok("rm", "-f", "-t", "0", *ids)
    assert difference(before, host.world()) == {}


def test_one_name_goes_to_one(host: PrivateHost) -> None:
    line = ["create", "--name", "only", "--network", "none", host.image, "true"]
    ended = all_of(host, [line] * 20)
    assert sorted(one.code for one in ended) == [0] + [125] * 19
    assert all("already in use" in one.err for one in ended if one.code), ended
    assert host.ok("ps", "-aq", "--no-trunc") == next(one.out for one in ended if not one.code)
    host.ok("rm", "only")


def test_one_port_goes_to_one(host: PrivateHost) -> None:
    before = host.world()
    where = ["-p", "18090:80", "--cgroup-parent", host.group]
    ended = all_of(host, [["run", "-d", *where, host.image, "sleep", "1000"]] * 8)
    assert len([one for one in ended if one.code == 0]) == 1, ended
    assert len(host.ok("ps", "-q").split()) == 1
    host.ok("rm", "-f", "-a", "-t", "0")
    assert difference(before, host.world()) == {}


def test_one_container_removed_by_many(host: PrivateHost) -> None:
    """What was asked for comes true, whoever does it; the others succeed too, or find no such container."""
    before = host.world()
    host.ok("run", "-d", "--name", "c", "--cgroup-parent", host.group, host.image, "sleep", "1000")
    ended = all_of(host, [["rm", "-f", "-t", "0", "c"], ["stop", "-t", "0", "c"], ["kill", "c"]] * 4)
    for one in ended:
        assert one.code == 0 or "no such container" in one.err or "running" in one.err or "state" in one.err, one
    assert host("container", "exists", "c").code == 1
    assert difference(before, host.world()) == {}


def test_ten_pulls_of_one_image(host: PrivateHost) -> None:
    image = f"{host.registry}/m0:1"
    ended = all_of(host, [["pull", "-q", "--tls-verify=false", image]] * 10)
    assert [one for one in ended if one.code] == []
    assert len({one.out for one in ended}) == 1
    assert host.ok("images", "-q", "--no-trunc", image).count("\n") == 0
    assert host("system", "check").code == 0
    host.ok("rmi", image)
    assert host("system", "check").code == 0


def test_pulls_and_removals_of_many_images(host: PrivateHost) -> None:
    images = [f"{host.registry}/m{number}:1" for number in range(10)]

    def both(image: str) -> None:
        for _ in range(2):
            identity = host.ok("pull", "-q", "--tls-verify=false", image)
            assert identity in host.ok("images", "-q", "--no-trunc")
            host.ok("rmi", image)
        host.ok("pull", "-q", "--tls-verify=false", image)

    at_once([lambda image=image: both(image) for image in images])  # type: ignore[misc]
    shown = host.ok("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert set(images) <= set(shown)
    assert len(shown) == len(set(shown))
    host.ok("rmi", *images)
    assert host("system", "check").code == 0


def test_networks_and_volumes_at_once(host: PrivateHost) -> None:
    """Twenty of each: no two networks share a subnet."""
    words = [[kind, "create", f"n{number}"] for number in range(10) for kind in ("network", "volume")]
    assert [one for one in all_of(host, words) if one.code] == []
    names = [f"n{number}" for number in range(10)]
    subnets = [one["subnets"][0]["subnet"] for one in json.loads(host.ok("network", "inspect", *names))]
    assert len(set(subnets)) == 10
    assert {f"n{number}" for number in range(10)} <= set(host.ok("volume", "ls", "-q").split())
    assert [
        one
        for one in all_of(host, [[kind, "rm", name] for name in names for kind in ("network", "volume")])
        if one.code
    ] == []
