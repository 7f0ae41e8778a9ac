"""Both ends of a copy: places of transports, and how to talk to them."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.access import endpoints_for, equipped, transport_options
from sonata.image.reference import split_transport
from sonata_core.errors import SonataError, Unsupported, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.hookspecs.transport import TransportBatch, TransportWrite
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.copy_request import CopyChoices
    from sonata.model.image_request import PullOptions
    from sonata_core.models.image import Endpoint, ImageReference, TransportOptions
    from sonata_core.slot import Slot
STORE = "containers-storage"


DAEMON = "docker-daemon"


DEFAULT_PARALLEL = 3


class End:
    """One end of a copy: a place of a transport, and how to talk to it."""

    def __init__(self, slot: Slot[Any], reference: ImageReference, options: TransportOptions) -> None:
        self.slot = slot
        self.reference = reference
        self.options = options

    @property
    def facts(self) -> Any:
        """What the transport says of itself."""
        return self.slot.hook.transport_facts()


def scheme_of(engine: Engine, text: str, what: str) -> str:
    """The transport that a place names. Raises UsageError where it names none."""
    scheme, _ = split_transport(text, engine.catalog.names(TRANSPORT))
    if not scheme:
        raise UsageError(
            f'Invalid {what} name {text}: Invalid image name "{text}", expected colon-separated transport:reference',
            hint=f"for example docker://{text}, or containers-storage:{text}",
        )
    return scheme


def source_end(engine: Engine, text: str, options: PullOptions) -> End:
    """Where to read. Mirrors of a registry are asked first, as for a pull."""
    scheme, rest = split_transport(text, engine.catalog.names(TRANSPORT))
    slot = engine.transport(scheme)
    reference = parsed(slot, text, rest, "source")
    if scheme != "docker":
        return End(slot, reference, transport_options(engine, options, _daemon(scheme, options)))
    endpoints = endpoints_for(engine, reference.name, options)
    return End(slot, reference, transport_options(engine, options, endpoints))


def sink_end(engine: Engine, text: str, options: PullOptions) -> End:
    """Where to write: never a mirror. Raises Unsupported for a place that can only be read."""

    scheme, rest = split_transport(text, engine.catalog.names(TRANSPORT))
    slot = engine.transport(scheme)
    reference = parsed(slot, text, rest, "destination")
    if not slot.offers(TransportWrite):
        raise Unsupported(
            f'initializing destination {text}: "{scheme}:" locations can only be read from, not written to',
            hint="write a docker-archive, an oci-archive or a folder",
        )
    if scheme != "docker":
        return End(slot, reference, transport_options(engine, options, _daemon(scheme, options)))
    _, opened = registry_end(engine, rest, options)
    return End(slot, reference, opened)


def _daemon(scheme: str, options: PullOptions) -> tuple[Endpoint, ...]:
    """The Docker daemon that was named. Raises UsageError."""
    from sonata_core.models.image import Endpoint

    host = options.daemon_host
    if scheme != DAEMON or not host:
        return ()
    if "://" not in host:
        raise UsageError(
            f"initializing docker engine client: unable to parse docker host `{host}`",
            hint="an address looks like unix:///PATH or tcp://HOST:PORT",
        )
    folders = (options.cert_dir,) if options.cert_dir else ()
    return (Endpoint(reference=host, insecure=options.tls_verify is False, cert_dirs=folders),)


def parsed(slot: Slot[Any], text: str, rest: str, what: str) -> ImageReference:
    """The reference of a `source` or `destination`. Raises UsageError in Skopeo's words."""
    try:
        found: ImageReference = slot.hook.transport_parse(text=rest)
    except UsageError as error:
        raise UsageError(f"Invalid {what} name {text}: {error.message}", hint=error.hint) from error
    return found


def further(goal: End, choices: CopyChoices) -> tuple[End, ...]:
    """A Docker daemon, under the goal's name and under each additional one: it keeps what it has, and adds the name."""
    names = [f"{DAEMON}:{name}" for name in _names(goal, choices)]
    references = [parsed(goal.slot, name, name.partition(":")[2], "destination") for name in names]
    return tuple(End(goal.slot, reference, goal.options) for reference in references)


def tags_of(goal: End, choices: CopyChoices) -> tuple[str, ...]:
    """The names that an archive gets. Raises Unsupported where the place keeps one only."""
    if not goal.slot.offers(TransportBatch):
        raise Unsupported(
            f"--additional-tag: {goal.reference.transport} keeps no further names of an image",
            hint="docker-archive and docker-daemon do; elsewhere copy once more",
        )
    return _names(goal, choices)


def _names(goal: End, choices: CopyChoices) -> tuple[str, ...]:
    from sonata_core.naming import parse_name

    own = (goal.reference.name,) if goal.reference.name else ()
    try:
        more = tuple(str(parse_name(text).with_default_tag()) for text in choices.additional_tags)
    except SonataError as error:
        raise UsageError(f"error parsing additional-tag: {error.message}", hint=error.hint) from error
    return tuple(dict.fromkeys((*own, *more)))


def digest_in(reference: ImageReference) -> str:
    """The digest by which a registry's place is named; empty where it has a tag."""
    return reference.name.partition("@")[2] if reference.transport == "docker" else ""


def registry_end(engine: Engine, text: str, options: PullOptions) -> tuple[str, TransportOptions]:
    """A repository to push to: its name as the transport reads it, and where it is with what it asks for."""
    from sonata_core.naming import parse_name

    name = str(parse_name(text.removeprefix("//")).with_default_tag())
    endpoint = equipped(engine, lookup.registries(engine).push_endpoint(name), options)
    return f"//{name}", transport_options(engine, options, (endpoint,))
