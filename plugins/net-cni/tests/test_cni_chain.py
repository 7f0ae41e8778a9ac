"""What plugins are told and in which order: one that only listens, and the host's own, in a host of each test's."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import CommandFailed, HostLacks, NotFound, SonataError, Unavailable, Unsupported, UsageError
from sonata_core.models.net import AttachRequest, NetworkDefinition, NetworkWish, PortMapping, Subnet
from sonata_net_cni.plugin import CniNet
from sonata_testkit.containers import eventually
from sonata_testkit.fixtures import make_context
from sonata_testkit.netlab import HOST, Namespace, ask, attachment, own_host, tool
from sonata_testkit.world import World

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not os.path.exists("/usr/lib/cni/bridge"), reason="needs containernetworking-plugins"),
]
SUBNET = Subnet(subnet="10.217.0.0/24", gateway="10.217.0.1")


class Site:
    """A host, its folder of lists and its plugins: the real ones, and `say`, which listens."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.lists, self.data, self.heard_file = base / "net.d", base / "cni", base / "heard"
        plugins = base / "plugins"
        for folder in (self.lists, plugins):
            folder.mkdir()
        program = plugins / "say"
        program.write_text(f"#!{sys.executable} -I\n{Path(__file__).with_name('say_plugin.py').read_text()}")
        program.chmod(0o755)
        self.context: PluginContext = make_context(
            "cni",
            base,
            cni_config_dir=str(self.lists),
            cni_data_dir=str(self.data),
            cni_plugin_dirs=(str(plugins), "/usr/lib/cni"),
        )
        self.backend = CniNet(self.context)
        self.namespaces: list[Namespace] = []

    def namespace(self, letter: str = "a") -> Namespace:
        made = Namespace(self.base / "ns", letter)
        self.namespaces.append(made)
        return made

    def put(self, name: str, *plugins: dict[str, Any], **more: Any) -> NetworkDefinition:
        """Write a list, as an administrator would; the network that it is."""
        document = {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins), **more}
        (self.lists / f"{name}.conflist").write_text(json.dumps(document))
        return next(one for one in self.backend.net_known() if one.name == name)

    def say(self, **more: Any) -> dict[str, Any]:
        return {"type": "say", "file": str(self.heard_file), **more}

    def heard(self) -> list[dict[str, Any]]:
        lines = self.heard_file.read_text().splitlines() if self.heard_file.exists() else []
        return [json.loads(line) for line in lines]

    def verbs(self) -> list[str]:
        return [one["verb"] for one in self.heard()]

    def left(self) -> list[str]:
        """What is noted of attachments: ours and libcni's."""
        places = (self.data / "results", self.base / "run" / "attached", *(self.data / "networks").glob("*"))
        files = [name for place in places if place.is_dir() for name in os.listdir(place)]
        return sorted(name for name in files if name != "lock" and not name.startswith("last_reserved_ip"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with own_host():
        made = Site(tmp_path)
        yield made
        for namespace in made.namespaces:
            namespace.vanish()


def bridge(**more: Any) -> dict[str, Any]:
    ipam = {"type": "host-local", "ranges": [[{"subnet": SUBNET.subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {"type": "bridge", "bridge": "cnit0", "isGateway": True, "ipMasq": True, "ipam": ipam, **more}


def lone(name: str = "alone") -> NetworkDefinition:
    return NetworkDefinition(name=name, id="3" * 64, driver="say")


def test_plugins_are_told_what_podman_and_the_conventions_tell(site: Site) -> None:
    wants = dict.fromkeys(("portMappings", "ips", "mac", "aliases", "ipRanges", "dns"), True)
    network = site.put("told", bridge(), site.say(capabilities=wants), site.say(mine=7))
    where = site.namespace()
    asked = attachment(network, 5, mac="02:11:22:33:44:55", aliases=("web",))
    port = PortMapping(host_ip="198.51.100.1", host_port=8000, container_port=80, range=2)
    request = where.request(asked, ports=(port,)).replace(dns_servers=("9.9.9.9",))
    result = site.backend.net_attach(where.ref, request)
    first, second = site.heard()
    assert first["environment"] == {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "a" * 64,
        "CNI_NETNS": where.path,
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAME=kit-a;MAC=02:11:22:33:44:55;IP=10.217.0.5",
        "CNI_PATH": f"{site.base}/plugins:/usr/lib/cni",
    }
    assert first["config"]["runtimeConfig"] == {
        "portMappings": [
            {"hostPort": 8000, "containerPort": 80, "protocol": "tcp", "hostIP": "198.51.100.1"},
            {"hostPort": 8001, "containerPort": 81, "protocol": "tcp", "hostIP": "198.51.100.1"},
        ],
        "ips": ["10.217.0.5"],
        "mac": "02:11:22:33:44:55",
        "aliases": {"told": ["web", "a" * 12]},
        "dns": {"servers": ["9.9.9.9"]},
        "ipRanges": [[{"subnet": "10.217.0.0/24", "gateway": "10.217.0.1"}]],
    }
    assert "runtimeConfig" not in second["config"], "only what a plugin asks for"
    assert (second["config"]["name"], second["config"]["cniVersion"], second["config"]["mine"]) == ("told", "1.0.0", 7)
    ips = [one["address"] for one in first["config"]["prevResult"]["ips"]]
    assert ips == [each.address for i in result.interfaces for each in i.addresses] == ["10.217.0.5/24"]
    assert result.interfaces[0].mac == "02:11:22:33:44:55"
    kept = json.loads((site.data / "results" / f"told-{'a' * 64}-eth0").read_text())
    assert (kept["kind"], kept["networkName"], kept["ifName"]) == ("cniCacheV1", "told", "eth0")
    assert kept["result"]["ips"] == first["config"]["prevResult"]["ips"]
    assert ["K8S_POD_NAME", "kit-a"] in kept["cniArgs"]
    site.backend.net_detach(where.ref, request, None)
    assert [one["config"].get("mine") for one in site.heard()[2:]] == [7, None], "DEL is in reverse"
    assert all(one["config"]["prevResult"]["ips"] for one in site.heard()[2:])
    assert site.left() == []


def test_a_plugin_that_fails_is_named_and_everything_is_undone(site: Site) -> None:
    world = World(str(site.base), network=True)
    network = site.put("fails", site.say(), site.say(fault={"ADD": {"code": 7, "msg": "no", "details": "really"}}))
    where = site.namespace()
    with pytest.raises(UsageError) as caught:
        site.backend.net_attach(where.ref, where.request(attachment(network, 5)))
    words = 'plugin type="say" failed (add): no: really (error code 7: invalid network configuration)'
    assert caught.value.message == words
    assert site.verbs() == ["ADD", "ADD", "DEL", "DEL"]
    assert site.left() == []
    where.vanish()
    world.check()


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ({"code": 1, "msg": "m"}, Unsupported, "m (error code 1: incompatible CNI version)"),
        ({"code": 3, "msg": "m"}, NotFound, "m (error code 3: container unknown)"),
        ({"code": 50, "msg": "m"}, Unavailable, "m (error code 50: the plugin is not available)"),
        ({"code": 999, "msg": "m"}, CommandFailed, "m (error code 999)"),
        ({"no": "words"}, CommandFailed, "exited with 1"),
        ("die", CommandFailed, "killed by signal 9"),
    ],
)
def test_codes_say_what_can_be_done(site: Site, fault: object, kind: type[SonataError], words: str) -> None:
    network = site.put("fails", site.say(fault={"ADD": fault}))
    where = site.namespace()
    with pytest.raises(kind) as caught:
        site.backend.net_attach(where.ref, where.request(attachment(network, 5)))
    assert caught.value.message.startswith('plugin type="say" failed (add): ')
    assert words in caught.value.message


def test_a_plugin_that_asks_for_a_moment_is_asked_again(site: Site) -> None:
    network = site.put("busy", site.say(fault={"ADD": "once"}))
    where = site.namespace()
    site.backend.net_attach(where.ref, where.request(attachment(network, 5)))
    assert site.verbs() == ["ADD", "ADD"]


def test_the_version_is_one_that_all_plugins_speak(site: Site) -> None:
    network = site.put("mixed", bridge(), site.say(), cniVersions=["0.3.1", "1.0.0", "1.1.0"])
    where = site.namespace()
    site.backend.net_attach(where.ref, where.request(attachment(network, 5)))
    assert site.heard()[0]["config"]["cniVersion"] == "1.0.0", "bridge 1.1 does not speak 1.1.0"
    newest = site.put("newest", bridge(bridge="cnit1"), cniVersion="1.1.0")
    with pytest.raises(Unsupported, match=r"network newest wants CNI 1\.1\.0: plugin bridge speaks 0\.1\.0, "):
        site.backend.net_attach(where.ref, where.request(attachment(newest, 6, "eth1")))


def test_check_and_gc_where_the_version_has_them(site: Site) -> None:
    network = site.put("new", site.say(), cniVersion="1.1.0")
    where = site.namespace()
    request = where.request(attachment(network, 5))
    first = site.backend.net_attach(where.ref, request)
    assert site.backend.net_attach(where.ref, request) == first
    assert site.verbs() == ["ADD", "CHECK"]
    site.backend.net_detach(where.ref, request, first)
    site.backend.net_forget(network)
    assert site.verbs() == ["ADD", "CHECK", "DEL", "GC"]
    assert site.heard()[-1]["config"]["cni.dev/valid-attachments"] == []
    silent = site.put("silent", site.say(), cniVersion="1.1.0", disableCheck=True, disableGC=True)
    request = where.request(attachment(silent, 5))
    for _ in range(2):
        site.backend.net_attach(where.ref, request)
    site.backend.net_detach(where.ref, request, None)
    site.backend.net_forget(silent)
    assert site.verbs()[4:] == ["ADD", "DEL"]
    assert (site.lists / "silent.conflist").exists(), "another's list is not ours to remove"


def test_an_interface_that_check_misses_is_made_again(site: Site) -> None:
    network = site.put("gone", site.say(fault={"CHECK": {"code": 100, "msg": "it is gone"}}))
    where = site.namespace()
    request = where.request(attachment(network, 5))
    for _ in range(2):
        site.backend.net_attach(where.ref, request)
    assert site.verbs() == ["ADD", "CHECK", "DEL", "ADD"]


def test_what_was_killed_in_the_middle_is_taken_down_by_the_next(site: Site) -> None:
    """Killed when bridge and host-local had done their work and the firewall none, or all: nothing is left."""
    network = site.put(
        "dies", bridge(), {"type": "firewall"}, {"type": "portmap", "capabilities": {"portMappings": True}}
    )
    port = PortMapping(host_ip="", host_port=8000, container_port=80)
    warm = site.namespace("f")
    request = warm.request(attachment(network, 9), ports=(port,))
    site.backend.net_attach(warm.ref, request)
    site.backend.net_detach(warm.ref, request, None)
    world = World(str(site.base), network=True)
    for step in range(1, 8):
        where = site.namespace("a")
        request = where.request(attachment(network, 5), ports=(port,))
        child = os.fork()
        if child == 0:
            count = [0]
            inner = site.context.run_command

            def dying(command, inner=inner, count=count, step=step):  # type: ignore[no-untyped-def]
                count[0] += 1
                done = inner(command)
                if count[0] == step:
                    os.kill(os.getpid(), 9)
                return done

            CniNet(site.context.replace(run_command=dying)).net_attach(where.ref, request)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        where.vanish()
        site.backend.net_detach(where.ref, request, None)
        assert site.left() == []
        world.check()
        if not os.WIFSIGNALED(status):
            return
    raise AssertionError("it never came to its end")


def test_a_container_whose_notes_are_lost_is_taken_down_by_libcnis(site: Site) -> None:
    network = site.put("lost", bridge(), {"type": "firewall"})
    where = site.namespace()
    request = where.request(attachment(network, 5))
    site.backend.net_attach(where.ref, request)
    (site.base / "run" / "attached" / f"{'a' * 64}.json").unlink()
    (site.lists / "lost.conflist").unlink()
    assert "10.217.0.5" in "".join(site.left())
    site.backend.net_detach(where.ref, request, None)
    assert site.left() == []
    assert where.addresses() == {}
    assert "10.217.0.5" not in tool("iptables-save")


def test_addresses_of_other_tools_are_known_and_not_given_twice(site: Site) -> None:
    network = site.put("shared", bridge())
    ours, theirs = site.namespace("a"), site.namespace("b")
    site.backend.net_attach(theirs.ref, theirs.request(attachment(network, 7)))
    assert site.backend.net_taken(network) == {"10.217.0.7": "b" * 64}
    with pytest.raises(CommandFailed, match=r"10\.217\.0\.7"):
        site.backend.net_attach(ours.ref, ours.request(attachment(network, 7)))
    assert ours.addresses() == {}
    assert site.backend.net_taken(network) == {"10.217.0.7": "b" * 64}


def test_a_network_whose_addresses_another_plugin_gives(site: Site) -> None:
    """A `.conf` of one plugin, in an old version, with `static`: no list of Podman's, and no lease of the engine's."""
    ipam = {"type": "static", "addresses": [{"address": "10.218.0.9/24", "gateway": "10.218.0.1"}]}
    document = {"cniVersion": "0.3.1", "name": "fixed", "type": "ptp", "ipam": ipam}
    (site.lists / "fixed.conf").write_text(json.dumps(document))
    (network,) = site.backend.net_known()
    assert (network.driver, network.subnets, network.ipam_driver) == ("ptp", (), "static")
    where = site.namespace()
    request = where.request(attachment(network, 5))
    result = site.backend.net_attach(where.ref, request)
    assert [each.address for i in result.interfaces for each in i.addresses] == ["10.218.0.9/24"]
    again = site.backend.net_reload(where.ref, request, result)
    assert again.interfaces[0].addresses == result.interfaces[0].addresses
    site.backend.net_detach(where.ref, request, again)
    assert where.addresses() == {}


def test_ipv6_ports_and_two_networks(site: Site) -> None:
    v6 = Subnet(subnet="fd00:217::/64", gateway="fd00:217::1")
    both = NetworkDefinition(
        name="both", id="4" * 64, interface="cnit2", subnets=(SUBNET, v6), ipv6_enabled=True, ipam_driver="host-local"
    )
    kept = site.backend.net_keep(both)
    other = site.put("other", bridge(bridge="cnit3", ipam={"type": "host-local", "subnet": "10.219.0.0/24"}))
    where = site.namespace()
    where.serve(80, "hello")
    port = PortMapping(host_ip="", host_port=8000, container_port=80)
    request = where.request(attachment(kept, 5), attachment(other, 6, "eth1"), ports=(port,))
    result = site.backend.net_attach(where.ref, request)
    assert where.addresses() == {"eth0": {"10.217.0.5/24", "fd00:217::5/64"}, "eth1": {"10.219.0.6/24"}}
    assert [each.network for each in result.interfaces] == ["both", "other"]
    assert eventually(lambda: ask(HOST, 8000) == "hello")
    assert f"--to-destination [{'fd00:217::5'}]:80" in tool("ip6tables-save")
    site.backend.net_detach(where.ref, request, result)
    assert "fd00:217::5" not in tool("ip6tables-save")
    assert site.left() == []


def test_macvlan_on_a_link_of_the_host(site: Site) -> None:
    wish = NetworkWish(name="mac", id="6" * 64, created="", driver="macvlan", options={"parent": "lan0"})
    subnets = (Subnet(subnet="198.51.100.0/24", gateway=HOST),)
    planned = site.backend.net_plan(wish.replace(subnets=subnets, taken_interfaces=("lan0",)), ())
    kept = site.backend.net_keep(planned)
    where = site.namespace()
    request = where.request(attachment(kept, 5))
    site.backend.net_attach(where.ref, request)
    assert where.addresses() == {"eth0": {"198.51.100.5/24"}}
    assert '"macvlan"' in where.run("ip", "-d", "-j", "link", "show", "eth0")
    site.backend.net_detach(where.ref, request, None)
    site.backend.net_forget(kept)
    assert where.addresses() == {}
    assert "lan0" in tool("ip", "-br", "link"), "a parent is the host's"
    assert list(site.lists.glob("*.conflist")) == []


def test_lists_of_others_are_never_written(site: Site) -> None:
    network = site.put("theirs", bridge(), _mine="a comment")
    path = site.lists / "theirs.conflist"
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    where = site.namespace()
    request = where.request(attachment(network, 5))
    result = site.backend.net_attach(where.ref, request)
    site.backend.net_reload(where.ref, request, result)
    site.backend.net_detach(where.ref, request, result)
    site.backend.net_forget(network)
    with pytest.raises(SonataError, match="already used"):
        site.backend.net_keep(network)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert "cnit0" not in tool("ip", "-br", "link"), "its bridge had no more links"


def test_a_refused_list_of_that_name_is_not_replaced_by_a_guess(site: Site) -> None:
    (site.lists / "odd.conflist").write_text('{"name": "odd", "plugins": [{"type": "../sh"}]}')
    assert site.backend.net_known() == ()
    where = site.namespace()
    network = NetworkDefinition(name="odd", id="5" * 64, interface="cnit4", subnets=(SUBNET,), ipam_driver="host-local")
    with pytest.raises(UsageError, match="invalid plugin name"):
        site.backend.net_attach(where.ref, where.request(attachment(network, 5)))


def test_a_network_whose_list_is_spoilt_by_now_is_forgotten_all_the_same(site: Site) -> None:
    network = NetworkDefinition(
        name="kept", id="7" * 64, interface="cnit5", subnets=(SUBNET,), ipam_driver="host-local"
    )
    site.backend.net_keep(network)
    (site.lists / "kept.conflist").write_text("{")
    site.backend.net_forget(network)
    assert list(site.lists.glob("kept*")) == []


@pytest.mark.parametrize("interface", ["../../x", "", "..", "a b", "a" * 16])
def test_an_interface_is_no_path(site: Site, interface: str) -> None:
    network = site.put("told", site.say())
    where = site.namespace()
    with pytest.raises(UsageError, match="invalid: at most 15 characters"):
        site.backend.net_attach(where.ref, where.request(attachment(network, 5, interface)))
    assert site.verbs() == []
    assert site.left() == []


def test_plugins_that_are_missing_or_open_to_everybody(site: Site) -> None:
    network = site.put("none", {"type": "nosuch"})
    where = site.namespace()
    with pytest.raises(HostLacks, match="failed to find plugin 'nosuch' in path"):
        site.backend.net_attach(where.ref, where.request(attachment(network, 5)))
    program = site.base / "plugins" / "say"
    program.chmod(stat.S_IRWXU | stat.S_IWOTH | stat.S_IXOTH)
    open_to_all = site.put("open", site.say())
    with pytest.raises(HostLacks, match="everybody may write it"):
        site.backend.net_attach(where.ref, where.request(attachment(open_to_all, 5)))
    assert site.verbs() == []


def test_the_hosts_own_namespace_is_refused(site: Site) -> None:
    network = site.put("host", site.say())
    request: AttachRequest = site.namespace().request(attachment(network, 5))
    own = site.namespaces[0].ref.replace(path="/proc/thread-self/ns/net")
    with pytest.raises(UsageError, match="is the host's own"):
        site.backend.net_attach(own, request)
    assert site.verbs() == []
