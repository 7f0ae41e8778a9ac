"""Networks as use-cases of the engine: created, listed, shown and removed with the real planner and database."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata.assemble import open_engine
from sonata.engine.engine import Engine
from sonata.engine.networks import cni, files, host
from sonata.engine.networks.create import create
from sonata.engine.networks.inspect import inspect
from sonata.engine.networks.list import document, exists, listed
from sonata.engine.networks.remove import remove
from sonata.engine.networks.update import update
from sonata.model.object_request import NetworkCreateRequest as Wish
from sonata_core.errors import AlreadyExists, Conflict, Denied, InUse, NotFound, SonataError, UsageError

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not os.path.exists("/usr/lib/podman/netavark"), reason="needs netavark"),
]

PODMANS = {
    "name": "theirs",
    "id": "7bf9c45f5e4e6a7fcf4fa2ce22cc574d967701526707321aa7fc22dad74688e7",
    "driver": "bridge",
    "network_interface": "podman1",
    "created": "2026-01-02T03:04:05.10820988Z",
    "subnets": [
        {
            "subnet": "10.89.0.0/24",
            "gateway": "10.89.0.1",
            "lease_range": {"start_ip": "10.89.0.129", "end_ip": "10.89.0.255"},
        }
    ],
    "ipv6_enabled": False,
    "internal": False,
    "dns_enabled": True,
    "labels": {"a": "b"},
    "ipam_options": {"driver": "host-local"},
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "networks").mkdir()
    settings: dict[str, Any] = {
        "storage.graphroot": str(tmp_path / "graph"),
        "storage.runroot": str(tmp_path / "run"),
        "network.network_config_dir": str(tmp_path / "networks"),
    }
    opened = open_engine(settings, environ={"CONTAINERS_CONF": "/dev/null"})
    yield opened
    opened.close()


def test_a_network_is_made_shown_and_removed(engine: Engine) -> None:
    made = create(engine, Wish(name="web", label=("a=b",), opt=("mtu=1400", "isolate=1"), subnet=("10.207.3.9/24",)))
    shown = inspect(engine, made.id[:9])
    assert shown.pop("created") == made.created
    assert shown == {
        "name": "web",
        "id": made.id,
        "driver": "bridge",
        "network_interface": made.interface,
        "subnets": [{"subnet": "10.207.3.0/24", "gateway": "10.207.3.1"}],
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": True,
        "labels": {"a": "b"},
        "options": {"mtu": "1400", "isolate": "true"},
        "ipam_options": {"driver": "host-local"},
        "containers": {},
    }
    assert files.from_netavark(document(made)) == made
    assert exists(engine, "web")
    assert exists(engine, made.id[:5])
    with pytest.raises(AlreadyExists, match=r"^network name web already used: network already exists$"):
        create(engine, Wish(name="web"))
    assert create(engine, Wish(name="web", ignore=True, subnet=("10.207.9.0/24",))) == made
    assert remove(engine, "web") == "web"
    assert not exists(engine, "web")
    with pytest.raises(NotFound, match=r"^unable to find network with name or ID web: network not found$"):
        remove(engine, "web")
    with pytest.raises(NotFound, match=r"^network web: unable to find network with name or ID web: network not found$"):
        inspect(engine, "web")


def test_what_podman_made_is_seen_used_and_never_collided_with(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "networks" / "theirs.json"
    path.write_text(json.dumps(PODMANS))
    (tmp_path / "networks" / "misnamed.json").write_text(json.dumps(PODMANS))
    (tmp_path / "networks" / "broken.json").write_text("{")
    assert [one.name for one in listed(engine)] == ["podman", "theirs"]
    assert inspect(engine, "theirs") == {**PODMANS, "containers": {}}
    made = create(engine, Wish())
    assert made.name == made.interface
    assert made.name not in ("podman1", "theirs")
    assert made.subnets[0].subnet != "10.89.0.0/24"
    with pytest.raises(Conflict, match="already used on the host or by another config"):
        create(engine, Wish(subnet=("10.89.0.128/25",)))
    with pytest.raises(Denied, match=r"another tool's: .*/theirs\.json"):
        remove(engine, "theirs", force=True)
    assert path.exists()


def test_a_file_that_makes_no_sense_is_named_and_left_alone(
    engine: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = {
        "broken": "{",
        "other": json.dumps(PODMANS),
        "noid": json.dumps({"name": "noid"}),
        "shortid": json.dumps({**PODMANS, "name": "shortid", "id": "12"}),
        "subnet": json.dumps({**PODMANS, "name": "subnet", "subnets": [{"subnet": "zz"}]}),
        "list": "[]",
        "b d": json.dumps({**PODMANS, "name": "b d"}),
    }
    for name, text in bad.items():
        (tmp_path / f"networks/{name}.json").write_text(text)
    assert [one.name for one in listed(engine)] == ["podman"]
    said = capfd.readouterr().err
    for name, text in bad.items():
        assert f"{name}.json" in said
        assert (tmp_path / f"networks/{name}.json").read_text() == text
    assert create(engine, Wish()).subnets


def test_update_keeps_what_it_does_not_know_of_in_another_tools_file(engine: Engine, tmp_path: Path) -> None:
    strange = {**PODMANS, "foo": {"a": [1]}, "subnets": [{**PODMANS["subnets"][0], "bar": 2}]}
    path = tmp_path / "networks/theirs.json"
    path.write_text(json.dumps(strange))
    path.chmod(0o640)
    assert update(engine, "theirs", add=("9.9.9.9", "8.8.8.8")) == "theirs"
    assert json.loads(path.read_text()) == {**strange, "network_dns_servers": ["9.9.9.9", "8.8.8.8"]}
    assert path.stat().st_mode & 0o777 == 0o640
    update(engine, "theirs", add=("1.1.1.1",), drop=("9.9.9.9", "8.8.8.8"))
    assert json.loads(path.read_text())["network_dns_servers"] == ["1.1.1.1"]
    assert os.listdir(tmp_path / "networks") == ["theirs.json"]
    assert path.read_text().startswith('{\n     "name": "theirs",\n')


def test_what_cni_has_taken_is_read(tmp_path: Path) -> None:
    ranges = {"type": "host-local", "ranges": [[{"subnet": "10.88.5.0/24", "gateway": "10.88.5.1"}]]}
    plugins = [{"type": "bridge", "bridge": "cni-podman9", "ipam": ranges}, {"type": "portmap"}]
    (tmp_path / "a.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": "a", "plugins": plugins}))
    (tmp_path / "b.conf").write_text(
        json.dumps({"bridge": "b0", "ipam": {"subnet": "10.77.0.0/16"}, "x": {"subnet": 5}})
    )
    (tmp_path / "c.conf").write_text("{")
    (tmp_path / "d.conf").write_text("[" * 100_000)
    assert cni.taken(str(tmp_path)) == cni.Taken(
        subnets=("10.88.5.0/24", "10.77.0.0/16"), bridges=("cni-podman9", "b0")
    )
    assert cni.taken(str(tmp_path / "none")) == cni.Taken()


def test_the_default_network_is_there_and_stays(engine: Engine) -> None:
    (found,) = listed(engine)
    assert (found.name, found.dns_enabled) == ("podman", False)
    assert found.interface in {f"podman{number}" for number in range(10)}, "podman0, unless another engine's is there"
    assert found.id == "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"
    with pytest.raises(Conflict, match=r"^default network podman cannot be removed$"):
        remove(engine, "podman", force=True)


def test_a_network_in_use_is_kept(engine: Engine) -> None:
    create(engine, Wish(name="busy", subnet=("10.207.4.0/24",)))
    with engine.database.transaction():
        engine.database.execute("INSERT INTO container VALUES ('c', 'c', 0, '', '', '{}')")
        engine.database.execute("INSERT INTO uses_network VALUES ('c', 'busy')")
    assert [one.name for one in listed(engine, ("dangling=true",))] == []
    with pytest.raises(
        InUse, match=r'^"busy" has associated containers with it\. Use -f to forcibly delete containers'
    ):
        remove(engine, "busy")
    assert exists(engine, "busy")


def test_filters(engine: Engine) -> None:
    create(engine, Wish(name="alpha", subnet=("10.207.5.0/24",), label=("tier=front", "x")))
    create(engine, Wish(name="beta", subnet=("10.207.6.0/24",)))

    def names(*filters: str) -> list[str]:
        return [one.name for one in listed(engine, filters)]

    assert names("name=^al") == ["alpha"]
    assert names("name=alpha", "name=beta") == ["alpha", "beta"]
    assert names("label=tier=front") == ["alpha"]
    assert names("label=tier") == ["alpha"]
    assert names("label=tier=back") == []
    assert names("driver=bridge", "dangling=false") == ["podman"]
    assert names("until=2020-06-01T00:00:00Z") == ["podman"]
    for bad in ("name", "colour=red", "dangling=perhaps", "name=("):
        with pytest.raises(UsageError):
            names(bad)


def test_positions_pair_and_lonely_ones_are_refused(engine: Engine) -> None:
    wish = Wish(
        name="two",
        subnet=("10.207.7.0/24", "fd00:207::/64"),
        gateway=("10.207.7.254",),
        ip_range=("10.207.7.128/25", "fd00:207::10-fd00:207::20"),
    )
    made = create(engine, wish)
    four, six = made.subnets
    assert (four.gateway, four.range_start, four.range_end) == ("10.207.7.254", "10.207.7.129", "10.207.7.255")
    assert (six.gateway, six.range_start, six.range_end) == ("fd00:207::1", "fd00:207::10", "fd00:207::20")
    assert made.ipv6_enabled
    for wish in (
        Wish(gateway=("10.207.8.1",)),
        Wish(subnet=("10.207.8.0/24",), ip_range=("10.207.8.0/25", "10.207.9.0/25")),
        Wish(route=("10.1.0.0/24",)),
        Wish(label=("=x",)),
    ):
        with pytest.raises(SonataError):
            create(engine, wish)


def test_many_at_once_never_share_a_subnet(engine: Engine) -> None:
    found: list[str] = []
    failures: list[BaseException] = []

    def one() -> None:
        try:
            found.append(create(engine, Wish()).subnets[0].subnet)
        except BaseException as error:
            failures.append(error)

    engine.net("netavark")
    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure
    assert len(set(found)) == 6


def test_the_hosts_own_networks_are_read() -> None:
    assert "lo" in host.live_interfaces()
    assert host.live_subnets()[0] == "127.0.0.0/8"
    assert not any(subnet.startswith(("::1", "0.0.0.0", "0000:")) for subnet in host.live_subnets())
    if shutil.which("ip"):
        import subprocess

        said = json.loads(subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout)
        assert {link["ifname"] for link in said} == set(host.live_interfaces())
