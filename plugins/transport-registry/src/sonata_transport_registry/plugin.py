"""The transport `docker`: registries that speak the distribution protocol."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.hookspecs.transport import (
    TransportHooks,
    TransportLogin,
    TransportReferrers,
    TransportSearch,
    TransportSignatures,
    TransportTags,
    TransportWrite,
)
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.image import Endpoint, ImageReference, TransportFacts
from sonata_core.models.media import ACCEPTED
from sonata_core.models.plugin import PluginInfo
from sonata_core.naming import parse_name, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Descriptor, FoundImage, ImageSink, ImageSource, TransportOptions
    from sonata_transport_registry.client import Client, Settings


class RegistryTransport(
    TransportHooks,
    TransportWrite,
    TransportTags,
    TransportLogin,
    TransportSearch,
    TransportSignatures,
    TransportReferrers,
):
    """Images of registries.

    Its table of the configuration file: `trusted_realms`, hosts of token servers that may be given
    the password of a registry elsewhere; `head_seconds` and `block_seconds`, how long a server may take for the
    head of an answer and for a quarter mebibyte of its body.
    """

    def __init__(self, context: PluginContext) -> None:
        self._config = context.config
        _settings(context.config)

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(name="docker", version="0.1.0", summary="Images of registries", contract="transport/1.2")

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """Everything is kept as it is."""
        return TransportFacts(schemes=("docker",), writes=True, manifest_types=ACCEPTED)

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """`//host/path[:tag|@digest]`: the tag defaults to `latest`; tag and digest together are refused."""
        if not text.startswith("//"):
            raise UsageError(
                f"docker: image reference {shown(text)} does not start with //", hint=f"write docker://{text}"
            )
        name = parse_name(text[2:]).with_default_tag()
        if name.tag and name.digest:
            raise UsageError(
                f"Docker references with both a tag and digest are currently not supported: {shown(text)}",
                hint="leave out the tag: the digest alone says which image is meant",
            )
        return ImageReference(transport="docker", rest=f"//{name}", name=str(name))

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Nothing is asked of the network before the first question."""
        from sonata_transport_registry.source import RegistrySource

        return RegistrySource(reference, self._clients(reference, options), options)

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Writes go to the registry itself, the last endpoint, never to a mirror."""
        from sonata_transport_registry.sink import RegistrySink

        return RegistrySink(self._clients(reference, options)[-1])

    @hookimpl
    def transport_tags(self, reference: ImageReference, options: TransportOptions) -> tuple[str, ...]:
        """All tags of the repository, asked of the registry itself."""
        from sonata_transport_registry.source import list_tags

        client = self._clients(reference, options)[-1]
        try:
            return list_tags(client)
        finally:
            client.close()

    @hookimpl
    def transport_referrers(
        self, reference: ImageReference, digest: Digest, artifact_type: str, options: TransportOptions
    ) -> tuple[Descriptor, ...]:
        """By the referrers API, or the tag that stands in for it; asked of the registry itself."""
        from sonata_transport_registry.referrers import list_referrers

        client = self._clients(reference, options)[-1]
        try:
            return list_referrers(client, digest, artifact_type)
        finally:
            client.close()

    @hookimpl
    def transport_login(self, endpoint: Endpoint, options: TransportOptions) -> None:
        """Ask for `/v2/` with the credentials."""
        from sonata_transport_registry.host import check_login

        client = self._host(endpoint, options)
        try:
            check_login(client)
        finally:
            client.close()

    @hookimpl
    def transport_search(
        self, endpoint: Endpoint, term: str, limit: int, options: TransportOptions
    ) -> tuple[FoundImage, ...]:
        """The registry's own search where it has one, else its catalogue."""
        from sonata_transport_registry.host import search

        client = self._host(endpoint, options)
        try:
            return search(client, term, limit)
        finally:
            client.close()

    @hookimpl
    def transport_put_signatures(
        self, reference: ImageReference, digest: Digest, signatures: tuple[bytes, ...], options: TransportOptions
    ) -> None:
        """Where the signatures of the registry itself lie, the last endpoint."""
        from sonata_transport_registry.signatures import write

        endpoint = (options.endpoints or (Endpoint(reference=reference.name),))[-1]
        write(endpoint, options, _settings(self._config), digest, signatures)

    def _host(self, endpoint: Endpoint, options: TransportOptions) -> Client:
        """A client for questions that concern no repository."""
        from sonata_transport_registry.client import Client

        return Client(endpoint.replace(reference=f"{endpoint.reference}/none"), options, _settings(self._config))

    def _clients(self, reference: ImageReference, options: TransportOptions) -> tuple[Client, ...]:
        from sonata_transport_registry.client import Client

        endpoints = options.endpoints or (Endpoint(reference=reference.name),)
        return tuple(Client(endpoint, options, _settings(self._config)) for endpoint in endpoints)


def _settings(config: Mapping[str, Any]) -> Settings:
    """The plugin's table, checked. Raises UsageError."""
    from sonata_transport_registry.client import Settings
    from sonata_transport_registry.patience import Patience

    trusted = config.get("trusted_realms", ())
    if not isinstance(trusted, list | tuple) or not all(isinstance(host, str) for host in trusted):
        raise UsageError("trusted_realms of plugin transport docker is not a list of host names")
    seconds = {name: config[f"{name}_seconds"] for name in ("head", "block") if f"{name}_seconds" in config}
    for name, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1_000_000:
            raise UsageError(f"{name}_seconds of plugin transport docker is not a number of seconds")
    return Settings(
        trusted_realms=tuple(host.lower() for host in trusted),
        patience=Patience(**{name: float(value) for name, value in seconds.items()}),
    )
