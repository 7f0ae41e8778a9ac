"""Whatever stands in a file of configuration: a value or an error of ours that names the file."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sonata.config.auth import AuthFiles, find_credentials
from sonata.config.load import load_config
from sonata.config.policy import load_policy
from sonata.config.registries import load_registries, normalised
from sonata.config.registries_d import load_registries_d
from sonata.config.registries_file import record_alias
from sonata.config.settings import CONTAINERS_CONF, STORAGE_CONF
from sonata.config.values import EngineConfig, Places
from sonata.image.policy import parse_policy
from sonata_core.errors import SonataError, UsageError
from sonata_core.models.process import Command, CommandResult
from sonata_core.naming import parse_name

pytestmark = pytest.mark.heavy
LONG = bool(os.environ.get("SONATA_LONG"))
fuzz = settings(max_examples=2_000 if LONG else 80, derandomize=not LONG, deadline=None, database=None)

WORDS = st.text(st.characters(codec="utf-8"), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**400) | WORDS
NAMES = st.sampled_from(["r.io", "r.io/a", "*.io", "localhost:5000", "alpine", "a/b", "", "/", "r.io/", "K.io", "x:1"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    for name in ("etc/containers", "rd"):
        (made / name).mkdir(parents=True)
    return made


def places(folder: Path) -> Places:
    names = {name: str(folder / name) for name in ("user", "usr", "cache")}
    return Places(uid=0, home=str(folder), etc=str(folder / "etc"), **names)


def config(folder: Path) -> EngineConfig:
    return load_config({}, 0, {}, places(folder))


def toml(value: Any) -> str:
    """A value as TOML writes it. What TOML has no word for becomes a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return json.dumps("" if value is None else value, ensure_ascii=False).replace("\x7f", "")


def written(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))


TOML_VALUES = st.recursive(
    SCALARS | NAMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=2), max_leaves=5
)
REGISTRY = st.dictionaries(
    st.sampled_from(["location", "prefix", "insecure", "blocked", "mirror", "mirror-by-digest-only"]),
    NAMES | st.booleans() | TOML_VALUES | st.lists(st.dictionaries(st.just("location"), NAMES), max_size=2),
    max_size=4,
)
REGISTRIES = st.dictionaries(
    st.sampled_from(["unqualified-search-registries", "short-name-mode", "credential-helpers", "aliases", "registry"]),
    st.lists(NAMES, max_size=2)
    | st.lists(REGISTRY, max_size=3)
    | st.dictionaries(NAMES, NAMES, max_size=2)
    | st.sampled_from(["enforcing", "permissive", "disabled"])
    | TOML_VALUES,
).map(lambda tables: "\n".join(f"{key} = {toml(value)}" for key, value in tables.items()))
RAW = st.binary(max_size=60) | st.text('[]{}="\n#.,a1-:T', max_size=60) | st.just("a=" + "[" * 3000)
RAW |= st.sampled_from(["a=" + "9" * 5000, "a=1979-99-99", "a=" + "{a=" * 3000, "[" + "a." * 3000 + "a]"])


@fuzz
@given(content=RAW | REGISTRIES, name=NAMES | WORDS)
def test_any_registries_conf(folder: Path, content: bytes | str, name: str) -> None:
    path = folder / "registries.conf"
    written(path, content)
    try:
        found = load_registries(places(folder), {"CONTAINERS_REGISTRIES_CONF": str(path)}, f"{folder}/aliases.conf")
    except UsageError as error:
        assert "registr" in error.message
        return
    for ask in (found.resolve_pull, found.local_names, found.push_endpoint):
        try:
            ask(name)
        except SonataError:
            continue


PATHS = st.from_regex(r"[abz](?:[-_]?[abz]){0,3}(?:/[abz](?:[-_.][abz])?)?", fullmatch=True)
FULL = st.builds("{}/{}".format, st.sampled_from(["a.b", "localhost", "h:5000"]), PATHS)


@fuzz
@given(aliases=st.dictionaries(PATHS, FULL | st.just(""), max_size=3))
def test_aliases_are_read_as_they_were_recorded(folder: Path, aliases: dict[str, str]) -> None:
    path = folder / "recorded" / "short-name-aliases.conf"
    path.unlink(missing_ok=True)
    for short, full in aliases.items():
        record_alias(str(path), short, full)
    assert load_registries(places(folder), {}, str(path)).aliases == aliases


@fuzz
@example("\u212a.io/x")
@example("\u212a.io:\u0661/x")
@given(st.text("aZ0K.:/@_-é", max_size=12) | NAMES | WORDS)
def test_both_readers_of_names_agree(name: str) -> None:
    """Short names are resolved by one, asked for by the other."""
    answers = []
    for read in (normalised, lambda text: str(parse_name(text).with_default_tag())):
        try:
            answers.append(read(name))
        except UsageError:
            answers.append("")
    assert answers[0] == answers[1]


STORAGE = st.lists(
    st.tuples(st.sampled_from(sorted((row.table, row.key) for row in STORAGE_CONF)), TOML_VALUES), max_size=3
)
CONTAINERS = st.lists(
    st.tuples(st.sampled_from(sorted((row.table, row.key) for row in CONTAINERS_CONF)), TOML_VALUES), max_size=3
)


def document(rows: list[tuple[tuple[str, str], Any]]) -> str:
    return "\n".join(f"[{table}]\n{key} = {toml(value)}" for (table, key), value in dict(rows).items())


@fuzz
@given(storage=RAW | STORAGE.map(document), containers=st.just("") | RAW | CONTAINERS.map(document))
def test_any_storage_conf_and_containers_conf(folder: Path, storage: bytes | str, containers: bytes | str) -> None:
    environ = {"CONTAINERS_STORAGE_CONF": str(folder / "storage"), "CONTAINERS_CONF": str(folder / "engine")}
    written(folder / "storage", storage)
    written(folder / "engine", containers)
    try:
        load_config(environ, 0, {}, places(folder))
    except UsageError:
        return


@pytest.mark.parametrize("row", [*STORAGE_CONF, *CONTAINERS_CONF], ids=lambda row: f"{row.table}.{row.key}")
def test_any_value_of_a_setting(row: Any) -> None:
    """No setting takes what it does not understand, and what it takes can be remembered."""

    @settings(max_examples=100 if LONG else 4, derandomize=not LONG, deadline=None, database=None)
    @example("inf")
    @given(TOML_VALUES | st.sampled_from(["inf", "1e999", "nan", "²", "-1", "9" * 5000, "1e9999999k", ":", "=", "\0"]))
    def check(value: Any) -> None:
        try:
            json.dumps(row.parse(value))
        except ValueError:
            return

    check()


YAML = st.dictionaries(
    st.sampled_from(["docker", "default-docker", "lookaside", "use-sigstore-attachments"]) | WORDS,
    st.dictionaries(NAMES, SCALARS | st.dictionaries(st.sampled_from(["lookaside", "sigstore-staging"]), SCALARS)),
).map(lambda value: json.dumps(value, ensure_ascii=False))
TAGS = [f"!!{name} " for name in ("int", "bool", "float", "timestamp", "binary", "set", "omap")]
SIGNS = [*"[]{}|>'\"\n", ":", " ", "- ", "&a ", "*a", "<<", "? ", "%YAML 1.1", "---", "x", "1", "0x_", "08", "docker"]
YAML |= st.lists(st.sampled_from(TAGS + SIGNS), max_size=12).map("".join)


@fuzz
@given(content=RAW | YAML)
def test_any_file_of_registries_d(folder: Path, content: bytes | str) -> None:
    written(folder / "rd/a.yaml", content)
    try:
        found = load_registries_d(str(folder / "rd"))
    except UsageError as error:
        assert "parsing" in error.message
        return
    assert isinstance(found.resolve(("r.io",)).lookaside, str)


REQUIREMENTS = st.dictionaries(
    st.sampled_from(["type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity", "fulcio", "pki"]),
    st.sampled_from(
        ["signedBy", "sigstoreSigned", "reject", "insecureAcceptAnything", "GPGKeys", "/k", "QQ==", "remap"]
    )
    | st.dictionaries(st.sampled_from(["type", "prefix", "signedPrefix", "caData", "oidcIssuer"]), NAMES | WORDS)
    | st.lists(SCALARS, max_size=2)
    | SCALARS,
)
SCOPES = st.dictionaries(NAMES | WORDS, st.lists(REQUIREMENTS | SCALARS, max_size=2), max_size=2)
POLICIES = st.fixed_dictionaries(
    {"default": st.lists(REQUIREMENTS, max_size=2)},
    optional={"transports": st.dictionaries(st.sampled_from(["docker", "dir", "containers-storage", "x"]), SCOPES)},
).map(json.dumps)
JSON_RAW = st.binary(max_size=60) | st.text('{}[]":,1e-\\ud8', max_size=40) | st.just("[" * 5000) | st.just("9" * 5000)


@fuzz
@given(content=JSON_RAW | POLICIES)
def test_any_policy(folder: Path, content: bytes | str) -> None:
    """Both readers end in a word about it; a policy that one of them takes is an object."""
    path = folder / "policy.json"
    written(path, content)
    for read in (lambda: load_policy(config(folder), str(path)), lambda: parse_policy(path.read_bytes(), str(path))):
        try:
            read()
        except UsageError as error:
            assert "invalid policy" in error.message


def no_program(command: Command) -> CommandResult:
    raise AssertionError(f"ran {command.argv}")


ENTRY = st.dictionaries(
    st.sampled_from(["auth", "identitytoken", "x"]),
    SCALARS | st.text().map(lambda text: base64.b64encode(text.encode("utf-8", "replace")).decode()),
)
AUTHS = st.dictionaries(
    st.sampled_from(["auths", "credHelpers", "credsStore", "r.io", "https://r.io/v1/"]),
    st.dictionaries(NAMES | st.just("https://r.io/v1/"), ENTRY | SCALARS | st.just("a\0b")) | SCALARS,
).map(json.dumps)


@fuzz
@given(content=JSON_RAW | AUTHS, legacy=st.just("{}") | JSON_RAW | AUTHS)
def test_any_auth_json(folder: Path, content: bytes | str, legacy: bytes | str) -> None:
    for name, text in (("auth.json", content), (".dockercfg", legacy)):
        written(folder / name, text)
    files = AuthFiles([str(folder / "auth.json")], str(folder / ".dockercfg"), (), no_program)
    for repository in ("r.io/a/b", "docker.io/library/x", "localhost:5000/x"):
        try:
            found = find_credentials(files, repository)
        except SonataError:
            continue
        if found is not None:  # what is found can be put into a header
            f"{found.username}:{found.password}{found.identity_token}".encode()


@fuzz
@given(st.text(st.characters(exclude_characters=":", codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_credentials_are_found_as_they_were_written(tmp_path_factory: Any, user: str, password: str) -> None:
    path = tmp_path_factory.getbasetemp() / "auth-round.json"
    entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}
    path.write_text(json.dumps({"auths": {"r.io/a": entry}}))
    found = find_credentials(AuthFiles([str(path)], "", (), no_program), "r.io/a/b")
    assert found is not None
    assert (found.username, found.password) == (user, password.strip("\0"))
