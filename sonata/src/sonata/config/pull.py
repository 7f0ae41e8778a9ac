"""Everything that pulling a typed name needs to know of registries: names, mirrors, credentials, certificates."""

from __future__ import annotations

from sonata.config.auth import AuthFiles, auth_files, find_credentials
from sonata.config.certs import cert_dirs
from sonata.config.registries import Candidate, Registries, load_registries, split_name
from sonata.config.values import EngineConfig
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import Credentials, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.process import Command, CommandResult


def registries_of(config: EngineConfig) -> Registries:
    """registries.conf as this command sees it. Raises UsageError with file and line."""
    return load_registries(config.places, config.environment, config.paths.alias_file)


class Access:
    """What a command's flags say of credentials and certificates; `run` is for credential helpers."""

    __slots__ = ("authfile", "cert_dir", "credentials", "run")

    def __init__(
        self,
        run: Callable[[Command], CommandResult],
        authfile: str = "",
        cert_dir: str = "",
        credentials: Credentials | None = None,
    ) -> None:
        self.run = run
        self.authfile = authfile
        self.cert_dir = cert_dir
        self.credentials = credentials


def pull_candidates(config: EngineConfig, name: str, access: Access) -> tuple[Candidate, ...]:
    """What to try for `name`, in order, each with complete endpoints.

    Raises UsageError (no such name, malformed file), Denied (blocked registry), ExternalFailure (helper).
    """
    registries = registries_of(config)
    files = auth_files(config, access.authfile, registries.helpers, access.run)
    return tuple(
        Candidate(found.reference, tuple(_complete(config, each, files, access) for each in found.endpoints))
        for found in registries.resolve_pull(name)
    )


def push_endpoint(config: EngineConfig, reference: str, access: Access) -> Endpoint:
    """Where to push a full reference; never a mirror. Raises as `pull_candidates`."""
    registries = registries_of(config)
    files = auth_files(config, access.authfile, registries.helpers, access.run)
    return _complete(config, registries.push_endpoint(reference), files, access)


def _complete(config: EngineConfig, endpoint: Endpoint, files: AuthFiles, access: Access) -> Endpoint:
    repository, _ = split_name(endpoint.reference)
    credentials = access.credentials or find_credentials(files, repository)
    host = repository.partition("/")[0]
    return endpoint.replace(credentials=credentials, cert_dirs=cert_dirs(config.places, host, access.cert_dir))
