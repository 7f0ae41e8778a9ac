"""Drivers in netavark's own plugin protocol: a small one, with the installed netavark and a newer.

`SONATA_NEWER_HELPERS` is a folder with a program netavark of 1.6 or later.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from netlab import Container, Recorder, eventually, host_links, on, own_host, plugin_context

from sonata_core.errors import AlreadyExists, CommandFailed, Unsupported, UsageError
from sonata_core.models.net import NetworkDefinition, NetworkWish, Subnet
from sonata_net_netavark import program, third_party
from sonata_net_netavark.plugin import NetavarkNet

NEWER = os.environ.get("SONATA_NEWER_HELPERS", "")
DRIVER = Path(__file__).with_name("pair_driver.py")
WISH = NetworkWish(name="mine", id="7" * 64, created="2026-01-01T00:00:00Z", driver="pair")


class Newer(Recorder):
    """Runs the newer netavark where the installed one is called; says its release where it is asked."""

    def run(self, command):  # type: ignore[no-untyped-def]
        if command.argv[0].endswith("/netavark"):
            command = command.replace(argv=(f"{NEWER}/netavark", *command.argv[1:]))
        return super().run(command)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    made = tmp_path / "drivers"
    made.mkdir()
    driver = made / "pair"
    driver.write_text(f"#!{sys.executable}\n{DRIVER.read_text()}")
    driver.chmod(0o755)
    (made / "notes.txt").write_text("no program")
    return str(made)


def definition(folder: str, tmp_path: Path, wish: NetworkWish = WISH) -> NetworkDefinition:
    context = plugin_context(tmp_path, Recorder())
    return third_party.plan(context, wish, (), third_party.find((folder,), wish.driver))


def test_drivers_are_programs_in_the_folders(folder: str) -> None:
    assert program.drivers(("/nowhere", folder)) == ("pair",)
    assert third_party.find(("/nowhere", folder), "pair") == f"{folder}/pair"


@pytest.mark.parametrize("name", ["other", "../drivers/pair", "", ".", "notes.txt"])
def test_a_driver_is_a_name_and_not_a_path(folder: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        third_party.find((folder,), name)
    assert caught.value.message == f'failed to find driver or plugin "{name}"'


def test_the_driver_decides_what_is_left_open(folder: str, tmp_path: Path) -> None:
    made = definition(folder, tmp_path, WISH.replace(options={"colour": "blue"}, labels={"a": "b"}, internal=True))
    assert (made.name, made.id, made.driver, made.created) == ("mine", "7" * 64, "pair", WISH.created)
    assert dict(made.options) == {"colour": "blue", "made-by": "pair"}
    assert made.subnets == (Subnet(subnet="10.214.0.0/24"),), "without names an internal network has no gateway"
    asked = json.loads((Path(folder) / "asked").read_text())
    assert asked == {
        "name": "mine",
        "id": "7" * 64,
        "driver": "pair",
        "created": "0001-01-01T00:00:00Z",
        "ipv6_enabled": False,
        "internal": True,
        "dns_enabled": True,
        "labels": {"a": "b"},
        "options": {"colour": "blue"},
    }
    named = definition(folder, tmp_path, WISH.replace(subnets=(Subnet(subnet="10.9.0.7/24", gateway="10.9.0.9"),)))
    assert named.subnets == (Subnet(subnet="10.9.0.0/24", gateway="10.9.0.9"),)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("name", UsageError, "invalid plugin result: changed network name"),
        ("id", UsageError, "invalid plugin result: changed network ID"),
        ("driver", UsageError, "invalid plugin result: changed network driver"),
        ("shape", UsageError, "invalid plugin result: 7 is no text"),
        ("subnet", UsageError, "invalid CIDR address: 10.300.0.0/24"),
        ("refuse", CommandFailed, "failed: netavark: I do not like it"),
        ("silent", CommandFailed, "failed: netavark: exited with 3 and said nothing"),
        ("nothing", CommandFailed, "failed: netavark: it answered nothing"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(
    folder: str, tmp_path: Path, fault: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind) as caught:
        definition(folder, tmp_path, WISH.replace(options={"fault": fault}))
    assert words in str(caught.value)


def test_a_name_that_is_used_is_refused_before_the_driver_is_asked(folder: str, tmp_path: Path) -> None:
    context = plugin_context(tmp_path, Recorder())
    known = NetworkDefinition(name="mine", id="1" * 64)
    with pytest.raises(AlreadyExists):
        third_party.plan(context, WISH, (known,), f"{folder}/pair")
    assert not (Path(folder) / "asked").exists()


@pytest.mark.skipif(shutil.which("netavark", path="/usr/lib/podman:/usr/bin") is None, reason="needs netavark")
def test_a_netavark_that_is_too_old_is_named(folder: str, tmp_path: Path) -> None:
    backend = NetavarkNet(plugin_context(tmp_path, Recorder(), plugin_dirs=(folder,)))
    version = backend.net_facts().version
    if tuple(map(int, version.split("."))) >= (1, 6, 0):
        pytest.skip(f"netavark {version} has plugins")
    with pytest.raises(Unsupported) as caught:
        backend.net_plan(WISH, ())
    words = f"network driver pair, which is a plugin: netavark {version} ("
    assert caught.value.message.startswith(words)
    assert caught.value.message.endswith("does not have it, 1.6 and later do")


@pytest.fixture
def newer(tmp_path: Path, folder: str) -> Iterator[NetavarkNet]:
    with own_host():
        yield NetavarkNet(plugin_context(tmp_path, Newer(), plugin_dirs=("/nowhere", folder)))


@pytest.mark.needs_root
@pytest.mark.skipif(not NEWER, reason="needs SONATA_NEWER_HELPERS")
def test_a_container_on_a_third_partys_network(newer: NetavarkNet, folder: str) -> None:
    assert newer.net_facts().drivers == ("bridge", "macvlan", "ipvlan", "pair")
    net = newer.net_plan(WISH, ())
    assert net.subnets == (Subnet(subnet="10.214.0.0/24", gateway="10.214.0.1"),)
    container = Container("a")
    try:
        request = container.request(on(net, 5, aliases=("web",)))
        before = host_links()
        result = newer.net_attach(container.netns, request)
        assert [a.address for i in result.interfaces for a in i.addresses] == ["10.214.0.5/24"]
        assert "eth0" in container.links()
        assert newer.net_attach(container.netns, request) == result
        told = json.loads((Path(folder) / "setup").read_text())
        assert told["network"]["name"] == "mine"
        assert told["network_options"]["static_ips"] == ["10.214.0.5"]
        for _ in range(2):
            newer.net_detach(container.netns, request, result)
        assert eventually(lambda: container.links() == ["lo"])
        assert eventually(lambda: host_links() == before)
    finally:
        container.close()
