"""Documents that decide about trust are read strictly: what is not understood is refused, never guessed at."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonata.config.registries_d import Namespace, load_registries_d
from sonata.config.signing_params import load_signing_params
from sonata.image import policy as rules
from sonata.image.signatures import payload
from sonata.image.signatures.identity import is_identity
from sonata.image.signatures.requirement import Match
from sonata_core.errors import Damaged, SonataError, Unsupported, UsageError
from sonata_core.models.image import ImageReference
from sonata_core.naming import parse_name
from sonata_core.sdk import signatures as stored

DIGEST = "sha256:" + "a" * 64
GOOD = payload.make(DIGEST, "h.example/a:1", payload.SIMPLE, "x", 1)
KEY = {"keyPath": "/k"}
SIGNED = {"type": "signedBy", "keyType": "GPGKeys"}
STORE = {"type": "sigstoreSigned"}
FULCIO = {"caPath": "/c", "oidcIssuer": "i", "subjectEmail": "e"}
PKI = {"caRootsPath": "/c", "subjectHostname": "h"}


def parse(requirement: object) -> rules.Policy:
    return rules.parse_policy(json.dumps({"default": [requirement]}).encode(), "p")


@pytest.mark.parametrize(
    "requirement",
    [
        {**SIGNED, **KEY},
        {**SIGNED, "keyPaths": ["/a", "/b"]},
        {**SIGNED, "keyData": "QQ=="},
        {**SIGNED, **KEY, "signedIdentity": {"type": "matchRepository"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "remapIdentity", "prefix": "a.b", "signedPrefix": "c.d/e"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "remapIdentity", "prefix": "a:5000", "signedPrefix": "c:1/e"}},
        {"type": "signedBaseLayer", "baseLayerIdentity": {"type": "matchExact"}},
        {**STORE, "keyDatas": ["QQ==", "Qg=="]},
        {**STORE, **KEY, "rekorPublicKeyPath": "/r"},
        {**STORE, "fulcio": FULCIO, "rekorPublicKeyData": "QQ=="},
        {**STORE, "pki": PKI},
    ],
)
def test_what_a_requirement_may_be(requirement: dict[str, Any]) -> None:
    assert parse(requirement).default[0].kind == requirement["type"]


@pytest.mark.parametrize(
    "requirement",
    [
        SIGNED,
        {**SIGNED, "keyPath": ""},
        {**SIGNED, "keyPath": None},
        {**SIGNED, "keyPaths": "/a"},
        {**SIGNED, "keyPaths": [1]},
        {**SIGNED, "keyData": "!"},
        {**SIGNED, "keyDatas": ["QQ=="]},
        {**SIGNED, **KEY, "keyData": "QQ=="},
        {**SIGNED, **KEY, "keytype": "x"},
        {**SIGNED, **KEY, "keyType": "PGP"},
        {**SIGNED, **KEY, "signedIdentity": {"type": "matchAnything"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "matchExact", "x": 1}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "exactReference", "dockerReference": "a.b/c"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "exactRepository"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "remapIdentity", "prefix": "a b", "signedPrefix": "c"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "remapIdentity", "prefix": "a_b", "signedPrefix": "c"}},
        {**SIGNED, **KEY, "signedIdentity": {"type": "remapIdentity", "prefix": "a.b/c:1", "signedPrefix": "c"}},
        {**SIGNED, **KEY, "signedIdentity": None},
        {"type": "signedBaseLayer"},
        STORE,
        {**STORE, "keyPaths": []},
        {**STORE, **KEY, "fulcio": FULCIO},
        {**STORE, "fulcio": FULCIO},
        {**STORE, "fulcio": {**FULCIO, "caData": "QQ=="}, "rekorPublicKeyPath": "/r"},
        {**STORE, "fulcio": {"caPath": "/c", "oidcIssuer": "i"}, "rekorPublicKeyPath": "/r"},
        {**STORE, "pki": PKI, "rekorPublicKeyPath": "/r"},
        {**STORE, "pki": {"caRootsPath": "/c"}},
        {**STORE, **KEY, "keyType": "GPGKeys"},
        {**STORE, **KEY, "rekorPublicKeyPath": "/r", "rekorPublicKeyData": "QQ=="},
        "signedBy",
        None,
    ],
)
def test_what_a_requirement_may_not_be(requirement: object) -> None:
    with pytest.raises(UsageError, match="invalid policy"):
        parse(requirement)


@pytest.mark.heavy
@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | st.text(), lambda x: st.dictionaries(st.text(), x)).map(
        lambda value: json.dumps({"default": [value], "transports": {"docker": {"": [value]}}}).encode()
    )
)
def test_no_policy_crashes_the_parser(content: bytes) -> None:
    with pytest.raises(UsageError, match="invalid policy"):
        rules.parse_policy(content, "p")


@pytest.mark.parametrize("depth", [5_000, 200_000])
def test_a_policy_of_brackets(depth: int) -> None:
    with pytest.raises(UsageError, match="invalid policy"):
        rules.parse_policy(b'{"default":' + b"[" * depth, "p")


@pytest.mark.parametrize(
    ("transport", "scope", "fits"),
    [
        ("docker", "whatever it is", True),
        ("dir", "/a/b", True),
        ("dir", "/", False),
        ("dir", "a", False),
        ("dir", "/a/", False),
        ("oci", "/a/../b", False),
        ("oci-archive", "//a", False),
        ("docker-daemon", DIGEST, False),
        ("docker-daemon", "h/x:1", True),
        ("tarball", "/x", False),
        ("containers-storage", "[overlay@/var/lib]x", True),
        ("containers-storage", "[/var/lib]x", True),
        ("containers-storage", "[@/var/lib]x", False),
        ("containers-storage", "[/var/lib]", True),
        ("containers-storage", "x", False),
        ("containers-storage", "[x]", False),
        ("atomic", "h.example/space/stream:1", True),
        ("atomic", "h.example:5/space", True),
        ("atomic", "h.example/a/b/c", False),
        ("atomic", f"h.example/space@{DIGEST}", False),
        ("atomic", "h.example/a/b:1:2", False),
        ("pigeon", "", True),
    ],
)
def test_scopes_that_a_transport_has(transport: str, scope: str, fits: bool) -> None:
    assert (rules.scope_trouble(transport, scope) == "") is fits


def test_scopes_of_places() -> None:
    def scopes(**parts: str) -> tuple[str, ...]:
        return rules.scopes_of(ImageReference(rest="", **parts))

    assert scopes(transport="docker", name="r.a.org:5000/x/y:1") == (
        *("r.a.org:5000/x/y:1", "r.a.org:5000/x/y", "r.a.org:5000/x", "r.a.org:5000", "*.a.org", "*.org", ""),
    )
    assert scopes(transport="docker-daemon", name="") == ("",)
    assert scopes(transport="docker-daemon", name="docker.io/library/x:1")[0] == "docker.io/library/x:1"
    assert scopes(transport="oci", path="/a/b", selector=":x") == ("/a/b", "/a", "")
    assert scopes(transport="docker-archive", path="/a/b") == ("",)
    assert scopes(transport="containers-storage", path="overlay@/r", name="h/x:1", selector="@abc") == (
        *("[overlay@/r]docker.io/h/x:1@abc".replace("docker.io/", ""), "[overlay@/r]docker.io/h/x:1"),
        *("[overlay@/r]docker.io/h/x", "[overlay@/r]docker.io/h", "[overlay@/r]docker.io", "[overlay@/r]", "[/r]", ""),
    )


@pytest.mark.parametrize(
    ("match", "intended", "signed", "same"),
    [
        (Match(), "a.b/c:1", "a.b/c:1", True),
        (Match(), "a.b/c:1", "a.b/cc:1", False),
        (Match(), "a.b/c:1", "a.b/c:1@" + DIGEST, False),
        (Match(), "docker.io/library/c:1", "c:1", True),
        (Match(), "a.b/c@" + DIGEST, "a.b/c:other", True),
        (Match(), "a.b/c@" + DIGEST, "a.b/c", False),
        (Match(), "a.b/c:1", "A.b/C:1", False),
        (Match(), "a.b/c:1", "", False),
        (Match(kind="matchExact"), "a.b/c:1", "a.b/c:1", True),
        (Match(kind="matchRepository"), "a.b/c:1", "a.b/c", True),
        (Match(kind="remapIdentity", prefix="a.b", signed_prefix="x.y/z"), "a.b/c:1", "x.y/z/c:1", True),
        (Match(kind="remapIdentity", prefix="a.b/c", signed_prefix="x.y/z"), "a.b/cd:1", "x.y/zd:1", False),
        (Match(kind="remapIdentity", prefix="a.b/c", signed_prefix="x.y/z"), "a.b/cd:1", "a.b/cd:1", True),
        (Match(kind="matchNothingKnown"), "a.b/c:1", "a.b/c:1", False),
    ],
)
def test_whose_name_was_signed(match: Match, intended: str, signed: str, same: bool) -> None:
    assert is_identity(match, parse_name(intended), signed) is same


def test_a_payload_says_what_it_must() -> None:
    assert payload.parse(GOOD, payload.SIMPLE) == payload.Claims(
        digest=DIGEST, reference="h.example/a:1", creator="x", timestamp=1
    )
    cosign = GOOD.replace(payload.SIMPLE.encode(), payload.COSIGN.encode())
    bare = cosign[: cosign.index(b',"optional"')] + b',"optional":null}'
    assert payload.parse(bare, payload.COSIGN).timestamp is None
    for hurt in (
        bare.replace(payload.COSIGN.encode(), payload.SIMPLE.encode()),
        GOOD.replace(b'"timestamp":1', b'"timestamp":1.5'),
        GOOD.replace(b'"timestamp":1', b'"timestamp":true'),
        GOOD.replace(b'"timestamp":1', b'"timestamp":NaN'),
        GOOD.replace(b'"creator":"x"', b'"creator":1'),
        GOOD.replace(b'"optional"', b'"Optional"'),
        GOOD.replace(b'"optional":{', b'"optional":{},"optional":{'),
        GOOD.replace(b"sha256:a", b"sha256:A"),
        GOOD.replace(b"sha256:", b"sha1:"),
        GOOD.replace(b'"h.example/a:1"', b"null"),
        GOOD + b"{}",
        GOOD[:-1],
        b"\xff" + GOOD,
    ):
        with pytest.raises(Damaged):
            payload.parse(hurt, payload.SIMPLE)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120), st.integers(0, len(GOOD) - 1), st.binary(max_size=3))
def test_no_payload_and_no_blob_crashes_the_parsers(content: bytes, at: int, inserted: bytes) -> None:
    for one in (content, GOOD[:at] + inserted + GOOD[at:]):
        try:
            found = payload.parse(one, payload.SIMPLE)
        except Damaged:
            continue
        assert (found.digest, found.reference != "") == (DIGEST, True)
    try:
        assert stored.read(b"\0sigstore-json\n" + content)
    except Damaged:
        pass
    try:
        assert stored.read(content)
    except Damaged:
        pass


def test_stored_forms() -> None:
    simple = stored.Simple(message=b"\x90\x0d")
    attached = stored.Sigstore(payload=b"{}", annotations={stored.SIGNATURE_KEY: "x"})
    for one in (simple, attached, stored.Simple(message=b"plain")):
        assert stored.read(stored.write(one)) == one
    assert stored.write(simple) == b"\x90\x0d"
    bad = [b"", b"-----BEGIN", b"\0", b"\0x", b"\0other\nx", b"\0sigstore-json\n[]", b"\xff", b"{}", b"\xc0"]
    bad.append(b'\0sigstore-json\n{"mimeType":"a","payload":"!"}')
    bad.append(b'\0sigstore-json\n{"mimeType":"a","payload":"","annotations":{"x":1}}')
    for blob in bad:
        with pytest.raises(Damaged):
            stored.read(blob)


def test_registries_d(tmp_path: Path) -> None:
    assert load_registries_d(f"{tmp_path}/none").resolve(("x",)).lookaside == ""
    (tmp_path / "a.yaml").write_text(
        "default-docker:\n  lookaside: https://d\n"
        "docker:\n  h.example/ns:\n    sigstore: file:///old\n    use-sigstore-attachments: true\n"
        "  h.example:\n    lookaside-staging: file:///st\n    lookaside: https://h\n"
    )
    (tmp_path / "b.yaml").write_text("docker:\n  '*.example':\n    use-sigstore-attachments: true\n")
    (tmp_path / "c.yml").write_text("not: [read")
    found = load_registries_d(str(tmp_path))
    scopes = rules.docker_scopes(parse_name("h.example/ns/x:1"))
    assert found.resolve(scopes) == Namespace(lookaside="file:///old", staging="file:///old", attachments=True)
    scopes = rules.docker_scopes(parse_name("h.example/other:1"))
    assert found.resolve(scopes) == Namespace(lookaside="https://h", staging="file:///st", attachments=True)
    assert found.resolve(rules.docker_scopes(parse_name("alpine"))) == Namespace(
        lookaside="https://d", staging="https://d", attachments=False
    )
    (tmp_path / "d.yaml").write_text("docker:\n  h.example:\n    lookaside: x\n")
    with pytest.raises(UsageError, match="defined both in"):
        load_registries_d(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "docker: [a]",
        "docker: {x: [a]}",
        "docker: {x: {lookaside: 1}}",
        "a: [",
        "docker: {1: {}}",
        "docker: {x: {}, x: {}}",
        "default-docker: {use-sigstore-attachments: 'yes'}",
        "a: &b [*b, *b]",
        "\0",
        "a: " + "[" * 500,
    ],
)
def test_registries_d_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"parsing .*a\.yaml"):
        load_registries_d(str(tmp_path))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_yaml_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("rd")
    (folder / "a.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load_registries_d(str(folder))
    except UsageError as error:
        assert "parsing" in error.message


def test_signing_parameters(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("privateKeyFile: /k\nprivateKeyPassphraseFile: /p\n")
    found = load_signing_params(str(path))
    assert (found.key, found.passphrase_file) == ("/k", "/p")
    for text, kind in (
        ("privateKeyFile: /k\nrekorURL: https://r\n", Unsupported),
        ("fulcio: {fulcioURL: x}\n", Unsupported),
        ("privateKeyFile: /k\nother: 1\n", UsageError),
        ("privateKeyPassphraseFile: /k\n", UsageError),
        ("[]", UsageError),
    ):
        path.write_text(text)
        with pytest.raises(kind):
            load_signing_params(str(path))
    with pytest.raises(SonataError, match="No such file"):
        load_signing_params(f"{tmp_path}/none")


def test_base64_of_keys_may_be_broken_into_lines() -> None:
    text = base64.encodebytes(b"k" * 90).decode()
    keys = parse({**SIGNED, "keyData": text}).default[0].keys
    assert keys is not None
    assert keys.data == (b"k" * 90,)
    with pytest.raises(UsageError, match="not base64"):
        parse({**SIGNED, "keyData": text.replace("\n", "\v")})
