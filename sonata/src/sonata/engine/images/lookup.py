"""Finding images in the store by what a user types."""

from __future__ import annotations

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.config.registries import Registries
    from sonata.engine.engine import Engine
    from sonata.store.records import ImageRecord
    from sonata_core.models.image import Platform


def registries(engine: Engine) -> Registries:
    """registries.conf and the short-name aliases."""
    from sonata.config.registries import load_registries

    config = engine.config
    return load_registries(config.places, config.environment, config.paths.alias_file)


def find(
    engine: Engine, text: str, *, lists: bool = False, platform: Platform | None = None
) -> tuple[ImageRecord, str] | None:
    """An image and the name by which it was found; None if there is none.

    In Podman's order: a full name, what a short name may stand for, an id or a prefix of one, the
    end of a name. A list of images stands for the one of `platform` (default: this host's), if that
    is here, unless `lists` asks for lists themselves. Raises Conflict for an ambiguous prefix.
    """
    images = engine.store.image_records()
    found = _of_store(engine, text) if text.startswith(_STORE) else _named(engine, images, text)
    if found is None or lists or not found[0].is_list:
        return found
    from sonata.engine.manifests.instances import local_instance

    instance = local_instance(engine, found[0], images, platform)
    return None if instance is None else (instance, found[1])


_STORE = "containers-storage:"
_ELSEWHERE = ("dir", "docker", "docker-archive", "docker-daemon", "oci", "oci-archive", "sif", "tarball")


def _of_store(engine: Engine, text: str) -> tuple[ImageRecord, str] | None:
    """As `_named`, for the long form of a name in this store. Raises UsageError for another store."""
    from sonata.engine.images.other_store import opened

    here, name = opened(engine, text.removeprefix(_STORE))
    if here is not engine:
        raise UsageError(f"{text}: not an image of this store", hint="`sonata pull` brings it here")
    try:
        return named(here, name, lists=True)
    except NotFound:
        return None


def _named(engine: Engine, images: list[ImageRecord], text: str) -> tuple[ImageRecord, str] | None:
    # Of several stores that have a name, the nearest is meant.
    known = {name: image for image in reversed(images) for name in image.names}
    full = _local_names(engine, text)
    for name in (text, *full):
        if name in known:
            return known[name], name
    tries = [text.removeprefix("sha256:"), *(full if "@" in text else ())]
    found = next((image for one in tries if (image := engine.store.find_image(one)) is not None), None)
    if found is not None:
        name = found.names[0] if found.names else ""
        return found, name
    return _by_suffix(images, text)


def _local_names(engine: Engine, text: str) -> tuple[str, ...]:
    known = registries(engine)
    try:
        return known.local_names(text)
    except UsageError as error:
        scheme = text.partition(":")[0]
        if scheme in _ELSEWHERE:
            why = f'unsupported transport "{scheme}" for looking up local images'
            raise UsageError(why, hint="`sonata pull` brings the image here") from error
        raise bad_reference(text, error) from error


def _by_suffix(images: list[ImageRecord], text: str) -> tuple[ImageRecord, str] | None:
    """`repo/name` names `host/repo/name:latest`, if the host has such an image."""
    wanted = text if ":" in text.rsplit("/", 1)[-1] or "@" in text else f"{text}:latest"
    for image in images:
        for name in image.names:
            if name.endswith("/" + wanted):
                return image, name
    return None


def get(engine: Engine, text: str, *, lists: bool = False) -> tuple[ImageRecord, str]:
    """As `find`. Raises NotFound in Podman's words."""
    found = find(engine, text, lists=lists)
    if found is None:
        whole = None if lists else find(engine, text, lists=True)
        if whole is None:
            raise NotFound(f"{text}: image not known", name=text, hint=_of_absent(engine))
        from sonata.engine.manifests.instances import no_instance

        raise no_instance(engine, whole[0], text)
    return found


def _of_absent(engine: Engine) -> str | None:
    """What to say where an image may lie in a store that is not there."""
    from sonata.engine.storage import absent_stores

    gone = absent_stores(engine)
    return f"additional image store {gone[0]} is not there" if gone else None


def found_by_id(image: ImageRecord, full: str, text: str) -> bool:
    """Whether `text` found an image by its id or a digest, so that none of its names was meant."""
    if f"/{text}:" in f"/{full}:":
        return False
    return "@" in full or image.id.startswith(text.removeprefix("sha256:"))


def bad_reference(text: str, error: UsageError) -> UsageError:
    """The error for a name that is none, in Podman's words."""
    if error.message.startswith("short-name "):
        return error
    told = error.message.removeprefix("invalid reference format: ")
    if not text:
        told = "repository name must have at least one component"
    return UsageError(f'parsing reference "{text}": {told}', hint=error.hint)


def named(engine: Engine, name: str, *, lists: bool = False) -> tuple[ImageRecord, str]:
    """The image that a name means, behind the store: `name:tag`, `name@digest`, `@ID`, `name:tag@ID`; and its name.

    Raises NotFound, UsageError.
    """
    from sonata.engine.images.other_store import full_name, split_id

    bare, ident = split_id(name)
    if not ident:
        return get(engine, name, lists=lists)
    image, _ = get(engine, ident, lists=lists)
    if not image.id.startswith(ident) or (bare and full_name(bare) not in image.names):
        raise NotFound(f"{name}: image not known", hint=f"`sonata image inspect {ident}` shows what names it has")
    return image, bare
