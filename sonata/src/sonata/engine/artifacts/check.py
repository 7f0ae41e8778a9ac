"""What may be wrong with the store of artifacts, for `system check`."""

from __future__ import annotations

from functools import partial

from sonata.engine.artifacts.stored import open_store
from sonata.store.check import Finding
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import copy_verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata.image.artifact import Artifact
    from sonata.image.artifact_store import ArtifactStore
    from sonata_core.models.ids import Digest

    Mend = Callable[[], object]


def find(engine: Engine, *, quick: bool, force: bool) -> Iterator[tuple[Finding, Mend | None]]:
    """Artifacts that cannot be read whole (with `quick` by sizes alone), and files that none needs.

    Only `force` removes an artifact: those of its files that are whole may be all that there is of them.
    """
    store = open_store(engine)
    try:
        names = store.names()
    except SonataError as error:
        yield _finding("index of artifacts that cannot be read", store.folder, error.message, ""), None
        return
    for name, digest in names:
        trouble = _trouble(store, name, digest, quick=quick)
        if trouble and (name, digest) in store.names():  # nobody removed it while it was read, which nothing forbids
            what = "remove it" if force else "remove it, with --force"
            yield (
                _finding("damaged artifact", name or digest, trouble, what),
                partial(_remove, store, name, digest) if force else None,
            )
    left = store.unneeded()
    if left:
        evidence = f"{len(left)} files that no artifact has, left by killed processes: {left[0]}"
        yield _finding("files of no artifact", f"{store.folder}/blobs", evidence, "remove them"), partial(_sweep, store)


def _finding(what: str, subject: str, evidence: str, repair: str) -> Finding:
    return Finding(kind="artifacts", what=what, subject=subject, evidence=evidence, repair=repair)


def _trouble(store: ArtifactStore, name: str, digest: Digest, *, quick: bool) -> str:
    try:
        artifact = store.read(name, digest)
        _read(store, artifact, quick=quick)
    except NotFound as error:
        return f"a file is not there: {error.message}"
    except SonataError as error:
        return error.message
    return ""


def _read(store: ArtifactStore, artifact: Artifact, *, quick: bool) -> None:
    """Every blob, to its end unless `quick`. Raises NotFound, Damaged."""
    for blob in (*artifact.document.layers, artifact.document.config):
        with store.open_blob(blob) as stream:
            if not quick:
                copy_verified(stream, len, blob)


def _remove(store: ArtifactStore, name: str, digest: Digest) -> None:
    with store.changing() as change:
        change.remove(name, digest)
        change.commit()
        change.sweep()


def _sweep(store: ArtifactStore) -> None:
    with store.changing() as change:
        change.sweep()
