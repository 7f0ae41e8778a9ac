"""The clauses of seeing and mending a connection: the part of the net suite for `NetReconcile`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.hookspecs.net import NetReconcile
from sonata_core.models.net import AttachRequest, AttachResult, NetFact, NetMember, NetPicture
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.containers import eventually
from sonata_testkit.netlab import HOST, Namespace, ask, tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_testkit.net_stage import Lab
    from sonata_testkit.world import World

Row = tuple[Namespace, AttachRequest, AttachResult]
PORT = 18080


class Patient:
    """Two attached containers, and the ways to harm their connections."""

    def __init__(self, lab: Lab, port: Any) -> None:
        self.lab, self.slot = lab, lab.slot
        self.rows: list[Row] = []
        asked = [lab.attachments(5 + number) for number in range(2)]
        for number, letter in enumerate("ab"):
            where = lab.namespace(letter)
            where.serve(80, f"word-{letter}")
            ports = (port.replace(host_port=port.host_port + 10 * number),)
            request = where.request(*asked[number], ports=ports)
            self.rows.append((where, request, lab.attach(where, request)))
            if not asked[number]:
                break  # without networks one is enough: user-mode helpers share nothing

    @property
    def members(self) -> tuple[NetMember, ...]:
        return tuple(NetMember(netns=where.ref, request=one, attached=made) for where, one, made in self.rows)

    def picture(self) -> NetPicture:
        networks = tuple(self.lab.definitions)
        found: NetPicture = self.slot.require(NetReconcile).net_picture(members=self.members, networks=networks)
        assert found.unclear == ()
        return found

    def trouble(self) -> tuple[tuple[NetFact, ...], tuple[NetFact, ...]]:
        """What is missing and what is too much."""
        seen = self.picture()
        missing = tuple(fact for fact in seen.wanted if fact not in seen.found)
        return missing, tuple(fact for fact in seen.found if fact not in seen.wanted)

    def mend(self) -> None:
        seen = self.picture()
        missing, extra = self.trouble()
        hook = self.slot.require(NetReconcile)
        results = hook.net_mend(members=self.members, picture=seen, missing=missing, extra=extra)
        rows = zip(self.rows, results, strict=True)
        self.rows = [(where, request, made) for (where, request, _), made in rows]
        for where, request, made in self.rows:
            self.lab.attached[where.path] = (request, made)

    def served(self) -> bool:
        """Whether every container's port is answered at the host."""
        return all(ask(HOST, request.ports[0].host_port) == f"word-{where.name[-1]}" for where, request, _ in self.rows)

    def macs(self) -> list[dict[str, str]]:
        return [where.macs() for where, _, _ in self.rows]


def flush(_patient: Patient) -> None:
    for command in ("iptables -F", "iptables -t nat -F", "iptables -t nat -X", "nft flush ruleset"):
        subprocess.run(command.split(), capture_output=True, check=False)


def no_address(patient: Patient) -> None:
    where, _, made = patient.rows[0]
    where.run("ip", "addr", "flush", "dev", made.interfaces[0].interface, "scope", "global")


def no_route(patient: Patient) -> None:
    patient.rows[0][0].run("ip", "route", "del", "default")


def down(patient: Patient) -> None:
    where, _, made = patient.rows[0]
    where.run("ip", "link", "set", made.interfaces[0].interface, "down")


def no_bridge(patient: Patient) -> None:
    for network in patient.lab.definitions:
        tool("ip", "link", "delete", network.interface)


def no_interface(patient: Patient) -> None:
    where, _, made = patient.rows[0]
    where.run("ip", "link", "delete", made.interfaces[0].interface)


def helper_killed(patient: Patient) -> None:
    for _, _, made in patient.rows:
        for helper in made.helpers:
            subprocess.run(["kill", "-9", str(helper.pid)], check=True)


HARMS = {each.__name__: each for each in (flush, no_address, no_route, down, no_bridge, no_interface, helper_killed)}


class ReconcileClauses:
    """Clauses N-18 and N-19."""

    def port(self, protocol: str = "tcp", **fields: Any) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def patient(self, lab: Lab) -> Patient:
        if not lab.slot.offers(NetReconcile):
            not_offered("NetReconcile")
        return Patient(lab, self.port())

    @pytest.mark.needs_root
    @clause("N-18")
    def test_what_was_attached_is_all_there(self, patient: Patient, look: Callable[[], World]) -> None:
        world = look()
        seen = patient.picture()
        assert seen.wanted
        assert patient.trouble() == ((), ())
        world.check()

    @pytest.mark.needs_root
    @clause("N-18", "N-19")
    @pytest.mark.parametrize("harm", HARMS)
    def test_what_was_harmed_is_seen_and_mended(self, patient: Patient, look: Callable[[], World], harm: str) -> None:
        bridged = bool(patient.lab.definitions)
        assert not patient.lab.facts.protocols or eventually(patient.served)
        macs, helped = patient.macs(), any(made.helpers for _, _, made in patient.rows)
        if (harm in ("flush", "no_bridge") and not bridged) or (harm == "helper_killed" and not helped):
            not_offered("anything that this could harm")
        HARMS[harm](patient)
        assert eventually(lambda: patient.trouble()[0] != ())
        world = look()
        assert patient.trouble()[0]
        world.check()
        patient.mend()
        assert patient.trouble() == ((), ())
        assert not bridged or patient.macs() == macs
        assert not patient.lab.facts.protocols or eventually(patient.served)
        world = look()
        patient.mend()
        assert patient.trouble() == ((), ())
        world.check()
        for row in patient.rows:
            patient.lab.detach(*row)

    @pytest.mark.needs_root
    @clause("N-18", "N-19")
    def test_what_the_gone_left_is_taken_away(self, patient: Patient) -> None:
        """A container that vanished without a word to the backend is no member any more."""
        if not patient.lab.definitions:
            not_offered("networks: nothing is left on the host")
        where, _, _ = patient.rows.pop()
        where.vanish()
        missing, extra = patient.trouble()
        assert missing == ()
        assert extra
        patient.mend()
        assert patient.trouble() == ((), ())
        assert eventually(patient.served)
        assert ask(HOST, PORT + 10, seconds=0.3) == ""
