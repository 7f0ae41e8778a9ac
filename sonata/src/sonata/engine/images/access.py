"""How registries are asked: where, as whom, and with which certificates."""

from __future__ import annotations

from sonata.engine.images import lookup
from sonata.engine.images.trust import with_signature_places
from sonata_core.errors import ExternalFailure, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Credentials, Endpoint, TransportOptions
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions


def equipped(engine: Engine, endpoint: Endpoint, options: PullOptions) -> Endpoint:
    """The endpoint with what is needed to talk to it: credentials and certificates."""
    from sonata.config.certs import cert_dirs

    host = endpoint.reference.partition("/")[0]
    return with_signature_places(engine, endpoint).replace(
        credentials=credentials_for(engine, endpoint.reference, options),
        cert_dirs=cert_dirs(engine.config.places, host, options.cert_dir),
    )


def endpoints_for(engine: Engine, name: str, options: PullOptions) -> tuple[Endpoint, ...]:
    """Where to ask for a full name, mirrors first, with what is needed to talk to each. Raises Denied if blocked."""
    *mirrors, own = lookup.registries(engine).endpoints(name)
    asked = [equipped(engine, mirror, for_mirror(name, mirror, options)) for mirror in mirrors]
    return (*asked, equipped(engine, own, options))


def for_mirror(name: str, mirror: Endpoint, options: PullOptions) -> PullOptions:
    """What of the options goes to a mirror: --creds is the registry's password, and no other host's."""
    same = mirror.reference.partition("/")[0] == name.partition("/")[0]
    return options if same or not options.creds else options.replace(creds="")


def credentials_for(engine: Engine, reference: str, options: PullOptions) -> Credentials | None:
    """What --creds says, else what the auth files hold for this repository."""
    from sonata.config.auth import auth_files, find_credentials

    if options.creds:
        user, _, password = options.creds.partition(":")
        return Credentials(username=user, password=password)
    if options.anonymous:
        return None
    files = auth_files(engine.config, options.authfile, lookup.registries(engine).helpers, engine.run_command)
    repository = parse_name(reference).repository
    try:
        return find_credentials(files, repository)
    except (UsageError, ExternalFailure) as error:
        error.message = f"getting username and password: {error.message}"
        raise


def transport_options(engine: Engine, options: PullOptions, endpoints: tuple[Endpoint, ...] = ()) -> TransportOptions:
    """The options of one transfer, from the request and the configuration."""
    from sonata.plan.values import duration

    environment = engine.config.environment
    proxies = {
        name: environment[key]
        for name in ("http", "https", "no")
        for key in (f"{name}_proxy", f"{name}_proxy".upper())
        if environment.get(key)
    }
    text = options.retry_delay or engine.config.engine.retry_delay
    return TransportOptions(
        endpoints=endpoints,
        tls_verify=options.tls_verify,
        retries=engine.config.engine.retry if options.retry is None else options.retry,
        retry_delay=duration(text) / 10**9 if text else 1.0,
        proxies=proxies,
    )
