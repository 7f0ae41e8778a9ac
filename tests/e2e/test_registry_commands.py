"""login, logout and search, against registries on loopback: the kit's, and Debian's with a password file."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import PlainStore

pytestmark = pytest.mark.needs_root

PLAIN = "--tls-verify=false"
WRONG = "wr0ng-canary"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry(auth="basic") as made:
        made.add_image("box", "1", [b"layer"])
        yield made


@pytest.fixture
def authfile(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "auth.json"


def entries(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(path.read_text())["auths"]
    return found


def login(store: PlainStore, authfile: Path, *words: str) -> str:
    return store.out("login", f"--authfile={authfile}", PLAIN, "-u", "user", "-p", "secret", *words)


def test_login_tries_keeps_and_is_used_by_pull(store: PlainStore, registry: FakeRegistry, authfile: Path) -> None:
    assert login(store, authfile, registry.host) == "Login Succeeded!"
    assert entries(authfile) == {registry.host: {"auth": "dXNlcjpzZWNyZXQ="}}
    assert stat.S_IMODE(authfile.stat().st_mode) == 0o600
    assert authfile.read_text().startswith('{\n\t"auths": {\n\t\t"')
    denied = "getting repository tags: fetching tags list: authentication required"
    assert denied in store.refused("search", PLAIN, "--list-tags", f"{registry.host}/box")
    for name in (f"{registry.host}/box", f"docker://{registry.host}/box:1"):
        tags = store.out("search", PLAIN, f"--authfile={authfile}", "--list-tags", name)
        assert tags.split() == ["NAME", "TAG", f"{registry.host}/box", "1"]


def test_the_first_login_makes_the_file_that_the_environment_names(
    store: PlainStore, registry: FakeRegistry, authfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Podman: a file that is not there says that nobody has logged in."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(authfile))
    for words in (("login", "--get-login"), ("logout",)):
        assert store.refused(*words, registry.host).startswith(f"Error: not logged into {registry.host}")
    assert "authentication required" in store.refused("pull", PLAIN, f"{registry.host}/box:1")
    assert store.out("login", PLAIN, "-u", "user", "-p", "secret", registry.host) == "Login Succeeded!"
    assert list(entries(authfile)) == [registry.host]
    store.out("search", PLAIN, "--list-tags", f"{registry.host}/box")


def test_wrong_credentials_are_neither_kept_nor_shown(
    store: PlainStore, registry: FakeRegistry, authfile: Path
) -> None:
    said = store.refused("login", f"--authfile={authfile}", PLAIN, "-u", "user", "-p", WRONG, registry.host)
    assert f'logging into "{registry.host}": invalid username/password' in said
    assert WRONG not in said
    assert not authfile.exists()


def test_what_else_is_in_the_file_stays(store: PlainStore, registry: FakeRegistry, authfile: Path) -> None:
    authfile.parent.mkdir()
    authfile.write_text('{"HttpHeaders": {"a": "b"}, "auths": {"other.example": {"auth": "YTpi"}}}')
    login(store, authfile, registry.host)
    assert json.loads(authfile.read_text())["HttpHeaders"] == {"a": "b"}
    assert set(entries(authfile)) == {"other.example", registry.host}
    assert [one.name for one in authfile.parent.iterdir()] == ["auth.json"]


def test_a_second_login_is_content_with_what_is_kept(store: PlainStore, registry: FakeRegistry, authfile: Path) -> None:
    login(store, authfile, registry.host)
    again = store.out("login", f"--authfile={authfile}", PLAIN, registry.host)
    assert again.splitlines() == [
        f"Authenticating with existing credentials for {registry.host}",
        f"Existing credentials are valid. Already logged in to {registry.host}",
    ]
    assert store.out("login", f"--authfile={authfile}", "--get-login", registry.host) == "user"
    assert "not logged into" in store.refused("login", f"--authfile={authfile}", "--get-login", "other.example")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-u", "u", "-p", "p", "--password-stdin"), "can't specify both --password-stdin and --password"),
        (("--password-stdin",), "must provide --username with --password-stdin"),
        (("--secret", "nothing"), 'no secret with name or id "nothing": no such secret'),
        (("-p", "p"), "reading username: EOF"),
    ],
)
def test_refused_logins(store: PlainStore, authfile: Path, words: tuple[str, ...], says: str) -> None:
    assert says in store.refused("login", f"--authfile={authfile}", *words, "127.0.0.1:1")


def test_keys_of_repositories_and_addresses(store: PlainStore, registry: FakeRegistry, authfile: Path) -> None:
    login(store, authfile, f"{registry.host}/some/repository")
    login(store, authfile, f"http://{registry.host}/path")
    assert set(entries(authfile)) == {f"{registry.host}/some/repository", registry.host}
    assert "tag or digest" in store.refused("login", f"--authfile={authfile}", "-u", "u", "-p", "p", "h.example/x:1")


def test_a_file_for_docker(store: PlainStore, registry: FakeRegistry, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    given = ("login", f"--compat-auth-file={path}", PLAIN, "-u", "user", "-p", "secret")
    assert store.out(*given, registry.host) == "Login Succeeded!"
    assert set(entries(path)) == {registry.host}
    assert "Docker-compatible format with namespaced key" in store.refused(*given, f"{registry.host}/x")
    assert "simultaneously" in store.refused(*given, "--authfile", str(path), registry.host)
    removed = store.out("logout", f"--compat-auth-file={path}", registry.host)
    assert removed == f"Removed login credentials for {registry.host}"
    assert entries(path) == {}


def test_logout(store: PlainStore, registry: FakeRegistry, authfile: Path) -> None:
    login(store, authfile, registry.host)
    login(store, authfile, f"{registry.host}/x")
    at = f"--authfile={authfile}"
    assert store.out("logout", at, registry.host) == f"Removed login credentials for {registry.host}"
    assert f"not logged into {registry.host}" in store.refused("logout", at, registry.host)
    assert store.out("logout", at, "--all") == "Removed login credentials for all registries"
    assert entries(authfile) == {}
    assert "--all takes no arguments" in store.refused("logout", at, "--all", "x")
    assert "is not accessible" in store.refused("logout", f"{at}-none", registry.host)


def test_a_password_from_a_secret_and_from_stdin(store: PlainStore, authfile: Path, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("secret")
    store.out("secret", "create", "user", str(tmp_path / "word"))
    with FakeRegistry(auth="bearer") as registry:
        at = ("login", f"--authfile={authfile}", PLAIN)
        assert store.out(*at, "--secret", "user", registry.host) == "Login Succeeded!"
        said = store.out(*at, "-v", "-u", "user", "--password-stdin", registry.host, stdin=b"secret\n")
        assert said == f"Used:  {authfile}\nLogin Succeeded!"


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_a_registry_with_tls_and_a_password_file(store: PlainStore, authfile: Path, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True, user="user", password="secret") as registry:
        certificates = tmp_path / "certs"
        certificates.mkdir()
        os.symlink(registry.ca, certificates / "ca.crt")
        at = ("login", f"--authfile={authfile}", "-u", "user", "-p", "secret", registry.host)
        assert "certificate" in store.refused(*at)
        assert store.out(*at, f"--cert-dir={certificates}") == "Login Succeeded!"
        search = ("search", f"--authfile={authfile}", f"{registry.host}/anything")
        assert "certificate" in store.refused(*search)
        assert store.out(*search, f"--cert-dir={certificates}") == ""


LISTED: list[dict[str, object]] = [
    {"name": "library/box", "description": "A box\n" + "long " * 12, "star_count": 12, "is_official": True},
    {"name": "me/box2", "description": "", "star_count": 0, "is_automated": True},
    {"name": "a/b", "description": "<b>", "star_count": 5},
    {"name": "../../etc", "description": "not a name"},
]


def test_search_with_the_registrys_own_search(store: PlainStore, registry: FakeRegistry) -> None:
    registry.listed = LISTED
    host = registry.host

    def names(*words: str) -> list[str]:
        found = store.out("search", PLAIN, "--format", "{{.Name}}", *words, f"{host}/box").splitlines()
        return [name.removeprefix(f"{host}/") for name in found]

    assert names() == ["library/box", "me/box2", "a/b"]
    assert names("--limit=1") == ["library/box"]
    assert names("--filter=stars=5") == ["library/box", "a/b"]
    assert names("--filter=is-official") == ["library/box"]
    assert names("--filter=is-official=false", "--filter", "is-automated=true") == ["me/box2"]
    table = store.out("search", PLAIN, f"{host}/box").splitlines()
    assert table[0].split() == ["NAME", "DESCRIPTION"]
    assert table[1].endswith("A box long long long long long long long lon...")
    assert "long long\n" in store.out("search", PLAIN, "--no-trunc", f"{host}/box").replace("long \n", "long\n")
    first = json.loads(store.out("search", PLAIN, "--format=json", f"{host}/box"))[0]
    assert (first["Index"], first["Stars"], first["Official"], first["Automated"]) == (host, 12, "[OK]", "")
    assert first["Description"].endswith("long ")
    assert "STARS" in store.out("search", PLAIN, "--compatible", f"{host}/box")
    assert 'invalid filter type "x=1"' in store.refused("search", PLAIN, "--filter=x=1", f"{host}/box")
    assert 'invalid filter ["stars"], should be stars=<value>' in store.refused(
        "search", "--filter=stars", f"{host}/box"
    )
    assert registry.seen("GET", "/v1/search?n=25&q=box")


def test_search_in_the_catalogue(store: PlainStore, registry: FakeRegistry) -> None:
    for name in ("a/one", "b/one", "c/two", "d/one"):
        registry.add_image(name, "1", [b"layer"])
    asked = ("search", PLAIN, "--creds=user:secret", "--format={{.Name}}")
    found = store.out(*asked, f"{registry.host}/one").splitlines()
    assert found == [f"{registry.host}/{name}" for name in ("a/one", "b/one", "d/one")]
    assert "authentication required" in store.refused("search", PLAIN, f"{registry.host}/one")
    assert store.out(*asked, f"{registry.host}/nothing") == ""
