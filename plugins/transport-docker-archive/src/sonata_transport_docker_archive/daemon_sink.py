"""Writing an image to a Docker daemon: as an archive, which it loads whole."""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING
from sonata_transport_docker_archive.sink import DockerArchiveSink

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sonata_core.models.image import ImageReference, ManifestBytes
    from sonata_transport_docker_archive.daemon_api import Daemon


class DaemonSink(DockerArchiveSink):
    """An archive below `scratch` that goes to the daemon at `commit`, and is removed then."""

    def __init__(self, reference: ImageReference, daemon: Daemon, scratch: str) -> None:
        self._archive = f"{scratch}/load-{os.urandom(6).hex()}.tar"
        super().__init__(reference.replace(path=self._archive))
        self._daemon = daemon
        self._loaded = ""

    def __enter__(self) -> Self:
        """Raises Unavailable, Denied before anything is copied."""
        self._daemon.reach()
        return super().__enter__()

    def commit(self, manifest: ManifestBytes) -> None:
        """Finish the archive, and have the daemon load it: only then has it the image."""
        if self._loaded == manifest.digest:
            return
        super().commit(manifest)
        with open(self._archive, "rb") as file:
            self._daemon.load(file, os.fstat(file.fileno()).st_size)
        self._loaded = manifest.digest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if os.path.exists(self._archive):
            os.unlink(self._archive)
