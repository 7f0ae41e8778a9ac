"""Names to places: short names, aliases, prefixes, mirrors, blocked registries; and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonata.config.registries import Registries, is_short, load_registries, normalised, split_name
from sonata.config.registries_file import record_alias
from sonata.config.values import Places
from sonata_core.errors import Denied, UsageError

HEX = "a" * 64


@pytest.fixture
def places(tmp_path: Path) -> Places:
    names = {name: str(tmp_path / name) for name in ("user", "etc", "usr", "cache")}
    return Places(uid=0, home=str(tmp_path), **names)


def registries(
    places: Places, content: str | None = None, environ: dict[str, str] | None = None, **drop_ins: str
) -> Registries:
    folder = Path(places.etc, "registries.conf.d")
    folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        Path(places.etc, "registries.conf").write_text(content)
    for name, text in drop_ins.items():
        (folder / f"{name}.conf").write_text(text)
    return load_registries(places, environ or {}, f"{places.cache}/containers/short-name-aliases.conf")


def asked(found: Registries, name: str) -> list[tuple[str, bool]]:
    (candidate,) = found.resolve_pull(name)
    return [(endpoint.reference, endpoint.insecure) for endpoint in candidate.endpoints]


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.19", "docker.io/library/alpine:3.19"),
        ("eva/tool", "docker.io/eva/tool:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("localhost:5000/x/y:1", "localhost:5000/x/y:1"),
        ("quay.io/a/b@sha256:" + HEX, "quay.io/a/b@sha256:" + HEX),
        ("quay.io/a/b:1@sha256:" + HEX, "quay.io/a/b@sha256:" + HEX),
        ("Example.COM/a", "Example.COM/a:latest"),
        ("a__b/c-d.e---f", "docker.io/a__b/c-d.e---f:latest"),
    ],
)
def test_no_file_means_docker_hub(places: Places, name: str, full: str) -> None:
    (candidate,) = load_registries(places, {}, "/absent").resolve_pull(name)
    assert candidate.reference == full
    assert [endpoint.reference for endpoint in candidate.endpoints] == [full]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "x:",
        "x:-1",
        "x:" + "t" * 129,
        "a b",
        "quay.io/a@sha256:12",
        "host:port/a",
        "quay.io/a@md5:" + HEX,
        "../etc",
        "é",
        "quay.io/a@sha256:" + "G" * 64,
        "a@",
        "-x.io/a",
        "a:b:c",
        "x\n",
    ],
)
def test_no_reference(name: str) -> None:
    with pytest.raises(UsageError, match="invalid reference format"):
        normalised(name)


def test_other_refusals() -> None:
    with pytest.raises(UsageError, match="must be lowercase"):
        normalised("Alpine")
    with pytest.raises(UsageError, match="cannot specify 64-byte hexadecimal"):
        normalised(HEX)
    with pytest.raises(UsageError, match="more than 255"):
        normalised("a/" * 200 + "a")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("alpine", True),
        ("a/b", True),
        ("a.b/c", False),
        ("localhost/c", False),
        ("h:1/c", False),
        ("alpine:1.2", True),
        ("a.b", True),
    ],
)
def test_short(name: str, short: bool) -> None:
    assert is_short(name) is short


def test_split_name() -> None:
    assert split_name("h:5/a:1@sha256:x") == ("h:5/a", ":1@sha256:x")
    assert split_name("h:5/a") == ("h:5/a", "")


def test_search_order_and_aliases(places: Places) -> None:
    found = registries(
        places,
        'unqualified-search-registries = ["one.io", "two.io"]\n'
        '[aliases]\n"web" = "quay.io/x/web"\n"off" = "quay.io/x/off"\n',
        zz='[aliases]\n"off" = ""\n"extra" = "three.io/extra"\n',
    )
    assert found.names("tool:2") == ("one.io/tool:2", "two.io/tool:2")
    assert found.names("web:3") == ("quay.io/x/web:3",)
    assert found.names("off") == ("one.io/off:latest", "two.io/off:latest")
    assert found.names("extra@sha256:" + HEX) == ("three.io/extra@sha256:" + HEX,)
    assert found.local_names("web") == (
        "quay.io/x/web:latest",
        "localhost/web:latest",
        "one.io/web:latest",
        "two.io/web:latest",
    )


def test_an_empty_list_is_a_decision(places: Places) -> None:
    found = registries(places, "unqualified-search-registries = []\n")
    with pytest.raises(UsageError) as caught:
        found.names("tool")
    assert caught.value.message.startswith(
        'short-name "tool" did not resolve to an alias and no unqualified-search registries are defined'
    )


def test_recorded_alias_goes_first(places: Places) -> None:
    path = f"{places.cache}/containers/short-name-aliases.conf"
    found = registries(places, '[aliases]\n"web" = "quay.io/x/web"\n')
    assert found.names("web") == ("quay.io/x/web:latest",)
    record_alias(path, "web", "mine.io/web")
    record_alias(path, "a/b", "mine.io/ab")
    assert os.stat(path).st_mode & 0o777 == 0o600
    again = registries(places)
    assert again.names("web") == ("mine.io/web:latest",)
    assert again.names("a/b") == ("mine.io/ab:latest",)


TABLES = """
[[registry]]
location = "quay.io"
[[registry.mirror]]
location = "m1:5000/quay"
insecure = true
[[registry.mirror]]
location = "m2"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m3/"
pull-from-mirror = "tag-only"
[[registry]]
prefix = "quay.io/special"
location = "internal:5000/bar"
insecure = true
[[registry]]
prefix = "*.corp.example"
[[registry.mirror]]
location = "cache.corp/all"
[[registry]]
prefix = "bad.io"
location = "bad.io"
blocked = true
[[registry]]
prefix = "digests.io"
location = "digests.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "dm.io"
"""


@pytest.mark.parametrize(
    ("name", "places_asked"),
    [
        ("quay.io/a:1", [("m1:5000/quay/a:1", True), ("m3/a:1", False), ("quay.io/a:1", False)]),
        (
            f"quay.io/a@sha256:{HEX}",
            [(f"m1:5000/quay/a@sha256:{HEX}", True), (f"m2/a@sha256:{HEX}", False), (f"quay.io/a@sha256:{HEX}", False)],
        ),
        ("quay.io/special/x:1", [("internal:5000/bar/x:1", True)]),
        ("quay.io/special:1", [("internal:5000/bar:1", True)]),
        (
            "quay.io/specialist:1",
            [("m1:5000/quay/specialist:1", True), ("m3/specialist:1", False), ("quay.io/specialist:1", False)],
        ),
        ("quay.io.evil/a:1", [("quay.io.evil/a:1", False)]),
        ("x.corp.example/a:1", [("cache.corp/all/a:1", False), ("x.corp.example/a:1", False)]),
        ("a.b.corp.example/a:1", [("cache.corp/all/a:1", False), ("a.b.corp.example/a:1", False)]),
        ("corp.example/a:1", [("corp.example/a:1", False)]),
        ("h.io/x.corp.example/a:1", [("h.io/x.corp.example/a:1", False)]),
        ("digests.io/a:1", [("digests.io/a:1", False)]),
        (f"digests.io/a@sha256:{HEX}", [(f"dm.io/a@sha256:{HEX}", False), (f"digests.io/a@sha256:{HEX}", False)]),
    ],
)
def test_mirrors_and_rewriting(places: Places, name: str, places_asked: list[tuple[str, bool]]) -> None:
    assert asked(registries(places, TABLES), name) == places_asked


def test_push_knows_no_mirrors(places: Places) -> None:
    found = registries(places, TABLES)
    assert found.push_endpoint("quay.io/a:1").reference == "quay.io/a:1"
    assert found.push_endpoint("quay.io/special/x:1").reference == "internal:5000/bar/x:1"


def test_blocked(places: Places) -> None:
    found = registries(places, TABLES)
    for ask in (found.resolve_pull, found.push_endpoint):
        with pytest.raises(Denied, match=r"registry bad\.io is blocked in /etc/containers/registries\.conf"):
            ask("bad.io/x:1")


def test_drop_ins_replace_tables_by_prefix(places: Places) -> None:
    found = registries(places, TABLES, a='[[registry]]\nlocation = "quay.io"\ninsecure = true\n')
    assert asked(found, "quay.io/a:1") == [("quay.io/a:1", True)]
    assert asked(found, "quay.io/special/x:1") == [("internal:5000/bar/x:1", True)]


def test_environment(places: Places, tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text('unqualified-search-registries = ["env.io"]\n')
    found = registries(places, TABLES, {"CONTAINERS_REGISTRIES_CONF": str(other)})
    assert found.names("x") == ("env.io/x:latest",)
    assert found.registries == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '[[registry]]\nlocation = "https://x.io"\n',
            "invalid location 'https://x.io': URI schemes are not supported",
        ),
        ("[[registry]]\ninsecure = true\n", "location is unset and prefix is not in the format: *.example.com"),
        ('[[registry]]\nprefix = "x.io"\n', "location is unset and prefix is not in the format: *.example.com"),
        (
            '[[registry]]\nprefix = "*.x.io/a"\n',
            'in the format: *.example.com. Current prefix "*.x.io/a" is incorrectly formatted',
        ),
        (
            '[[registry]]\nlocation = "x"\ninsecure = "yes"\n',
            "insecure: want true or false",
        ),
        (
            '[[registry]]\nlocation = "x"\n[[registry.mirror]]\nlocation = "m"\npull-from-mirror = "x"\n',
            'unsupported pull-from-mirror value "x" for mirror "m"',
        ),
        (
            '[[registry]]\nlocation="x"\nmirror-by-digest-only=true\n'
            '[[registry.mirror]]\nlocation="m"\npull-from-mirror="all"\n',
            '("x") and pull-from-mirror for per-mirror ("m") at the same time',
        ),
        ('[[registry]]\nlocation = "x"\n[[registry.mirror]]\ninsecure = true\n', "mirror location is unset"),
        ('short-name-mode = "x"\n', 'invalid short-name mode: "x"'),
        ('unqualified-search-registries = "x"\n', "unqualified-search-registries: want a list"),
        ("unqualified-search-registries = [1]\n", "want a list of strings"),
        ('[aliases]\n"a" = 1\n', "aliases.a: want a name"),
        ('[aliases]\n"a" = "x.io/a:1"\n', 'invalid alias "x.io/a:1": must not contain tag'),
        ('registry = "x"\n', "registry: want tables [[registry]]"),
        ("[registries.search]\nregistries = ['docker.io']\n", "version 1"),
        (
            '[[registry]]\nprefix="a"\nlocation="x"\n[[registry]]\nprefix="b"\nlocation="x"\ninsecure=true\n',
            "registry 'x' is defined multiple times with conflicting 'insecure' setting",
        ),
        ("x = [\n", "toml: line 2: "),
        ('unqualified-search-registries = ["x.io/a"]\n', 'Invalid unqualified-search-registries entry "x.io/a"'),
        ('[aliases]\n"a:1" = "x.io/a"\n', 'invalid short name "a:1": must not contain tag'),
        ('[aliases]\n"x.io/a" = "x.io/a"\n', 'invalid short name "x.io/a": must not contain registry'),
        ('[aliases]\n"A" = "x.io/a"\n', 'cannot parse short name: "A": repository name must be lowercase'),
        ('[aliases]\n"a" = "b/a"\n', 'invalid alias "b/a": must contain registry and repository'),
        ('[aliases]\n"a" = "x.io/B"\n', 'parsing alias "x.io/B": invalid reference format'),
    ],
)
def test_complaints(places: Places, content: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        registries(places, content)
    assert told in caught.value.message
    assert caught.value.message.startswith(f'loading registries configuration "{places.etc}/registries.conf": ')
    assert "registries.conf" in (caught.value.hint or "")


def test_a_drop_in_may_say_otherwise_of_a_registry(places: Places) -> None:
    main = '[[registry]]\nlocation="x.io"\n[[registry]]\nprefix="x.io"\nlocation="other.io"\n'
    assert registries(places, main).endpoints("x.io/a:1")[0].reference == "x.io/a:1"
    again = '[[registry]]\nprefix="y.io"\nlocation="x.io"\ninsecure=true\n'
    more = registries(places, main, a=f'short-name-mode=""\n{again}')
    assert more.endpoints("y.io/a:1")[0].insecure
    assert not more.endpoints("x.io/a:1")[0].insecure
    assert more.mode == "permissive"
    with pytest.raises(UsageError, match="loading drop-in registries configuration"):
        registries(places, main, a="x = [\n")


def test_what_is_blocked_is_not_asked_in_the_name_of_another(places: Places) -> None:
    found = registries(
        places,
        '[[registry]]\nlocation="x.io"\n[[registry.mirror]]\nlocation="bad.io"\n[[registry.mirror]]\nlocation="m.io"\n'
        '[[registry]]\nlocation="bad.io"\nblocked=true\n[[registry]]\nprefix="y.io"\nlocation="bad.io/z"\n',
    )
    assert [one.reference for one in found.endpoints("x.io/a:1")] == ["m.io/a:1", "x.io/a:1"]
    with pytest.raises(Denied, match=r"registry bad\.io is blocked"):
        found.endpoints("y.io/a:1")


def test_memo_sees_new_aliases_and_drop_ins(places: Places) -> None:
    assert registries(places).names("web") == ("docker.io/library/web:latest",)
    assert registries(places, a='[aliases]\n"web" = "q.io/web"\n').names("web") == ("q.io/web:latest",)
    record_alias(f"{places.cache}/containers/short-name-aliases.conf", "web", "r.io/web")
    assert registries(places).names("web") == ("r.io/web:latest",)
