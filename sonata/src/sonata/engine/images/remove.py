"""Removing images, and names of images."""

from __future__ import annotations

from sonata.engine import events, storage
from sonata.engine.images import lookup
from sonata.image.reference import local_name
from sonata.state import containers as rows
from sonata_core.errors import Conflict, Denied, InUse, NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord

    Evict = Callable[[Engine, str], None]


class Removal(Record):
    """How to remove. `evict`, for `--force`: removes a container that uses the image; all names go too then.

    `ignore`: a name that is not known is no error. `prune`: what an image was built upon goes with it, if it has
    neither a name nor another child.
    """

    evict: Evict | None = None
    ignore: bool = False
    prune: bool = True


class Removed(Record):
    """What a removal did: names that were taken, ids of images that are gone, and what could not be done.

    `processed` are all images that were touched; one that others are built upon goes, and is not among `deleted`, as
    its layers stay.
    """

    untagged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    processed: tuple[str, ...] = ()
    errors: tuple[SonataError, ...] = ()


def remove(engine: Engine, text: str, how: Removal | None = None) -> Removed:
    """Remove a name; with its last name, or by id, the image. Raises NotFound, InUse, Conflict, Denied."""
    work = _Work(engine, how or Removal())
    image, by = work.look_up(text)
    work.remove(image, by)
    return work.done()


def remove_several(engine: Engine, names: Iterable[str], how: Removal) -> Removed:
    """Remove images by names or ids. Those that cannot be removed stop no other: see `errors`."""
    work = _Work(engine, how)
    wanted: dict[str, tuple[ImageRecord, list[str]]] = {}
    for text in names:
        try:
            image, by = work.look_up(text)
        except NotFound as error:
            if how.evict is None and not how.ignore:
                work.errors.append(error)
            continue
        except SonataError as error:
            work.fail(error, text)
            continue
        wanted.setdefault(image.id, (image, []))[1].append(by)
    for image, several in wanted.values():
        for by in several:
            work.attempt(image, by)
    return work.done()


def remove_records(engine: Engine, images: Iterable[ImageRecord], how: Removal) -> Removed:
    """Remove images with all their names. Those that cannot be removed stop no other: see `errors`."""
    work = _Work(engine, how)
    for image in images:
        work.attempt(image, "")
    return work.done()


class _Work:
    """One command's removals, and what came of them."""

    def __init__(self, engine: Engine, how: Removal) -> None:
        self._engine = engine
        self._how = how
        self._untagged: dict[str, list[str]] = {}
        self._deleted: set[str] = set()
        self.errors: list[SonataError] = []

    def look_up(self, text: str) -> tuple[ImageRecord, str]:
        """An image, and by what it is to be removed: the name that the text stands for, or the text itself.

        A list stands for the image of this host's platform, as everywhere, and for itself where that is not here.
        """
        image, name = lookup.get(self._engine, text, lists=True)
        if image.is_list:
            instance = lookup.find(self._engine, text)
            if instance is not None and not text.startswith("sha256:"):
                by_id = image.id.startswith(text) and text not in image.names
                return instance[0], str(local_name(text)) if by_id else name or text
            image = instance[0] if instance else image
        if text.startswith("sha256:") or (image.id.startswith(text) and text not in image.names):
            return image, text
        return image, text if "@" in text else name or text

    def attempt(self, image: ImageRecord, by: str) -> None:
        """As `remove`; an error is kept."""
        try:
            self.remove(image, by)
        except SonataError as error:
            self.fail(error, by or image.id)

    def fail(self, error: SonataError, what: str) -> None:
        """Keep an error."""
        error.details.setdefault("object", what)
        self.errors.append(error)

    def done(self) -> Removed:
        """What was done."""
        return Removed(
            untagged=tuple(name for names in self._untagged.values() for name in names),
            deleted=tuple(image for image in self._untagged if image in self._deleted),
            processed=tuple(self._untagged),
            errors=tuple(self.errors),
        )

    def remove(self, image: ImageRecord, by: str) -> None:
        """Remove an image, or its name `by` while it has others; then what it was built upon, if nothing needs that."""
        engine = self._engine
        records = engine.store.image_records()
        now = next((one for one in records if (one.id, one.store) == (image.id, image.store)), None)
        if now is None:
            return
        if now.read_only:
            raise Denied(f'cannot remove read-only image "{now.id}"', hint="it lies in an additional image store")
        if self._untag(now, by):
            return
        from sonata.engine.images.kinship import Kinship

        _free(engine, now, self._how)
        kinship = Kinship(engine)
        needed, parent = kinship.has_children(now), kinship.parent(now)
        engine.store.delete_image(now, unmount=lambda path: storage.unmount(engine, path))
        storage.leave_home(engine)
        self._untagged.setdefault(now.id, []).extend(now.names)
        if not needed:
            self._deleted.add(now.id)
        for one in now.names:
            events.thing(engine, "image", "untag", one, now.id)
        events.thing(engine, "image", "remove", now.names[0] if now.names else now.id, now.id)
        if not self._how.prune or parent is None or parent.names or parent.read_only:
            return
        if not Kinship(engine).has_children(parent):
            self.remove(parent, "")

    def _untag(self, image: ImageRecord, by: str) -> bool:
        """Take the name away, if it is one and there are others. Raises Conflict, NotFound."""
        if not by or len(image.names) == 1:
            return False
        digest = by.startswith("sha256:")
        if digest or image.id.startswith(by):
            if image.names and self._how.evict is None:
                raise Conflict(
                    f'unable to delete image "{image.id}" by {"digest" if digest else "ID"} with more than one tag '
                    f"([{' '.join(image.names)}]): please force removal",
                    hint="`--force` removes all of them",
                )
            return False
        if by not in image.names:
            raise UsageError(f"{by}: tag not known")
        self._engine.store.remove_names(image, [by])
        self._untagged.setdefault(image.id, []).append(by)
        events.thing(self._engine, "image", "untag", by, image.id)
        return True


def _free(engine: Engine, image: ImageRecord, how: Removal) -> None:
    """Remove the containers that use the image, or raise InUse naming one."""
    users = rows.using_image(engine.database, image.id)
    users += [one for one in rows.mounting_image(engine.database, image.id) if one not in users]
    if how.evict is not None:
        for user in users:
            how.evict(engine, user)
        users = []
    foreign = [one for one in engine.store.containers() if one.image == image.id and one.id not in users]
    if foreign and how.evict is not None:
        from sonata.engine.containers.external import remove as remove_external

        for one in foreign:
            remove_external(engine, one, force=True)
        foreign = []
    taken = [*users, *(str(one.id) for one in foreign)]
    if taken:
        raise InUse(
            f"image used by {taken[0]}: image is in use by a container: "
            "consider listing external containers and force-removing image",
            hint="`sonata ps -a --external` shows it",
        )
