"""Networks of an ordinary user's containers: real pasta and slirp4netns, real ports."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator

import pytest
from ordinary import OrdinaryHost, user_needs

from sonata_testkit.containers import eventually

LAN = "198.51.100.1"
pytestmark = [
    *user_needs(),
    pytest.mark.skipif(not (shutil.which("pasta") and shutil.which("slirp4netns")), reason="needs pasta, slirp4netns"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrdinaryHost]:
    with OrdinaryHost(str(tmp_path_factory.mktemp("networks"))) as made:
        made.pull()
        yield made


def serve(host: OrdinaryHost, name: str, *words: str) -> None:
    host.ok("run", "-d", "--name", name, *words, host.image, "sh", "-c", "echo served > /tmp/x; httpd -f -p 80 -h /tmp")


def fetch(host: OrdinaryHost, address: str) -> str:
    program = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
    return host.as_root(sys.executable, "-I", "-c", program, f"http://{address}/x").out.strip()


def test_the_default_is_pasta_with_the_hosts_address(host: OrdinaryHost) -> None:
    shown = host.ok("run", "--rm", host.image, "cat", "/etc/resolv.conf", "/etc/hosts")
    assert shown.startswith("nameserver 169.254.1.1")
    assert f"{LAN}\t" in shown
    host.ok("create", "--name", "d", host.image)
    assert json.loads(host.ok("inspect", "d"))[0]["HostConfig"]["NetworkMode"] == "pasta"
    host.ok("rm", "d")


@pytest.mark.parametrize("network", ["pasta", "slirp4netns"])
def test_a_published_port_is_served_and_given_back(host: OrdinaryHost, network: str) -> None:
    for _ in range(2):
        serve(host, "web", "--network", network, "-p", "18088:80")
        assert eventually(lambda: fetch(host, "127.0.0.1:18088") == "served")
        assert fetch(host, f"{LAN}:18088") == "served"
        assert host.ok("port", "web") == "80/tcp -> 0.0.0.0:18088"
        host.ok("rm", "-f", "-t", "0", "web")
        assert fetch(host, "127.0.0.1:18088") == ""
    assert [words for words in host.proc().values() if network in words] == []


def test_pasta_takes_its_own_options(host: OrdinaryHost) -> None:
    run = host.ok("run", "--rm", "--network", "pasta:--mtu,1400,-I,uplink", host.image, "cat", "/proc/net/dev")
    assert "uplink:" in run
    refused = host("run", "--rm", "--network", "pasta:--nonsense", host.image, "true")
    assert refused.code == 126
    assert "pasta failed with exit code 1" in refused.err
    assert host.ok("ps", "-aq") == ""


def test_a_lost_helper_is_seen_and_a_restart_mends_it(host: OrdinaryHost) -> None:
    serve(host, "web", "-p", "18088:80")
    assert eventually(lambda: fetch(host, "127.0.0.1:18088") == "served")
    pasta = next(str(pid) for pid, words in host.proc().items() if "pasta" in words)
    host.as_root("nsenter", "-t", "1", "-p", "kill", "-9", pasta)
    assert fetch(host, "127.0.0.1:18088") == ""
    assert host.ok("ps", "--format", "{{.State}}") == "running"
    host.ok("restart", "-t", "0", "web")
    assert eventually(lambda: fetch(host, "127.0.0.1:18088") == "served")
    host.ok("rm", "-f", "-t", "0", "web")


def test_a_device_that_the_user_may_not_open_is_named(host: OrdinaryHost) -> None:
    host.as_root("chmod", "600", "/run/tun")
    try:
        refused = host("run", "--rm", host.image, "true")
        assert refused.code == 126
        assert "pasta needs /dev/net/tun, which this user may not open" in refused.err
        assert "chmod 0666 /dev/net/tun" in refused.err
    finally:
        host.as_root("chmod", "666", "/run/tun")
