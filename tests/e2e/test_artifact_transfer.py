"""`sonata artifact pull` and `push`, with registries on loopback: the kit's, which misbehaves, and Debian's."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import OCI_MANIFEST, FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from test_artifact_commands import Store
from test_manifest_push import KEY

PLAIN = "--tls-verify=false"
EMPTY = "application/vnd.oci.empty.v1+json"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Store:
    return Store(tmp_path, who)


def put(registry: FakeRegistry, repository: str, *files: tuple[str, bytes], **more: object) -> str:
    """An artifact in the registry, under the tag `1`; its name."""
    layers = [
        {
            "mediaType": "text/plain",
            **registry.add_blob(repository, content),
            "annotations": {"org.opencontainers.image.title": title},
        }
        for title, content in files
    ]
    config = {"mediaType": EMPTY, **registry.add_blob(repository, b"{}")}
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "a/b", "config": config}
    content = json.dumps({**manifest, "layers": layers, **more}).encode()
    registry.add_manifest(repository, "1", OCI_MANIFEST, content)
    return f"{registry.host}/{repository}:1"


def files_of(store: Store) -> list[str]:
    """All blobs of the store, and what lies among the partial blobs."""
    return [name for _, _, names in os.walk(store.base / "root") for name in names if len(name) > 60]


def test_there_and_back(store: Store, registry: FakeRegistry, tmp_path: Path) -> None:
    name = f"{registry.host}/x/y:1"
    digest = store.out("add", name, "a.txt", "b.json").strip()
    done = store("push", PLAIN, "--digestfile", "digest", name)
    assert (done.returncode, done.stdout) == (0, "")
    assert (store.base / "digest").read_text() == f"sha256:{digest}"
    sent = len(registry.seen("PUT", "/blobs/uploads/"))
    assert sent == 3
    store.out("push", PLAIN, name)
    assert len(registry.seen("PUT", "/blobs/uploads/")) == sent
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other", store.who)
    other.out("pull", PLAIN, name)
    assert other.out("ls", "-n", "--no-trunc").split()[2] == digest
    assert other.out("extract", "--title", "a.txt", name, "/dev/stdout") == "hello\n"
    assert registry.manifests["x/y"]["1"][1] == (store.base / f"root/artifacts/blobs/sha256/{digest}").read_bytes()
    other.out("pull", PLAIN, f"{registry.host}/x/y@sha256:{digest}")
    assert len(other.out("ls", "-n").splitlines()) == 2
    other.out("rm", name)
    assert other.out("extract", "--title", "a.txt", digest[:9], "/dev/stdout") == "hello\n"


def test_quiet_and_words(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", b"content"))
    done = store("pull", PLAIN, "-q", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = store("push", PLAIN, "--quiet", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_moved_is_told(store: Store, registry: FakeRegistry) -> None:
    image = registry.add_image("box", "1", [b"layer"])
    registry.add_manifest("x", "old", "application/vnd.docker.distribution.manifest.v1+json", b'{"schemaVersion":1}')
    path = f"oci:{store.base}/root/artifacts:no"
    for words, said in (
        (("pull", "docker://x"), "invalid reference format"),
        (("pull", "oci:/tmp/x:y"), "invalid reference format"),
        (("push", "docker://x"), "invalid reference format"),
        (("push", "no"), f'initializing source {path}: no descriptor found for reference "no"'),
        (
            ("pull", PLAIN, "--retry", "0", f"{registry.host}/no:1"),
            f"initializing source docker://{registry.host}/no:1: reading manifest 1 in {registry.host}/no: "
            "manifest unknown",
        ),
        (
            ("push", "--signature-policy", "x", "no"),
            "--signature-policy is not supported: a policy judges where images "
            "come from, and the engine's own store is always accepted",
        ),
    ):
        assert store.refused(*words) == said
    assert "https" in store.refused("pull", "--retry", "0", f"{registry.host}/box:1")
    assert store("pull", PLAIN, "--retry=0", f"{registry.host}/x:old").returncode == 125
    store.out("pull", PLAIN, f"{registry.host}/box:1")  # an image is an artifact of another kind, as in Podman
    assert json.loads(store.out("inspect", f"{registry.host}/box:1"))["Digest"] == image["digest"]


def test_nothing_is_kept_that_does_not_verify(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", b"content" * 1000), ("g", b"more"))
    registry.trouble.corrupt_blobs = True
    assert store("pull", PLAIN, "--retry=0", name).returncode == 125
    registry.trouble.corrupt_blobs = False
    for extra in (5, -5):
        registry.trouble.blob_extra = extra
        assert store("pull", PLAIN, "--retry=0", name).returncode == 125
    registry.trouble.blob_extra = 0
    assert store.out("ls", "-n") == ""
    store.out("pull", PLAIN, name)
    store.out("extract", "--title", "g", name, "out")
    assert (store.base / "out").read_text() == "more"
    assert len(files_of(store)) == 4  # two files, the config, the manifest: no partial blob is left


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b'{"schemaVersion":2}',
        b'{"schemaVersion":2,"config":{"digest":"sha256:../../x","size":1},"layers":[]}',
        b'{"schemaVersion":2,"config":{"digest":"sha256:%s","size":-1},"layers":[]}' % (b"0" * 64),
        b'{"schemaVersion":2,"config":{"digest":"sha256:%s","size":2},"layers":{}}' % (b"0" * 64),
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
        b"[" * 100000,
    ],
)
def test_hostile_manifests(store: Store, registry: FakeRegistry, manifest: bytes) -> None:
    registry.add_manifest("x", "1", OCI_MANIFEST, manifest)
    done = store("pull", PLAIN, "--retry=0", f"{registry.host}/x:1")
    assert done.returncode == 125, done
    assert done.stderr.startswith("Error: ")
    assert store.out("ls", "-n") == ""


@pytest.mark.parametrize("title", ["../evil", "/tmp/evil", "..", "a/../../evil", "x\x00y", "", "n" * 300])
def test_hostile_titles(store: Store, registry: FakeRegistry, title: str) -> None:
    name = put(registry, "x", (title, b"content"))
    store.out("pull", PLAIN, name)
    (store.base / "to").mkdir()
    done = store("extract", name, "to")
    assert (done.returncode == 0) == (title == ""), done
    assert len(os.listdir(store.base / "to")) == (title == "")
    assert not (store.base / "evil").exists()
    store.out("extract", name, "one")
    assert (store.base / "one").read_bytes() == b"content"


def test_a_pull_goes_on_where_the_last_one_was_killed(store: Store, registry: FakeRegistry) -> None:
    content = os.urandom(3_000_000)
    name = put(registry, "x", ("f", content))
    registry.trouble.slow = 0.05
    process = subprocess.Popen(store.argv("artifact", "pull", PLAIN, "-q", name))
    blob = hashlib.sha256(content).hexdigest()
    partial = store.base / f"root/sonata/partial/sha256-{blob}"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size > 300_000):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert store.out("ls", "-n") == ""
    registry.trouble.slow = 0
    store.out("pull", PLAIN, name)
    asked = [request.headers.get("range", "") for request in registry.seen("GET", blob)]
    assert int(asked[-1].removeprefix("bytes=").rstrip("-")) > 300_000, asked
    store.out("extract", name, "out")
    assert (store.base / "out").read_bytes() == content
    assert len(files_of(store)) == 3


def test_a_retry_is_made(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", os.urandom(300_000)))
    registry.trouble.cut_at, registry.trouble.cuts = 100_000, 2
    store.out("pull", PLAIN, "--retry=3", "--retry-delay=10ms", name)


def test_pushes_are_retried(store: Store, registry: FakeRegistry) -> None:
    name = f"{registry.host}/x:1"
    store.out("add", name, "a.txt")
    registry.trouble.broken = 2
    store.out("push", PLAIN, "--retry=3", "--retry-delay=10ms", name)
    assert "1" in registry.manifests["x"]


def test_killed_pulls_leave_nothing_visible(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", *((f"f{number}", os.urandom(400_000)) for number in range(4)))
    registry.trouble.slow = 0.01
    for moment in range(3):
        begun = len(registry.requests)
        process = subprocess.Popen(store.argv("artifact", "pull", PLAIN, "-q", name))
        while len(registry.requests) < begun + 1 + moment and process.poll() is None:
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.out("ls", "-n").count(registry.host) in (0, 1)
        for listed in store.out("ls", "--format", "{{.Repository}}:{{.Tag}}").split():
            store.out("extract", "--title", "f3", listed, "/dev/null")
    registry.trouble.slow = 0
    store.out("pull", PLAIN, name)
    store.out("rm", "-a")
    assert files_of(store) == []


def test_credentials(store: Store, tmp_path: Path) -> None:
    with FakeRegistry(auth="bearer") as registry:
        name = f"{registry.host}/x:1"
        store.out("add", name, "a.txt")
        assert store("push", PLAIN, "--retry=0", "--creds", "user:wrong", name).returncode == 125
        store.out("push", PLAIN, "--creds", "user:secret", name)
        auth = tmp_path / "auth.json"
        auth.write_text(json.dumps({"auths": {registry.host: {"auth": "dXNlcjpzZWNyZXQ="}}}))
        store.out("rm", name)
        store.out("pull", PLAIN, "--authfile", str(auth), name)
        store.out("push", PLAIN, "--authfile", str(auth), name)


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_a_real_registry_with_tls(store: Store, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True) as registry:
        name = f"{registry.host}/x/y:1"
        digest = store.out("add", name, "a.txt", "b.json").strip()
        assert "certificate" in store.refused("push", "--retry=0", name)
        certificates = tmp_path / "certs"
        certificates.mkdir()
        (certificates / "ca.crt").write_bytes(registry.ca.read_bytes())
        store.out("push", "--cert-dir", str(certificates), name)
        store.out("rm", "-a")
        store.out("pull", "--cert-dir", str(certificates), name)
        assert store.out("ls", "-n", "--no-trunc").split()[2] == digest


def test_referrers(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", b"content"))
    subject = {"mediaType": OCI_MANIFEST, "digest": digest_in(registry, "x"), "size": 3}
    assert store.out("referrers", PLAIN, name) == "DIGEST      ARTIFACT TYPE  SIZE\n"
    for api in (False, True):
        registry.referrers_api = api
        put(registry, "x", ("sbom", b"sbom"), subject=subject, annotations={"a": "b"}, artifactType="s/bom")
        digest = digest_in(registry, "x")
        if not api:  # as who pushed it has to write it then
            row = {"mediaType": OCI_MANIFEST, "digest": digest, "size": 9, "artifactType": "s/bom"}
            index = json.dumps({"schemaVersion": 2, "manifests": [{**row, "annotations": {"a": "b"}}]}).encode()
            tag = str(subject["digest"]).replace(":", "-")
            registry.add_manifest("x", tag, "application/vnd.oci.image.index.v1+json", index)
        by_digest = f"{registry.host}/x@{subject['digest']}"
        assert store.out("referrers", PLAIN, "-n", by_digest).split()[:2] == [digest[7:19], "s/bom"]
        found = json.loads(store.out("referrers", PLAIN, "--format", "json", f"docker://{by_digest}"))
        assert [(one["digest"], one["artifactType"], one["annotations"]) for one in found] == [
            (digest, "s/bom", {"a": "b"})
        ]
        assert store.out("referrers", PLAIN, "-n", "--artifact-type=x/y", by_digest) == ""
        told = store.out("referrers", PLAIN, "--no-trunc", "--format", "{{.Digest}} {{.ArtifactType}}", by_digest)
        assert told == f"{digest} s/bom\n"
    assert "manifest unknown" in store.refused("referrers", PLAIN, "--retry=0", f"{registry.host}/x:no")


def digest_in(registry: FakeRegistry, repository: str) -> str:
    """The digest of what has the tag `1`."""
    return "sha256:" + hashlib.sha256(registry.manifests[repository]["1"][1]).hexdigest()


def test_an_artifact_with_a_subject_is_listed_once_it_is_pushed(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", b"content"))
    subject = {"mediaType": OCI_MANIFEST, "digest": digest_in(registry, "x"), "size": 3}
    put(registry, "y", ("sbom", b"sbom"), subject=subject)
    store.out("pull", PLAIN, f"{registry.host}/y:1")
    digest = digest_in(registry, "y")
    registry.manifests.pop("y")
    store.out("push", PLAIN, f"{registry.host}/y:1")
    assert store.out("referrers", PLAIN, "-n", f"{registry.host}/y@{subject['digest']}").split()[0] == digest[7:19]
    assert store.out("referrers", PLAIN, "-n", name) == ""


@pytest.mark.parametrize("kind", ["reject", "signedBy"])
def test_trust_decides(store: Store, registry: FakeRegistry, kind: str) -> None:
    name = put(registry, "x", ("f", b"content"))
    key = {"keyType": "GPGKeys", "keyPath": str(store.base / "a.txt")} if kind == "signedBy" else {}
    policy = {
        "default": [{"type": "insecureAcceptAnything"}],
        "transports": {"docker": {registry.host: [{"type": kind, **key}]}},
    }
    home = store.base / "home/.config/containers"
    home.mkdir(parents=True)
    (home / "policy.json").write_text(json.dumps(policy))
    words = store.argv("artifact", "pull", PLAIN, name, HOME=str(store.base / "home"))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 125, done
    assert ("reject" in done.stderr) or ("signature" in done.stderr)
    assert not registry.seen("GET", "/blobs/")
    assert store.out("ls", "-n") == ""


def test_more_than_there_is_room_for(store: Store, registry: FakeRegistry) -> None:
    name = put(registry, "x", ("f", b"content"))
    huge = {"mediaType": "x", "digest": "sha256:" + "7" * 64, "size": (1 << 63) - 1}
    manifest = json.loads(registry.manifests["x"]["1"][1])
    manifest["layers"].append(huge)
    registry.add_manifest("x", "1", OCI_MANIFEST, json.dumps(manifest).encode())
    assert "has room for" in store.refused("pull", PLAIN, name)
    assert not registry.seen("GET", "/blobs/")


@pytest.mark.rootful("gpg is asked by the tests' own user, too")
def test_signed_as_it_is_pushed(
    store: Store, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "config/containers/registries.d/all.yaml"
    place.parent.mkdir(parents=True)
    place.write_text(f"default-docker:\n  lookaside: file://{tmp_path}/sigs\n  use-sigstore-attachments: true\n")
    home = tmp_path / "gnupg"
    home.mkdir(0o700)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GNUPGHOME", str(home))
    (tmp_path / "pass").write_text("secret\n")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "params").write_text(f"privateKeyFile: {tmp_path}/key\nprivateKeyPassphraseFile: {tmp_path}/pass\n")
    name = f"{registry.host}/x/signed:1"
    digest = store.out("add", name, "a.txt").strip()
    secret = f"--sign-passphrase-file={tmp_path}/pass"
    make = ["gpg", "--batch", "--quiet", "--passphrase", "secret", "--pinentry-mode", "loopback"]
    subprocess.run([*make, "--quick-generate-key", "me@example.com"], check=True, capture_output=True)
    try:
        assert store("push", PLAIN, "--sign-by=nobody@example.com", secret, name).returncode == 125
        assert "x/signed" not in registry.manifests, "nothing arrives unsigned"
        store.out("push", PLAIN, "--sign-by=me@example.com", secret, name)
        content = (tmp_path / f"sigs/x/signed@sha256={digest}/signature-1").read_bytes()
        seen = subprocess.run(["gpg", "--batch", "--decrypt"], input=content, capture_output=True, check=True).stdout
        critical = json.loads(seen)["critical"]
        assert critical["identity"]["docker-reference"] == name
        assert critical["image"]["docker-manifest-digest"] == f"sha256:{digest}"
        public = subprocess.run(["gpg", "--batch", "--export"], capture_output=True, check=True).stdout
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
    (tmp_path / "public").write_bytes(public)
    rule = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": f"{tmp_path}/public"}
    (tmp_path / "config/containers/policy.json").write_text(json.dumps({"default": [rule]}))
    store.out("rm", "-a")
    store.out("pull", PLAIN, name)
    other = put(registry, "unsigned", ("f", b"content"))
    assert store("pull", PLAIN, other).returncode == 125
    (tmp_path / "config/containers/policy.json").unlink()
    for words in (
        (f"--sign-by-sigstore-private-key={tmp_path}/key", secret),
        (f"--sign-by-sigstore={tmp_path}/params",),
    ):
        registry.manifests.pop("x/signed")
        store.out("push", PLAIN, *words, name)
        assert f"sha256-{digest}.sig" in registry.manifests["x/signed"]
    assert "keys of Sequoia-PGP are not read here" in store.refused("push", PLAIN, "--sign-by-sq-fingerprint=x", name)
