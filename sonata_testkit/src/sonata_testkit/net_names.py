"""The part of the net group's suite that is about names. Contract: docs/contract/net.md."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sonata_core.hookspecs.net import NetNames
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.containers import eventually
from sonata_testkit.netlab import HOST, attachment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata_testkit.net_stage import Lab


@contextmanager
def answering(address: str, answer: str) -> Iterator[None]:
    """A name server on this thread's host that has one address for every name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, 53))
        thread = threading.Thread(target=_serve, args=(server, socket.inet_aton(answer)))
        thread.start()
        try:
            yield
        finally:
            _stop(address)
            thread.join()


def _stop(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"", (address, 53))


def _serve(server: socket.socket, answer: bytes) -> None:
    while True:
        query, peer = server.recvfrom(4096)
        if not query:
            return
        end = query.index(b"\0", 12) + 5
        head = query[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
        server.sendto(head + query[12:end] + b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + answer, peer)


class NetNamesClauses:
    """Inherited by the net group's suite."""

    @pytest.mark.needs_root
    @clause("N-17")
    def test_names_are_forwarded_to_other_servers(self, lab: Lab) -> None:
        network = lab.network()
        if not lab.slot.offers(NetNames) or network is None or not lab.facts.dns:
            not_offered("NetNames")
        named = network.replace(dns_enabled=True, dns_servers=("198.51.100.9",))
        hook = lab.slot.require(NetNames)
        hook.net_forward(definition=named)  # nothing runs: nothing happens
        where = lab.namespace("a")
        request = where.request(attachment(named, 5))
        attached = lab.attach(where, request)
        server = named.subnets[0].gateway
        with answering(HOST, "192.0.2.7"):
            hook.net_forward(definition=named.replace(dns_servers=(HOST,)))
            assert eventually(lambda: where.resolve("elsewhere.example", server) == ["192.0.2.7"])
            assert where.resolve(where.name, server) == [request.attachments[0].addresses[0]]
        lab.detach(where, request, attached)
