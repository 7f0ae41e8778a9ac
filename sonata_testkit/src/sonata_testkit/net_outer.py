"""The clause of backends that connect containers in a namespace other than the host's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.containers import eventually
from sonata_testkit.netlab import tool

if TYPE_CHECKING:
    from sonata_testkit.net_stage import Lab


class NetOuterClauses:
    """For backends whose facts say `outer`."""

    @pytest.mark.needs_root
    @clause("N-15")
    def test_bridges_are_made_in_the_outer_namespace(self, lab: Lab) -> None:
        if not lab.facts.outer:
            not_offered("NetFacts.outer")
        outer, where = lab.namespace("e"), lab.namespace("a")
        before = _host()
        request = where.request(*lab.attachments()).replace(outer=outer.ref)
        attached = lab.attach(where, request)
        assert where.addresses() == {
            each.interface: {one.address for one in each.addresses} for each in attached.interfaces
        }
        assert outer.addresses(), "nothing was made in the outer namespace"
        assert _host() == before
        lab.detach(where, request, attached)
        assert eventually(lambda: where.addresses() == {})  # the kernel may still be deleting links

    @pytest.mark.needs_root
    @clause("N-15")
    def test_detach_after_the_outer_namespace_is_gone(self, lab: Lab) -> None:
        if not lab.facts.outer:
            not_offered("NetFacts.outer")
        outer, where = lab.namespace("e"), lab.namespace("a")
        request = where.request(*lab.attachments()).replace(outer=outer.ref)
        attached = lab.attach(where, request)
        tool("umount", "-l", outer.path)
        os.unlink(outer.path)
        for _ in range(2):
            lab.detach(where, request, attached)


def _host() -> tuple[list[str], int]:
    """The host's links, and how many rules it has."""
    return [line.split(":")[1] for line in tool("ip", "-o", "link").splitlines()], tool("iptables-save").count("-A ")
