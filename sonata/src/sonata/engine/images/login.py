"""Logging in to registries and out again."""

from __future__ import annotations

import os

from sonata.config import auth, login
from sonata.config.certs import cert_dirs
from sonata.engine.images import lookup
from sonata.engine.images.access import transport_options
from sonata.model.image_request import LoginRequest, PullOptions
from sonata_core.errors import Denied, ExternalFailure, NotFound, SonataError, UsageError
from sonata_core.hookspecs.transport import TransportLogin
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Credentials
from sonata_core.record import Record

if TYPE_CHECKING:
    from sonata.config.auth import AuthFiles
    from sonata.engine.engine import Engine


class Known(Record):
    """A registry to log in to: the key of its credentials, its host, and the credentials that are kept."""

    key: str
    host: str
    credentials: Credentials | None = None


def known(engine: Engine, request: LoginRequest) -> Known:
    """What the request means, and whether there are credentials. Raises UsageError."""
    key, host = login.split_key(request.registry or _default(engine))
    files = _files(engine, request)
    try:
        return Known(key=key, host=host, credentials=auth.find_credentials(files, key) if files else None)
    except (UsageError, ExternalFailure) as error:
        error.message = f"get credentials: {error.message}"
        raise


def log_in(engine: Engine, request: LoginRequest, place: Known, credentials: Credentials) -> None:
    """Try the credentials. Raises Denied where the registry does not take them, RegistryFailure."""
    known = lookup.registries(engine)
    try:
        endpoint = known.push_endpoint(f"{place.host}/none")
        endpoint = endpoint.replace(
            reference=endpoint.reference.partition("/")[0],
            credentials=credentials,
            cert_dirs=cert_dirs(engine.config.places, place.host, request.cert_dir),
        )
        options = transport_options(engine, PullOptions(tls_verify=request.tls_verify, retry=0), (endpoint,))
        engine.transport("docker").require(TransportLogin).transport_login(endpoint=endpoint, options=options)
    except SonataError as error:
        if isinstance(error, Denied) and error.details.get("status") == 401:
            raise Denied(f'logging into "{place.key}": invalid username/password', hint=error.hint) from error
        error.message = f'authenticating creds for "{place.key}": {error.message}'
        raise


def keep(engine: Engine, request: LoginRequest, place: Known, credentials: Credentials) -> str:
    """Keep credentials; where they are now. Raises UsageError, ExternalFailure."""
    return login.keep(target(engine, request), _helpers(engine), place.key, credentials)


def log_out(engine: Engine, request: LoginRequest) -> str:
    """Forget a registry's credentials, or all; what was forgotten. Raises NotFound, UsageError."""
    file = target(engine, request)
    given = request.authfile or request.compat_auth_file
    if given and not os.path.exists(given):
        raise UsageError(
            f"credential file is not accessible: faccessat {given}: no such file or directory",
            hint="name the file that the login wrote",
        )
    if request.all:
        login.forget_all(file, _helpers(engine))
        return ""
    key, _ = login.split_key(request.registry or _default(engine))
    try:
        login.forget(file, _helpers(engine), key)
    except (UsageError, ExternalFailure) as error:
        error.message = f'logging out of "{key}": {error.message}'
        raise
    return key


def kept_by_docker(engine: Engine, key: str) -> bool:
    """Whether it is Docker's own configuration that has credentials for this registry."""
    files = auth.auth_files(engine.config, "", (), engine.run_command)
    return auth.find_credentials(auth.AuthFiles(files.paths[-1:], "", (), engine.run_command), key) is not None


def target(engine: Engine, request: LoginRequest) -> login.LoginFile:
    """The file that is written. Raises UsageError where two are named."""
    if request.authfile and request.compat_auth_file:
        raise UsageError(
            "options for paths to the credential file and to the Docker-compatible credential file can not be set "
            "simultaneously"
        )
    if request.compat_auth_file:
        return login.LoginFile(path=request.compat_auth_file, docker=True)
    environment = engine.config.environment.get("REGISTRY_AUTH_FILE", "")
    return login.LoginFile(path=request.authfile or environment or auth.login_file(engine.config))


def _default(engine: Engine) -> str:
    search = lookup.registries(engine).search
    if not search:
        raise UsageError(
            "no registries found in registries.conf, a registry must be provided",
            hint="sonata login REGISTRY, or unqualified-search-registries in /etc/containers/registries.conf",
        )
    return search[0]


def _files(engine: Engine, request: LoginRequest) -> AuthFiles | None:
    path = target(engine, request).path
    if (request.authfile or request.compat_auth_file) and not os.path.exists(path):
        return None
    named = path if request.authfile or request.compat_auth_file else ""
    return auth.auth_files(engine.config, named, lookup.registries(engine).helpers, engine.run_command)


def _helpers(engine: Engine) -> AuthFiles:
    return auth.AuthFiles((), "", lookup.registries(engine).helpers, engine.run_command)


def password_of(engine: Engine, request: LoginRequest) -> tuple[str, str]:
    """User and password that a secret gives: its name where the request has no user. Raises NotFound."""
    from sonata.engine.secrets import store

    kept = store(engine)
    try:
        secret = kept.find(request.secret)
    except NotFound as error:
        raise NotFound(error.message, hint="sonata secret ls", name=request.secret) from error
    return request.username or secret.name, kept.data(secret).decode(errors="replace")
