"""`load`: every image of an archive."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.images.access import transport_options
from sonata.engine.images.pull import pull_reference
from sonata.model.image_request import PullOptions
from sonata_core.errors import Damaged, SonataError
from sonata_core.hookspecs.transport import TransportTags
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress

_KINDS = ("docker-archive", "oci-archive")
_FOLDERS = ("oci", "dir")


def load(engine: Engine, path: str, options: PullOptions, progress: Progress | None = None) -> list[str]:
    """Load all images of an archive or a folder; their names, or ids where they have none.

    Raises Damaged where no transport can read it, with each one's reason.
    """
    troubles: list[str] = []
    for scheme in _FOLDERS if os.path.isdir(path) else _KINDS:
        try:
            selectors = _selectors(engine, scheme, path, options)
        except SonataError as error:
            troubles.append(f"{scheme}: {error.message}")
            continue
        return [
            _one(engine, scheme, f"{path}:{selector}" if selector else path, options, progress)
            for selector in selectors
        ]
    told = "".join(f"\n * {trouble}" for trouble in troubles)
    raise Damaged(f"payload does not match any of the supported image formats:{told}")


def _selectors(engine: Engine, scheme: str, path: str, options: PullOptions) -> list[str]:
    slot = engine.transport(scheme)
    reference = slot.hook.transport_parse(text=path)
    if scheme == "dir":
        with slot.hook.transport_open_source(reference=reference, options=transport_options(engine, options)):
            return [""]
    found = slot.require(TransportTags).transport_tags(reference=reference, options=transport_options(engine, options))
    return list(dict.fromkeys(found))


def _one(engine: Engine, scheme: str, text: str, options: PullOptions, progress: Progress | None) -> str:
    reference = engine.transport(scheme).hook.transport_parse(text=text)
    image, name = pull_reference(engine, reference, options, (), progress)
    events.thing(engine, "image", "loadfromarchive", text, image.id)
    return name or f"sha256:{image.id}"
