"""Network drivers of third parties, in netavark's own plugin protocol: containers on their networks.

`SONATA_NEWER_HELPERS` is a folder with a netavark of 1.6 or later; without it netavark 1.4 is asked, which has none.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from network_host import NetworkHost
from private_host import host_needs

HELPERS = os.environ.get("SONATA_NEWER_HELPERS", "")
DRIVER = Path(__file__).parents[2] / "plugins/net-netavark/tests/pair_driver.py"
pytestmark = host_needs()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NetworkHost]:
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    program = drivers / "pair"
    program.write_text(f"#!{sys.executable}\n{DRIVER.read_text()}")
    program.chmod(0o755)
    (tmp_path / "containers.conf").write_text(f'[network]\nnetavark_plugin_dirs = ["{drivers}"]\n')
    with NetworkHost(str(tmp_path)) as made:
        made.helpers, made.conf = HELPERS, str(tmp_path / "containers.conf")
        yield made
        made.clear()


def test_a_driver_that_nobody_has_and_one_for_which_netavark_is_too_old(host: NetworkHost) -> None:
    for name in ("nosuch", "../drivers/pair"):
        done = host("network", "create", "-d", name, "n")
        assert (done.code, done.err.splitlines()[0]) == (125, f'Error: failed to find driver or plugin "{name}"')
        assert "bridge, macvlan, ipvlan, pair" in done.err
    if not HELPERS:
        done = host("network", "create", "-d", "pair", "n")
        assert done.code == 125
        assert "network driver pair, which is a plugin: netavark 1.4" in done.err
        assert "does not have it, 1.6 and later do" in done.err
    assert host.ok("network", "ls", "-q") == "podman"


@pytest.mark.skipif(not HELPERS, reason="needs SONATA_NEWER_HELPERS")
def test_containers_on_a_drivers_network(host: NetworkHost) -> None:
    host.ok("network", "create", "-d", "pair", "-o", "colour=blue", "--label", "a=b", "n")
    shown = json.loads(host.ok("network", "inspect", "n"))[0]
    assert (shown["driver"], shown["labels"]) == ("pair", {"a": "b"})
    assert shown["options"] == {"colour": "blue", "made-by": "pair"}
    assert shown["subnets"] == [{"subnet": "10.214.0.0/24", "gateway": "10.214.0.1"}]
    assert "pair" in json.loads(host.ok("info", "--format", "{{json .Plugins.Network}}"))
    refused = host("network", "create", "-d", "pair", "-o", "fault=refuse", "m")
    assert refused.err.startswith("Error: plugin ")
    assert "failed: netavark: I do not like it" in refused.err
    host.sleeper("c", "--network", "n")
    assert host.addresses("c") == ["10.214.0.2/24"]
    setup = json.loads(Path(host.base, "drivers/setup").read_text())
    assert setup["network"]["options"] == {"colour": "blue", "made-by": "pair"}
    assert [name for name in host.world()["links"] if "pair-" in name]
    host.ok("rm", "-f", "-t0", "c")
    assert not [name for name in host.world()["links"] if "pair-" in name]
    assert host.ok("network", "rm", "n") == "n"
