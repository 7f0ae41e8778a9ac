"""The transport `docker` against servers that mean no good: each attempt ends, soon, with a word about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import RegistryFailure, SonataError
from sonata_core.models.ids import Digest
from sonata_core.models.image import Credentials, Descriptor, Endpoint, TransportOptions
from sonata_testkit.registry import FakeRegistry, digest_of
from sonata_transport_registry import pages
from sonata_transport_registry.address import Origin, follow
from sonata_transport_registry.pages import next_link
from sonata_transport_registry.plugin import RegistryTransport
from sonata_transport_registry.wire import proxy_for

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER = bytes(300_000)
KINDS = ("hang", "drip_head", "drip_body", "endless", "long_line", "many_headers", "short", "no_http", "loop")


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as made:
        made.add_image("demo/x", "1", [LAYER])
        yield made


def transport(**config: object) -> RegistryTransport:
    nothing: Any = None
    return RegistryTransport(
        PluginContext(
            name="docker",
            root="/nonexistent",
            run="/nonexistent",
            cache="/nonexistent",
            config={"head_seconds": 0.5, "block_seconds": 0.5, **config},
            facts=nothing,
            run_command=nothing,
            find_program=nothing,
            log=nothing,
        )
    )


def opened(registry: FakeRegistry, login: Credentials | None = None, retries: int = 0) -> Any:
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    endpoint = Endpoint(reference=name, insecure=True, credentials=login)
    options = TransportOptions(endpoints=(endpoint,), retries=retries, retry_delay=0.01, tls_verify=False)
    return plugin.transport_open_source(plugin.transport_parse(f"//{name}"), options)


def read_layer(registry: FakeRegistry) -> bytes:
    blob = Descriptor(media_type="", digest=Digest(digest_of(LAYER)), size=len(LAYER))
    with opened(registry) as source:
        source.resolve()
        found = b""
        with source.open_blob(blob, 0) as stream:
            while len(found) <= len(LAYER) and (chunk := stream.read(100_000)):
                found += chunk
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_manifests(registry: FakeRegistry, kind: str) -> None:
    registry.trouble.strange["/manifests/"] = kind
    with opened(registry) as source, pytest.raises(SonataError) as caught:
        source.resolve()
    assert registry.host.partition(":")[0] in caught.value.message


@pytest.mark.parametrize("kind", ["hang", "drip_body", "short"])
def test_what_was_bad_once_is_asked_for_again(registry: FakeRegistry, kind: str) -> None:
    registry.trouble.strange["/manifests/"] = kind
    registry.trouble.strange_times = 1
    with opened(registry, retries=1) as source:
        assert source.resolve().digest


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("endless", "no_http")])
def test_blobs(registry: FakeRegistry, kind: str) -> None:
    registry.trouble.strange["/blobs/"] = kind
    try:
        assert read_layer(registry) != LAYER  # what verifies is the engine's to find out
    except RegistryFailure as error:
        assert "/demo/x" in error.message or registry.host.partition(":")[0] in error.message


@pytest.mark.parametrize("kind", KINDS)
def test_tokens(kind: str) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_image("demo/x", "1", [LAYER])
        registry.trouble.strange["/token"] = kind
        login = Credentials(username="user", password="s3cr3t")
        with opened(registry, login) as source, pytest.raises(SonataError) as caught:
            source.resolve()
        assert "s3cr3t" not in f"{caught.value} {caught.value.hint} {caught.value.details}"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"token": 1}',
        b'{"token": "a\\r\\nX-Evil: 1"}',
        b'{"token": "' + b"a" * 300_000 + b'"}',
        b"{" + b" " * (2 << 20),
        b"[" * 100_000,
        b'{"token": "x", "expires_in": 1e999}',
    ],
)
def test_answers_that_are_no_tokens(body: bytes) -> None:
    with FakeRegistry(auth="bearer") as registry:
        registry.add_image("demo/x", "1", [LAYER])
        registry.trouble.token_body = body
        with opened(registry) as source, pytest.raises(SonataError):
            source.resolve()


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:169.254.169.254]", "[fe80::1]"],
)
def test_addresses_within_are_no_place_for_redirects(host: str) -> None:
    for registry in ("registry.example", "127.0.0.1", "93.184.216.34"):
        base = Origin(scheme="https", host=registry, port=443)
        with pytest.raises(RegistryFailure, match="link-local"):
            follow(base, "/v2/", f"https://{host}/latest", insecure=False)


def test_a_public_address_does_not_lead_to_a_private_one() -> None:
    base = Origin(scheme="https", host="93.184.216.34", port=443)
    with pytest.raises(RegistryFailure, match="private address 10\\.0\\.0\\.1"):
        follow(base, "/v2/", "https://10.0.0.1/x", insecure=False)
    assert follow(base, "/v2/", "https://93.184.216.35/x", insecure=False)[1] == "/x"
    inner = Origin(scheme="https", host="10.0.0.1", port=443)
    assert follow(inner, "/v2/", "https://10.0.0.2/x", insecure=False)[1] == "/x"


def test_settings_are_checked() -> None:
    for wrong in ({"head_seconds": "x"}, {"block_seconds": 0}, {"head_seconds": True}, {"trusted_realms": "x"}):
        with pytest.raises(SonataError, match="of plugin transport docker"):
            transport(**wrong)


def test_links_to_the_next_page() -> None:
    assert next_link('</v2/x/tags/list?last=a,b&n=2>; rel="next"') == "/v2/x/tags/list?last=a,b&n=2"
    assert next_link('</first>; rel="first", </next>; rel=next') == "/next"
    for nothing in ("", "<", "</a", "</a>", '</a>; rel="prev"', 'a; rel="next"'):
        assert next_link(nothing) == ""


def test_a_list_that_never_ends(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_ITEMS", 3)
    for tag in ("a", "b", "c", "d"):
        registry.add_image("demo/x", tag, [LAYER])
    plugin = transport()
    name = f"{registry.host}/demo/x:1"
    options = TransportOptions(endpoints=(Endpoint(reference=name, insecure=True),))
    with pytest.raises(RegistryFailure, match="more than 3 items"):
        plugin.transport_tags(plugin.transport_parse(f"//{name}"), options)


@pytest.mark.parametrize(
    ("host", "no", "proxied"),
    [
        ("h.example", "", True),
        ("h.example", "example", False),
        ("h.example", ".example", False),
        ("h.example", "*.example", False),
        ("h.example", "h.example:80", True),
        ("h.example", "h.example:443", False),
        ("h.example", "other, *", False),
        ("hh.example", "h.example", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "11.0.0.0/8,10.1.2.3", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("127.0.0.1", "", False),
        ("localhost", "", False),
    ],
)
def test_what_goes_past_the_proxy(host: str, no: str, proxied: bool) -> None:
    origin = Origin(scheme="https", host=host, port=443)
    for given in ("proxy.example:3128", "http://proxy.example:3128"):
        assert bool(proxy_for(origin, {"https": given, "no": no})) == proxied
    if proxied:
        with pytest.raises(SonataError, match="proxy of scheme socks5"):
            proxy_for(origin, {"https": "socks5://p:1", "no": no})
