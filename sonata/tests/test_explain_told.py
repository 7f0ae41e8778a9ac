"""What `--explain` tells beside the spec: where values come from, image and policy, network, hooks, text for people."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata.engine.containers.layered import LayeredRoot

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon") or not shutil.which("crun"), reason="needs conmon and crun"),
]

IMAGE = "localhost/told:1"
CONF = """\
[containers]
# Two lines of little interest.

pids_limit = 99
env = ["PATH=/bin", "BOTH=same"]

[engine]
stop_timeout = 3
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LiveWorld]:
    made = LiveWorld(str(tmp_path))
    Path(made.base, "containers.conf").write_text(CONF)
    yield made
    made.end()


def with_image(world: LiveWorld) -> None:
    archive = f"{world.base}/rootfs.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(world.rootfs, arcname=".")
    world.ok("import", "--change", "ENV FROM_IMAGE=1", "--change", "STOPSIGNAL SIGQUIT", archive, IMAGE)


def explained(world: LiveWorld, *words: str, **env: str) -> dict[str, Any]:
    env = {**os.environ, "CONTAINERS_CONF": f"{world.base}/containers.conf", **env}
    found: dict[str, Any] = json.loads(world.ok("create", "--explain=json", *words, env=env))
    return found


def source(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(one["From"] for one in told["Sources"] if one["Value"] == name)
    return found


def test_every_value_says_where_it_comes_from(world: LiveWorld) -> None:
    with_image(world)
    words = ("--env", "A=1", "--env", "B=2", "--memory=64m", "--user=5", "--env", "BOTH=same", IMAGE, "sh", "-c", "x")
    told = explained(world, *words, https_proxy="http://proxy:1")
    conf = f"{world.base}/containers.conf"
    assert source(told, "process.env.A") == [{"Source": "flag", "Name": "--env", "Given": "A=1"}]
    assert source(told, "process.env.B") == [{"Source": "flag", "Name": "--env", "Given": "B=2"}]
    assert source(told, "resources.memory.limit") == [{"Source": "flag", "Name": "--memory", "Given": "64m"}]
    limit = {"Source": "file", "Name": "containers.pids_limit", "File": conf, "Line": 4}
    assert source(told, "resources.pids.limit") == [limit]
    assert source(told, "process.stop_timeout")[0]["Line"] == 8
    assert source(told, "process.env.FROM_IMAGE") == [{"Source": "image", "Name": "Env", "Image": IMAGE}]
    assert source(told, "process.stop_signal")[0]["Name"] == "StopSignal"
    assert source(told, "process.env.https_proxy") == [{"Source": "environment"}]
    assert source(told, "process.args")[0]["Given"] == ["sh", "-c", "x"]
    both = source(told, "process.env.BOTH")
    assert [one["Source"] for one in both] == ["flag", "file"]
    settings = {one["Setting"]: one for one in told["Settings"]}
    assert (settings["containers.pids_limit"]["File"], settings["containers.pids_limit"]["Line"]) == (conf, 4)
    assert settings["storage.graphroot"]["Name"] == "--root"
    usual = {one["Value"] for one in told["Sources"]}
    assert not usual & {"process.cwd", "network.mode", "namespaces.pid.kind", "restart.name"}


def test_an_image_that_is_not_there_is_not_pulled(world: LiveWorld) -> None:
    policy = {
        "default": [{"type": "insecureAcceptAnything"}],
        "transports": {"docker": {"registry.invalid/closed": [{"type": "reject"}]}},
    }
    Path(world.base, "policy.json").write_text(json.dumps(policy))
    env = {"CONTAINERS_POLICY_JSON": f"{world.base}/policy.json"}
    told = explained(world, "registry.invalid/closed/thing:2", **env)
    assert told["Complete"] is False
    assert (told["Image"]["Local"], told["Image"]["Pull"]) == (False, "yes")
    assert told["Image"]["Candidates"] == ["docker://registry.invalid/closed/thing:2"]
    verdict = told["Policy"]["Verdicts"][0]
    assert (verdict["Verdict"], verdict["Rule"]) == ("rejected", "transports.docker.registry.invalid/closed")
    assert told["Policy"]["File"] == env["CONTAINERS_POLICY_JSON"] and told["Policy"]["Asked"]
    open_ = explained(world, "registry.invalid/open:2", **env)["Policy"]["Verdicts"][0]
    assert (open_["Verdict"], open_["Rule"]) == ("accepted", "default")
    with_image(world)
    again = explained(world, "--pull=newer", IMAGE, **env)
    assert (again["Image"]["Local"], again["Image"]["Pull"]) == (True, "if newer")
    assert any("pulled anew" in notice for notice in again["Notices"])
    never = world.run("create", "--explain", "--pull=never", "registry.invalid/open:2")
    assert never.returncode == 125 and "image not known" in never.stderr


def test_the_network_is_planned_and_nothing_taken(world: LiveWorld) -> None:
    world.ok("network", "create", "--subnet", "10.213.77.0/24", "planned")
    words = ("--network=planned:ip=10.213.77.9", "-p", "18080:80", "-p", "81", "--rootfs", world.rootfs, "true")
    network = explained(world, *words)["Network"]
    assert network["Networks"][0]["Addresses"] == ["10.213.77.9"]
    assert [port["HostPort"] for port in network["Ports"]] == ["‹port›", 18080]
    rules = "\n".join(network["Rules"])
    assert "-p tcp --dport 18080 -j DNAT --to-destination 10.213.77.9:80" in rules
    assert "--dport ‹port› -j DNAT --to-destination 10.213.77.9:81" in rules
    free = explained(world, "--network=planned", "-p", "18080:80", "--rootfs", world.rootfs, "true")["Network"]
    assert free["Networks"][0]["Addresses"] == ["‹address›"]
    assert any("--to-destination ‹address›:80" in rule for rule in free["Rules"])
    world.ok("network", "rm", "planned")


KINDS = {
    "plain": ("--disable-dns", "--subnet=10.213.78.0/24"),
    "named": ("--subnet=10.213.79.0/24",),
    "internal": ("--internal", "--subnet=10.213.80.0/24"),
    "both": ("--ipv6", "--subnet=10.213.81.0/24", "--subnet=fd00:213:81::/64"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_rules_that_are_told_are_the_ones_that_stand(world: LiveWorld, kind: str) -> None:
    name = f"told-{kind}"
    made = world.run("network", "create", *KINDS[kind], name)
    if "netavark not found" in made.stderr:
        pytest.skip("needs netavark")
    assert made.returncode == 0, made.stderr
    words = (f"--network={name}", "-p", "18090:80/tcp", "--name=stands", "--cgroup-parent=/sonata_test", "--rootfs")
    told = explained(world, *words, world.rootfs, "sleep", "1000")["Network"]
    ident = world.ok("run", "-d", *words, world.rootfs, "sleep", "1000")
    networks = world.inspect("stands")["NetworkSettings"]["Networks"][name]
    own = {"iptables": networks["IPAddress"], "ip6tables": networks["GlobalIPv6Address"]}
    try:
        assert bool(told["Rules"]) is (kind != "internal")
        for rule in told["Rules"]:
            tool, *rest = shlex.split(rule.replace("‹container id›", ident))
            rest = [word.replace("‹address›", own[tool]) for word in rest]
            rest[rest.index("-A") if "-A" in rest else rest.index("-N")] = "-C" if "-A" in rest else "-L"
            done = subprocess.run([tool, "-w", *rest], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (rule, done.stderr)
    finally:
        world.ok("rm", "-f", "-t", "0", "stands")
        world.ok("network", "rm", name)


def test_hooks_are_listed_and_not_run_and_see_the_spec_that_was_told(world: LiveWorld) -> None:
    folder, seen = Path(world.base, "hooks.d"), Path(world.base, "seen")
    folder.mkdir()
    script = Path(world.base, "hook")
    script.write_text(f"#!/bin/sh\ncat >{seen}\n")
    script.chmod(0o755)
    hook = {"version": "1.0.0", "hook": {"path": str(script)}, "when": {"always": True}, "stages": ["precreate"]}
    Path(folder, "one.json").write_text(json.dumps(hook))
    world.options.append(f"--hooks-dir={folder}")
    words = ("--network=none", "--cgroup-parent=/sonata_test", "--rootfs", world.rootfs, "sleep", "9")
    for _ in range(2):  # the first start teaches the runtime's plugin a filter
        seen.unlink(missing_ok=True)
        told = explained(world, *words)
        assert [(one["Path"], one["Stages"]) for one in told["Hooks"]] == [(str(script), ["precreate"])]
        assert not seen.exists()
        ident = world.ok("create", *words, env={**os.environ, "CONTAINERS_CONF": f"{world.base}/containers.conf"})
        world.ok("init", ident)
        world.ok("rm", "-f", "-t", "0", ident)
    text = json.dumps(told["Spec"], ensure_ascii=False)
    text = text.replace("‹container id, 12 digits›", ident[:12]).replace("‹container id›", ident)
    spec, given = json.loads(text), json.loads(seen.read_text())
    spec["annotations"].pop("run.oci.seccomp_bpf_data", None)  # the runtime's own, added after the hooks
    assert spec == given


def test_the_text_for_people_has_every_part(world: LiveWorld) -> None:
    with_image(world)
    text = world.ok("run", "--explain", "-v", f"{world.rootfs}/bin:/bound", "--name", "told", "--rm", IMAGE, "sh")
    for title in ("Image", "Policy", "Notices", "Id maps", "Mounts", "Network", "Hooks (not run)", "Specification"):
        assert f"\n{title}:\n" in f"\n{text}"
    assert "auto_remove = true  <- --rm true" in text
    assert f"/bound: bind {world.rootfs}/bin (rprivate,rbind), on the host of root:root 0755" in text
    spec = json.loads(text[text.index("\nSpecification:\n") + len("\nSpecification:\n") :])
    assert spec["process"]["args"] == ["sh"]


def test_what_would_stop_it_is_said(world: LiveWorld) -> None:
    world.ok("create", "--name", "taken", "--rootfs", world.rootfs, "true")
    words = ("--name", "taken", "--workdir", "/no/where", "--rootfs", world.rootfs, "true")
    notices = explained(world, *words)["Notices"]
    assert any("taken" in notice for notice in notices)
    assert any("/no/where" in notice for notice in notices)
    refused = world.run("create", "--explain", "-v", "/not/there:/x", "--rootfs", world.rootfs, "true")
    assert (refused.returncode, refused.stderr) == (125, "Error: statfs /not/there: no such file or directory\n")
    for words in (["UPPER/case"], ["--platform=no/such/thing/at", IMAGE]):
        told, made = world.run("create", "--explain", *words), world.run("create", *words)
        assert (told.returncode, told.stderr) == (made.returncode, made.stderr), words
    odd = world.run("create", "--explain=xml", "--rootfs", world.rootfs)
    assert odd.returncode == 125 and "is not a valid value" in odd.stderr


@pytest.fixture
def layers(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """Three layers of drawn content, topmost first, and where the kernel shows them as one."""
    dice, folders = random.Random(7), [str(tmp_path / f"layer{number}") for number in range(3)]
    for folder in folders:
        fill(Path(folder), dice)
    merged = tmp_path / "merged"
    merged.mkdir()
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={':'.join(folders)}", merged], check=True)
    yield folders, str(merged)
    subprocess.run(["umount", merged], check=True)


NAMES = ("a", "b", "c")


def fill(folder: Path, dice: random.Random, depth: int = 0) -> None:
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        path, kind = folder / name, dice.choice(("file", "folder", "folder", "link", "absolute", "whiteout", "nothing"))
        if kind == "file":
            path.write_text(f"{dice.random()}")
        elif kind == "folder" and depth < 3:
            fill(path, dice, depth + 1)
            if dice.random() < 0.3:
                os.setxattr(path, "trusted.overlay.opaque", b"y")
        elif kind in ("link", "absolute"):
            up = "/" if kind == "absolute" else "../" * dice.randint(0, 5)
            path.symlink_to(up + "/".join(dice.choices(NAMES, k=dice.randint(1, 3))))
        elif kind == "whiteout":
            os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def test_layers_are_seen_as_the_kernel_shows_them(layers: tuple[list[str], str]) -> None:
    folders, merged = layers
    top = os.open(merged, os.O_PATH | os.O_DIRECTORY)
    from sonata_core.sdk.safepath import read_in_root, stat_in_root

    compared = set()
    with LayeredRoot(tuple(folders)) as root:
        for number in range(2000):
            dice = random.Random(number)
            path = "/".join(dice.choices((*NAMES, ".."), k=dice.randint(1, 5)))
            try:
                kind = stat.S_IFMT(stat_in_root(top, path).st_mode)
            except OSError:
                kind = 0
            assert root.kind(path) == kind, path
            content = read_in_root(top, path) if kind == stat.S_IFREG else b""
            assert root.read(path) == content, path
            compared.add(kind)
    os.close(top)
    assert compared == {0, stat.S_IFREG, stat.S_IFDIR}
