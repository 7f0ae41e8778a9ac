"""Questions to a registry that concern no repository: whether it knows us, and what it has."""

from __future__ import annotations

from sonata_core.errors import Denied, RegistryFailure, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import FoundImage
from sonata_core.models.media import MANIFEST_LIMIT
from sonata_core.naming import DOCKER_HUB, parse_name
from sonata_transport_registry.address import origin_of
from sonata_transport_registry.pages import Pages
from sonata_transport_registry.wire import discard, read_all

if TYPE_CHECKING:
    from sonata_transport_registry.client import Client

_HUB_SEARCH = "index.docker.io"
_MOST_TEXT = 4096


def check_login(client: Client) -> None:
    """Raise Denied unless the registry takes the client's credentials; RegistryFailure where it does not answer."""
    answer = client.get("GET", "/v2/", {}, scope="")
    status = answer.status
    if status == 200:
        discard(answer)
        return
    if status == 401:
        discard(answer)
        raise Denied("invalid username/password", hint="check user name and password", status=status)
    raise client.failure(f"pinging container registry {client.name.domain}", answer)


def search(client: Client, term: str, limit: int) -> tuple[FoundImage, ...]:
    """Repositories that match: by `/v1/search`, or from the catalogue where there is no such thing.

    Docker Hub has no catalogue. Raises Denied, RegistryFailure.
    """
    try:
        return _by_search(client, term, limit)
    except SonataError:
        if client.name.domain == DOCKER_HUB:
            raise
    return _by_catalogue(client, term, limit)


def _by_search(client: Client, term: str, limit: int) -> tuple[FoundImage, ...]:
    from urllib.parse import urlencode

    hub = client.name.domain == DOCKER_HUB
    origin = origin_of("https", _HUB_SEARCH) if hub else client.origin()
    what = f"searching registry {client.name.domain}"
    answer = client.wire.ask("GET", origin, "/v1/search?" + urlencode({"n": limit, "q": term}), {})
    if answer.status != 200:
        raise client.failure(what, answer)
    results = _document(read_all(answer, MANIFEST_LIMIT, what), what).get("results")
    if not isinstance(results, list):
        raise RegistryFailure(f"{what}: the answer is no list of results")
    found = (_found(item) for item in results if isinstance(item, dict))
    return tuple(one for one in found if one is not None)[:limit]


def _found(item: dict[str, object]) -> FoundImage | None:
    name, text, stars = item.get("name"), item.get("description"), item.get("star_count")
    if not isinstance(name, str) or not _is_path(name):
        return None
    return FoundImage(
        name=name,
        description=text[:_MOST_TEXT] if isinstance(text, str) else "",
        stars=stars if isinstance(stars, int) else 0,
        official=item.get("is_official") is True,
        automated=item.get("is_automated") is True or item.get("is_trusted") is True,
    )


def _by_catalogue(client: Client, term: str, limit: int) -> tuple[FoundImage, ...]:
    what = f"searching the catalogue of {client.name.domain}"
    found: list[FoundImage] = []
    pages = Pages(client, "/v2/_catalog", "", what)
    for answer in pages:
        if answer.status == 401:
            discard(answer)
            raise Denied("authentication required", hint="log in to the registry", status=401)
        if answer.status != 200:
            raise client.failure(what, answer)
        names = _document(read_all(answer, MANIFEST_LIMIT, what), what).get("repositories")
        listed = names if isinstance(names, list) else []
        pages.count(len(listed))
        for name in listed:
            if isinstance(name, str) and term in name and _is_path(name):
                found.append(FoundImage(name=name))
        if len(found) >= limit:
            break
    return tuple(found[:limit])


def _is_path(name: str) -> bool:
    """Whether it can be the path of a repository; a registry's word alone is none."""
    try:
        return parse_name(f"h.example/{name}").path == name
    except SonataError:
        return False


def _document(raw: bytes, what: str) -> dict[str, object]:
    import json

    try:
        document = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RegistryFailure(f"{what}: the answer is not JSON") from error
    if not isinstance(document, dict):
        raise RegistryFailure(f"{what}: the answer is not an object")
    return document
