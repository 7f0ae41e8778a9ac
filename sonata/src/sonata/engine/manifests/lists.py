"""Lists of images in the store: records without a layer, in the shape that Podman and Buildah give them.

A list's record has three items: `manifest`, the index itself; `instances.json`, where each instance
is (digest → reference; the empty digest is the list's own id); `artifacts.json`, what is known of
the files that became artifacts among the instances.
"""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.image.index import ImageList, parse_list, write_list
from sonata.store.names import dump_json, new_id
from sonata.store.records import INSTANCES, NewImage
from sonata_core.errors import Damaged, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import ImageId
from sonata_core.models.media import DOCKER_LIST
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord

_ARTIFACTS = "artifacts.json"
_PARTS = ("manifests", "files", "config", "layers", "detached", "blobs")
_LIMIT = 64 << 20


class StoredList(Record):
    """A list: the index, the references of instances by digest, and the tables of `artifacts.json`."""

    images: ImageList = ImageList()
    instances: dict[str, str] = {}
    artifacts: dict[str, dict[str, Any]] = {}

    @property
    def files(self) -> Mapping[str, tuple[str, ...]]:
        """The files that artifacts were made of, by the artifact's digest."""
        return {digest: tuple(paths) for digest, paths in self.artifacts.get("files", {}).items()}


def find(engine: Engine, text: str) -> ImageRecord:
    """The list that `text` names. Raises NotFound, Unsupported for an image that is none."""
    record, name = lookup.get(engine, text, lists=True)
    if not record.is_list:
        raise Unsupported(
            f"{name or record.id}: image is not a manifest list",
            hint=f"`sonata manifest create LIST {text}` makes a list of it",
        )
    return record


def read(engine: Engine, record: ImageRecord) -> StoredList:
    """What a list's record holds. Raises Damaged, NotFound."""
    store = engine.store
    try:
        artifacts = _table(store.image_data(record, _ARTIFACTS), _ARTIFACTS)
    except NotFound:
        artifacts = {}  # a list of an older peer
    instances = _table(store.image_data(record, INSTANCES), INSTANCES)
    if not all(isinstance(value, str) for value in instances.values()):
        raise Damaged(f"{INSTANCES} of list {record.id} holds something that is not a string")
    if not all(isinstance(artifacts.get(part, {}), dict) for part in _PARTS):
        raise Damaged(f"{_ARTIFACTS} of list {record.id} holds something that is not an object")
    return StoredList(
        images=parse_list(store.image_data(record, "manifest")),
        instances={**instances, "": str(record.id)},
        artifacts={part: artifacts[part] for part in _PARTS if artifacts.get(part)},
    )


def _table(content: bytes, what: str) -> dict[str, Any]:
    from sonata_core.sdk.manifests import load_object

    return load_object(content, what, _LIMIT)


def create(engine: Engine, name: str) -> ImageId:
    """An empty list of a name that nothing has yet. Raises AlreadyExists."""
    from time import time_ns

    from sonata.store.names import format_time

    ident = ImageId(new_id())
    new = NewImage(
        id=ident,
        layer=None,
        big_data=_items(StoredList(), DOCKER_LIST),
        names=(name,),
        names_are_new=True,
        created=format_time(time_ns()),
    )
    engine.store.put_image(new)
    return ident


def change(engine: Engine, ident: ImageId, edit: Callable[[StoredList], StoredList]) -> None:
    """Give a list the content that `edit` makes of it, while no other changes it. Raises NotFound, Denied."""
    with engine.store.lock_list(ident):
        record = engine.store.find_image(ident)
        if record is None:
            raise NotFound(f"{ident}: image not known", name=ident)
        engine.store.replace_items(record, _items(edit(read(engine, record))))


def _items(content: StoredList, media_type: str = "") -> tuple[tuple[str, bytes], ...]:
    artifacts = {part: content.artifacts[part] for part in _PARTS if content.artifacts.get(part)}
    return (
        ("manifest", write_list(content.images, media_type).content),
        (INSTANCES, dump_json(dict(sorted(content.instances.items())))),
        (_ARTIFACTS, dump_json({part: dict(sorted(table.items())) for part, table in artifacts.items()})),
    )
