"""`--log-opt tag`: its places are filled from what `inspect` says, in the journal and before lines of a file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from sonata.engine.containers.log_tag import fill
from sonata_core.errors import UsageError

sys.path.insert(0, os.path.dirname(__file__))
from live_world import LiveWorld

live = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
VALUES = {"Id": "abc", "Name": "web", "Config": {"Tty": False, "Labels": {"of": "x"}, "StopTimeout": 10}, "Pod": None}
LISTENER = """
import os, socket, sys
os.makedirs("/run/systemd/journal")
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind("/run/systemd/journal/socket")
end.settimeout(30)
print("ready", flush=True)
while b"said" not in (data := end.recv(1 << 16)):
    pass
print(next(line for line in data.decode().splitlines() if line.startswith("CONTAINER_TAG=")))
"""


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{{.Name}}", "web"),
        ("a/{{ .ID }}/{{.Name}}}", "a/abc/web}"),
        ("a {{- .Name -}} b", "awebb"),
        ("{{.Config.Tty}} {{.Config.StopTimeout}}{{.Pod}}", "false 10"),
        ('{{index .Config.Labels "of"}}{{index .Config.Labels "none"}}', "x"),
    ],
)
def test_places_are_filled(text: str, filled: str) -> None:
    assert fill(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{.ID", "template parsing error {{.ID: template: container:1: unclosed action"),
        ("{{.Nope}}", "at <.Nope>: can't evaluate field Nope in type *define.InspectContainerData"),
        ("{{.Name | upper}}", "{{.Name | upper}} is not supported in a log tag"),
        ("{{.Config}}", "{{.Config}} is no text"),
    ],
)
def test_what_cannot_be_filled_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError) as raised:
        fill(text, VALUES)
    assert told in raised.value.message


def tagged(function: object) -> object:
    for mark in live:
        function = mark(function)
    return function


@tagged
def test_details_show_the_tag_of_a_file(world: LiveWorld) -> None:
    option = "--log-opt=tag={{.Name}}/{{.ID}}"
    world.ok("run", "--name=old", option, "--network=none", "--rootfs", world.rootfs, "sh", "-c", "echo said")
    world.ok("rename", "old", "new")
    assert world.ok("logs", "--details", "new") == f"tag=new/{world.inspect('new')['Id']} said"
    assert world.inspect("new")["HostConfig"]["LogConfig"]["Tag"] == "{{.Name}}/{{.ID}}"


@pytest.mark.rootful("mounts over what the host has")
@tagged
@pytest.mark.skipif(os.path.exists("/run/systemd/journal/socket"), reason="the host's own journal is left alone")
def test_the_journal_is_given_the_filled_tag(world: LiveWorld) -> None:
    """With a socket in the journal's place, in a mount namespace of its own."""
    script = f"""set -e
mkdir -p /run/systemd; mount -t tmpfs tmpfs /run/systemd
{sys.executable} -c "$LISTENER" & listener=$!
until test -S /run/systemd/journal/socket; do sleep 0.05; done
"$@" run --rm --name=j --network=none --log-driver=journald --log-opt='tag=of {{{{.Name}}}}' \\
    --rootfs {world.rootfs} sh -c 'echo said' >/dev/null
wait $listener
"$@" run --log-driver=journald --log-opt='tag={{{{.Nope}}}}' --network=none --rootfs {world.rootfs} true || echo $?
"""
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *world.argv()],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LISTENER": LISTENER},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["ready", "CONTAINER_TAG=of j", "126"], done
    assert "can't evaluate field Nope in type *define.InspectContainerData" in done.stderr
