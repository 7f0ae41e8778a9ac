"""Signing and trusting by the real program: signatures are made, carried, demanded and shown; Skopeo agrees."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg"),
]
PLAIN = "--tls-verify=false"
ACCEPT = [{"type": "insecureAcceptAnything"}]
KEY = """\
-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJSejBVV0h0SHpscnRRTk1UbmZPUVczbUJoTVVCYWlZ
Nm1TU1FpVStTblVZPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiIrVjVsYnRNbTV4azFRVUR5TzRSUGhXcFhCV3RkZURaZiJ9LCJj
aXBoZXJ0ZXh0IjoiM1QrMHNmV1czMDRwL28vREg4RGR5dFlMekpjbjM4SUVHUTNT
TWRqdkwrSndKekFZS1VsSlhoSDdUbFhxM2tsaVNMZWRwdytEZHp4UzNUenRGWERj
enNQWXYyUy9vbjVLUzJVQU5kWEJZL253djJYZEJBVjc5UG1Mb3RlazNFZ1hBOVp1
NTl3aEVXM2RJSFdTdklLS2VaZ2psL2IxVDZjcm5ESUNhY054RHU4dTY5N1RqdmdB
M0ZCVldBbkp1bVl3Ti9FVXBlZXhhQWRlaEE9PSJ9
-----END ENCRYPTED COSIGN PRIVATE KEY-----
"""
PUBLIC = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5saNaAtsAStIk7D9VI3LrdHS8fjJ
ztdGRzQjbSulxRx9WbO+CYfsrVoRKw9TNN8ZXkbbv2fhhKig+ies6xeJBw==
-----END PUBLIC KEY-----
"""


class World:
    """A store, a registry, keys, and the user's configuration."""

    def __init__(self, base: Path, registry: FakeRegistry, who: Root) -> None:
        self.base, self.who = base, who
        self.registry = registry
        self.at = f"{registry.host}/team/app"
        self.config = base / "c/containers"
        (self.config / "registries.d").mkdir(parents=True)
        (self.config / "registries.d/a.yaml").write_text(
            f"default-docker:\n  lookaside: file://{base}/beside\n  use-sigstore-attachments: true\n"
        )
        self.policy(ACCEPT)
        (base / "key").write_text(KEY)
        (base / "pub").write_text(PUBLIC)
        (base / "pass").write_text("pass word\n")
        self.home = base / "g"
        self.home.mkdir(mode=0o700)
        who.give(str(self.home))
        for name, secret in (("alice", ""), ("bob", "bobs")):
            self.gpg("--passphrase", secret, "--quick-gen-key", f"{name}@example.com", "ed25519", "sign", "0")
            (base / f"{name}.gpg").write_bytes(self.gpg("--export", f"{name}@example.com"))
        self.gpg_done()
        self.store = PlainStore(base / "s", "vfs", who)
        self.store.base = base  # all of it is the caller's

    def gpg(self, *words: str) -> bytes:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--pinentry-mode", "loopback", *words]
        return subprocess.run(self.who.peer(*argv), capture_output=True, check=True).stdout

    def gpg_done(self) -> None:
        """End the agent: it would remember Bob's passphrase."""
        words = ("gpgconf", "--homedir", str(self.home), "--kill", "all")
        for argv in (self.who.peer(*words), self.who.within(*words)):  # an agent of a namespace has sockets elsewhere
            subprocess.run(argv, check=False, capture_output=True)

    def policy(self, default: Any, **transports: Any) -> Path:
        path = self.config / "policy.json"
        path.write_text(json.dumps({"default": default, "transports": transports}))
        return path

    def simple(self, who: str = "alice") -> list[dict[str, str]]:
        return [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": f"{self.base}/{who}.gpg"}]

    def sigstore(self) -> list[dict[str, str]]:
        return [{"type": "sigstoreSigned", "keyPath": f"{self.base}/pub"}]

    def push(self, *words: str) -> None:
        self.store.out("push", "-q", PLAIN, *words)

    def pull(self, name: str, *words: str) -> None:
        self.store.out("pull", "-q", PLAIN, *words, name)

    def beside(self, name: str = "team/app") -> list[Path]:
        return sorted((self.base / "beside").glob(f"{name}@sha256=*/signature-*"))


@pytest.fixture
def world(tmp_path: Path, who: Root, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{tmp_path}/c")
    monkeypatch.setenv("GNUPGHOME", f"{tmp_path}/g")
    (tmp_path / "s").mkdir()
    with FakeRegistry(host="localhost") as registry:
        made = World(tmp_path, registry, who)
        yield made
        made.store.close()
        made.gpg_done()


def test_push_signs_and_pull_demands_it(world: World) -> None:
    world.push("--sign-by", "alice@example.com", IMAGE, f"{world.at}:1")
    world.push(IMAGE, f"{world.at}:2")
    assert len(world.beside()) == 1
    world.policy(world.simple())
    world.pull(f"{world.at}:1")
    told = world.store.refused("pull", PLAIN, f"{world.at}:2")
    assert f'Source image rejected: Signature for identity "{world.at}:1" is not accepted' in told
    world.policy(world.simple("bob"))
    assert "Invalid GPG signature: ERRSIG NO_PUBKEY" in world.store.refused("pull", PLAIN, f"{world.at}:1")
    given = world.base / "given.json"
    given.write_text(json.dumps({"default": world.simple()}))
    world.pull(f"{world.at}:1", f"--signature-policy={given}")
    given.write_text(json.dumps({"default": world.simple("nobody")}))
    told = world.store.refused("pull", PLAIN, f"--signature-policy={given}", f"{world.at}:1")
    assert "nobody.gpg: No such file or directory" in told


def test_nothing_of_a_rejected_image_arrives(world: World) -> None:
    world.push(IMAGE, f"{world.at}:1")
    world.store.out("rmi", "-f", IMAGE)
    world.registry.requests.clear()
    world.policy(world.simple())
    told = world.store.refused("pull", PLAIN, f"{world.at}:1")
    assert "A signature was required, but no signature exists" in told
    assert world.registry.seen("GET", "/blobs/") == []
    assert world.store.out("images", "-aq") == ""
    assert world.store.refused("run", "--rm", PLAIN, f"{world.at}:1", "true").endswith(told.partition(": ")[2])
    for text, said in (("{", "invalid policy"), ("{}", "Default policy is missing")):
        (world.config / "policy.json").write_text(text)
        assert said in world.store.refused("pull", PLAIN, f"{world.at}:1")
    world.policy([{"type": "reject"}])
    world.registry.requests.clear()
    assert "is rejected by policy" in world.store.refused("pull", PLAIN, f"{world.at}:1")
    assert world.registry.requests == []


def test_a_passphrase_from_a_file(world: World) -> None:
    (world.base / "bobs").write_text("bobs\n")
    at = f"{world.at}:1"
    told = world.store.refused(
        "push", PLAIN, "--sign-by=bob@example.com", f"--sign-passphrase-file={world.base}/pass", IMAGE, at
    )
    assert "gpg cannot sign as bob@example.com" in told
    told = world.store.refused("push", PLAIN, "--sign-by=bob@example.com", "--sign-passphrase-file=/none", IMAGE, at)
    assert "open /none: no such file or directory" in told
    world.push("--sign-by=bob@example.com", f"--sign-passphrase-file={world.base}/bobs", IMAGE, at)
    world.policy(world.simple("bob"))
    world.pull(at)


def test_sigstore_keys(world: World) -> None:
    key, secret = f"--sign-by-sigstore-private-key={world.base}/key", f"--sign-passphrase-file={world.base}/pass"
    world.push(key, secret, IMAGE, f"{world.at}:1")
    (attached,) = [tag for tag in world.registry.manifests["team/app"] if tag.endswith(".sig")]
    document = json.loads(world.registry.manifests["team/app"][attached][1])
    assert document["layers"][0]["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    world.policy(world.sigstore())
    world.pull(f"{world.at}:1")
    world.push(IMAGE, f"{world.at}:2")
    assert "is not accepted" in world.store.refused("pull", PLAIN, f"{world.at}:2")
    params = world.base / "params.yaml"
    params.write_text(f"privateKeyFile: {world.base}/key\nprivateKeyPassphraseFile: {world.base}/pass\n")
    world.push(f"--sign-by-sigstore={params}", IMAGE, f"{world.at}:2")
    world.pull(f"{world.at}:2")
    params.write_text("rekorURL: https://rekor.example\n")
    assert "rekorURL is not supported" in world.store.refused(
        "push", PLAIN, f"--sign-by-sigstore={params}", IMAGE, world.at
    )
    assert "decryption failed" in world.store.refused("push", PLAIN, key, IMAGE, world.at)
    (world.config / "registries.d/a.yaml").write_text("default-docker: {}\n")
    told = world.store.refused("push", PLAIN, key, secret, IMAGE, f"{world.at}:3")
    assert "writing sigstore attachments is disabled by configuration" in told
    assert "3" not in world.registry.manifests["team/app"]


def test_what_cannot_be_signed(world: World) -> None:
    refused = world.store.refused
    told = refused("push", "--sign-by=alice@example.com", IMAGE, f"dir:{world.base}/out")
    assert f"Cannot determine canonical Docker reference for destination dir:{world.base}/out" in told
    assert not (world.base / "out").exists()
    assert "Sequoia" in refused("push", PLAIN, "--sign-by-sq-fingerprint=AA", IMAGE, world.at)
    assert "only one of --sign-by" in refused(
        "push",
        PLAIN,
        "--sign-by=a",
        "--sign-by-sigstore-private-key=k",
        "--sign-passphrase-file=/dev/null",
        IMAGE,
        world.at,
    )
    assert "gpg cannot sign as nobody" in refused("push", PLAIN, "--sign-by=nobody@example.com", IMAGE, world.at)
    assert world.registry.manifests == {}


def test_signatures_go_along_or_are_removed(world: World) -> None:
    store = world.store
    source = f"{world.at}:1"
    world.push("--sign-by=alice@example.com", IMAGE, source)
    world.pull(source)
    (mine,) = world.beside()
    told = store.refused("push", PLAIN, source, f"oci:{world.base}/layout:x")
    assert "Can not copy signatures to oci:" in told
    told = store.refused("push", PLAIN, source, f"dir:{world.base}/changed")
    assert "Would invalidate signatures" in told
    store.out("push", "-q", "--remove-signatures", source, f"oci:{world.base}/layout:x")
    world.push(source, f"{world.registry.host}/team/app:again")
    assert world.beside() == [mine]
    copy = ("image", "copy", "-q", "--src-tls-verify=false", f"docker://{source}")
    store.out(*copy, f"dir:{world.base}/folder")
    assert (world.base / "folder/signature-1").read_bytes() == mine.read_bytes()
    store.out(*copy, "--remove-signatures", f"dir:{world.base}/bare")
    assert not (world.base / "bare/signature-1").exists()
    store.out(
        *copy,
        "--sign-by=bob@example.com",
        "--sign-identity=x.example/y:1",
        f"--sign-passphrase-file={_bobs(world)}",
        f"dir:{world.base}/two",
    )
    assert (world.base / "two/signature-2").exists()
    exact = {"signedIdentity": {"type": "exactReference", "dockerReference": "x.example/y:1"}}
    world.policy([{**one, **exact} for one in world.simple("bob")])
    store.out("pull", "-q", f"dir:{world.base}/two")
    assert "Source image rejected" in store.refused("pull", f"dir:{world.base}/folder")


def _bobs(world: World) -> Path:
    path = world.base / "bobs"
    path.write_text("bobs")
    return path


def test_image_sign(world: World) -> None:
    store = world.store
    world.push(IMAGE, f"{world.at}:1")
    name = f"docker://{world.at}:1"
    by = "--sign-by=alice@example.com"
    (world.config / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{world.registry.host}"\ninsecure = true\n'
    )
    for number in (1, 2):
        store.out("image", "sign", by, name)
        assert [path.name for path in world.beside()] == [f"signature-{one + 1}" for one in range(number)]
    world.policy(world.simple())
    world.pull(f"{world.at}:1")
    folder = world.base / "mine"
    folder.mkdir()
    store.out("image", "sign", by, "-d", str(folder), name)
    assert len(list(folder.glob("team/app@sha256=*/signature-1"))) == 1
    assert "no identity provided" in store.refused("image", "sign", name)
    assert "faccessat /none: no such file" in store.refused("image", "sign", by, "-d", "/none", name)
    assert 'Invalid image name "box"' in store.refused("image", "sign", by, "box")
    assert "is not a multi-architecture image" in store.refused("image", "sign", by, "--all", name)
    (world.config / "registries.d/a.yaml").write_text("default-docker:\n  lookaside: https://s.example/x\n")
    assert "Use a supported scheme" in store.refused("image", "sign", by, name)


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_image_sign_at_a_registry_with_tls_and_a_password(world: World) -> None:
    folder = world.base / "certs"
    with DebianRegistry(world.base / "r", tls=True, user="me", password="open") as registry:
        folder.mkdir()
        shutil.copy(registry.ca, folder / "ca.crt")
        auth = world.base / "auth.json"
        auth.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"me:open").decode()}}}))
        given = (f"--authfile={auth}", f"--cert-dir={folder}")
        world.store.out("push", "-q", *given, IMAGE, f"{registry.host}/box:1")
        sign = ("image", "sign", "--sign-by=alice@example.com", f"docker://{registry.host}/box:1")
        for lacking in given:
            assert world.store.refused(*sign, *(one for one in given if one != lacking))
        assert world.beside("box") == []
        world.store.out(*sign, *given)
        assert len(world.beside("box")) == 1


def test_image_sign_all_images_of_a_list(world: World) -> None:
    store = world.store
    world.push(IMAGE, f"{world.at}:1")
    kind, content = world.registry.manifests["team/app"]["1"]
    import hashlib

    entry = {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
    platform = {"os": "linux", "architecture": "amd64"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}
    text = json.dumps({**index, "manifests": [{**entry, "platform": platform}]}).encode()
    world.registry.manifests["team/app"]["all"] = (index["mediaType"], text)  # type: ignore[assignment]
    (world.config / "registries.conf").write_text(
        f'[[registry]]\nlocation = "{world.registry.host}"\ninsecure = true\n'
    )
    store.out("image", "sign", "--sign-by=alice@example.com", "--all", f"docker://{world.at}:all")
    (made,) = world.beside()
    assert entry["digest"].replace(":", "=") in str(made)
    world.policy(world.simple())
    world.pull(f"{world.at}:all", "--arch=amd64")
    copy = ("image", "copy", "--all", "--src-tls-verify=false", f"docker://{world.at}:all")
    store.out(*copy, f"dir:{world.base}/whole")
    hexadecimal = entry["digest"].partition(":")[2]
    assert (world.base / f"whole/{hexadecimal}.signature-1").read_bytes() == made.read_bytes()
    alone = store.refused(*copy[:2], "--multi-arch=index-only", *copy[3:], f"dir:{world.base}/alone")
    assert "A signature was required" in alone
    made.unlink()
    store.out("image", "sign", "--sign-by=alice@example.com", f"docker://{world.at}:all")
    assert "A signature was required" in store.refused(*copy, f"dir:{world.base}/none")
    assert "A signature was required" in store.refused("pull", PLAIN, "--arch=amd64", f"{world.at}:all")


def store_rows(world: World, *words: str) -> list[str]:
    return world.store.out(*words).splitlines()


def test_trust_is_shown_as_podman_shows_it(world: World) -> None:
    docker = {
        "reg.x/a": [{"type": "reject"}],
        "quay.io/b": [*world.sigstore(), *world.simple()],
        "docker.io": world.simple("bob"),
    }
    path = world.policy(ACCEPT, docker=docker, oci={"": ACCEPT})
    (world.config / "registries.d/a.yaml").write_text(
        "default-docker:\n  lookaside: https://default/sig\ndocker:\n"
        "  docker.io:\n    sigstore: file:///x/old\n  quay.io:\n    lookaside: https://quay/sig\n"
    )
    shown = [line.rstrip() for line in world.store.out("image", "trust", "show").splitlines()]
    assert shown == [
        "TRANSPORT   NAME        TYPE            ID                 STORE",
        "all         default     accept                             https://default/sig",
        "repository  docker.io   signed          bob@example.com    file:///x/old",
        "repository  quay.io/b   sigstoreSigned  N/A                https://quay/sig",
        "repository  quay.io/b   signed          alice@example.com  https://quay/sig",
        "repository  reg.x/a     reject                             https://default/sig",
        "oci                     accept                             https://default/sig",
    ]
    assert "TRANSPORT" not in world.store.out("image", "trust", "show", "--noheading")
    found = json.loads(world.store.out("image", "trust", "show", "--json"))
    assert found[0] == {
        "transport": "all",
        "name": "* (default)",
        "repo_name": "default",
        "sigstore": "https://default/sig",
        "type": "accept",
    }
    assert found[-1] == {"transport": "oci", "sigstore": "https://default/sig", "type": "accept"}
    assert world.store.out("image", "trust", "show", "--raw") == path.read_text()
    assert len(world.store.out("image", "trust", "show", "-n", "quay.io/b/c").splitlines()) == 4
    other = world.base / "other.json"
    other.write_text('{"default":[{"type":"reject"}]}')
    rows = world.store.out(
        "image", "trust", "show", "-n", f"--signature-policy={other}", f"--registrypath={world.base}"
    )
    assert rows.split() == ["all", "default", "reject"]
    some = {"*.x.example": ACCEPT, "x.example/a:1": ACCEPT, "x.example:5000": ACCEPT, "y.example": ACCEPT}
    other.write_text(json.dumps({"default": ACCEPT, "transports": {"docker": some}}))
    show = ("image", "trust", "show", "-n", f"--policypath={other}", f"--registrypath={world.base}")
    assert [line.split()[1] for line in store_rows(world, *show, "b.x.example/c")] == ["default", "*.x.example"]
    assert [line.split()[1] for line in store_rows(world, *show, "x.example/a")] == ["default", "x.example/a:1"]
    good = other.read_bytes()
    for hurt in (b"\xef\xbb\xbf" + good, good.decode().encode("utf-16"), good + b"x", b"{"):
        other.write_bytes(hurt)
        assert "invalid policy in" in world.store.refused(*show)
        world.store.out(*show, "--raw")  # what is broken can be looked at
    assert world.store.out(*show, "--raw") == "{"


def test_trust_is_set(world: World) -> None:
    store, path = world.store, world.base / "p.json"
    to = f"--signature-policy={path}"
    assert "default trust policy must be set" in store.refused("image", "trust", "set", to, "-t", "reject", "a.b")
    store.out("image", "trust", "set", to, "-t", "reject", "default")
    store.out("image", "trust", "set", to, "-f", f"{world.base}/alice.gpg", "reg.example/team")
    store.out("image", "trust", "set", to, "--type", "accept", "reg.example")
    store.out("image", "trust", "set", to, "-t", "sigstoreSigned", "-f", "/a", "--pubkeysfile", "/b", "reg.example/x")
    assert json.loads(path.read_text()) == {
        "default": [{"type": "reject"}],
        "transports": {
            "docker": {
                "reg.example": ACCEPT,
                "reg.example/team": world.simple(),
                "reg.example/x": [{"type": "sigstoreSigned", "keyPath": one} for one in ("/a", "/b")],
            }
        },
    }
    before = path.read_bytes()
    for words, told in (
        (("-t", "foo", "x"), "invalid choice: foo (choose from"),
        (("x",), "at least one public key must be defined for type 'signedBy'"),
        (("-t", "accept", "-f", "/a", "x"), "1 public keys unexpectedly provided for trust type accept"),
        (("-t", "reject", "a b"), "invalid image uri: a b"),
    ):
        assert told in store.refused("image", "trust", "set", to, *words)
    assert path.read_bytes() == before
    store.out("image", "trust", "set", "-t", "reject", world.registry.host)
    world.push(IMAGE, f"{world.at}:1")
    assert "is rejected by policy" in store.refused("pull", PLAIN, f"{world.at}:1")


def test_audit_tells_the_verdict(world: World) -> None:
    world.push("--sign-by=alice@example.com", IMAGE, f"{world.at}:1")
    world.pull(f"{world.at}:1")
    world.policy(ACCEPT, docker={world.registry.host: world.simple()})
    shown = world.store.out("image", "audit", f"{world.at}:1")
    assert "Signatures: 1" in shown
    assert f"accepted by transports.docker.{world.registry.host}: its signatures satisfy the policy" in shown
    world.policy(ACCEPT, docker={world.registry.host: world.simple("bob")})
    found = json.loads(world.store.out("image", "audit", "--format=json", f"{world.at}:1"))
    (verdict,) = [one for one in found["Policy"]["Verdicts"] if one["Rule"] != "default"]
    assert verdict["Verdict"] == "rejected"
    assert "NO_PUBKEY" in verdict["Reason"]


@pytest.mark.needs_peer("skopeo", "docker-registry")
def test_skopeo_takes_our_signatures_and_we_take_its(world: World) -> None:
    def skopeo(*words: str) -> None:
        world.who.adopt(world.base)
        keys = ("env", f"GNUPGHOME={world.home}")
        argv = world.who.peer(*keys, "skopeo", "--registries.d", f"{world.config}/registries.d", *words)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    policy = world.base / "strict.json"
    policy.write_text(json.dumps({"default": world.simple()}))
    theirs = f"dir:{world.base}/theirs"
    with DebianRegistry(world.base / "r") as registry:
        mine = f"{registry.host}/my/app:1"
        world.push("--sign-by=alice@example.com", IMAGE, mine)
        skopeo("--policy", str(policy), "copy", "--src-tls-verify=false", f"docker://{mine}", theirs)
        goal = f"{registry.host}/their/app:1"
        again = ("copy", "--remove-signatures", "--dest-tls-verify=false", "--sign-by", "alice@example.com")
        skopeo("--insecure-policy", *again, theirs, f"docker://{goal}")
        assert len(world.beside("their/app")) == 1
        world.policy(world.simple())
        world.pull(goal)
