"""Configuration lists: as Podman writes them, as they are read, and what is refused in them. No program is run."""

import json
import os
from pathlib import Path

import pytest

from sonata_core.errors import AlreadyExists, Conflict, NotFound, Unsupported, UsageError
from sonata_core.models.net import NetworkDefinition, NetworkWish, Route, Subnet
from sonata_net_cni import conflist, definition, planning, results, sweep

LISTS = Path(__file__).parent / "lists"
"""Written by podman 4.3.1 with its CNI backend, for the options beside their names below."""
TAKEN = ("lo", "eth0")


def one(subnet: str, **fields: str) -> Subnet:
    return Subnet(subnet=subnet, **fields)


WISHES = {
    "plain": {"subnets": (one("10.31.0.0/24"),)},
    "dual": {
        "subnets": (one("10.32.0.0/24"), one("fd00:32::/64")),
        "labels": {"zz": "a<b>&c", "b": "é"},
    },
    "ranged": {
        "subnets": (one("10.33.0.0/24", gateway="10.33.0.9", range_start="10.33.0.128/25"),),
        "options": {"mtu": "1400", "vlan": "7"},
    },
    "inner": {"subnets": (one("10.34.0.0/24"),), "internal": True},
    "apart": {"subnets": (one("10.35.0.0/24"),), "options": {"isolate": "true"}},
    "mac-dhcp": {"driver": "macvlan", "options": {"parent": "lo"}},
    "mac-range": {
        "driver": "macvlan",
        "subnets": (one("10.36.0.0/24"),),
        "options": {"parent": "lo", "mtu": "1300", "mode": "vepa"},
    },
    "mac-inner": {
        "driver": "macvlan",
        "subnets": (one("10.37.0.0/24"),),
        "options": {"parent": "lo"},
        "internal": True,
    },
    "ipv": {"driver": "ipvlan", "subnets": (one("10.38.0.0/24"),), "options": {"mode": "l3"}},
    "bridge-none": {"ipam_driver": "none"},
    "bridge-dhcp": {"ipam_driver": "dhcp"},
}


def wish(called: str, **fields: object) -> NetworkWish:
    made = NetworkWish(name=called, id="1" * 64, created="2026-01-01T00:00:00Z", taken_interfaces=TAKEN)
    return made.replace(**fields)


def planned(name: str, **fields: object) -> NetworkDefinition:
    return planning.plan(wish(name, **fields), (), dnsname=False)


@pytest.mark.parametrize("name", sorted(WISHES))
def test_lists_are_written_as_podman_writes_them(name: str) -> None:
    theirs = (LISTS / f"{name}.conflist").read_text()
    bridge = json.loads(theirs)["plugins"][0].get("bridge", "")
    fields = {**WISHES[name], **({"interface": bridge} if bridge else {})}
    assert definition.text_of(planned(name, **fields)) == theirs


@pytest.mark.parametrize("name", sorted({*WISHES} - {"mac-inner"}))
def test_a_list_says_what_it_was_made_from(name: str) -> None:
    text = (LISTS / f"{name}.conflist").read_text()
    found = definition.definition_of(conflist.parse(text.encode(), name), "then")
    assert definition.text_of(found) == text
    assert (found.name, found.id, found.created) == (name, definition.network_id(name), "then")


def test_the_ids_are_podmans() -> None:
    assert definition.network_id("nb") == "665077f5ca5d20c727acdc837412a42d19fe9ec8004165726592a54ba56e628b"


def test_lists_of_others_say_what_they_can() -> None:
    oldest = {
        "cniVersion": "0.2.0",
        "name": "old",
        "type": "bridge",
        "bridge": "br9",
        "isGateway": True,
        "ipam": {"type": "host-local", "subnet": "10.9.0.0/16", "rangeStart": "10.9.1.1", "rangeEnd": "10.9.1.9"},
    }
    found = definition.definition_of(conflist.parse(json.dumps(oldest).encode(), "x.conf", single=True), "")
    assert found.subnets == (one("10.9.0.0/16", gateway="10.9.0.1", range_start="10.9.1.1", range_end="10.9.1.9"),)
    strange = {"cniVersion": "1.0.0", "name": "odd", "plugins": [{"type": "ptp", "ipam": {"type": "static"}}]}
    odd = definition.definition_of(conflist.parse(json.dumps(strange).encode(), "x"), "")
    assert (odd.driver, odd.subnets, odd.ipam_driver, odd.interface) == ("ptp", (), "static", "")
    sets = {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/24"}, {"subnet": "10.2.0.0/24"}], [], "x"]}
    many = {"cniVersion": "1.0.0", "name": "many", "plugins": [{"type": "bridge", "isGateway": True, "ipam": sets}]}
    first = definition.definition_of(conflist.parse(json.dumps(many).encode(), "x"), "")
    assert first.subnets == (one("10.1.0.0/24", gateway="10.1.0.1"),), "one address is given of a set of ranges"


def test_versions_are_the_newest_first() -> None:
    def versions(**fields: object) -> tuple[str, ...]:
        text = json.dumps({"name": "n", "plugins": [{"type": "bridge"}], **fields})
        return conflist.parse(text.encode(), "x").versions

    assert versions() == ("0.1.0",)
    assert versions(cniVersion="1.1.0") == ("1.1.0",)
    assert versions(cniVersion="0.4.0", cniVersions=["0.3.1", "1.1.0", "9.0.0"]) == ("1.1.0", "0.4.0", "0.3.1")


GOOD = {"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge"}]}
HOSTILE = {
    "type with a path": {"plugins": [{"type": "../../bin/sh"}]},
    "absolute type": {"plugins": [{"type": "/bin/sh"}]},
    "type of dots": {"plugins": [{"type": ".."}]},
    "no type": {"plugins": [{"bridge": "x"}]},
    "ipam with a path": {"plugins": [{"type": "bridge", "ipam": {"type": "../sh"}}]},
    "delegate with a path": {"plugins": [{"type": "flannel", "delegate": {"type": "a/b"}}]},
    "ipam of text": {"plugins": [{"type": "bridge", "ipam": "host-local"}]},
    "capabilities of text": {"plugins": [{"type": "bridge", "capabilities": "ips"}]},
    "name with a path": {"name": "../n"},
    "no name": {"name": None},
    "long name": {"name": "n" * 200},
    "unknown key": {"disableChek": True},
    "no plugins": {"plugins": []},
    "a plugin of text": {"plugins": ["bridge"]},
    "many plugins": {"plugins": [{"type": "bridge"}] * 65},
    "unknown version": {"cniVersion": "2.0.0"},
    "version of a number": {"cniVersion": 1},
    "plugins from elsewhere": {"loadOnlyInlinedPlugins": False},
    "flag of text": {"disableCheck": "perhaps"},
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_what_is_odd_is_refused(what: str) -> None:
    assert conflist.parse(json.dumps(GOOD).encode(), "x").name == "n"
    with pytest.raises(UsageError, match=r"^x: "):
        conflist.parse(json.dumps({**GOOD, **HOSTILE[what]}).encode(), "x")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"name": "n", "name": "m", "plugins": [{"type": "bridge"}]}',
        b'{"name": "n", "plugins": [{"type": "bridge", "type": "sh"}]}',
        b'{"name": "n", "plugins": [{"type": "bridge", "mtu": NaN}]}',
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a":' * 100_000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        conflist.parse(data, "x")


def test_a_folder_is_read_in_order_and_without_trust(tmp_path: Path) -> None:
    def put(file: str, **fields: object) -> Path:
        path = tmp_path / file
        path.write_text(json.dumps({**GOOD, **fields}))
        return path

    put("10-first.conflist", name="one")
    put("20-second.conflist", name="one")
    put("30-hidden.txt", name="two")
    (tmp_path / "40-single.conf").write_text(json.dumps({"cniVersion": "0.3.1", "name": "three", "type": "ptp"}))
    put("50-open.conflist", name="four").chmod(0o666)
    (tmp_path / "60-huge.conflist").write_bytes(b" " * (conflist.FILE_LIMIT + 1))
    os.mkfifo(tmp_path / "70-pipe.conflist")
    (tmp_path / "80-turn.conflist").symlink_to("80-turn.conflist")
    (tmp_path / "90-linked.conflist").symlink_to("elsewhere")
    (tmp_path / "elsewhere").write_text(json.dumps({**GOOD, "name": "five"}))
    (tmp_path / "91-folder.conflist").mkdir()
    (tmp_path / "92-gone.conflist").symlink_to("nowhere")
    found = {os.path.basename(path): what for path, what in conflist.read_folder(str(tmp_path))}
    lists = {name: what.name for name, what in found.items() if isinstance(what, conflist.ConfigList)}
    assert lists == {"10-first.conflist": "one", "40-single.conf": "three", "90-linked.conflist": "five"}
    said = {name: what.message for name, what in found.items() if isinstance(what, UsageError)}
    assert sorted(said) == [
        *("20-second.conflist", "50-open.conflist", "60-huge.conflist", "70-pipe.conflist", "80-turn.conflist"),
        "91-folder.conflist",
    ]
    assert "is defined by" in said["20-second.conflist"]
    assert "everybody may write it" in said["50-open.conflist"]
    assert list(conflist.read_folder(str(tmp_path / "none"))) == []
    with pytest.raises(NotFound):
        conflist.read_file(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"driver": "nope"}, UsageError, "unsupported driver nope: invalid argument"),
        ({"options": {"foo": "bar"}}, UsageError, "unsupported network option foo"),
        ({"options": {"vlan": "4095"}}, UsageError, "vlan ID '4095' must be a number between 0 and 4094"),
        ({"driver": "macvlan", "options": {"mode": "l9"}}, UsageError, "unknown macvlan mode 'l9'"),
        ({"driver": "macvlan", "options": {"parent": "no0"}}, UsageError, "parent interface no0 does not exist"),
        ({"interface": "eth0"}, Conflict, "bridge name eth0 already in use"),
        ({"interface": "a" * 16}, UsageError, "network interface"),
        ({"ipam_driver": "dhcp", "subnets": (one("10.1.0.0/24"),)}, UsageError, "dhcp ipam driver is set but"),
        ({"routes": (Route(destination="10.5.0.0/16", gateway="10.1.0.1"),)}, Unsupported, "static routes"),
        ({"dns_servers": ("1.1.1.1",)}, Unsupported, "name servers of a network"),
        ({"name": "a/b"}, UsageError, "network name a/b invalid: names must match"),
        ({"name": "known"}, AlreadyExists, "network name known already used: network already exists"),
    ],
)
def test_wishes_that_cannot_be(fields: dict[str, object], kind: type[Exception], words: str) -> None:
    known = NetworkDefinition(name="known", id="2" * 64, interface="cni-podman0")
    with pytest.raises(kind) as caught:
        planning.plan(wish("n", **fields), (known,), dnsname=False)
    assert str(caught.value).startswith(words)


def test_names_are_served_where_the_plugin_is_there() -> None:
    made = planning.plan(wish("n"), (), dnsname=True)
    assert made.dns_enabled
    last = json.loads(definition.text_of(made))["plugins"][-1]
    assert last == {"type": "dnsname", "domainName": "dns.podman", "capabilities": {"aliases": True}}
    assert not planning.plan(wish("n", disable_dns=True), (), dnsname=True).dns_enabled


def test_results_of_every_version() -> None:
    old = {"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/24", "gateway": "10.1.0.1"}, "ip6": {"ip": "fd00::2/64"}}
    assert [each.address for each in results.addresses(old, "eth0")] == ["10.1.0.2/24", "fd00::2/64"]
    new = {
        "interfaces": [{"name": "br0"}, {"name": "eth0", "sandbox": "/x", "mac": "02:00:00:00:00:01"}],
        "ips": [
            {"address": "10.1.0.1/24", "interface": 0},
            {"address": "10.1.0.2/24", "gateway": "10.1.0.1", "interface": 1},
            {"address": "10.1.0.3/24"},
            {"address": 7, "interface": 99},
        ],
    }
    assert [each.address for each in results.addresses(new, "eth0")] == ["10.1.0.2/24", "10.1.0.3/24"]
    assert list(results.addresses({"ips": "none", "interfaces": {}, "ip4": []}, "eth0")) == []


def test_chains_have_the_plugins_own_names() -> None:
    container = "2a165bb17ae063d30b4134ecddf23b3e6a8b98b58a6cc44a6dd94812464febe8"
    names = sweep.chains("nb", container)
    assert names == ("CNI-3bf2b15d514e074640e9ede8", "CNI-DN-3bf2b15d514e074640e9e")
    saved = "\n".join(
        [
            *("*nat", f":{names[0]} - [0:0]", ":CNI-other - [0:0]"),
            f'-A POSTROUTING -s 10.89.0.2/32 -m comment --comment "name: \\"nb\\" id" -j {names[0]}',
            *("-A POSTROUTING -s 10.89.0.3/32 -j CNI-other", f"-A {names[0]} -j MASQUERADE", "COMMIT"),
        ]
    )
    assert sweep.removal(saved, names) == "\n".join(
        [
            "*nat",
            f'-D POSTROUTING -s 10.89.0.2/32 -m comment --comment "name: \\"nb\\" id" -j {names[0]}',
            *(f"-F {names[0]}", f"-X {names[0]}", "COMMIT", ""),
        ]
    )
    assert sweep.removal(saved, sweep.chains("nb", "f" * 64)) == ""
