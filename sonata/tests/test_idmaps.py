"""The grammar of id maps and the drawing of ranges, against what Podman 5.8 answered for the same words."""

import pytest

from sonata.model.defaults import Defaults
from sonata.model.materials import ImageFacts, Materials
from sonata.model.request import RunRequest
from sonata.plan import idmaps, userns, userns_options
from sonata.plan.container import plan_container
from sonata_core.errors import UsageError
from sonata_core.models.host import HostFacts
from sonata_core.models.process import IdMap, IdMapping

FACTS = HostFacts(uid=0, gid=0, rootless=False, kernel="6", machine="x86_64", boot_id="b", cgroup_version=1)
SUBIDS = "containers:1000000:200000\nsmall:500000:3000\ngames:600000:4000\nman:900000:5000\nman:500000:3000\n4242:7:8\n"
MALFORMED = 'setting is malformed expected ["[+ug]uint32:[@]uint32[:uint32]"] : '
Triples = list[tuple[int, int, int]]


def ids(parts: tuple[IdMap, ...]) -> Triples:
    return [(part.container_id, part.host_id, part.size) for part in parts]


def maps(*parts: tuple[int, int, int]) -> tuple[IdMap, ...]:
    return tuple(IdMap(container_id=inside, host_id=outside, size=size) for inside, outside, size in parts)


def planned(facts: HostFacts = FACTS, **options: object):
    given = Materials(
        id="0123456789ab" + "c" * 52,
        name="x",
        created="t",
        sub_uids=SUBIDS,
        sub_gids=SUBIDS,
        sub_owners={"numbered": ("numbered", "4242")},
    )
    return plan_container(RunRequest(image="i", **options), ImageFacts(id="f" * 64), given, facts, Defaults())


SMALL = (0, 500000, 3000)
TAKEN = [
    ({"uidmap": ("0:100000:5000",)}, [(0, 100000, 5000)], None),
    ({"gidmap": ("0:100000:5000",)}, [(0, 100000, 5000)], None),
    ({"uidmap": ("0:100000:5000",), "gidmap": ("0:200000:300",)}, [(0, 100000, 5000)], [(0, 200000, 300)]),
    ({"uidmap": ("0:100000",)}, [(0, 100000, 1)], None),
    ({"uidmap": ("0:@100:5",)}, [(0, 100, 5)], None),
    ({"uidmap": ("0:100000:10:10:200000:10",)}, [(0, 100000, 10), (10, 200000, 10)], None),
    ({"uidmap": ("0:100000:5000", "+500:300:10")}, [(0, 100000, 500), (500, 300, 10), (510, 100510, 4490)], None),
    ({"uidmap": ("u0:100000:5000",), "gidmap": ("g0:3000:50",)}, [(0, 100000, 5000)], [(0, 3000, 50)]),
    ({"uidmap": ("10:21:5", "0:10:10")}, [(0, 10, 10), (10, 21, 5)], None),
    ({"uidmap": ("10:21:5", "0:10:10", "15:26:1")}, [(0, 10, 10), (10, 21, 6)], None),
    ({"uidmap": ("5:15:5", "0:10:5")}, [(0, 10, 10)], None),
    ({"uidmap": ("0:100:10", "ug+3:500:2")}, [(0, 100, 3), (3, 500, 2), (5, 105, 5)], None),
    ({"uidmap": ("0:100:10", "+0:500:2")}, [(0, 500, 2), (2, 102, 8)], None),
    ({"uidmap": ("0:100:10", "+9:500:3")}, [(0, 100, 9), (9, 500, 3)], None),
    ({"uidmap": ("0:100:10", "+20:103:2")}, [(0, 100, 3), (5, 105, 5), (20, 103, 2)], None),
    ({"uidmap": ("0:100:10", "+2:107:2")}, [(0, 100, 2), (2, 107, 2), (4, 104, 3), (9, 109, 1)], None),
    ({"uidmap": ("0:100:10", "+0:100:10")}, [(0, 100, 10)], None),
    ({"uidmap": ("0:100:10", "5:700:0")}, [(0, 100, 10)], None),
    ({"subuidname": "small"}, [SMALL], None),
    ({"subgidname": "small"}, [SMALL], None),
    ({"subuidname": "man"}, [SMALL, (3000, 900000, 5000)], None),
    ({"subuidname": "small", "subgidname": "man"}, [SMALL], [SMALL, (3000, 900000, 5000)]),
    ({"subuidname": "small", "uidmap": ("10000:700000:10",)}, [SMALL, (10000, 700000, 10)], None),
    ({"subuidname": "numbered"}, [(0, 7, 8)], None),
    ({"userns": "keep-id"}, [(0, 0, 4294967295)], None),
]


@pytest.mark.parametrize(("options", "uids", "gids"), TAKEN)
def test_maps(options, uids, gids):
    mapping = planned(**options).id_mapping
    assert ids(mapping.uids) == uids
    assert ids(mapping.gids) == (uids if gids is None else gids)


MIXED = IdMapping(uids=maps((0, 1830, 1), (1, 300000, 65536)), gids=maps((0, 1830, 1), (1, 300000, 65536)))
WHOLE = [(0, 0, 65537)]
AT_1000 = [(0, 1, 1000), (1000, 0, 1), (1001, 1001, 64536)]
AT_7000 = [(0, 1, 7000), (7000, 0, 1), (7001, 7001, 58536)]


@pytest.mark.parametrize(
    ("options", "uids", "gids"),
    [
        ({"uidmap": ("+1000:@1830:1",)}, AT_1000, None),
        (
            {"uidmap": ("+1000:@1830:1",), "gidmap": ("+7000:@1830",)},
            AT_1000,
            [(0, 1, 7000), (7000, 0, 1), (7001, 7001, 58536)],
        ),
        ({"uidmap": ("u+1000:@300005:1",)}, [(0, 0, 6), (6, 7, 994), (1000, 6, 1), (1001, 1001, 64536)], WHOLE),
        ({"uidmap": ("+g1000:@1830:1",)}, WHOLE, AT_1000),
        ({"gidmap": ("+3:3:1",), "uidmap": ("0:0:1",)}, [(0, 0, 1)], WHOLE),
        ({"uidmap": ("+0:100:50",)}, [(0, 100, 50), (50, 0, 100), (150, 150, 65387)], None),
        ({"uidmap": ("+1000:@1830:1", "0:1:10")}, AT_1000, None),
        ({"uidmap": ("0:1:10", "+1000:@1830:1")}, [(0, 1, 10), (1000, 0, 1)], None),
        ({"uidmap": ("u+1000:@1830:1", "g0:0:7")}, AT_1000, [(0, 0, 7)]),
        ({"uidmap": ("+70000:5:10",)}, [(0, 0, 5), (5, 15, 65522), (70000, 5, 10)], None),
        ({"uidmap": ("u0:0:10",)}, [(0, 0, 10)], WHOLE),
        ({"uidmap": ("0:@1830:1",)}, [(0, 0, 1)], None),
    ],
)
def test_an_ordinary_users_maps_are_extended(options, uids, gids):
    """What Podman 5.8 shows in /proc/self/uid_map, its pieces joined."""
    mapping = planned(FACTS.replace(rootless=True, uid=1830, gid=1830, id_mapping=MIXED), **options).id_mapping
    assert ids(mapping.uids) == uids
    assert ids(mapping.gids) == (uids if gids is None else gids)


REFUSED = [
    ({"userns": "private"}, "must provide at least one UID or GID mapping to configure a user namespace"),
    ({"uidmap": ("0:100000:0",)}, "must provide at least one UID or GID mapping to configure a user namespace"),
    ({"userns": "nomap"}, "nomap is only supported in rootless mode"),
    *(
        (
            {"userns": mode, "uidmap": ("0:1:10",)},
            "--userns and --uidmap/--gidmap/--subuidname/--subgidname are mutually exclusive",
        )
        for mode in ("private", "auto", "host", "keep-id", "auto:size=5")
    ),
    (
        {"userns": "auto", "subuidname": "small"},
        "--userns and --uidmap/--gidmap/--subuidname/--subgidname are mutually exclusive",
    ),
    ({"subuidname": "nosuch"}, 'no subuid ranges found for user "nosuch" in /etc/subuid'),
    (
        {"subuidname": "small", "subgidname": "nosuch"},
        'no subgid ranges found for user "nosuch" in /etc/subgid',
    ),
    ({"userns": "bogus"}, "unrecognized namespace mode bogus passed"),
    ({"userns": "host:x"}, "unrecognized namespace mode host:x passed"),
    ({"userns": "nomap:x"}, "unrecognized namespace mode nomap:x passed"),
    ({"userns": "private:x"}, "unrecognized namespace mode private:x passed"),
    ({"userns": "container:"}, "invalid config provided: namespace mode container requires a value"),
    ({"userns": "ns:"}, "invalid config provided: namespace mode path requires a value"),
    ({"userns": "keep-id:foo"}, 'invalid option specified: "foo"'),
    ({"userns": "keep-id:foo=1"}, 'unknown option specified: "foo"'),
    ({"userns": "auto:"}, 'invalid option specified: ""'),
    ({"userns": "auto:size"}, 'invalid option specified: "size"'),
    ({"userns": "auto:bogus=1"}, 'unknown option specified: "bogus"'),
    ({"userns": "auto:size=x"}, 'strconv.ParseUint: parsing "x": invalid syntax'),
    ({"userns": "auto:size=4294967296"}, 'strconv.ParseUint: parsing "4294967296": value out of range'),
    (
        {"userns": "auto:uidmapping=+0:@7000:10"},
        'parsing id map value "+0": strconv.ParseUint: parsing "+0": invalid syntax',
    ),
    ({"uidmap": ("x:100000:1",)}, "invalid mapping: [x 100000 1]. Unknown flag 120"),
    ({"uidmap": ("z0:1:1",)}, "invalid mapping: [z0 1 1]. Unknown flag 122"),
    ({"uidmap": ("u:1:1",)}, "invalid mapping: [u 1 1], parsing flags"),
    ({"uidmap": ("0:x:1",)}, 'parsing id map value "x": strconv.ParseUint: parsing "x": invalid syntax'),
    ({"uidmap": ("0:1:x",)}, 'parsing id map value "x": strconv.ParseUint: parsing "x": invalid syntax'),
    ({"uidmap": ("0:-1:1",)}, 'parsing id map value "-1": strconv.ParseUint: parsing "-1": invalid syntax'),
    (
        {"uidmap": ("0:4294967296:1",)},
        'parsing id map value "4294967296": strconv.ParseUint: parsing "4294967296": value out of range',
    ),
    ({"uidmap": ("0:1:2:3",)}, f'initializing ID mappings: UID {MALFORMED}["0:1:2:3"]'),
    ({"uidmap": ("0:1:2", "5")}, f'initializing ID mappings: UID {MALFORMED}["0:1:2" "5"]'),
    (
        {"uidmap": ("0:1:2",), "gidmap": ("::",)},
        f'initializing ID mappings: GID {MALFORMED}["::"]',
    ),
    ({"uidmap": ("0::1",)}, "invalid empty host id at UID map: [0  1]"),
    (
        {"uidmap": ("0:100000:10", "5:200000:10")},
        "creating container storage: the specified UID and/or GID mapping 5:200000:10 conflicts with other mappings: "
        "invalid mappings specified",
    ),
    (
        {"uidmap": ("0:100000:10", "10:100000:10")},
        "creating container storage: the specified UID and/or GID mapping 10:100000:10 conflicts with other mappings: "
        "invalid mappings specified",
    ),
    ({"uidmap": ("1:100000:10",)}, "container ID 0 cannot be mapped to a host ID"),
    ({"uidmap": ("u0:100000:5000",)}, "container ID 0 cannot be mapped to a host ID"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refusals(options, message):
    with pytest.raises(UsageError) as caught:
        planned(**options)
    assert caught.value.message == message


@pytest.mark.parametrize("options", [{}, {"userns": "host"}, {"userns": ""}, {"uidmap": ()}])
def test_no_namespace(options):
    config = planned(**options)
    assert (config.id_mapping, config.namespaces.user.kind) == (None, "host")


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ({"userns": "keep-id"}, "0:0"),
        ({"userns": "keep-id:uid=5,gid=6"}, "5:6"),
        ({"userns": "keep-id:uid=5", "user": "7"}, "7"),
        ({"uidmap": ("0:1:10",)}, ""),
    ],
)
def test_whose_process_it_is(options, user):
    assert planned(**options).process.user == user


def test_the_hosts_own_ids_are_looked_up_in_the_engines_map():
    outer = IdMapping(uids=maps((0, 1000, 1), (1, 100000, 65536)), gids=maps((0, 1000, 1), (1, 300000, 10)))
    assert ids(idmaps.parse(["0:@1000:1", "1:@100005:3"], "UID", outer)) == [(0, 0, 1), (1, 6, 3)]
    assert ids(idmaps.parse(["0:5:1"], "UID", outer)) == [(0, 5, 1)]
    with pytest.raises(UsageError, match="parent ID UID 1001 is not mapped/delegated"):
        idmaps.parse(["0:@1000:2"], "UID", outer)
    with pytest.raises(UsageError, match="parent ID GID 300010 is not mapped/delegated"):
        idmaps.parse(["0:@300005:6"], "GID", outer)
    assert ids(idmaps.parse(["u0:@300010:1", "1:1:1"], "GID", outer)) == [(1, 1, 1)]


def test_a_huge_map_costs_no_time():
    assert ids(idmaps.parse(["0:@0:4294967295"], "UID", userns.identity())) == [(0, 0, 4294967295)]


POOL = IdMapping(uids=maps((0, 1000000, 200000)), gids=maps((0, 1000000, 200000)))


@pytest.mark.parametrize(
    ("size", "options", "uids", "gids"),
    [
        (2001, None, [(0, 1000000, 2001)], [(0, 1000000, 2001)]),
        (
            2001,
            "uidmapping=0:7000:10,gidmapping=5:8000:3",
            [(10, 1000000, 1991), (0, 7000, 10)],
            [(0, 1000000, 5), (8, 1000005, 1993), (5, 8000, 3)],
        ),
        (2001, "uidmapping=0:@7000:10", [(10, 1000000, 1991), (0, 7000, 10)], [(0, 1000000, 2001)]),
        (10, "uidmapping=20:1000000:5", [(0, 1000005, 10), (20, 1000000, 5)], [(0, 1000000, 10)]),
    ],
)
def test_ranges_are_drawn(size, options, uids, gids):
    drawn = userns.automatic(size, POOL, (), userns_options.auto_options(options, None))
    assert (ids(drawn.uids), ids(drawn.gids)) == (uids, gids)


def test_ranges_never_meet():
    used: list[IdMapping] = []
    pool = IdMapping(uids=maps((0, 100, 50), (50, 150, 25), (75, 500, 25)), gids=maps((0, 100, 100)))
    for size in (30, 10, 25, 30):
        used.append(userns.automatic(size, pool, used))
    taken = [number for one in used for part in one.uids for number in range(part.host_id, part.host_id + part.size)]
    assert len(taken) == len(set(taken)) == 95
    assert ids(used[3].uids) == [(0, 165, 10), (10, 500, 20)]
    with pytest.raises(UsageError, match="creating container storage: not enough unused IDs in user namespace"):
        userns.automatic(6, pool, used)
    again = userns.automatic(25, pool, [used[0], used[1], used[3]])
    assert ids(again.uids) == [(0, 140, 25)]


def test_how_many_ids():
    auto = userns_options.auto_options
    assert userns.size_for(auto("size=300", None), 5000, 1024, 65536) == 300
    assert userns.size_for(auto("size=0", None), 5000, 1024, 65536) == 5001
    assert userns.size_for(auto(None, None), 7, 1024, 65536) == 1024
    assert userns.size_for(auto(None, None), -1, 0, 0) == 1
    assert userns.size_for(auto("size=70000", None), 0, 1024, 65536) == 70000
    with pytest.raises(UsageError, match="size 70001 that is bigger than the maximum value allowed with userns=auto 6"):
        userns.size_for(auto(None, None), 70000, 1024, 65536)


def test_the_images_highest_id():
    passwd = b"root:x:0:0:::\nbig:x:2000:3000:::\nnobody:x:70000:70000:::\nodd:x:65534:65534:::\nbad:x:x:9999:::\n"
    assert userns.highest_id([33, 8], passwd, b"g:x:2500:\nnogroup:x:9000:\n") == 3000
    assert userns.highest_id([], b"", b"") == -1


@pytest.mark.parametrize(
    ("text", "uids", "gids"),
    [
        ("", [(0, 1000000, 2001)], [(0, 1000000, 2001)]),
        ("uids=0-1-10#10-11-10;gids=0-100-10", [(0, 1, 10), (10, 11, 10)], [(0, 100, 10)]),
        ("uids=@0-0-100;gids=@5-0-100", [(0, 1000000, 100)], [(5, 1000000, 100)]),
        ("uids=0-1-10", [(0, 1, 10)], [(0, 1000000, 2001)]),
    ],
)
def test_maps_of_a_mount(text, uids, gids):
    own = IdMapping(uids=maps((0, 1000000, 2001)), gids=maps((0, 1000000, 2001)))
    mapping = idmaps.of_mount(text, own)
    assert mapping is not None
    assert (ids(mapping.uids), ids(mapping.gids)) == (uids, gids)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", 'unknown option "foo"'),
        ("uids=1-2", "unexpected EOF"),
        ("uids=", 'invalid empty range for ""'),
        ("uids=0-0-0", 'invalid value for "0-0-0"'),
        ("uids=@5000-0-10", 'could not find a user namespace mapping for the relative mapping "@5000-0-10"'),
    ],
)
def test_maps_of_a_mount_that_make_no_sense(text, message):
    with pytest.raises(UsageError) as caught:
        idmaps.of_mount(text, IdMapping(uids=maps((0, 1000000, 2001)), gids=maps((0, 1000000, 2001))))
    assert caught.value.message == message


def test_a_mount_of_the_hosts_ids_has_no_maps_of_its_own():
    assert idmaps.of_mount("", None) is None
