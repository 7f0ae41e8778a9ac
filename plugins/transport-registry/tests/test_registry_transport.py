"""The transport `docker` against registries that behave, and many that do not."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import Damaged, Denied, NotFound, RegistryFailure, SonataError, UsageError
from sonata_core.models.ids import Digest
from sonata_core.models.image import Credentials, Descriptor, Endpoint, ManifestBytes, TransportOptions
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST
from sonata_testkit.registry import FakeRegistry, digest_of
from sonata_transport_registry.plugin import RegistryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = bytes(range(256)) * 4096 * 3  # 3 MiB


def transport(**config: object) -> RegistryTransport:
    nothing: Any = None
    return RegistryTransport(
        PluginContext(
            name="docker",
            root="/nonexistent",
            run="/nonexistent",
            cache="/nonexistent",
            config=config,
            facts=nothing,
            run_command=nothing,
            find_program=nothing,
            log=nothing,
        )
    )


def options(*names: str, login: Credentials | None = None, **more: Any) -> TransportOptions:
    endpoints = tuple(Endpoint(reference=name, insecure=True, credentials=login) for name in names)
    return TransportOptions(endpoints=endpoints, retry_delay=0.01, **more)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        made.add_image("demo/x", "1", [LAYER])
        yield made


def blob_of(content: bytes, **more: Any) -> Descriptor:
    return Descriptor(media_type="", digest=Digest(digest_of(content)), size=len(content), **more)


def pull_layer(registry: FakeRegistry, offset: int = 0, login: Credentials | None = None) -> bytes:
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    with plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options(name, login=login)) as source:
        source.resolve()
        with source.open_blob(blob_of(LAYER), offset) as stream:
            found = b""
            while chunk := stream.read(100_000):
                found += chunk
            return found


def resolve(registry: FakeRegistry, name: str = "demo/x:1", login: Credentials | None = None) -> ManifestBytes:
    plugin = transport()
    full = f"{registry.host}/{name}"
    with plugin.transport_open_source(plugin.transport_parse(f"//{full}"), options(full, login=login)) as source:
        return source.resolve()


def test_parse_round_trips() -> None:
    plugin = transport()
    for text, name in (
        ("//alpine", "docker.io/library/alpine:latest"),
        ("//h:5/a/b:t", "h:5/a/b:t"),
        ("//h.io/a@sha256:" + "a" * 64, "h.io/a@sha256:" + "a" * 64),
    ):
        reference = plugin.transport_parse(text)
        assert reference.name == name
        assert plugin.transport_parse(reference.rest) == reference
    for bad in ("alpine", "//", "//A", "//x:1@sha256:" + "a" * 64, "//http://x/y"):
        with pytest.raises(UsageError):
            plugin.transport_parse(bad)


def test_pull(registry: FakeRegistry) -> None:
    manifest = resolve(registry)
    assert manifest.media_type == OCI_MANIFEST
    assert manifest.digest == digest_of(manifest.content)
    assert resolve(registry, f"demo/x@{manifest.digest}") == manifest
    assert pull_layer(registry) == LAYER
    assert pull_layer(registry, 1_000_000) == LAYER[1_000_000:]
    assert pull_layer(registry, len(LAYER)) == b""


def test_what_is_not_there(registry: FakeRegistry) -> None:
    with pytest.raises(NotFound, match=r"reading manifest 2 in .*/demo/x: manifest unknown"):
        resolve(registry, "demo/x:2")
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    with (
        plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options(name)) as source,
        pytest.raises(NotFound, match="blob unknown"),
    ):
        source.open_blob(blob_of(b"other"), 0)


def test_nobody_listens() -> None:
    plugin = transport()
    with (
        plugin.transport_open_source(plugin.transport_parse("//127.0.0.1:1/x"), options("127.0.0.1:1/x:1")) as source,
        pytest.raises(RegistryFailure, match="connect: connection refused") as caught,
    ):
        source.resolve()
    assert "127.0.0.1:1" in caught.value.message


def test_plain_http_needs_to_be_allowed(registry: FakeRegistry) -> None:
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    secure = options(name).replace(tls_verify=True)
    with (
        plugin.transport_open_source(plugin.transport_parse(f"//{name}"), secure) as source,
        pytest.raises(RegistryFailure, match="server gave HTTP response to HTTPS client") as caught,
    ):
        source.resolve()
    assert "--tls-verify=false" in str(caught.value.hint)
    assert not registry.requests


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_passwords(auth: str) -> None:
    login = Credentials(username="user", password="secret")
    with FakeRegistry(auth=auth) as registry:
        registry.add_image("demo/x", "1", [LAYER])
        assert pull_layer(registry, login=login) == LAYER
        with pytest.raises(Denied, match=": authentication required") as caught:
            resolve(registry, login=Credentials(username="user", password="wr0ng-passw0rd"))
        text = f"{caught.value} {caught.value.hint} {caught.value.details} {login!r}"
        assert "wr0ng" not in text
        assert "secret" not in text
        if auth == "basic":
            with pytest.raises(Denied, match="authentication required"):
                resolve(registry)


def test_a_token_is_kept_and_fetched_anew_when_it_is_no_longer_taken() -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_image("demo/x", "1", [LAYER])
        plugin = transport()
        name = f"{registry.host}/demo/x:1"
        with plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options(name)) as source:
            digest = source.resolve().digest
            source.manifest(digest)
            assert len(registry.tokens) == 1
            registry.trouble.expired.update(registry.tokens)
            source.manifest(digest)
            assert len(registry.tokens) == 2


def test_401_without_end_is_an_error() -> None:
    class Never(set[str]):
        def __contains__(self, item: object) -> bool:
            return True

    with FakeRegistry(auth="bearer") as registry:
        registry.add_image("demo/x", "1", [LAYER])
        registry.trouble.expired = Never()
        with pytest.raises(Denied, match="authentication required"):
            resolve(registry)
        assert len(registry.requests) < 8


@pytest.mark.parametrize(
    "realm",
    [
        "http://localhost:{port}/token",
        "http://evil.example/token",
        "http://169.254.169.254/token",
        "file:///etc/passwd",
        "http://127.0.0.1@evil.example/token",
        "ftp://127.0.0.1/token",
        "/",
        "http://[::1/token",
        "http://a\\b/token",
    ],
)
def test_a_password_is_not_sent_to_a_realm_elsewhere(realm: str) -> None:
    with FakeRegistry(auth="bearer") as registry, FakeRegistry(host="127.0.0.1") as other:
        registry.add_image("demo/x", "1", [LAYER])
        registry.trouble.realm = realm.format(port=other.host.partition(":")[2])
        with pytest.raises(SonataError) as caught:
            resolve(registry, login=Credentials(username="user", password="secret"))
        assert "secret" not in f"{caught.value} {caught.value.hint}"
        assert not other.requests


def test_a_realm_elsewhere_may_be_trusted_by_name() -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_image("demo/x", "1", [LAYER])
        registry.trouble.realm = f"http://localhost:{registry.host.partition(':')[2]}/token"
        name = f"{registry.host}/demo/x:1"
        login = Credentials(username="user", password="secret")
        plugin = transport(trusted_realms=["localhost"])
        with plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options(name, login=login)) as source:
            assert source.resolve().digest


def test_a_redirect_elsewhere_sees_no_credentials() -> None:
    login = Credentials(username="user", password="secret")
    with FakeRegistry(auth="basic") as registry, FakeRegistry() as other:
        registry.add_image("demo/x", "1", [LAYER])
        other.add_blob("demo/x", LAYER)
        registry.trouble.redirect_blobs = f"http://{other.host}"
        assert pull_layer(registry, login=login) == LAYER
        assert other.requests
        assert all("authorization" not in request.headers for request in other.requests)


@pytest.mark.parametrize(
    "to", ["file:///etc/passwd?", "http://user@127.0.0.1:1", "http://169.254.169.254", "gopher://x"]
)
def test_odd_redirects_are_not_followed(registry: FakeRegistry, to: str) -> None:
    registry.trouble.redirect_blobs = to
    with pytest.raises(RegistryFailure):
        pull_layer(registry)


def test_redirects_without_end(registry: FakeRegistry) -> None:
    registry.trouble.redirect_blobs = f"http://{registry.host}"
    with pytest.raises(RegistryFailure, match="stopped after 10 redirects"):
        pull_layer(registry)


def test_busy_and_broken_registries_are_asked_again(registry: FakeRegistry) -> None:
    registry.trouble.busy, registry.trouble.retry_after = 2, "0"
    assert resolve(registry)
    registry.trouble.broken = 2
    assert resolve(registry)
    registry.trouble.busy, registry.trouble.retry_after = 100, ""
    with pytest.raises(RegistryFailure, match=r"(?i)too ?many ?requests|429") as caught:
        resolve(registry)
    assert caught.value.details["temporary"]


def test_a_broken_connection_is_taken_up(registry: FakeRegistry) -> None:
    registry.trouble.cut_at, registry.trouble.cuts = 1_500_000, 1
    assert pull_layer(registry) == LAYER
    assert registry.seen("GET", "/blobs/")[-1].headers["range"] == "bytes=1500000-"


def test_a_connection_that_breaks_without_progress_is_an_error(registry: FakeRegistry) -> None:
    registry.trouble.cut_at = 1000
    with pytest.raises(RegistryFailure, match="broke"):
        pull_layer(registry)
    assert len(registry.requests) < 20


def test_ranges_that_lie_are_not_glued_on(registry: FakeRegistry) -> None:
    registry.trouble.range_lies = True
    assert pull_layer(registry, 1000) == LAYER[1000:]
    assert [one.headers.get("range") for one in registry.seen("GET", "/blobs/")] == ["bytes=1000-", None]


def test_a_registry_without_ranges_sends_the_whole_again(registry: FakeRegistry) -> None:
    registry.trouble.no_ranges = True
    assert pull_layer(registry, 1_000_000) == LAYER[1_000_000:]


def test_manifests_have_a_limit(registry: FakeRegistry) -> None:
    registry.trouble.endless_manifest = True
    with pytest.raises(RegistryFailure, match="more than the 4194304 bytes"):
        resolve(registry)


def test_a_manifest_that_is_not_what_was_asked_for(registry: FakeRegistry) -> None:
    digest = resolve(registry).digest
    registry.trouble.manifest_bytes = b'{"schemaVersion": 2}'
    with pytest.raises(Damaged, match="digest mismatch"):
        resolve(registry, f"demo/x@{digest}")
    registry.trouble.manifest_bytes = b"no json"
    registry.trouble.manifest_type = "application/json"
    with pytest.raises(Damaged):
        resolve(registry)


def test_foreign_layers_are_fetched_without_credentials() -> None:
    with FakeRegistry(auth="basic") as registry, FakeRegistry() as other:
        registry.add_image("demo/x", "1", [LAYER])
        other.add_blob("else", b"foreign")
        blob = blob_of(
            b"foreign", urls=("file:///etc/passwd", f"http://{other.host}/v2/else/blobs/{digest_of(b'foreign')}")
        )
        name = f"{registry.host}/demo/x:1"
        plugin = transport()
        login = Credentials(username="user", password="secret")
        with plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options(name, login=login)) as source:
            assert source.open_blob(blob, 0).read() == b"foreign"
        assert all("authorization" not in request.headers for request in other.requests)


def test_the_first_mirror_that_has_it_wins(registry: FakeRegistry) -> None:
    with FakeRegistry() as empty, FakeRegistry() as main:
        plugin = transport()
        mirrors = (f"{empty.host}/m/x:1", "127.0.0.1:1/x:1", f"{registry.host}/demo/x:1", f"{main.host}/demo/x:1")
        reference = plugin.transport_parse("//example.com/demo/x:1")
        with plugin.transport_open_source(reference, options(*mirrors)) as source:
            assert source.resolve().digest
            with source.open_blob(blob_of(LAYER), 0) as stream:
                assert stream.read(10) == LAYER[:10]
        assert not main.requests
        with (
            plugin.transport_open_source(reference, options(*mirrors[:2], mirrors[3])) as source,
            pytest.raises(NotFound, match="Mirrors also failed") as caught,
        ):
            source.resolve()
        assert "connection refused" in caught.value.message
        assert main.host in caught.value.message


def push(registry: FakeRegistry, name: str, layer: bytes, **more: Any) -> None:
    plugin = transport()
    full = f"{registry.host}/{name}"
    content = json.dumps({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST}).encode()
    manifest = ManifestBytes(media_type=DOCKER_MANIFEST, digest=Digest(digest_of(content)), content=content)
    with plugin.transport_open_sink(plugin.transport_parse(f"//{full}"), options(full, **more)) as sink:
        blob = blob_of(layer)
        assert not sink.has_blob(blob)
        sink.put_blob(blob, io.BytesIO(layer))
        assert sink.has_blob(blob)
        assert name.rpartition(":")[2] not in registry.manifests.get("new/y", {})
        sink.put_manifest(manifest)
        sink.commit(manifest)
        sink.commit(manifest)


@pytest.mark.parametrize("auth", ["", "basic", "bearer"])
def test_push(auth: str) -> None:
    with FakeRegistry(auth=auth) as registry:
        push(registry, "new/y:tag", LAYER, login=Credentials(username="user", password="secret"))
        assert registry.blobs["new/y"][digest_of(LAYER)] == LAYER
        assert registry.manifests["new/y"]["tag"][0] == DOCKER_MANIFEST


def test_a_blob_that_does_not_verify_is_not_stored(registry: FakeRegistry) -> None:
    plugin = transport()
    name = f"{registry.host}/new/y:1"
    with plugin.transport_open_sink(plugin.transport_parse(f"//{name}"), options(name)) as sink:
        for content in (LAYER[:-1], LAYER + b"x", LAYER[:-1] + b"x"):
            with pytest.raises((Damaged, RegistryFailure)):
                sink.put_blob(blob_of(LAYER), io.BytesIO(content))
    assert "new/y" not in registry.blobs


def test_uploads_that_go_on_elsewhere_see_no_credentials() -> None:
    with FakeRegistry(auth="basic") as registry, FakeRegistry() as other:
        registry.trouble.upload_location = f"http://{other.host}"
        with pytest.raises(SonataError):
            push(registry, "new/y:1", LAYER, login=Credentials(username="user", password="secret"))
        assert other.requests
        assert all("authorization" not in request.headers for request in other.requests)


def test_blobs_are_mounted_from_another_repository(registry: FakeRegistry) -> None:
    plugin = transport()
    name = f"{registry.host}/new/y:1"
    source = {f"containerd.io/distribution.source.{registry.host}": "demo/none,demo/x"}
    with plugin.transport_open_sink(plugin.transport_parse(f"//{name}"), options(name)) as sink:
        registry.trouble.refuse_mount = True
        assert not sink.has_blob(blob_of(LAYER, annotations=source))
        assert not registry.uploads
        registry.trouble.refuse_mount = False
        assert sink.has_blob(blob_of(LAYER, annotations=source))
    assert registry.blobs["new/y"][digest_of(LAYER)] == LAYER


def test_tags(registry: FakeRegistry) -> None:
    for tag in ("a", "b", "c", "d"):
        registry.add_manifest("demo/x", tag, OCI_MANIFEST, b"{}")
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    reference = plugin.transport_parse(f"//{name}")
    assert plugin.transport_tags(reference, options(name)) == ("1", "a", "b", "c", "d")
    registry.trouble.tag_loop = True
    assert plugin.transport_tags(reference, options(name)) == ("1", "a")
    missing = f"{registry.host}/none:1"
    with pytest.raises(NotFound):
        plugin.transport_tags(plugin.transport_parse(f"//{missing}"), options(missing))


def test_wrong_blobs_are_passed_on_for_the_engine_to_find(registry: FakeRegistry) -> None:
    registry.trouble.corrupt_blobs = True
    assert hashlib.sha256(pull_layer(registry)).digest() != hashlib.sha256(LAYER).digest()
