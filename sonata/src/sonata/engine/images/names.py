"""Naming images: `tag` and `untag`."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.images import lookup
from sonata.image.reference import normal_name
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.engine import Engine


def tag(engine: Engine, name: str, names: Sequence[str]) -> None:
    """Give an image more names; one that another image has is taken from it. Raises NotFound, UsageError."""
    image, _ = lookup.get(engine, name, lists=True)
    for new in names:
        if "@" in new or new.startswith("sha256:"):
            raise UsageError(f"{new}: tag by digest not supported", hint="a name looks like host/repository:tag")
    for new in names:
        image = engine.store.add_names(image, [str(normal_name(new, told=2))])
        events.thing(engine, "image", "tag", new, image.id)


def untag(engine: Engine, name: str, names: Sequence[str]) -> None:
    """Take names from an image, all of them where none is given. Raises NotFound, UsageError."""
    image, _ = lookup.get(engine, name, lists=True)
    full = [str(normal_name(one)) for one in names]
    for one in full:
        if one not in image.names:
            raise NotFound(f"{one}: tag not known", name=one)
    if names:
        engine.store.remove_names(image, full)
    else:
        engine.store.set_names(image, [])
    for one in full or image.names:
        events.thing(engine, "image", "untag", one, image.id)
