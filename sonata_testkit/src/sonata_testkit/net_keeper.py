"""The part of the net group's suite that is about networks which the backend keeps in files of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sonata_core.errors import AlreadyExists
from sonata_core.hookspecs.net import NetKeeper
from sonata_core.models.net import NetworkWish
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.netlab import attachment

if TYPE_CHECKING:
    from sonata_testkit.net_stage import Lab

needs_root = pytest.mark.needs_root
_POOL = (("10.210.0.0/16", 24),)


class NetKeeperClauses:
    """Inherited by `NetConformance`, which gives `lab`."""

    @needs_root
    @clause("N-20")
    def test_networks_of_the_backends_own_keeping(self, lab: Lab) -> None:
        if not lab.slot.offers(NetKeeper):
            not_offered("NetKeeper")
        hook = lab.slot.require(NetKeeper)
        before = hook.net_known()
        wish = NetworkWish(name="kept", id="2" * 64, created="2026-01-01T00:00:00Z", labels={"a": "b"})
        planned = lab.hook.net_plan(wish=wish.replace(subnet_pools=_POOL), existing=before)
        kept = hook.net_keep(definition=planned)
        assert (kept.name, kept.driver, kept.interface, dict(kept.labels)) == (
            *(planned.name, planned.driver, planned.interface),
            {"a": "b"},
        )
        assert kept.subnets == planned.subnets
        (known,) = (one for one in hook.net_known() if one not in before)
        assert known.replace(created="") == kept.replace(created="")
        with pytest.raises(AlreadyExists):
            hook.net_keep(definition=planned)
        where = lab.namespace("a")
        request = where.request(attachment(kept, 5))
        attached = lab.attach(where, request)
        assert hook.net_taken(definition=kept) == {request.attachments[0].addresses[0]: str(where.id)}
        lab.detach(where, request, attached)
        assert hook.net_taken(definition=kept) == {}
        for _ in range(2):
            lab.hook.net_forget(definition=kept)
        assert hook.net_known() == before
