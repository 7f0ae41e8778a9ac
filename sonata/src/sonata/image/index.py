"""A list of images while it is edited: its entries, and the bytes that are written of them.

The same entries can be written as an OCI index or as a Docker manifest list. Which of both is chosen
as the container tools choose, and members and keys are written in their order, so that the same
list has the same digest everywhere.
"""

from sonata.image.convert import go_json
from sonata.image.document import Fields
from sonata.image.manifest import Index, descriptor, parse_bytes
from sonata_core.errors import Damaged, NotFound
from sonata_core.lite import Mapping
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes, Platform
from sonata_core.models.media import DOCKER_LIST, OCI_INDEX
from sonata_core.record import Record
from sonata_core.sdk.manifests import digest_of, load_object

ANYWHERE = Platform(os="", architecture="")
"""The platform of what has none, such as an artifact."""

ZSTD_MARK = "io.github.containers.compression.zstd"
"""The annotation of an instance whose layers are compressed with zstd."""


class Entry(Record):
    """One instance. `features` only Docker's form has; `data` (base64), `annotations` and the type only OCI's."""

    descriptor: Descriptor
    features: tuple[str, ...] = ()
    data: str = ""

    @property
    def digest(self) -> Digest:
        return self.descriptor.digest

    @property
    def platform(self) -> Platform:
        return self.descriptor.platform or ANYWHERE

    def described(self, **changes: object) -> "Entry":
        """The entry with other members of its descriptor."""
        return self.replace(descriptor=self.descriptor.replace(**changes))


class ImageList(Record):
    """An index. `entries` None: it never had any, which is written as null."""

    entries: tuple[Entry, ...] | None = None
    annotations: Mapping[str, str] = {}
    artifact_type: str = ""
    subject: Descriptor | None = None

    def entry(self, digest: str) -> Entry:
        """The instance with that digest. Raises NotFound in Podman's words."""
        for one in self.entries or ():
            if one.digest == digest:
                return one
        raise NotFound(
            f'no Docker manifest matching digest "{digest}" was found in list: '
            "no image instance matching the specified digest was found in the list or index"
        )

    def with_entry(self, new: Entry) -> "ImageList":
        """With an instance at the end; one of that digest that is there already is taken away."""
        kept = tuple(one for one in self.entries or () if one.digest != new.digest)
        return self.replace(entries=(*kept, new))

    def changed(self, new: Entry, digest: str = "") -> "ImageList":
        """With another entry in the place of the one with its digest, or with `digest`. Raises NotFound."""
        old = self.entry(digest or new.digest)
        return self.replace(entries=tuple(new if one is old else one for one in self.entries or ()))

    def without(self, digest: str) -> "ImageList":
        """Without an instance. Raises NotFound in Podman's words."""
        kept = tuple(one for one in self.entries or () if one.digest != digest)
        if len(kept) == len(self.entries or ()):
            raise NotFound(f'no instance matching digest "{digest}" found in manifest list: file does not exist')
        return self.replace(entries=kept)


def parse_list(content: bytes) -> ImageList:
    """The list that a manifest's bytes are. Raises Damaged for anything else, malformed or of two minds."""
    document = parse_bytes(content)
    if not isinstance(document, Index):
        raise Damaged(f"a manifest of the type {document.media_type} is no list")
    fields = Fields(load_object(content, "manifest list"), "manifest list")
    subject = fields.part("subject")
    rows = fields.value.get("manifests")
    return ImageList(
        entries=None
        if rows is None
        else tuple(_entry(Fields(item, "manifests")) for item in fields.items("manifests")),
        annotations=fields.text_map("annotations"),
        artifact_type=fields.text("artifactType"),
        subject=None if subject is None else descriptor(subject),
    )


def _entry(fields: Fields) -> Entry:
    platform = fields.part("platform")
    return Entry(
        descriptor=descriptor(fields),
        features=() if platform is None else platform.texts("features"),
        data=fields.text("data"),
    )


def best_type(images: ImageList) -> str:
    """The form that loses nothing: OCI's for what only that has, Docker's for features and for an empty list."""
    entries = images.entries or ()
    if images.artifact_type or images.subject or images.annotations:
        return OCI_INDEX
    if any(one.descriptor.artifact_type or one.descriptor.annotations or one.data for one in entries):
        return OCI_INDEX
    return OCI_INDEX if entries and not any(one.features for one in entries) else DOCKER_LIST


def write_list(images: ImageList, media_type: str = "") -> ManifestBytes:
    """The list's bytes in a form, by default in the best."""
    media_type = media_type or best_type(images)
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type}
    write = _docker_entry if media_type == DOCKER_LIST else _oci_entry
    rows = None if images.entries is None else [write(one) for one in images.entries]
    if media_type == DOCKER_LIST:
        document["manifests"] = rows
    else:
        if images.artifact_type:
            document["artifactType"] = images.artifact_type
        document["manifests"] = rows
        if images.subject is not None:
            document["subject"] = written(images.subject)
        if images.annotations:
            document["annotations"] = dict(sorted(images.annotations.items()))
    content = go_json(document)
    return ManifestBytes(media_type=media_type, digest=digest_of(content), content=content)


def _docker_entry(one: Entry) -> dict[str, object]:
    item = one.descriptor
    found: dict[str, object] = {"mediaType": item.media_type, "size": item.size, "digest": item.digest}
    if item.urls:
        found["urls"] = list(item.urls)
    found["platform"] = _platform(one.platform, one.features)
    return found


def _oci_entry(one: Entry) -> dict[str, object]:
    return written(one.descriptor, one.data)


def written(item: Descriptor, data: str = "") -> dict[str, object]:
    """A descriptor as OCI's structures are written: empty members left out, a platform of nothing too."""
    found: dict[str, object] = {"mediaType": item.media_type, "digest": item.digest, "size": item.size}
    if item.urls:
        found["urls"] = list(item.urls)
    if item.annotations:
        found["annotations"] = dict(sorted(item.annotations.items()))
    if data:
        found["data"] = data
    if item.platform not in (None, ANYWHERE):
        found["platform"] = _platform(item.platform)
    if item.artifact_type:
        found["artifactType"] = item.artifact_type
    return found


def _platform(platform: Platform | None, features: tuple[str, ...] = ()) -> dict[str, object]:
    known = platform or ANYWHERE
    rest: dict[str, object] = {
        "os.version": known.os_version,
        "os.features": list(known.os_features),
        "variant": known.variant,
        "features": list(features),
    }
    shown = {key: value for key, value in rest.items() if value}
    return {"architecture": known.architecture, "os": known.os, **shown}


def view(
    images: ImageList, media_type: str = "", files: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, object]:
    """What `manifest inspect` shows. `files` are those that artifacts among the instances were made of, by digest."""
    found: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type or best_type(images)}
    if images.artifact_type:
        found["artifactType"] = images.artifact_type
    rows = [_viewed(one, (files or {}).get(one.digest, ())) for one in images.entries or ()]
    found["manifests"] = None if images.entries is None else rows
    if images.subject is not None:
        found["subject"] = _viewed(Entry(descriptor=images.subject), ())
    if images.annotations:
        found["annotations"] = dict(sorted(images.annotations.items()))
    return found


def _viewed(one: Entry, files: tuple[str, ...]) -> dict[str, object]:
    item = one.descriptor
    found = _docker_entry(one)
    more: dict[str, object] = {
        "annotations": dict(sorted(item.annotations.items())),
        "artifactType": item.artifact_type,
        "data": one.data,
        "files": list(files),
    }
    return {**found, **{key: value for key, value in more.items() if value}}
