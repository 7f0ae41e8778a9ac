"""The small grammars, each as a table."""

import pytest

from sonata.model.container import MountKind, NetworkUse, RestartPolicy
from sonata.model.idranges import split
from sonata.model.materials import HostsInput, ResolvInput
from sonata.plan import (
    amend,
    env,
    files,
    ipam,
    lifecycle,
    mounts,
    names,
    naming,
    ports,
    restart,
    signals,
    userns,
    users,
    values,
    volumes,
)
from sonata.plan.adjust import merge
from sonata.plan.lifecycle import Phase, Verb
from sonata.plan.network import interfaces
from sonata_core.errors import Conflict, NotFound, UsageError
from sonata_core.models.hooks import OciHook, SpecAdjustment
from sonata_core.models.net import Subnet
from sonata_core.models.process import IdMap


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("64m", 64 << 20),
        ("1.5g", 3 << 29),
        ("2KiB", 2048),
        ("3kb", 3072),
        ("1 m", 1 << 20),
        ("7b", 7),
        ("1T", 1 << 40),
    ],
)
def test_size(text, value):
    assert values.size(text) == value


@pytest.mark.parametrize("text", ["", "x", "1x", "-1", "1..2m", "٣m", "1e3", "m", "9999999999999999999p", "1  m"])
def test_size_refused(text):
    with pytest.raises(UsageError, match="invalid s"):
        values.size(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("1s", 10**9), ("1h30m", 5400 * 10**9), ("1.5s", 15 * 10**8), ("-2ms", -2_000_000), ("3us", 3000)],
)
def test_duration(text, value):
    assert values.duration(text) == value


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1s1", "1.2.3s", "-"])
def test_duration_refused(text):
    with pytest.raises(UsageError, match=r"^time: "):
        values.duration(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigkill", 9),
        ("9", 9),
        ("RTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("POLL", 29),
        ("64", 64),
    ],
)
def test_signal(text, number):
    assert signals.number(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "BOGUS", "+9", "-9", "9 ", "SIGSIGTERM", "RTMIN+31", "٩"])
def test_signal_refused(text):
    with pytest.raises(UsageError, match=r"^(invalid signal: |valid signals are 1 through 64$)"):
        signals.number(text)


def test_signal_names_lead_back():
    for number in (*range(1, 32), *range(34, 65)):
        assert signals.number(signals.name(number)) == number


PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n"
    b"1:x:44:45::/one:\nbad:x:-1:0::/:\nevil:x:99999999999:0::/:\n# c\n"
)
GROUP = b"root:x:0:\nweb:x:34:\nextra:x:50:web,root\n7:x:70:\n"


@pytest.mark.parametrize(
    ("spec", "uid", "gid", "groups", "home"),
    [
        ("", 0, 0, (50,), "/root"),
        ("root", 0, 0, (50,), "/root"),
        ("0", 0, 0, (50,), "/root"),
        ("web", 33, 34, (50,), "/srv"),
        ("33", 33, 34, (50,), "/srv"),
        ("web:root", 33, 0, (), "/srv"),
        ("33:9", 33, 9, (), "/srv"),
        ("1000", 1000, 0, (), "/"),
        ("1000:1001", 1000, 1001, (), "/"),
        ("1", 1, 0, (), "/"),
        ("1:1", 1, 1, (), "/"),
        ("01", 1, 0, (), "/"),
        ("web:7", 33, 7, (), "/srv"),
        ("web:", 33, 34, (50,), "/srv"),
    ],
)
def test_user(spec, uid, gid, groups, home):
    found = users.resolve(spec, PASSWD, GROUP)
    assert (found.uid, found.gid, found.groups, found.home) == (uid, gid, groups, home)


@pytest.mark.parametrize("spec", ["nosuch", "+1", "-1", "1 ", " 1", "0x1", "١", "1_0", "bad:x", "web:nosuch", "evil\n"])
def test_user_not_found(spec):
    with pytest.raises(NotFound, match="unable to find"):
        users.resolve(spec, b"root:x:0:0::/:\nweb:x:1:1::/:\n", GROUP)


@pytest.mark.parametrize("spec", ["4294967296", "2147483648", "99999999999999999999", "1:4294967296"])
def test_user_out_of_range(spec):
    with pytest.raises(UsageError, match="must be in range 0-2147483647"):
        users.resolve(spec, PASSWD, GROUP)


def test_user_with_a_huge_group_file():
    group = b"".join(b"g%d:x:%d:web\n" % (n, n + 1000) for n in range(20000))
    assert len(users.resolve("web", PASSWD, group).groups) == 20000


def test_env():
    caller = {"A": "1", "AB": "2", "B": "3"}
    assert env.entries(["A*", "B", "C=x=y", "NONE", "D="], caller) == {
        "A": "1",
        "AB": "2",
        "B": "3",
        "C": "x=y",
        "D": "",
    }
    text = '# comment\n\n  X=1 \nA\nQ="kept"\r\nNOT'
    assert env.file_entries(text, caller) == {"X": "1 ", "A": "1", "Q": '"kept"'}
    assert env.expand(["P=${A}:$B:$none"], caller) == {"P": "1:3:"}


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (("80",), [("", 0, 80, 1, "tcp")]),
        (("8080:80",), [("", 8080, 80, 1, "tcp")]),
        (("127.0.0.1:8080:80/udp",), [("127.0.0.1", 8080, 80, 1, "udp")]),
        (("[::1]:1:2",), [("::1", 1, 2, 1, "tcp")]),
        (("127.0.0.1::80",), [("127.0.0.1", 0, 80, 1, "tcp")]),
        (("1-3:4-6",), [("", 1, 4, 3, "tcp")]),
        (("1:4", "2:5", "3:6"), [("", 1, 4, 3, "tcp")]),
        (("1:4", "1:4"), [("", 1, 4, 1, "tcp")]),
        (("1:4", "3:6"), [("", 1, 4, 1, "tcp"), ("", 3, 6, 1, "tcp")]),
        (("5:5/tcp,udp",), [("", 5, 5, 1, "tcp"), ("", 5, 5, 1, "udp")]),
    ],
)
def test_ports(given, result):
    found = ports.parse_all(given)
    assert [(m.host_ip, m.host_port, m.container_port, m.range, m.protocol) for m in found] == result


def test_ports_assigned():
    found = ports.parse_all(("80", "90", "1:1"))
    assert len(ports.wanted(found)) == 2
    assert [m.host_port for m in ports.assign(found, [4000, 5000])] == [1, 4000, 5000]
    published = ports.publish_exposed(found, ports.exposed(("80", "81-82/udp")))
    assert [(m.container_port, m.protocol) for m in published] == [
        (80, "tcp"), (90, "tcp"), (1, "tcp"), (81, "udp"), (82, "udp")]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "source", "target", "options"),
    [
        ("/a:/b", MountKind.BIND, "/a", "/b", ()),
        ("./a:/b/", MountKind.BIND, "/here/a", "/b", ()),
        ("../a:/b/../c", MountKind.BIND, "/a", "/c", ()),
        ("vol:/b:ro,nocopy", MountKind.VOLUME, "vol", "/b", ("ro",)),
        ("/a:/b:O,upperdir=/u,workdir=/w", MountKind.OVERLAY, "/a", "/b", ()),
        ("/a:/b:z,rslave", MountKind.BIND, "/a", "/b", ("rslave",)),
    ],
)
def test_volume(text, kind, source, target, options):
    found = volumes.parse(text, "/here", "id")
    assert (found.kind, found.source, found.target, found.options) == (kind, source, target, options)


def test_anonymous_volumes_have_names_of_their_own():
    first, again, other = (volumes.parse("/a", "/", name) for name in ("one", "one", "two"))
    assert first == again
    assert first.source != other.source
    assert len(first.source) == 64
    assert first.anonymous


def test_volume_of_an_image_stays_inside():
    found = volumes.of_image(["/../../etc", "data"], "anonymous", "id")
    assert [mount.target for mount in found] == ["/etc", "/data"]


@pytest.mark.parametrize(
    ("text", "kind", "source", "options"),
    [
        ("type=bind,src=/a,dst=/m", MountKind.BIND, "/a", ()),
        ("type=bind,src=/a,dst=/m,ro", MountKind.BIND, "/a", ("ro",)),
        ("type=bind,src=/a,dst=/m,readonly=false", MountKind.BIND, "/a", ()),
        ("type=bind,src=/a,dst=/m,rw=false", MountKind.BIND, "/a", ("ro",)),
        ("type=bind,src=/a,target=/m,bind-propagation=rslave", MountKind.BIND, "/a", ("rslave",)),
        ("type=bind,src=/a,destination=/m,bind-nonrecursive", MountKind.BIND, "/a", ("bind",)),
        ("type=volume,source=v,dst=/m", MountKind.VOLUME, "v", ()),
        ("source=v,dst=/m", MountKind.VOLUME, "v", ()),
        ("type=tmpfs,dst=/m,tmpfs-size=1m", MountKind.TMPFS, "tmpfs", ("size=1m",)),
        ('type=bind,"src=/a,b",dst=/m', MountKind.BIND, "/a,b", ()),
        ("type=image,src=busybox,dst=/m", MountKind.IMAGE, "busybox", ()),
    ],
)
def test_mount(text, kind, source, options):
    found = mounts.parse(text, "/", "id")
    assert (found.kind, found.source, found.target, found.options) == (kind, source, "/m", options)


@pytest.mark.parametrize(
    ("text", "name", "retries"),
    [
        ("", "no", 0),
        ("no", "no", 0),
        ("always", "always", 0),
        ("on-failure:3", "on-failure", 3),
        ("unless-stopped", "unless-stopped", 0),
    ],
)
def test_restart_policy(text, name, retries):
    assert restart.parse(text) == RestartPolicy(name=name, retries=retries)


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "stopped", "again"),
    [
        ("no", 1, 0, False, False),
        ("always", 0, 9, False, True),
        ("always", 0, 0, True, False),
        ("on-failure", 0, 0, False, False),
        ("on-failure", 1, 99, False, True),
        ("on-failure:2", 1, 1, False, True),
        ("on-failure:2", 1, 2, False, False),
        ("unless-stopped", 0, 0, False, True),
    ],
)
def test_should_restart(policy, code, restarts, stopped, again):
    assert restart.should_restart(restart.parse(policy), code, restarts, stopped_by_user=stopped) is again


NET = Subnet(subnet="10.9.0.0/29", gateway="10.9.0.1")


def test_ipam_goes_round():
    leases: dict[str, str] = {}
    last = ""
    for expected in ("10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"):
        last, moves = ipam.choose(NET, leases, last)
        assert (last, moves) == (expected, True)
        leases[last] = "c"
    with pytest.raises(Conflict, match=r"failed to find free IP in range: 10\.9\.0\.1 - 10\.9\.0\.6"):
        ipam.choose(NET, leases, last)
    del leases["10.9.0.3"]
    assert ipam.choose(NET, leases, last) == ("10.9.0.3", True)


def test_ipam_static():
    assert ipam.choose(NET, {}, "", ["fd00::1", "10.9.0.5"]) == ("10.9.0.5", False)
    with pytest.raises(Conflict, match=r"requested ip address 10\.9\.0\.5 is already allocated to container ID abc"):
        ipam.choose(NET, {"10.9.0.5": "abc"}, "", ["10.9.0.5"])


def test_ipam_range_and_ipv6():
    net = Subnet(subnet="10.9.0.0/24", gateway="10.9.0.1", range_start="10.9.0.200", range_end="10.9.0.255")
    assert ipam.choose(net, {}, "10.9.0.254")[0] == "10.9.0.200"
    assert ipam.choose(net, {}, "10.9.0.3")[0] == "10.9.0.200"
    six = Subnet(subnet="fd44:1::/64", gateway="fd44:1::1")
    assert ipam.choose(six, {})[0] == "fd44:1::2"


def test_interfaces_take_free_numbers():
    def names(*wanted):
        return interfaces([NetworkUse(network=str(place), interface=name) for place, name in enumerate(wanted)])

    assert names("", "") == ["eth0", "eth1"]
    assert names("data", "") == ["data", "eth0"]
    assert names("", "eth0", "") == ["eth1", "eth0", "eth2"]


def test_lifecycle_is_whole():
    assert set(lifecycle.ALLOWED) == set(Verb)
    assert set(lifecycle.MOVES) == set(Phase)
    for verb in Verb:
        for phase in set(Phase) - lifecycle.ALLOWED[verb]:
            words = r"running containers$" if verb is Verb.TOP else r"container state improper$"
            with pytest.raises(Conflict, match=words):
                lifecycle.require(phase, verb, "c1")
    for phase in Phase:
        assert lifecycle.after_reboot(phase) not in (Phase.RUNNING, Phase.PAUSED, Phase.STOPPING, Phase.INITIALISED)


def test_lifecycle_words():
    with pytest.raises(Conflict) as caught:
        lifecycle.require(Phase.EXITED, Verb.KILL, "abc")
    assert str(caught.value) == "can only kill running containers. abc is in state exited: container state improper"
    with pytest.raises(Conflict, match=r'^"created" is not running, can\'t pause: '):
        lifecycle.require(Phase.CONFIGURED, Verb.PAUSE, "abc")


def test_names():
    made = {names.made_up(number) for number in range(names.COMBINATIONS)}
    assert len(made) == names.COMBINATIONS > 15000
    assert all(values.is_name(name) for name in made)
    assert names.unused(lambda n: 0, lambda name: False) in made
    assert names.unused(lambda n: n - 1, lambda name: name in made) not in made


def test_adjustments_merge():
    spec = {"mounts": [{"destination": "/a/b"}], "process": {"env": ["A=1"]}, "linux": {}}
    result = merge(spec, [
        SpecAdjustment(origin="one", env=("B=2",), mounts=({"destination": "/a"},), devices=({"path": "/dev/x"},)),
        SpecAdjustment(origin="two", annotations={"k": "v"}, hooks=(OciHook(path="/h", stages=("poststart",)),)),
    ])  # fmt: skip
    assert result["process"]["env"] == ["A=1", "B=2"]
    assert [mount["destination"] for mount in result["mounts"]] == ["/a", "/a/b"]
    assert result["hooks"] == {"poststart": [{"path": "/h"}]}
    assert spec["mounts"] == [{"destination": "/a/b"}]
    with pytest.raises(Conflict, match="one and two both set the variable B"):
        merge(spec, [SpecAdjustment(origin="one", env=("B=2",)), SpecAdjustment(origin="two", env=("B=3",))])


def ids(parts):
    return [(part.container_id, part.host_id, part.size) for part in parts]


def test_user_namespace_maps():
    assert ids(userns.keep_id(1777, 65536)) == [(0, 1, 1777), (1777, 0, 1), (1778, 1778, 63759)]
    assert ids(userns.keep_id(0, 65536)) == [(0, 0, 1), (1, 1, 65536)]
    outer = (IdMap(container_id=0, host_id=1000, size=1), IdMap(container_id=1, host_id=100000, size=65536))
    assert ids(split((IdMap(container_id=0, host_id=0, size=10),), outer)) == [(0, 0, 1), (1, 1, 9)]


def test_hosts_file():
    given = HostsInput(
        base="127.0.0.1 localhost # c\n# x\n10.0.0.9 db\n", add=("db;data:1.2.3.4", "gw:host-gateway"),
        gateway="10.89.0.1", addresses=("10.89.0.5",), names=("abc", "c1"),
    )  # fmt: skip
    assert files.hosts(given) == (
        "1.2.3.4\tdb data\n10.89.0.1\tgw\n127.0.0.1\tlocalhost\n10.0.0.9\tdb\n"
        "10.89.0.1\thost.containers.internal host.docker.internal\n10.89.0.5\tabc c1\n"
    )


def test_hosts_file_without_a_way_to_the_host():
    with pytest.raises(Conflict, match='unable to replace "host-gateway" of host entry "gw:host-gateway": host cont'):
        files.hosts(HostsInput(add=("gw:host-gateway",)))


def test_what_somebody_wrote_into_the_files_stays():
    before, after = "1.1.1.1\tc\n2.2.2.2\tc\n", "2.2.2.2\tc\n3.3.3.3\tc\n"
    assert amend.hosts(before, before, after) == after
    assert amend.hosts(before + "9.9.9.9 mine # x\n", before, after) == "2.2.2.2\tc\n9.9.9.9 mine # x\n3.3.3.3\tc\n"
    before, after = "search a\nnameserver 1.1.1.1\n", "search a b\nnameserver 2.2.2.2\noptions x\n"
    assert amend.resolv_conf(before, before, after) == after
    mine = amend.resolv_conf(before + "nameserver 9.9.9.9\n", before, after)
    assert mine == "search b a\nnameserver 2.2.2.2\nnameserver 9.9.9.9\noptions x\n"


def test_search_domains():
    assert naming.searched(("a.b", "1a", "x-y.")) == ("a.b", "1a", "x-y.")
    assert naming.searched((".",)) == (".",)
    for wrong in ("a_b", "-a", "a-", "123", "a..b", "a b", "é"):
        with pytest.raises(UsageError, match="is not a valid domain"):
            naming.searched((wrong,))
    with pytest.raises(UsageError, match="cannot pass additional search domains when also specifying"):
        naming.searched((".", "a"))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"host": "nameserver 127.0.0.53\nsearch a\n"}, "search a\nnameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        ({"host": "nameserver 9.9.9.9\noptions x\n"}, "nameserver 9.9.9.9\noptions x\n"),
        ({"host": "nameserver 9.9.9.9\n", "network": ("10.89.0.1",), "network_search": ("dns.podman",)},
         "search dns.podman\nnameserver 10.89.0.1\n"),
        ({"host": "search a\nnameserver 9.9.9.9\n", "given": ("1.1.1.1",), "search": (".",)}, "nameserver 1.1.1.1\n"),
        ({"host": "search .\n", "network": ("10.89.0.1",), "network_search": ("dns.podman",)},
         "search dns.podman\nnameserver 10.89.0.1\n"),
        ({"host": "search a\nnameserver 9.9.9.9\n", "search": ("b", ".")}, "nameserver 9.9.9.9\n"),
        ({"host": "anything\n", "own_namespace": False}, "anything\n"),
    ],
)  # fmt: skip
def test_resolv_conf(given, text):
    assert files.resolv_conf(ResolvInput(**given)) == text
