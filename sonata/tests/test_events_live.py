"""What really happens to a container is in the events, in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from live_world import NEEDS, LiveWorld

pytestmark = NEEDS


def test_a_life_in_events(world: LiveWorld) -> None:
    following = subprocess.Popen(
        world.argv("events", "--since=1h", "--format={{.Status}} {{.Type}} {{.ContainerExitCode}}"),
        stdout=subprocess.PIPE,
        text=True,
    )
    world.start("a", "--label", "x=y")
    assert world.run("exec", "a", "sh", "-c", "exit 3").returncode == 3
    world.ok("rename", "a", "other")
    world.ok("kill", "other")
    world.ok("wait", "other")
    world.ok("start", "other")
    world.ok("stop", "-t", "0", "other")
    world.ok("rm", "other")
    world.ok("volume", "create", "v")
    world.ok("volume", "rm", "v")
    world.ok("network", "create", "--subnet=10.213.9.0/24", "n")
    world.ok("network", "rm", "n")
    wanted = [
        *("create container <nil>", "init container <nil>", "start container <nil>", "exec container <nil>"),
        *("exec_died container 3", "rename container <nil>", "kill container <nil>", "died container 137"),
        *("cleanup container <nil>", "init container <nil>", "start container <nil>"),
        *("stop container <nil>", "died container 137", "cleanup container <nil>", "remove container 137"),
        *("create volume <nil>", "remove volume <nil>", "create network <nil>", "remove network <nil>"),
    ]
    assert following.stdout is not None
    seen = [following.stdout.readline().strip() for _ in wanted]
    following.terminate()
    following.wait()
    following.stdout.close()
    assert seen == wanted
    found = world.events("--filter=container=other", "--filter=label=x=y")
    assert found[0]["Status"] == "rename"
    assert all(event["Attributes"]["x"] == "y" for event in found)
    assert json.loads(
        world.ok("system", "events", "--stream=false", "--format=json", "--filter=type=network").splitlines()[0]
    )["Attributes"] == {"driver": "bridge"}
