"""`manifest create`, `add`, `annotate` and `remove`: lists of images, edited."""

from __future__ import annotations

from sonata.engine import events
from sonata.engine.manifests import described, lists
from sonata.engine.manifests.members import open_member
from sonata.image.platform import host_platform
from sonata.image.reference import normal_name
from sonata.model.image_request import PullOptions
from sonata_core.errors import AlreadyExists, NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import ImageId
from sonata_core.models.image import Descriptor

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.engine.manifests.lists import StoredList
    from sonata.image.index import Entry
    from sonata.model.manifest_request import ListAddRequest, ListAnnotateRequest, ListCreateRequest

_IMAGE = "image to add to manifest list"


def create(engine: Engine, request: ListCreateRequest) -> ImageId:
    """A new list with the images in it, or with `amend` the list of that name; its id.

    Raises AlreadyExists, and what `add` raises: the list then stays, with the images before the one that failed.
    """
    more = described.pairs(request.annotation)
    name = str(normal_name(request.name))
    try:
        ident = lists.create(engine, name)
    except AlreadyExists as error:
        found = engine.store.find_image(name)
        if found is None or not found.is_list or not request.amend:
            if not error.hint or (found is not None and found.is_list):
                error.hint = "`--amend` adds to the list that has the name"
            raise
        ident = found.id
    if more:
        lists.change(engine, ident, lambda old: _noted(old, more))
    options = PullOptions(tls_verify=request.tls_verify)
    for image in request.images:
        _add(engine, ident, image, options, every=request.all)
    return ident


def _noted(old: StoredList, more: dict[str, str]) -> StoredList:
    return old.replace(images=old.images.replace(annotations={**old.images.annotations, **more}))


def _add(engine: Engine, ident: ImageId, text: str, options: PullOptions, *, every: bool) -> list[Entry]:
    """Add one image; the entries that it brought. Everything is read before the list is locked."""
    source, written = open_member(engine, text, options, _IMAGE)
    with source:
        found = described.entries_of(source, host_platform(engine.facts.machine), every=every)

    def edit(old: StoredList) -> StoredList:
        images, instances = old.images, dict(old.instances)
        for one in found:
            images = images.with_entry(one)
            instances.setdefault(one.digest, written)
        return old.replace(images=images, instances=instances)

    lists.change(engine, ident, edit)
    return found


def add(engine: Engine, request: ListAddRequest) -> ImageId:
    """Add images, or an artifact made of files, to a list; the list's id.

    What the options say is noted of the first entry that each image brings. Raises NotFound, UsageError,
    Unsupported, and what transports raise.
    """
    for text in request.annotation:
        if "=" not in text:
            raise UsageError(f'no value given for annotation "{text}"')
    ident = lists.find(engine, request.name).id
    options = _transfer(request)
    if request.artifact:
        from sonata.engine.manifests.artifacts import add_artifact

        subject = _subject(engine, request.artifact_subject, options) if request.artifact_subject else None
        add_artifact(engine, ident, request, subject)
        return ident
    for image in request.images:
        found = _add(engine, ident, image, options, every=request.all)
        if found:
            _annotate(engine, ident, found[0].digest, request)
    return ident


def _transfer(request: ListAddRequest) -> PullOptions:
    return PullOptions(
        authfile=request.authfile, cert_dir=request.cert_dir, creds=request.creds, tls_verify=request.tls_verify
    )


def _annotate(engine: Engine, ident: ImageId, digest: str, changes: ListAddRequest | ListAnnotateRequest) -> None:
    def edit(old: StoredList) -> StoredList:
        new = described.changed(old.images.entry(digest), changes)
        return old.replace(images=old.images.changed(new))

    lists.change(engine, ident, edit)


_OF_INSTANCES = (
    ("arch", "architecture"),
    ("features", "features"),
    ("os", "OS"),
    ("os_features", "OS features"),
    ("os_version", "OS version"),
    ("variant", "variant"),
)


def annotate(engine: Engine, request: ListAnnotateRequest) -> ImageId:
    """Note something of an instance of a list, or with `index` of the list itself; the list's id.

    Raises NotFound, UsageError, Unsupported.
    """
    if request.index:
        return _annotate_index(engine, request)
    if not request.instance:
        raise UsageError("expected an instance digest, image name, or artifact name")
    described.pairs(request.annotation)
    record = lists.find(engine, request.name)
    if request.subject:
        raise UsageError(
            "setting subject for a manifest list requires no instance digest", hint="give --index, and no instance"
        )
    digest = _digest_of(engine, lists.read(engine, record), request.instance)
    _annotate(engine, record.id, digest, request)
    return record.id


def _annotate_index(engine: Engine, request: ListAnnotateRequest) -> ImageId:
    if request.instance:
        raise UsageError(f'did not expect image or artifact name "{request.instance}" when modifying the entire index')
    more = described.pairs(request.annotation)
    record = lists.find(engine, request.name)
    for field, what in _OF_INSTANCES:
        if getattr(request, field):
            raise UsageError(f"setting {what} on an item in a manifest list requires an instance digest")
    subject = _subject(engine, request.subject, PullOptions()) if request.subject else None

    def edit(old: StoredList) -> StoredList:
        new = _noted(old, more)
        return new if subject is None else new.replace(images=new.images.replace(subject=subject))

    lists.change(engine, record.id, edit)
    return record.id


def _subject(engine: Engine, text: str, options: PullOptions) -> Descriptor:
    """The descriptor of what a list or an artifact refers to: an image, a list or an artifact anywhere."""
    from sonata.image.manifest import LegacyManifest, check_matches, parse

    source, _ = open_member(engine, text, options, "subject for image index", lists=True)
    with source:
        top = source.resolve()
    document = parse(check_matches(top, top.digest))
    kind = "" if isinstance(document, LegacyManifest) else document.artifact_type
    return Descriptor(
        media_type=top.media_type or document.media_type, digest=top.digest, size=len(top.content), artifact_type=kind
    )


def _digest_of(engine: Engine, content: StoredList, text: str) -> str:
    """The digest of the instance that a digest, an artifact's file or an image names.

    An image of the store comes before what a registry says. Raises NotFound.
    """
    import os

    from sonata.engine.images import lookup
    from sonata_core.naming import is_digest

    if is_digest(text):
        return text
    for digest, paths in content.files.items():
        if os.path.abspath(text) in paths or any(os.path.basename(path) == text for path in paths):
            return digest
    known = [one.digest for one in content.images.entries or ()]
    try:
        found = lookup.find(engine, text)
    except UsageError:
        found = None  # a reference with a transport
    if found is not None:
        for digest in found[0].digests:
            if digest in known:
                return digest
    try:
        source, _ = open_member(engine, text, PullOptions(), "image")
        with source:
            return source.resolve().digest
    except SonataError as error:
        raise NotFound(
            f'finding instance for "{text}": {error.message}', hint="`sonata manifest inspect` shows the digests"
        ) from error


def remove(engine: Engine, name: str, digest: str) -> ImageId:
    """Take an instance out of a list; the list's id. Raises UsageError for what is no digest, NotFound."""
    check_digest(name, digest)
    try:
        record = lists.find(engine, name)
    except NotFound as error:
        error.message = f"removing from manifest list {name}: {error.message}"
        raise

    def edit(old: StoredList) -> StoredList:
        try:
            images = old.images.without(digest)
        except NotFound as error:
            error.message = f"removing from manifest list {name}: {error.message}"
            raise
        instances = {key: value for key, value in old.instances.items() if key != digest}
        return old.replace(images=images, instances=instances)

    lists.change(engine, record.id, edit)
    return record.id


def check_digest(name: str, digest: str) -> None:
    """Raises UsageError, in Podman's words, for what is no digest."""
    from sonata_core.naming import is_digest

    if is_digest(digest):
        return
    algorithm, colon, _ = digest.partition(":")
    if not colon:
        why = "invalid checksum digest format"
    elif algorithm not in ("sha256", "sha384", "sha512"):
        why = "unsupported digest algorithm"
    else:
        why = "invalid checksum digest length"
    raise UsageError(
        f'removing from manifest list {name}: invalid image digest "{digest}": {why}',
        hint="`sonata manifest inspect` shows the digests",
    )


def delete(engine: Engine, name: str) -> tuple[tuple[str, ...], ImageId]:
    """Remove a list, and none of its images; its names and id. Raises NotFound, Unsupported."""
    record = lists.find(engine, name)
    engine.store.delete_image(record)
    for one in record.names:
        events.thing(engine, "image", "untag", one, record.id)
    events.thing(engine, "image", "remove", record.names[0] if record.names else record.id, record.id)
    return record.names, record.id
