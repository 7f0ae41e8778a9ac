"""Uploads to registries on which lines break, tokens expire and requests are too large."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import Damaged, Denied, RegistryFailure
from sonata_core.models.ids import Digest
from sonata_core.models.image import Credentials, Descriptor, Endpoint, TransportOptions
from sonata_testkit.registry import FakeRegistry, digest_of
from sonata_transport_registry import upload
from sonata_transport_registry.plugin import RegistryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = bytes(range(256)) * 4096 * 3  # 3 MiB
LOGIN = Credentials(username="user", password="secret")


class Unseekable(io.BytesIO):
    """A stream that comes once."""

    def seekable(self) -> bool:
        return False


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        yield made


def blob_of(content: bytes) -> Descriptor:
    return Descriptor(media_type="", digest=Digest(digest_of(content)), size=len(content))


def sink(registry: FakeRegistry, login: Credentials | None = None, retries: int = 2) -> Any:
    nothing: Any = None
    context = PluginContext(
        name="docker",
        root="/nonexistent",
        run="/nonexistent",
        cache="/nonexistent",
        config={},
        facts=nothing,
        run_command=nothing,
        find_program=nothing,
        log=nothing,
    )
    plugin = RegistryTransport(context)
    name = f"{registry.host}/new/y:1"
    endpoint = Endpoint(reference=name, insecure=True, credentials=login)
    options = TransportOptions(endpoints=(endpoint,), retries=retries, retry_delay=0.01)
    return plugin.transport_open_sink(plugin.transport_parse(f"//{name}"), options)


def kept(registry: FakeRegistry) -> bytes | None:
    return registry.blobs.get("new/y", {}).get(digest_of(LAYER))


def test_what_is_small_goes_at_once(registry: FakeRegistry) -> None:
    with sink(registry) as place:
        place.put_blob(blob_of(b"small"), io.BytesIO(b"small"))
        with pytest.raises(Damaged):
            place.put_blob(blob_of(b"small"), io.BytesIO(b"smell"))
    assert registry.blobs["new/y"] == {digest_of(b"small"): b"small"}
    assert not registry.seen("PATCH", "/")
    assert not registry.uploads


@pytest.mark.parametrize("lost", [False, True])
def test_a_broken_upload_goes_on_where_the_registry_is(registry: FakeRegistry, lost: bool) -> None:
    registry.trouble.upload_cut, registry.trouble.upload_lost = 1_000_000, lost
    with sink(registry) as place:
        place.put_blob(blob_of(LAYER), io.BytesIO(LAYER))
    assert kept(registry) == LAYER
    ranges = [one.headers.get("content-range") for one in registry.seen("PATCH", "/")]
    assert ranges == [None, None if lost else f"1000000-{len(LAYER) - 1}"]
    assert registry.seen("GET", "/blobs/uploads/")


def test_what_cannot_be_sent_twice_is_given_up(registry: FakeRegistry) -> None:
    registry.trouble.upload_cut = 1_000_000
    with sink(registry) as place, pytest.raises(RegistryFailure, match="broke"):
        place.put_blob(blob_of(LAYER), Unseekable(LAYER))
    assert kept(registry) is None
    assert not registry.uploads


def test_without_retries_a_break_is_the_end(registry: FakeRegistry) -> None:
    registry.trouble.upload_cut = 1_000_000
    with sink(registry, retries=0) as place, pytest.raises(RegistryFailure, match="broke"):
        place.put_blob(blob_of(LAYER), io.BytesIO(LAYER))


def test_requests_that_are_too_large_go_in_pieces(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "_PIECE", 1 << 20)
    registry.trouble.largest_body = 1 << 20
    with sink(registry) as place:
        place.put_blob(blob_of(LAYER), io.BytesIO(LAYER))
    assert kept(registry) == LAYER
    ranges = [one.headers.get("content-range") for one in registry.seen("PATCH", "/")]
    assert ranges == [None, "0-1048575", "1048576-2097151", "2097152-3145727"]


def test_a_token_that_expires_on_the_way() -> None:
    class Once(set[str]):
        """Every token is taken three times only."""

        def __init__(self) -> None:
            super().__init__()
            self.uses: dict[object, int] = {}

        def __contains__(self, token: object) -> bool:
            self.uses[token] = self.uses.get(token, 0) + 1
            return self.uses[token] > 3

    with FakeRegistry(auth="bearer") as registry:
        registry.trouble.expired = Once()
        with sink(registry, LOGIN) as place:
            for content in (b"one", b"two", LAYER, b"three"):
                if not place.has_blob(blob_of(content)):
                    place.put_blob(blob_of(content), io.BytesIO(content))
        assert kept(registry) == LAYER
        assert len(registry.blobs["new/y"]) == 4
        assert len(registry.tokens) > 2


def test_credentials_that_are_not_taken_are_the_end_of_it() -> None:
    with FakeRegistry(auth="bearer") as registry:
        with sink(registry, Credentials(username="user", password="wrong")) as place, pytest.raises(Denied):
            place.put_blob(blob_of(b"x"), io.BytesIO(b"x"))
        assert not registry.tokens
