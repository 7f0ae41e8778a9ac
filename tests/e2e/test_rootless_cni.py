"""Networks by CNI of an ordinary user: in the shared namespace, where netavark's are too."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator

import pytest
from ordinary import UID, OrdinaryHost, user_needs
from private_host import Ended

from sonata_testkit.containers import eventually

LAN = "198.51.100.1"
pytestmark = [
    *user_needs(),
    pytest.mark.skipif(not shutil.which("pasta"), reason="needs pasta"),
    pytest.mark.skipif(not os.path.exists("/usr/lib/cni/bridge"), reason="needs containernetworking-plugins"),
]


class CniUser(OrdinaryHost):
    """An ordinary user whose containers.conf says cni."""

    def __enter__(self) -> CniUser:
        super().__enter__()
        written = 'mkdir -p .config/containers && printf "[network]\\n%s\\n" "$0" >.config/containers/containers.conf'
        assert self.as_user("sh", "-c", written, 'network_backend = "cni"').code == 0
        return self

    def served(self, url: str) -> Ended:
        return self.as_root("/usr/bin/python3", "-I", "-c", FETCH, url)


FETCH = "import urllib.request as r,sys;print(r.urlopen(sys.argv[1], timeout=5).read().decode())"


@pytest.fixture
def host(tmp_path: object) -> Iterator[CniUser]:
    with CniUser(str(tmp_path)) as made:
        made.pull()
        yield made


def test_an_ordinary_user_has_bridges_ports_and_addresses_by_cni(host: CniUser) -> None:
    assert host.ok("network", "create", "--subnet", "10.77.0.0/24", "n") == "n"
    lists = host.home(".config/cni/net.d")
    assert json.loads((lists / "n.conflist").read_text())["plugins"][0]["bridge"] == "cni-podman1"
    serve = "mkdir /web && echo hello >/web/index.html && exec httpd -f -p 80 -h /web"
    options = ("--network", "n", "-p", f"{LAN}:8000:80", "--ip", "10.77.0.9")
    host.ok("run", "-d", "--name", "web", *options, host.image, "sh", "-c", serve)
    links = host.ok("exec", "web", "busybox", "ip", "address")
    assert "inet 10.77.0.9/24" in links
    assert eventually(lambda: host.served(f"http://{LAN}:8000/").out.strip() == "hello")
    near = host("run", "--rm", "--network", "n", host.image, "busybox", "nc", "-w", "5", "10.77.0.9", "80")
    assert near.code == 0, near
    again = host("run", "--rm", "--network", "n", "--ip", "10.77.0.9", host.image, "true")
    assert "10.77.0.9 is already allocated to container ID" in again.err
    host.ok("rm", "-f", "-t", "0", "web")
    assert host.ok("network", "rm", "n") == "n"
    assert not list(lists.glob("*.conflist"))
    assert host.listed(f"/run/user/{UID}/containers/networks/rootless-netns") == []
    assert host.listed("/var/lib/cni/results") == []
