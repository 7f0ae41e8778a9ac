"""Our spec against the one that Podman 5.8 writes, for many sets of options."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from plan_cases import CASES, differences

from sonata.model.container import Device
from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts, Materials, NetPaths, RootfsFacts, RuntimeFiles, SpecInputs
from sonata.model.request import RunRequest
from sonata.plan import caps, users
from sonata.plan.container import plan_container
from sonata.plan.seccomp import DEFAULT_PROFILE
from sonata.plan.spec.runtime import runtime_spec
from sonata_core.models.host import HostFacts

PEER = os.environ.get("SONATA_PEER_PODMAN", "")
pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.needs_peer,
    pytest.mark.skipif(not PEER, reason="set SONATA_PEER_PODMAN to the command of a Podman 5.8"),
]
IMAGE = "localhost/bb:latest"
IMAGE_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def flags(options: dict) -> list[str]:
    result = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        for one in value if isinstance(value, tuple) else (value,):
            result.append(f"{option}={str(one).lower() if isinstance(one, bool) else one}")
    return result


class Peer:
    def __init__(self, root: Path) -> None:
        self.base = [*shlex.split(PEER), "--root", f"{root}/r", "--runroot", f"{root}/rr"]
        saved = root / "image.tar"
        subprocess.run([*shlex.split(PEER), "save", "-q", "-o", str(saved), IMAGE], check=True, capture_output=True)
        self.run("load", "-q", "-i", str(saved))
        self.root = root

    def run(self, *args: str) -> str:
        done = subprocess.run([*self.base, *args], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def spec(self, options: dict) -> dict:
        cid = self.run("create", *flags(options), IMAGE, "sleep", "1")
        try:
            subprocess.run([*self.base, "init", cid], capture_output=True, check=False)
            found = list((self.root / "r").glob(f"overlay-containers/{cid}/userdata/config.json"))
            assert found, "Podman wrote no config.json"
            return json.loads(found[0].read_text())
        finally:
            self.run("rm", "-f", cid)


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    return Peer(tmp_path_factory.mktemp("peer"))


def ours(options: dict, theirs: dict) -> dict:
    """Our spec, with the engine's findings taken from Podman's: paths, devices, flags of sources."""
    defaults = Defaults(default_ulimits=("nofile=20000:20000", "nproc=20000:20000"))
    facts = HostFacts(
        uid=0, gid=0, rootless=False, kernel="6", machine=os.uname().machine, boot_id="b", cgroup_version=1,
        capabilities=host_capabilities(), nofile_limit=(20000, 20000), nproc_limit=(20000, 20000),
    )  # fmt: skip
    cid = next((m["source"] for m in theirs["mounts"] if m["destination"] == "/run/.containerenv"), "").split("/")[-3]
    null = Device(source="/dev/null", path="/dev/null", major=1, minor=3)
    materials = Materials(id=cid, name="x", created="", devices={"/dev/null": (null,)})
    request = RunRequest(image=IMAGE, command=("sleep", "1"), **options)
    image = ImageFacts(env=(IMAGE_PATH,), working_dir="/", cmd=("/bin/sh",))
    config = plan_container(request, image, materials, facts, defaults)
    passwd, group = b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n"
    user = users.resolve(config.process.user, passwd, group, config.process.groups)
    bound = {mount["destination"]: mount["source"] for mount in theirs["mounts"] if mount["type"] == "bind"}
    files = RuntimeFiles(
        resolv_conf=bound.get("/etc/resolv.conf", "") if config.network.manage_resolv else "",
        hosts=bound.get("/etc/hosts", "") if config.network.manage_hosts else "",
        hostname=bound.get("/etc/hostname", ""),
        containerenv=bound.get("/run/.containerenv", ""),
        shm=bound.get("/dev/shm", ""),
        passwd=bound.get("/etc/passwd", ""),
        group=bound.get("/etc/group", ""),
        init=bound.get("/run/podman-init", ""),
    )
    netns = next((ns.get("path", "") for ns in theirs["linux"]["namespaces"] if ns["type"] == "network"), "")
    inputs = SpecInputs(
        rootfs=RootfsFacts(
            path=theirs["root"]["path"], uid=user.uid, gid=user.gid, groups=user.groups, home=user.home
        ),
        net=NetPaths(netns=netns, hostname=os.uname().nodename),
        files=files,
        seccomp=None if config.security.seccomp == "unconfined" else json.loads(Path(DEFAULT_PROFILE).read_text()),
        host_devices=tuple(
            Device(source=d["path"], path=d["path"], type=d["type"], major=d["major"], minor=d["minor"],
                   mode=d["fileMode"], uid=d["uid"], gid=d["gid"])
            for d in theirs["linux"].get("devices", ())
        ) if config.host_devices else (),
    )  # fmt: skip
    return runtime_spec(config, inputs, facts)


def host_capabilities() -> tuple[str, ...]:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    bits = int(line.split()[1], 16)
    order = caps.ALL
    return tuple(name[4:] for index, name in enumerate(order) if bits >> index & 1)


def normal(spec: dict) -> dict:
    """Without what means nothing: orders that Go's maps make up, repetitions, empty objects."""
    spec = json.loads(json.dumps(spec))
    spec.pop("ociVersion")
    process, linux = spec["process"], spec["linux"]
    process["env"].sort()
    process["user"].get("additionalGids", []).sort()
    process.get("rlimits", []).sort(key=lambda limit: limit["type"])
    for key in list(process.get("capabilities", {})):
        process["capabilities"][key].sort()
    if process.get("capabilities") == {}:
        del process["capabilities"]
    for mount in spec["mounts"]:
        mount["options"] = [option for option in dict.fromkeys(mount["options"]) if option]
    spec["mounts"].sort(key=lambda mount: mount["destination"])
    for key in ("maskedPaths", "readonlyPaths"):
        if key in linux:
            linux[key] = sorted(set(linux[key]))
    linux["namespaces"].sort(key=lambda entry: entry["type"])
    linux.get("devices", []).sort(key=lambda entry: entry["path"])
    if not linux.get("cgroupsPath"):
        linux["resources"] = {}  # Podman writes them down although no cgroup is made
    kept = {key: value for key, value in linux.get("resources", {}).items() if value}
    linux["resources"] = {key: value for key, value in kept.items() if value != {"limit": -1}}  # no limit of pids
    if not linux["resources"]:
        del linux["resources"]
    return spec


@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_spec_is_podmans(peer, options):
    theirs = peer.spec(options)
    assert differences(normal(ours(options, theirs)), normal(theirs)) == []
