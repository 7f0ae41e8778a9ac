"""Removing images, and names of images."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.images import lookup
from sonata.state import containers as rows
from sonata_core.errors import InUse
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord


class Removed(Record):
    """What a removal did: names that were taken, and the image's id if it is gone."""

    untagged: tuple[str, ...] = ()
    deleted: str = ""


def remove(engine: Engine, text: str, *, force: bool = False, every_name: bool = False) -> Removed:
    """Remove a name; with its last name, or by id, the image. `force` removes its containers and all names.

    `every_name` removes all names, and no container. Raises NotFound, InUse.
    """
    image, name = lookup.get(engine, text)
    by_id = image.id.startswith(text.removeprefix("sha256:")) and text not in image.names
    if not by_id and len(image.names) > 1:
        taken = name or text
        engine.store.remove_names(image, [taken])
        events.thing(engine, "image", "untag", taken, image.id)
        return Removed(untagged=(taken,))
    if by_id and len(image.names) > 1 and not (force or every_name):
        raise InUse(
            f'unable to delete image "{image.id}" by ID with more than one tag '
            f"([{' '.join(image.names)}]): please force removal",
            hint="`--force` removes all of them",
        )
    _free(engine, image, force=force)
    names = image.names
    engine.store.delete_image(image, unmount=lambda path: storage.unmount(engine, path))
    for one in names:
        events.thing(engine, "image", "untag", one, image.id)
    events.thing(engine, "image", "remove", names[0] if names else image.id, image.id)
    return Removed(untagged=names, deleted=image.id)


def _free(engine: Engine, image: ImageRecord, *, force: bool) -> None:
    """Remove the containers that use the image, or raise InUse naming one."""
    users = rows.using_image(engine.database, image.id)
    users += [one for one in rows.mounting_image(engine.database, image.id) if one not in users]
    foreign = [one.id for one in engine.store.containers() if one.image == image.id and one.id not in users]
    if force:
        from sonata.engine.containers.remove import remove as remove_container

        for user in users:
            remove_container(engine, user, force=True, timeout=0)
        users = []
    taken = [*users, *foreign]
    if taken:
        who = "an external container" if taken[0] in foreign else "container"
        raise InUse(
            f"image used by {taken[0]}: image is in use by {who if taken[0] in foreign else 'a container'}: "
            "consider listing external containers and force-removing image",
            hint="`sonata ps -a --external` shows it; `--force` removes Sonata's own",
        )
