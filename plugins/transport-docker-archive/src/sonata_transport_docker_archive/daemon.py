"""The transport `docker-daemon`: images of a Docker daemon, over its API's socket."""

from __future__ import annotations

import os

from sonata_core.errors import UsageError
from sonata_core.hookspecs.transport import TransportHooks, TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.image import ImageReference, TransportFacts
from sonata_core.models.plugin import PluginInfo
from sonata_core.naming import check_digest, parse_name

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.models.image import ImageSink, ImageSource, TransportOptions
    from sonata_transport_docker_archive.daemon_api import Daemon


class DockerDaemonTransport(TransportHooks, TransportWrite):
    """Images that a Docker daemon keeps. `DOCKER_HOST` says where it listens, as for `docker`.

    The reference of an endpoint that is an address (`unix:///path`, `tcp://host:port`) goes before it, with the
    endpoint's certificates.
    """

    def __init__(self, context: PluginContext) -> None:
        self._scratch = context.cache
        self._socket = str(context.config.get("socket", ""))

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="docker-daemon", version="0.1.0", summary="Images of a Docker daemon", contract="transport/1.2"
        )

    @hookimpl
    def transport_facts(self) -> TransportFacts:
        """The daemon takes and gives archives as `docker save` writes them: digests of compressed layers get lost."""
        from sonata_transport_docker_archive.sink import MANIFEST_TYPES

        return TransportFacts(
            schemes=("docker-daemon",),
            keeps_digests=False,
            writes=True,
            manifest_types=MANIFEST_TYPES,
            layer_compression="none",
        )

    @hookimpl
    def transport_parse(self, text: str) -> ImageReference:
        """`[host/]name:tag`, or `sha256:…`, the image's ID."""
        if text.startswith("sha256:") and len(text) == 71:
            return ImageReference(transport="docker-daemon", rest=str(check_digest(text)))
        name = parse_name(text)
        familiar = name.familiar
        if name.familiar_repository == "sha256":
            raise UsageError(
                f"Invalid docker-daemon: reference {text}: "
                "The sha256 repository name is reserved for (non-shortened) digest references"
            )
        if not name.tag and not name.digest:
            raise UsageError(
                f"docker-daemon: reference {familiar} has neither a tag nor a digest",
                hint=f"write docker-daemon:{text}:latest",
            )
        if name.tag and name.digest:
            raise UsageError("docker-daemon: references with both a tag and digest are currently not supported")
        return ImageReference(transport="docker-daemon", rest=familiar, name=str(name))

    @hookimpl
    def transport_open_source(self, reference: ImageReference, options: TransportOptions) -> ImageSource:
        """Open for reading: the image comes as an archive, into a file without a name. Raises NotFound, Unavailable."""
        from sonata_core.sdk.tar_index import TarIndex
        from sonata_transport_docker_archive.source import DockerArchiveSource

        where = f"docker-daemon:{reference.rest}"
        fd, size = self._daemon(options).get(reference.rest, self._scratch)
        return DockerArchiveSource(TarIndex(fd, size, where), reference.replace(path=where))

    @hookimpl
    def transport_open_sink(self, reference: ImageReference, options: TransportOptions) -> ImageSink:
        """Open for writing: the archive is made here, and the daemon loads it at `commit`."""
        from sonata_core.sdk.content import make_folder
        from sonata_transport_docker_archive.daemon_sink import DaemonSink

        _require_tag(reference)
        make_folder(self._scratch, 0o700)
        return DaemonSink(reference, self._daemon(options), self._scratch)

    def _daemon(self, options: TransportOptions) -> Daemon:
        from sonata_transport_docker_archive.daemon_api import Daemon
        from sonata_transport_docker_archive.daemon_host import DaemonHost, from_environment

        for endpoint in options.endpoints:
            if "://" in endpoint.reference:
                folders = endpoint.cert_dirs
                return Daemon(
                    DaemonHost(
                        address=endpoint.reference,
                        certificates=folders[0] if folders else "",
                        insecure=endpoint.insecure,
                    )
                )
        return Daemon(DaemonHost(address=self._socket) if self._socket else from_environment(os.environ))


def _require_tag(reference: ImageReference) -> None:
    if not reference.name or "@" in reference.name:
        raise UsageError(
            f"Invalid destination docker-daemon:{reference.rest}: a destination must be a name:tag",
            hint="the daemon computes IDs itself",
        )
