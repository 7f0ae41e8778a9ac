"""What refers to a manifest: the referrers API, and the tag that stands in for it where a registry has none.

distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema".
"""

from __future__ import annotations

import json

from sonata_core.errors import Damaged, NotFound, RegistryFailure
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import MANIFEST_LIMIT, OCI_INDEX
from sonata_core.naming import check_digest, digest_parts
from sonata_core.sdk.manifests import digest_of, load_object
from sonata_transport_registry.address import follow
from sonata_transport_registry.pages import MOST_PAGES, next_link
from sonata_transport_registry.wire import discard, read_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.ids import Digest
    from sonata_transport_registry.client import Client

_MOST = 10_000
"""As many referrers are listed at most."""
_NO_API = (400, 404, 405)


def list_referrers(client: Client, digest: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
    """Manifests of the repository whose subject is `digest`. Raises Denied, RegistryFailure."""
    pages = _pages(client, digest, artifact_type)
    if pages is None:
        kept = _tagged(client, digest, "pull")
        pages = [] if kept is None else [kept]
    found: dict[str, Descriptor] = {}
    for page in pages:
        for row in _rows(page):
            try:
                blob = _descriptor(row)
            except Damaged as error:
                raise RegistryFailure(f"{_what(client, digest)}: {error.message}") from error
            if not artifact_type or blob.artifact_type == artifact_type:
                found.setdefault(blob.digest, blob)
    return tuple(found.values())


def _what(client: Client, digest: str) -> str:
    return f"fetching referrers of {digest} in {client.name.repository}"


def _pages(client: Client, digest: Digest, artifact_type: str) -> list[dict[str, object]] | None:
    """The answers of the API, page by page; None where the registry has no such thing."""
    from urllib.parse import urlencode

    what = _what(client, digest)
    query = f"?{urlencode({'artifactType': artifact_type})}" if artifact_type else ""
    target = f"{client.base}/referrers/{check_digest(digest)}{query}"
    found: list[dict[str, object]] = []
    seen: set[str] = set()
    count = 0
    while target and target not in seen:
        if len(seen) >= MOST_PAGES:
            raise RegistryFailure(f"{what}: the list has no end")
        seen.add(target)
        answer = client.get("GET", target, {"Accept": OCI_INDEX})
        if answer.status in _NO_API and not found:
            discard(answer)
            return None
        if answer.status != 200:
            raise client.failure(what, answer)
        link = next_link(answer.headers.get("Link", ""))
        try:
            page = load_object(read_all(answer, MANIFEST_LIMIT, what), "the answer")
        except Damaged as error:
            raise RegistryFailure(f"{what}: {error.message}") from error
        found.append(page)
        count += len(_rows(page))
        if count > _MOST:
            raise RegistryFailure(f"{what}: there are more than {_MOST}")
        target = follow(client.origin(), target, link, insecure=client.wire.insecure)[1] if link else ""
    return found


def _rows(index: dict[str, object]) -> list[Any]:
    rows = index.get("manifests") or []
    return rows if isinstance(rows, list) else []


def _descriptor(row: object) -> Descriptor:
    if not isinstance(row, dict):
        raise Damaged("a descriptor is no object")
    size, kind, own = row.get("size"), row.get("mediaType"), row.get("artifactType", "")
    notes = row.get("annotations") or {}
    whole = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 63
    texts = isinstance(kind, str) and isinstance(own, str) and isinstance(notes, dict)
    if not (whole and texts and all(isinstance(text, str) for text in notes.values())):
        raise Damaged("a descriptor is malformed")
    return Descriptor(
        media_type=str(kind), digest=check_digest(row.get("digest")), size=int(size or 0), annotations=notes,
        artifact_type=str(own),
    )  # fmt: skip


def fallback_tag(digest: str) -> str:
    """The tag under which referrers are listed where there is no API for them."""
    algorithm, text = digest_parts(digest)
    return f"{algorithm[:32]}-{text[:64]}"


def _tagged(client: Client, digest: str, scope: str) -> dict[str, object] | None:
    """The index under the fallback tag; None where there is none."""
    what = _what(client, digest)
    answer = client.get("GET", f"{client.base}/manifests/{fallback_tag(digest)}", {"Accept": OCI_INDEX}, scope)
    if answer.status == 404:
        discard(answer)
        return None
    if answer.status != 200:
        error = client.failure(what, answer)
        if isinstance(error, NotFound):
            return None
        raise error
    try:
        return load_object(read_all(answer, MANIFEST_LIMIT, what), "the index of referrers")
    except Damaged as error:
        raise RegistryFailure(f"{what}: {error.message}") from error


def note_subject(client: Client, manifest: ManifestBytes, put: Callable[[ManifestBytes, str], object]) -> None:
    """After a manifest with a subject was put into a registry that has no API: add it to the list under the tag.

    `put` stores a manifest under a tag. Two writers at the same moment may lose one of their entries: the
    protocol has no better.
    """
    document = load_object(manifest.content, "manifest")
    subject = document.get("subject")
    if not isinstance(subject, dict):
        return
    digest = check_digest(subject.get("digest"))
    index = _tagged(client, digest, "pull,push") or {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    rows = _rows(index)
    if any(isinstance(row, dict) and row.get("digest") == manifest.digest for row in rows):
        return
    config = document.get("config")
    kind = document.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else "")
    row = {"mediaType": manifest.media_type, "digest": manifest.digest, "size": len(manifest.content)}
    row |= {"artifactType": kind} if kind else {}
    row |= {"annotations": document["annotations"]} if document.get("annotations") else {}
    content = json.dumps({**index, "manifests": [*rows, row]}, separators=(",", ":"), ensure_ascii=False).encode()
    made = ManifestBytes(media_type=OCI_INDEX, digest=digest_of(content), content=content)
    put(made, fallback_tag(digest))
