"""What `run` and `create` do with the options of a pull, against registries on loopback."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry, digest_of

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root

PLAIN = "--tls-verify=false"
RUN = ("run", "--rm", "--network", "none")


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    yield made
    made.close()


def test_policies_decide_when_the_registry_is_asked(store: PlainStore) -> None:
    with FakeRegistry() as registry:
        name = f"{registry.host}/box:1"
        store.out("push", "-q", PLAIN, IMAGE, f"docker://{name}")
        assert "image not known" in store.refused(*RUN, "--pull", "never", PLAIN, name, "true")
        registry.requests.clear()
        assert store.out(*RUN, PLAIN, name, "echo", "there") == "there"  # missing
        assert registry.requests
        for policy in ("missing", "never"):
            registry.requests.clear()
            assert store.out(*RUN, "--pull", policy, PLAIN, name, "echo", "there") == "there"
            assert not registry.requests
        for policy in ("always", "newer"):
            registry.requests.clear()
            assert store.out(*RUN, "--pull", policy, PLAIN, name, "echo", "there") == "there"
            assert registry.requests


def test_quiet_and_tls_and_retries(store: PlainStore) -> None:
    with FakeRegistry() as registry:
        name = f"{registry.host}/box:1"
        store.out("push", "-q", PLAIN, IMAGE, f"docker://{name}")
        assert store(*RUN, "--tls-verify=true", name, "true").returncode == 125
        registry.trouble.broken = 2
        said = store(*RUN, "--retry", "0", PLAIN, name, "true").stderr.decode()
        assert "503" in said or "Service Unavailable" in said, said
        registry.trouble.broken = 1
        assert store.out(*RUN, "--retry", "3", "--retry-delay", "10ms", PLAIN, name, "echo", "there") == "there"
        told = store(*RUN, "--pull", "always", PLAIN, name, "true").stderr
        assert told
        assert store(*RUN, "--pull", "always", "--quiet", PLAIN, name, "true").stderr == b""


def test_credentials(store: PlainStore, tmp_path: Path) -> None:
    with FakeRegistry(auth="basic") as registry:
        name = f"{registry.host}/box:1"
        store.out("push", "-q", PLAIN, "--creds", "user:secret", IMAGE, f"docker://{name}")
        assert "authentication required" in store.refused(*RUN, PLAIN, name, "true")
        assert "authentication required" in store.refused(*RUN, PLAIN, "--creds", "user:wrong", name, "true")
        assert store.out(*RUN, PLAIN, "--creds", "user:secret", name, "echo", "there") == "there"
        store.out("rmi", name)
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": {registry.host: {"auth": "dXNlcjpzZWNyZXQ="}}}))
        assert store.out(*RUN, PLAIN, "--authfile", str(file), name, "echo", "there") == "there"
        assert len(store.out("create", "--pull", "always", "-q", PLAIN, "--authfile", str(file), name)) == 64


def test_the_platform_that_is_asked_for_is_pulled(store: PlainStore) -> None:
    with FakeRegistry() as registry:
        entries = []
        for architecture, more in (("amd64", {}), ("arm64", {"variant": "v8"})):
            registry.add_image("many", architecture, [bytes(1024)], architecture)
            kind, content = registry.manifests["many"][architecture]
            platform = {"os": "linux", "architecture": architecture, **more}
            entries.append(
                {"mediaType": kind, "digest": digest_of(content), "size": len(content), "platform": platform}
            )
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
        registry.add_manifest("many", "1", str(index["mediaType"]), json.dumps(index).encode())
        name = f"{registry.host}/many:1"
        for options, found in (
            (("--arch", "arm64"), "arm64"),
            (("--platform", "linux/amd64"), "amd64"),
            (("--arch", "arm64", "--variant", "v8"), "arm64"),
            (("--os", "linux"), "amd64"),
        ):
            done = store("create", "--name", "c", "--replace", "--pull", "always", PLAIN, *options, name, "true")
            assert done.returncode == 0, (options, done.stderr)
            assert store.out("image", "inspect", name, "--format", "{{.Architecture}}") == found
        assert store("create", "--pull", "always", PLAIN, "--os", "windows", name, "true").returncode == 125
        assert store("create", "--pull", "always", PLAIN, "--arch", "arm64", "--variant", "v9", name).returncode == 125


@pytest.mark.skipif(not installed(), reason="needs docker-registry")
def test_a_certificate_of_ones_own(store: PlainStore, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True) as registry:
        certificates = tmp_path / "certs"
        certificates.mkdir()
        os.symlink(registry.ca, certificates / "ca.crt")
        name = f"{registry.host}/box:1"
        store.out("push", "-q", f"--cert-dir={certificates}", IMAGE, f"docker://{name}")
        assert "certificate" in store.refused(*RUN, name, "true")
        assert store.out(*RUN, f"--cert-dir={certificates}", name, "echo", "there") == "there"
