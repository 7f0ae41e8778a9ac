"""Searching registries, and listing the tags of a repository."""

from __future__ import annotations

from sonata.config.certs import cert_dirs
from sonata.engine.images import lookup
from sonata.engine.images.access import credentials_for, transport_options
from sonata_core.errors import RegistryFailure, SonataError, UsageError
from sonata_core.hookspecs.transport import TransportSearch, TransportTags
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.model.image_request import SearchRequest
    from sonata_core.models.image import Endpoint, FoundImage

_DEFAULT_LIMIT = 25
_MOST = 100


class Hit(Record):
    """One thing found. `index` is the registry, `name` with the registry before it."""

    index: str
    name: str
    description: str = ""
    stars: int = 0
    official: bool = False
    automated: bool = False
    tag: str = ""


def search(engine: Engine, request: SearchRequest) -> list[Hit]:
    """What the registries have, those of the configuration where the term names none.

    Raises UsageError for a wrong filter, RegistryFailure with every registry's trouble if all failed.
    """
    wanted = filters(request.filter)
    if request.list_tags and request.filter:
        raise UsageError("filters are not applicable to list tags result", hint="leave out --filter")
    found: list[Hit] = []
    troubles: list[str] = []
    for host, term in _places(engine, request.term):
        try:
            found += _tags(engine, host, term, request) if request.list_tags else _hits(engine, host, term, request)
        except SonataError as error:
            asked = "getting repository tags" if request.list_tags else f'couldn\'t search registry "{host}"'
            troubles.append(f"{asked}: {error.message}")
    if troubles and not found:
        errors = "1 error" if len(troubles) == 1 else f"{len(troubles)} errors"
        listed = "".join(f"\n\t* {text}" for text in troubles)
        raise RegistryFailure(f"{errors} occurred:{listed}\n\n")
    return [hit for hit in found if all(test(hit) for test in wanted)]


def filters(texts: Iterable[str]) -> list[Callable[[Hit], bool]]:
    """Tests for `stars=N`, `is-official[=B]`, `is-automated[=B]`. Raises UsageError."""
    tests: list[Callable[[Hit], bool]] = []
    for text in texts:
        key, equals, value = text.partition("=")
        if key == "stars":
            if not equals:
                raise UsageError(f'invalid filter ["{text}"], should be stars=<value>')
            tests.append(_stars(value))
        elif key in ("is-official", "is-automated"):
            tests.append(_is(key.removeprefix("is-"), value if equals else "true"))
        else:
            raise UsageError(f'invalid filter type "{text}"', hint="stars=N, is-official=BOOL, is-automated=BOOL")
    return tests


def _stars(value: str) -> Callable[[Hit], bool]:
    if not value.lstrip("-").isdecimal():
        raise UsageError(f'incorrect value type for stars filter: strconv.Atoi: parsing "{value}": invalid syntax')
    return lambda hit: hit.stars >= int(value)


def _is(field: str, value: str) -> Callable[[Hit], bool]:
    from sonata.plan.values import boolean

    wanted = boolean(value)
    return lambda hit: bool(getattr(hit, field)) == wanted


def _places(engine: Engine, text: str) -> list[tuple[str, str]]:
    """Registry and term, one for each registry that is asked."""
    host, slash, rest = text.removeprefix("docker://").partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return [(host, rest)]
    return [(registry, text) for registry in lookup.registries(engine).search]


def _endpoint(engine: Engine, host: str, path: str, request: SearchRequest) -> Endpoint:
    endpoint = lookup.registries(engine).push_endpoint(f"{host}/{path}")
    return endpoint.replace(
        credentials=credentials_for(engine, endpoint.reference, request),
        cert_dirs=cert_dirs(engine.config.places, endpoint.reference.partition("/")[0], request.cert_dir),
    )


def _hits(engine: Engine, host: str, term: str, request: SearchRequest) -> list[Hit]:
    limit = min(request.limit or _DEFAULT_LIMIT, _MOST)
    endpoint = _endpoint(engine, host, "none", request)
    endpoint = endpoint.replace(reference=endpoint.reference.partition("/")[0])
    options = transport_options(engine, request, (endpoint,))
    searching = engine.transport("docker").require(TransportSearch)
    found: tuple[FoundImage, ...] = searching.transport_search(
        endpoint=endpoint, term=term, limit=max(limit, 0), options=options
    )
    return [
        Hit(
            index=host,
            name=f"{host}/{_full(host, one.name)}",
            description=" ".join(one.description.split("\n")),
            stars=one.stars,
            official=one.official,
            automated=one.automated,
        )
        for one in found
    ]


def _full(host: str, path: str) -> str:
    return f"library/{path}" if host == "docker.io" and "/" not in path else path


def _tags(engine: Engine, host: str, term: str, request: SearchRequest) -> list[Hit]:
    if not term:
        return []
    name = parse_name(f"{host}/{_full(host, term)}").repository
    endpoint = _endpoint(engine, host, name.partition("/")[2], request)
    slot = engine.transport("docker")
    reference = slot.hook.transport_parse(text=f"//{name}")
    options = transport_options(engine, request, (endpoint,))
    tags = slot.require(TransportTags).transport_tags(reference=reference, options=options)
    limit = request.limit or len(tags)
    return [Hit(index=host, name=name, tag=tag) for tag in tags[: max(limit, 0)]]
