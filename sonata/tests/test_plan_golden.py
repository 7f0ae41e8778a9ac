"""What each set of options changes in the spec, on four kinds of host, against golden rows.

The rows were written by the planner once the comparison with Podman (test_plan_peer.py) agreed, those of
cgroup v1 beyond it read by eye; on other hosts they hold still what the planner does.
After a change that is meant: SONATA_WRITE_GOLDEN=1 pytest sonata/tests/test_plan_golden.py
"""

import json
import os
import time
from pathlib import Path

import pytest
from plan_cases import CASES, MORE, differences

from sonata.model.container import Device
from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts, Materials, NetPaths, RootfsFacts, RuntimeFiles, SpecInputs
from sonata.model.request import RunRequest
from sonata.plan import caps, users
from sonata.plan.container import plan_container
from sonata.plan.seccomp import DEFAULT_PROFILE
from sonata.plan.spec.runtime import runtime_spec
from sonata_core.models.host import HostFacts

GOLDEN = Path(__file__).parent / "plan_data" / "specs.json"
ALL_CAPS = tuple(name[4:] for name in caps.ALL)
HOST = HostFacts(
    uid=0, gid=0, rootless=False, kernel="6.1", machine="x86_64", boot_id="b", cgroup_version=1, capabilities=ALL_CAPS
)
HOSTS = {
    "v1": HOST,
    "v2": HOST.replace(cgroup_version=2),
    "weak": HOST.replace(capabilities=("CHOWN", "SETUID"), nofile_limit=(512, 1024), machine="aarch64"),
    "rootless": HOST.replace(cgroup_version=2, rootless=True, uid=1000, gid=1000),
}
NULL = Device(source="/dev/null", path="/dev/null", major=1, minor=3)
PROFILE = json.loads(Path(DEFAULT_PROFILE).read_text())
IMAGE = ImageFacts(id="f" * 64, name="localhost/i:1", env=("PATH=/bin", "I=1"), cmd=("/bin/sh",), volumes=("/data",))


def spec_of(options: dict, facts: HostFacts) -> dict:
    materials = Materials(
        id="0123456789ab" + "c" * 52, name="x", created="t", devices={"/dev/null": (NULL,)}, cgroup_delegated="/mine"
    )
    config = plan_container(RunRequest(image="i", **options), IMAGE, materials, facts, Defaults())
    user = users.resolve(config.process.user, b"root:x:0:0::/root:\n", b"root:x:0:\n", config.process.groups)
    files = RuntimeFiles(
        resolv_conf="/f/r", hosts="/f/h", hostname="/f/n", containerenv="/f/e", shm="/f/s", init="/f/i"
    )
    rootfs = RootfsFacts(path="/m", uid=user.uid, gid=user.gid, groups=user.groups, home=user.home)
    inputs = SpecInputs(
        rootfs=rootfs, net=NetPaths(netns="/n/ns", hostname="thehost"), files=files, seccomp=PROFILE,
        sources={mount.target: f"/src/{mount.kind}" for mount in config.mounts if mount.kind in ("volume", "image")},
        host_devices=(NULL,) if config.host_devices else (),
    )  # fmt: skip
    spec = runtime_spec(config, inputs, facts)
    if "seccomp" in spec["linux"]:
        rules = spec["linux"]["seccomp"]
        spec["linux"]["seccomp"] = {"architectures": rules["architectures"], "rules": len(rules["syscalls"])}
    return json.loads(json.dumps(spec))


def rows() -> dict[str, list[str]]:
    found = {}
    for host, facts in HOSTS.items():
        plain = spec_of({}, facts)
        found[f"{host}: nothing"] = differences(plain, spec_of({}, HOST))
        for name, options in {**CASES, **MORE}.items():
            if "device_cgroup_rule" in options and facts.rootless:
                continue
            if "memory_swappiness" in options and facts.cgroup_version == 2:
                continue
            found[f"{host}: {name}"] = differences(spec_of(options, facts), plain)
    return found


if os.environ.get("SONATA_WRITE_GOLDEN"):
    GOLDEN.write_text(json.dumps(rows(), indent=1, ensure_ascii=False) + "\n")
EXPECTED = json.loads(GOLDEN.read_text())


@pytest.fixture(scope="module")
def found():
    return rows()


def test_no_row_is_missing(found):
    assert found.keys() == EXPECTED.keys()
    assert len(EXPECTED) > 400


@pytest.mark.parametrize("name", EXPECTED)
def test_row(found, name):
    assert found[name] == EXPECTED[name]


def test_planning_is_quick():
    """A default run is planned in under 2 ms (the best of many: other work on the machine does not count)."""
    best = 1.0
    for _ in range(50):
        start = time.perf_counter()
        spec_of({}, HOST)
        best = min(best, time.perf_counter() - start)
    assert best < 0.002


def test_nothing_is_shared_with_the_config():
    first = spec_of(CASES["memory"], HOST)
    first["linux"]["resources"]["memory"]["limit"] = 0
    first["process"]["capabilities"]["bounding"].clear()
    assert spec_of(CASES["memory"], HOST)["linux"]["resources"]["memory"]["limit"] == 64 << 20
