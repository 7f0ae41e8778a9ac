"""`manifest inspect` and `manifest exists`: lists of the store, and of registries."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.manifests import lists
from sonata.image import index
from sonata_core.errors import NotFound, SonataError, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.media import DOCKER_MANIFEST, INDEXES

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions
    from sonata_core.models.image import ManifestBytes


def inspect(engine: Engine, name: str, options: PullOptions) -> dict[str, Any]:
    """What there is to see of a list of the store; of any other name, of what its registry has under it.

    Raises UsageError, NotFound, Unsupported for what is no list there, RegistryFailure, Denied.
    """
    if name.startswith("docker://"):
        raise UsageError('unsupported transport "docker" for looking up local images', hint="leave out docker://")
    found = lookup.find(engine, name, lists=True)
    if found is not None and found[0].is_list:
        content = lists.read(engine, found[0])
        return index.view(content.images, files=content.files)
    manifest = _remote(engine, name, options)
    if manifest.media_type == DOCKER_MANIFEST:
        engine.notify(f"The manifest type {DOCKER_MANIFEST} is not a manifest list but a single image.")
        return {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "manifests": None}
    if manifest.media_type not in INDEXES:
        import json

        shown = json.dumps(manifest.content.decode("utf-8", "replace"))
        raise Unsupported(
            f'parsing manifest blob {shown} as a "{manifest.media_type}": '
            "Treating single images as manifest lists is not implemented",
            hint="`sonata pull` and `sonata image inspect` show an image",
        )
    return index.view(index.parse_list(manifest.content), manifest.media_type)


def _remote(engine: Engine, name: str, options: PullOptions) -> ManifestBytes:
    """What a registry has under the name; each that a short name may stand for is asked."""
    from sonata.engine.manifests.members import open_reference
    from sonata.image.manifest import check_matches

    troubles: list[str] = []
    for full in lookup.registries(engine).names(name):
        reference = engine.transport("docker").hook.transport_parse(text=f"//{full}")
        source, written = open_reference(engine, reference, options)
        try:
            with source:
                top = source.resolve()
                return check_matches(top, top.digest)
        except SonataError as error:
            troubles.append(f'reading image "{written}": {error.message}')
    raise NotFound("\n: tried ".join(reversed(troubles)), hint="is it there, and may you read it?", name=name)


def exists(engine: Engine, name: str) -> bool:
    """Is there such a list? Raises Unsupported where the name is an image's."""
    try:
        lists.find(engine, name)
    except NotFound:
        return False
    return True
