"""What is told of interfaces that come and go meanwhile."""

import socket

import pytest

from sonata_core.sdk.interfaces import interfaces


def test_one_that_went_since_it_was_listed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [*socket.if_nameindex(), (4711, "went-away")]
    monkeypatch.setattr(socket, "if_nameindex", lambda: listed)
    assert [one.interface for one in interfaces("net")] == [name for _, name in listed[:-1] if name != "lo"]
