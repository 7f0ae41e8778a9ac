"""`--explain` against what `create` and `init` really make: the same spec to the byte, and nothing left behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata.assemble import open_engine
from sonata.cli import root
from sonata.cli.containers.create import to_request
from sonata.engine.containers.create import create
from sonata.engine.containers.explain import explain
from sonata.engine.containers.init import init
from sonata.engine.containers.remove import remove
from sonata.engine.engine import Engine, Overrides
from sonata.engine.paths import ContainerPaths, store_tag
from sonata.model.request import RunRequest
from sonata.state.rows import ContainerRow
from sonata_core.errors import NotFound, SonataError

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon") or not shutil.which("crun"), reason="needs conmon and crun"),
]

IMAGE = "localhost/explained:1"
CHANGES = (
    "ENV FROM_IMAGE=yes",
    "USER app",
    "WORKDIR /srv/made",
    "VOLUME /image-volume",
    "EXPOSE 8080",
    "LABEL kept=there",
    "STOPSIGNAL SIGQUIT",
    'CMD ["sleep", "5"]',
)
SEEDS = 10
EACH = 20


class World(LiveWorld):
    """Besides what a live world has: an image, a secret, a volume, files that options name."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        Path(self.rootfs, "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:77:78::/home/app:/bin/sh\n")
        Path(self.rootfs, "etc/group").write_text("root:x:0:\napp:x:78:\nextra:x:79:app\n")
        archive = f"{base}/rootfs.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(self.rootfs, arcname=".")
        self.ok("import", *(word for change in CHANGES for word in ("--change", change)), archive, IMAGE)
        Path(base, "secret").write_text("hidden-canary")
        self.ok("secret", "create", "hush", f"{base}/secret")
        self.ok("volume", "create", "kept")
        os.mkdir(f"{base}/graph/volumes/kept/_data/inner")
        Path(base, "env").write_text("FROM_FILE=1\nEMPTY=\n")
        Path(base, "labels").write_text("of=file\n")
        for folder in ("bound", "other"):
            os.mkdir(f"{base}/{folder}")
        self.start("donor", "-v", "/from-donor")

    def engine(self, *, looks_only: bool = False) -> Engine:
        settings = {
            "storage.graphroot": f"{self.base}/graph",
            "storage.runroot": f"{self.base}/run",
            "engine.tmp_dir": f"{self.base}/tmp",
        }
        return open_engine(settings, Overrides(looks_only=looks_only, arguments=tuple(self.options)))

    def request(self, *words: str) -> RunRequest:
        made = root.understand(["create", *words])
        return to_request(made.parsed, ("create", *words), {"PATH": "/bin", "CALLER": "here"}, self.base)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(str(tmp_path_factory.mktemp("x")))
    yield made
    made.end()


CHOICES = [
    ["--env=A0=b c"],
    ["--env=A1=b c"],
    ["--env=A2=b c"],
    ["--env=CALLER"],
    ["--env-file=BASE/env"],
    ["--label-file=BASE/labels", "--label=x=y"],
    ["--unsetenv=FROM_IMAGE"],
    ["--env-merge=MERGED=${FROM_IMAGE}-more"],
    ["--user=77"],
    ["--user=nobody-there"],
    ["--user=root:extra"],
    ["--user=1234:5678"],
    ["--group-add=extra"],
    ["--workdir=/tmp"],
    ["--workdir=/not/there"],
    ["--entrypoint=sh"],
    ["--hostname=named"],
    ["--uts=host"],
    ["--pid=host"],
    ["--ipc=host"],
    ["--ipc=none"],
    ["--cgroupns=private"],
    ["--network=none"],
    ["--network=host"],
    ["--network=private"],
    ["--privileged"],
    ["--cap-add=NET_ADMIN", "--cap-drop=KILL"],
    ["--cap-drop=all"],
    ["--security-opt=no-new-privileges"],
    ["--security-opt=seccomp=unconfined"],
    ["--security-opt=mask=/proc/meminfo", "--security-opt=unmask=/proc/kcore"],
    ["--read-only"],
    ["--read-only", "--read-only-tmpfs=false"],
    ["--memory=64m", "--pids-limit=50"],
    ["--cpu-shares=300", "--cpuset-cpus=0"],
    ["--ulimit=nofile=100:200"],
    ["--ulimit=core=-1"],
    ["--oom-score-adj=10"],
    ["--sysctl=net.ipv4.ip_forward=1"],
    ["--shm-size=1m"],
    ["--tmpfs=/scratch:size=1m"],
    ["--volume=/anonymous"],
    ["--volume=kept:/kept:ro"],
    ["--volume=new-one:/new"],
    ["--volume=BASE/bound:/bound:ro,rslave"],
    ["--volume=BASE/other:/over:O"],
    ["--mount=type=bind,src=BASE/bound,dst=/mounted,ro"],
    ["--mount=type=tmpfs,dst=/mounted-tmp,tmpfs-mode=700"],
    ["--device=/dev/full:/dev/other:r"],
    ["--uidmap=0:200000:5000", "--gidmap=0:300000:6000"],
    ["--userns=keep-id"],
    ["--userns=keep-id:uid=77,gid=78"],
    ["--userns=auto:size=1000"],
    ["--volume=BASE/other:/idmapped:idmap"],
    ["--mount=type=glob,src=BASE/b*,dst=/globbed"],
    [f"--mount=type=image,src={IMAGE},dst=/of-image"],
    [f"--mount=type=image,src={IMAGE},dst=/of-image-rw,rw=true"],
    ["--mount=type=volume,src=kept,dst=/part,subpath=inner"],
    ["--secret=hush"],
    ["--secret=hush,target=/elsewhere,mode=0400"],
    ["--secret=hush,type=env,target=HUSHED"],
    ["--stop-signal=USR1", "--stop-timeout=3"],
    ["--umask=0077"],
    ["--tty"],
    ["--systemd=always"],
    ["--add-host=db:10.0.0.1", "--dns=9.9.9.9"],
    ["--no-hosts"],
    ["--no-hostname"],
    ["--annotation=an=notated"],
    ["--restart=on-failure:2"],
    ["--rm"],
    ["--name=given"],
    ["--init-path=/bin/busybox", "--init"],
    ["--image-volume=tmpfs"],
    ["--image-volume=ignore"],
    ["--cgroup-parent=/sonata_test"],
    ["--health-cmd=true"],
    ["--publish=81", "--publish=18070:82/udp"],
    ["--sdnotify=conmon"],
    ["--sdnotify=ignore"],
    ["--tz=UTC"],
    ["--personality=LINUX32"],
    ["--env-host"],
    ["--chrootdirs=/bin"],
    ["--hosts-file=none"],
    ["--security-opt=proc-opts=hidepid=2"],
    ["--volumes-from=donor:ro"],
    ["--ipc=container:donor"],
    ["--hostuser=root"],
    ["--log-driver=none"],
    ["--cap-add=ALL"],
    ["--pids-limit=-1"],
    ["--memory=64m", "--memory-swap=128m", "--memory-swappiness=10"],
    ["--device-cgroup-rule=c 1:3 mr"],
    ["--no-healthcheck"],
    ["--cgroups=disabled"],
    ["--volume=BASE/other:/given:U"],
]
"""What a combination draws from; BASE is the world's folder."""


def combination(base: str, dice: random.Random) -> list[str]:
    drawn = dice.sample(CHOICES, dice.randint(1, 9))
    words = [word.replace("BASE", base) for option in drawn for word in option]
    if not any(word.startswith("--network") for word in words) and dice.random() < 0.8:
        words.append("--network=none")
    if dice.random() < 0.2:
        return [*words, "--rootfs", f"{base}/rootfs" + dice.choice(("", ":O")), "true"]
    return [*words, IMAGE, *dice.choice(((), ("true",), ("sh", "-c", "exit 3")))]


def put_back(told: Any, drawn: dict[str, str]) -> str:
    """The spec as its file has it, with the signs replaced by what was drawn."""
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    for sign, value in drawn.items():
        text = text.replace(sign, value)
    return text


def drawn_by(row: ContainerRow) -> dict[str, str]:
    ident, name = row.config.id, row.config.name
    return {
        "‹container id›": ident,
        "‹container id, 32 digits›": ident[:32],
        "‹container id, 12 digits›": ident[:12],
        "‹name›": name,
        "‹root path›": row.state.mountpoint,
        "‹network namespace path›": row.state.netns,
        **{f"‹volume of {use.target}›": use.source for use in row.config.mounts if use.anonymous},
    }


def told_of(world: World, request: RunRequest) -> dict[str, Any] | str:
    engine = world.engine(looks_only=True)
    try:
        return explain(engine, request, {})
    except SonataError as error:
        return error.message
    finally:
        engine.close()


def made_of(engine: Engine, request: RunRequest) -> tuple[str, dict[str, str]] | str:
    """The spec that a start writes, and what it drew; or why there is none."""
    try:
        row = create(engine, request)
    except SonataError as error:
        return error.message
    try:
        with engine.locks.hold(row.config.id):
            row = init(engine, row)
        paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
        return Path(paths.config).read_text(), drawn_by(row)
    except SonataError as error:
        return error.message.replace(row.config.id, "‹container id›")
    finally:
        with contextlib.suppress(NotFound):  # one of --rm that did not start may be gone already
            remove(engine, row.config.id, force=True, volumes=True, timeout=0)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_spec_is_the_one_that_create_and_start_write(world: World, seed: int) -> None:
    dice, engine = random.Random(seed), world.engine()
    compared = 0
    while compared < EACH:
        words = combination(world.base, dice)
        request = world.request(*words)
        told = told_of(world, request)
        if learns(told):
            made_of(engine, request)
            told = told_of(world, request)
        made = made_of(engine, request)
        if isinstance(made, str):
            assert refused_alike(told, made), (words, told, made)
            continue
        assert isinstance(told, dict), (words, told)
        for _ in range(3 if "--privileged" in words else 0):
            # Others may make or change a device node on this host just between the two.
            if put_back(told["Spec"], made[1]) != made[0]:
                told, made = told_of(world, request), made_of(engine, request)
                assert isinstance(told, dict) and isinstance(made, tuple)
        assert put_back(told["Spec"], made[1]) == made[0], words
        compared += 1
    engine.close()


def learns(told: dict[str, Any] | str) -> bool:
    """Whether the first start of such a container teaches the runtime's plugin a filter for the next one's spec."""
    if isinstance(told, str) or "seccomp" not in told["Spec"]["linux"]:
        return False
    return "run.oci.seccomp_bpf_data" not in told["Spec"]["annotations"]


def refused_alike(told: dict[str, Any] | str, made: object) -> bool:
    """Explain refuses what create refuses; what only the start finds out, it says among its notices or not at all."""
    if isinstance(told, str):
        return told == made
    return isinstance(made, str)


def snapshot(base: str) -> dict[str, object]:
    """Every file below the folder, and what of the host a container would change."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(base):
        for name in (*folders, *files):
            path = f"{folder}/{name}"
            seen = os.lstat(path)
            if name.endswith("-shm"):  # what readers of SQLite's log share instead of memory
                found[path] = (seen.st_mode, seen.st_ino, seen.st_size)
                continue
            plain = os.path.isfile(path) and not os.path.islink(path)
            content = hashlib.sha256(Path(path).read_bytes()).hexdigest() if plain else ""
            found[path] = (seen.st_mode, seen.st_ino, seen.st_size, seen.st_mtime_ns, content)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found["mounts"] = sorted(line for line in mounts if base in line)
    found["processes"] = sorted(cmdline for cmdline in _commands() if base.encode() in cmdline)
    tag = store_tag(f"{base}/graph")
    found["namespaces"] = [name for name in os.listdir("/run/netns") if tag in name] if _HAS_NETNS else []
    return found


_HAS_NETNS = os.path.isdir("/run/netns")
SHARED = ("/run/containers/networks", "/etc/containers/networks", "/run/lock", "/sys/class/net")


def shared() -> dict[str, list[str]]:
    """What of the host every test may change."""
    return {folder: sorted(os.listdir(folder)) for folder in SHARED if os.path.isdir(folder)}


def _commands() -> Iterator[bytes]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield Path(f"/proc/{name}/cmdline").read_bytes()
            except OSError:
                continue


MUCH = ("-d", "-p", "8099", "-v", "new-one:/new", "-v", "/anonymous", "--secret", "hush", "--memory", "64m", "--rm")


@pytest.mark.parametrize("verb", ["run", "create"])
def test_nothing_is_written(world: World, verb: str) -> None:
    world.start(f"beside-{verb}")
    words = [word for word in MUCH if verb == "run" or word != "-d"]
    cid = f"{world.base}/never-made"
    quiet = False
    for more in ([], ["--explain=json"], []):
        before, around = snapshot(world.base), shared()
        world.ok(verb, "--explain", *more, *words, "--cidfile", cid, "--name", "n", IMAGE, "true")
        world.ok(verb, "--explain", *more, "--replace", "--name", f"beside-{verb}", IMAGE)
        assert snapshot(world.base) == before
        quiet = quiet or shared() == around
    assert quiet
    world.ok("rm", "-f", "-t", "0", f"beside-{verb}")


def test_nothing_is_written_where_nothing_is(tmp_path: Path) -> None:
    base = f"{tmp_path}/none"
    options = [f"--root={base}/graph", f"--runroot={base}/run", f"--tmpdir={base}/tmp"]
    argv = [sys.executable, "-m", "sonata", *options, "run", "--explain=json", "-p", "80", "--rootfs", "/", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Spec"]["root"] == {"path": "/"}
    assert not os.path.exists(base)
