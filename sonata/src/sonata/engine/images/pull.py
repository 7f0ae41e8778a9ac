"""Pulling images from wherever they lie into the store."""

from __future__ import annotations

from functools import partial

from sonata.engine import events
from sonata.engine.images import lookup
from sonata.engine.images.access import endpoints_for, transport_options
from sonata.engine.images.again import again
from sonata.engine.images.blob_places import learn
from sonata.engine.images.candidates import candidates
from sonata.engine.images.landing import StoreLanding
from sonata.engine.images.platforms import mismatch, wanted_platform
from sonata.engine.images.trust import trust_for
from sonata.engine.storage import ignores_owners
from sonata.image.limits import Limits
from sonata.image.progress import Quiet
from sonata.image.pull_options import PullOptions as TransferOptions
from sonata.image.reference import drop_tag_of_digest, local_name, transport_or_name
from sonata.image.transfer import choose_image, partial_folder, pull_image
from sonata_core.errors import Denied, ExternalFailure, Interrupted, NotFound, SonataError, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Endpoint, ImageReference, TransportOptions
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata.image.chunked_pull import Reuse
    from sonata.image.progress import Progress
    from sonata.image.transfer import Pulled
    from sonata.model.image_request import PullOptions
    from sonata.store.records import ImageRecord
    from sonata_core.models.ids import ImageId
    from sonata_core.models.image import ImageSource
    from sonata_core.naming import ImageName

_DEFAULT_PARALLEL = 3


def pull_one(
    engine: Engine,
    text: str,
    options: PullOptions,
    progress: Progress | None = None,
    *,
    kept: ImageRecord | None = None,
) -> tuple[ImageRecord, str]:
    """Pull the image that `text` names, with or without a transport; its record and full name.

    A short name is tried at each place that it may stand for. Where a registry still has what is `kept`, nothing
    is pulled. Raises NotFound, Denied, RegistryFailure, Damaged, UsageError, Unavailable.
    """
    from sonata.config.auth import require_auth_file

    scheme, rest = transport_or_name(text, engine.catalog.names(TRANSPORT))
    if scheme == "containers-storage":
        return _of_store(engine, rest, progress)
    if scheme and scheme != "docker":
        return pull_reference(engine, engine.transport(scheme).hook.transport_parse(text=rest), options, (), progress)
    progress = progress or Quiet()
    require_auth_file(options.authfile)
    found = candidates(engine, rest.removeprefix("//"), progress)
    troubles: list[SonataError] = []
    for name in found.names:
        try:
            pulled = _from_registry(engine, name, options, progress, kept)
        except Interrupted:
            raise
        except SonataError as error:
            troubles.append(error)
        else:
            found.settle(engine, name)
            return pulled
    raise _none_of(troubles)


def _of_store(engine: Engine, text: str, progress: Progress | None) -> tuple[ImageRecord, str]:
    """An image of this store as it is; one of another store is brought here, under the name that it has there."""
    if not text.startswith("["):
        return lookup.get(engine, text)
    from sonata.engine.images.copy_store import bring

    return bring(engine, text, progress)


def pull_all_tags(engine: Engine, text: str, options: PullOptions, progress: Progress) -> Iterator[str]:
    """The full names of all images of a repository, each to be pulled by `pull_one`; a tag in `text` says nothing.

    Raises UsageError for what is no repository of a registry, and what asking the registry raises.
    """
    from sonata.config.auth import require_auth_file
    from sonata_core.hookspecs.transport import TransportTags

    scheme, rest = transport_or_name(text, engine.catalog.names(TRANSPORT))
    if scheme and scheme != "docker":
        raise UsageError(f"pulling all tags is not supported for {scheme} transport")
    require_auth_file(options.authfile)
    found = candidates(engine, rest.removeprefix("//"), progress)
    troubles: list[SonataError] = []
    slot = engine.transport("docker")
    for name in found.names:
        repository = parse_name(name).repository
        try:
            endpoints = endpoints_for(engine, f"{repository}:latest", options)
            reference = slot.hook.transport_parse(text=f"//{repository}")
            opened = transport_options(engine, options, endpoints)
            tags = slot.require(TransportTags).transport_tags(reference=reference, options=opened)
        except SonataError as error:
            troubles.append(error)
        else:
            found.settle(engine, name)
            return iter([f"{repository}:{tag}" for tag in tags])
    raise _none_of(troubles)


def _none_of(troubles: list[SonataError]) -> SonataError:
    if len(troubles) == 1:
        return troubles[0]
    told = "".join(f"\n * {error.message}" for error in troubles)
    return NotFound(f"{len(troubles)} errors occurred while pulling:{told}")


def _from_registry(
    engine: Engine, name: str, options: PullOptions, progress: Progress, kept: ImageRecord | None
) -> tuple[ImageRecord, str]:
    asked = drop_tag_of_digest(parse_name(name))
    if kept is None:
        progress.message(f"Trying to pull {asked}...")
    try:
        endpoints = endpoints_for(engine, name, options)
    except (Denied, UsageError, ExternalFailure) as error:
        error.message = f"initializing source docker://{asked.familiar}: {error.message}"
        raise _told(error, str(asked)) from error
    reference = engine.transport("docker").hook.transport_parse(text=f"//{asked}").replace(name=str(asked))
    return pull_reference(engine, reference, options, endpoints, progress, kept=kept)


def pull_reference(
    engine: Engine,
    reference: ImageReference,
    options: PullOptions,
    endpoints: tuple[Endpoint, ...],
    progress: Progress | None,
    *,
    kept: ImageRecord | None = None,
) -> tuple[ImageRecord, str]:
    """Pull what a parsed reference names, `kept` excepted; its record and name. Raises as `pull_one`."""
    opened = transport_options(engine, options, endpoints)
    hook = engine.transport(reference.transport).hook
    transfer = transfer_options(engine, options, opened)
    progress = progress or Quiet()
    # A short name in an archive is this host's, as to Podman: only the selector tells that it is short.
    given = "" if reference.transport == "docker-archive" else reference.name
    names: tuple[str, ...] = (given,) if given else ()
    name = given
    trust = trust_for(engine, options.signature_policy)
    try:
        trust.forbid(reference)
        names = names or _names_within(engine, reference, opened)
        name = names[0] if names else ""
        wanted = tuple(str(local_name(one)) for one in names)

        def attempt() -> tuple[Pulled, ImageRecord | None] | None:
            with hook.transport_open_source(reference=reference, options=opened) as source:
                if kept is not None and _still_same(source, transfer, kept):
                    return None
                if kept is not None:
                    progress.message(f"Trying to pull {name}...")
                source.resolve()
                progress.message("Getting image source signatures")
                admit = partial(trust.admit, reference, source)
                landing = StoreLanding(engine.store, wanted)
                pulled = pull_image(source, landing, transfer, progress, admit)
                progress.message("Writing manifest to image destination")
                # One that was here already may be removed before it has its name: it is brought once more.
                image = _named(engine, pulled.id, wanted) or _named(
                    engine, pull_image(source, landing, transfer, progress, admit).id, wanted
                )
                return pulled, image

        done = again(engine, opened, attempt)
    except SonataError as error:
        told = _told(error, name) if reference.transport == "docker" else error
        events.thing(engine, "image", "pull-error", name or str(reference.rest), error=error.message)
        raise told from error
    if done is None:
        assert kept is not None
        return kept, name
    pulled, image = done
    if image is None:
        raise NotFound(f"{name}: image was removed while it was pulled", name=name)
    events.thing(engine, "image", "pull", name or pulled.id, pulled.id)
    if endpoints:
        learn(engine, endpoints[-1], pulled.manifest)
    _tell_of_platform(engine, image, options)
    return image, name


def _tell_of_platform(engine: Engine, image: ImageRecord, options: PullOptions) -> None:
    other = mismatch(engine, image, options)
    if other:
        engine.notify(other)


def _named(engine: Engine, image: ImageId, names: tuple[str, ...]) -> ImageRecord | None:
    """The image under its names, the newest of those that it has; None if somebody removed it."""
    found = engine.store.find_image(image)
    if found is None or found.names[: len(names)] == names:
        return found
    try:
        return engine.store.add_names(found, names)
    except NotFound:
        return None


def transfer_options(engine: Engine, options: PullOptions, opened: TransportOptions) -> TransferOptions:
    """How an image comes into the store."""
    return TransferOptions(
        platform=wanted_platform(engine, options),
        # What lies on this host need not be kept for the next time.
        partial=partial_folder(engine.config.storage.graph_root) if opened.endpoints else "",
        parallel=engine.config.engine.image_parallel_copies or _DEFAULT_PARALLEL,
        retries=opened.retries,
        retry_delay=opened.retry_delay,
        rootless=engine.facts.rootless,
        any_owner=ignores_owners(engine),
        limits=Limits(
            size=engine.config.engine.image_layer_max_size or None, ratio=engine.config.engine.image_layer_max_ratio
        ),
        reuse=_reuse(engine),
    )


def _reuse(engine: Engine) -> Reuse | None:
    """What finds files for layers that can be fetched in parts, if storage.conf wants them to be."""
    if engine.config.storage.pull_options.get("enable_partial_images") != "true":
        return None
    from sonata.engine.images.local_files import LocalFiles

    return LocalFiles(engine).choose


def _still_same(source: ImageSource, transfer: TransferOptions, kept: ImageRecord) -> bool:
    """Whether the source has the very manifest that the image in the store came with."""
    chosen = choose_image(source, transfer.platform)
    return chosen.manifest.digest in kept.digests


def _names_within(engine: Engine, reference: ImageReference, options: TransportOptions) -> tuple[str, ...]:
    """The names that an archive or layout itself has for the image: the chosen one, or all where it has one image."""
    from sonata_core.hookspecs.transport import TransportTags

    selector = reference.selector.removeprefix(":")
    if not selector:
        slot = engine.transport(reference.transport)
        if not slot.offers(TransportTags):
            return ()
        found = slot.require(TransportTags).transport_tags(reference=reference, options=options)
        return tuple(dict.fromkeys(name for one in found if (name := _name_of(one))))
    # A short name chosen of a layout is Docker's, as to Podman; of an archive it is this host's.
    name = _name_of(selector, parse_name if reference.transport == "oci" else local_name)
    return (name,) if name else ()


def _name_of(selector: str, parse: Callable[[str], ImageName] = local_name) -> str:
    """The name that a selector gives an image here; empty for none."""
    if not selector or selector.startswith("@"):
        return ""
    try:
        return str(parse(selector).with_default_tag())
    except UsageError:
        return ""


def _told(error: SonataError, name: str) -> SonataError:
    """The error with what was asked for before it, as Podman says it."""
    if not error.message.startswith("unable to copy"):
        from sonata_core.naming import parse_name

        place = f"docker://{parse_name(name).familiar}"
        if error.message.startswith("no image found in image index"):
            error.message = f"choosing an image from manifest list {place}: {error.message}"
        error.message = f"unable to copy from source {place}: {error.message}"
    return error
