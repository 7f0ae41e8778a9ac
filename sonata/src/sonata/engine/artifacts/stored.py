"""Artifacts of this host: where they are, and what each is."""

from __future__ import annotations

from sonata.image.artifact import document_of
from sonata.image.artifact_store import ArtifactStore
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.artifact import Artifact


def open_store(engine: Engine) -> ArtifactStore:
    """The store of artifacts, which is Podman's too. Makes nothing."""
    return ArtifactStore(f"{engine.config.storage.graph_root}/artifacts")


def get(engine: Engine, text: str) -> Artifact:
    """An artifact by name, or by the first digits of its digest. Raises NotFound, Conflict, Damaged."""
    return open_store(engine).get(text)


def inspect(artifact: Artifact) -> dict[str, Any]:
    """The object that `inspect` shows for an artifact."""
    return {"Manifest": document_of(artifact.manifest), "Name": artifact.name, "Digest": artifact.manifest.digest}


def listing(engine: Engine) -> tuple[list[Artifact], list[SonataError]]:
    """All artifacts in the store's order, and what is wrong with those that cannot be read."""
    return open_store(engine).all()
