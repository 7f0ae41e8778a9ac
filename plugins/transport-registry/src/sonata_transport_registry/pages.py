"""Lists that come in pages."""

from __future__ import annotations

from sonata_core.errors import RegistryFailure
from sonata_core.lite import TYPE_CHECKING
from sonata_transport_registry.address import follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sonata_transport_registry.answer import Answer
    from sonata_transport_registry.client import Client

MOST_PAGES = 10_000
MOST_ITEMS = 1_000_000
_LONGEST_LINK = 1 << 16


def next_link(header: str) -> str:
    """The address of a `Link` header with `rel="next"` (RFC 8288); only path and query of it are used."""
    at = 0
    header = header[:_LONGEST_LINK]  # many headers come as one, and a hundred of them may be megabytes
    while (begin := header.find("<", at)) >= 0:
        end = header.find(">", begin)
        if end < 0:
            return ""
        following = header.find("<", end)
        parameters = header[end + 1 : following if following >= 0 else len(header)].replace(" ", "")
        if 'rel="next"' in parameters or "rel=next" in parameters:
            return header[begin + 1 : end]
        at = end + 1
    return ""


class Pages:
    """The pages of a list, one after the other: of the registry's own host, none twice, and not without end."""

    def __init__(self, client: Client, target: str, scope: str, what: str) -> None:
        self._client = client
        self._scope = scope
        self._what = what
        self._target = target
        self._items = 0

    def __iter__(self) -> Iterator[Answer]:
        """The answer for each page, whatever its status. Raises RegistryFailure for a list without end."""
        seen: set[str] = set()
        while self._target and self._target not in seen:
            if len(seen) >= MOST_PAGES:
                raise RegistryFailure(f"{self._what}: the list has no end")
            seen.add(self._target)
            answer = self._client.get("GET", self._target, {"Accept": "application/json"}, scope=self._scope)
            link = next_link(answer.headers.get("Link", ""))
            yield answer
            client = self._client
            self._target = follow(client.origin(), self._target, link, insecure=client.wire.insecure)[1] if link else ""

    def count(self, items: int) -> None:
        """So many more items. Raises RegistryFailure where they are more than any registry has."""
        self._items += items
        if self._items > MOST_ITEMS:
            raise RegistryFailure(f"{self._what}: the list has more than {MOST_ITEMS} items")
