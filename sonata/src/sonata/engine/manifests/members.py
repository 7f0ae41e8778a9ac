"""Where the members of lists are: any transport, a registry by default, or the store itself."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.access import endpoints_for, transport_options
from sonata.engine.manifests import local
from sonata.image.reference import transport_or_name
from sonata_core.errors import NotFound, SonataError
from sonata_core.groups import TRANSPORT
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions
    from sonata_core.models.image import Endpoint, ImageReference, ImageSource


def open_member(
    engine: Engine, text: str, options: PullOptions, what: str, *, lists: bool = False
) -> tuple[ImageSource, str]:
    """A place with an image that is there, opened for reading, and the reference to write down for it.

    A name without a transport is asked of its registry, then looked for in the store; of `localhost/` in
    the store alone. With `lists` a list of the store is given itself, else its image of this platform.
    Raises NotFound, with `what` in its words, and what transports raise.
    """
    scheme, rest = transport_or_name(text, engine.catalog.names(TRANSPORT))
    if scheme == local.SCHEME:
        here, record, name = local.find(engine, rest, lists=lists)
        return local.StoredSource(here, record), local.reference_to(here, record, name)
    if scheme:
        return open_reference(engine, engine.transport(scheme).hook.transport_parse(text=rest), options)
    trouble = ""
    if not text.startswith("localhost/"):
        try:
            return _at_registry(engine, text, options)
        except SonataError as error:
            trouble = f'"docker://{text}": {error.message}; '
    found = lookup.find(engine, text, lists=lists)
    if found is None:
        raise NotFound(f'locating {what}: {trouble}"{text}": {text}: image not known', name=text)
    return local.StoredSource(engine, found[0]), local.reference_to(engine, found[0])


def _at_registry(engine: Engine, text: str, options: PullOptions) -> tuple[ImageSource, str]:
    """Asked once: what is not there at once may well be in the store."""
    reference = engine.transport("docker").hook.transport_parse(text=f"//{text}")
    source, written = open_reference(engine, reference, options.replace(retry=0))
    try:
        source.resolve()
    except BaseException:
        source.__exit__(None, None, None)
        raise
    return source, written


def open_reference(engine: Engine, reference: ImageReference, options: PullOptions) -> tuple[ImageSource, str]:
    """A parsed reference opened for reading, and how it is written down. Raises what the transport raises."""
    written = f"{reference.transport}:{reference.rest}"
    endpoints: tuple[Endpoint, ...] = ()
    if reference.transport == "docker":
        written = f"docker://{parse_name(reference.name).familiar}"
        endpoints = endpoints_for(engine, reference.name, options)
    opened = transport_options(engine, options, endpoints)
    hook = engine.transport(reference.transport).hook
    return hook.transport_open_source(reference=reference, options=opened), written
