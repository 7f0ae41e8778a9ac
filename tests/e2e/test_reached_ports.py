"""Ports and names of containers, reached from the host and from other containers of a network."""

from __future__ import annotations

import os
import socket
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from luck_world import IMAGE, World, own_network, world

__all__ = ["own_network", "world"]
pytestmark = pytest.mark.needs_root

SERVE = ("sh", "-c", "echo page >/tmp/index.html; exec httpd -f -p 8080 -h /tmp")


def page(port: int) -> bytes:
    """What is at a port of this host; tried until somebody listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
                found = b""
                while part := connection.recv(4096):
                    found += part
                return found
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_published_ports_are_reached(world: World) -> None:
    world.ok("run", "-d", "--name", "one", "-p", "18201:8080", IMAGE, *SERVE)
    assert page(18201).endswith(b"page\n")
    world.ok("run", "-d", "--name", "all", "--expose", "8080", "-P", IMAGE, *SERVE)
    told = world.ok("port", "all", "8080")
    assert page(int(told.rpartition(":")[2])).endswith(b"page\n")
    with pytest.raises(OSError, match=r"refused|timed out"), socket.create_connection(("127.0.0.1", 8080), timeout=1):
        pass


def test_neighbours_know_each_other_by_name_and_alias(world: World) -> None:
    world.ok("network", "create", "--subnet", "10.197.21.0/24", "n")
    world.ok("run", "-d", "--name", "srv", "--network", "n", "--network-alias", "web", IMAGE, *SERVE)
    address = world.ok("inspect", "srv", "--format", "{{.NetworkSettings.Networks.n.IPAddress}}")
    for name in ("srv", "web"):
        assert address in world.ok("run", "--rm", "--network", "n", IMAGE, "busybox", "nslookup", name)
