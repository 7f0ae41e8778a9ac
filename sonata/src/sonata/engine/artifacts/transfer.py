"""`artifact pull` and `artifact push`: artifacts from registries, and to them."""

from __future__ import annotations

from sonata.engine.artifacts.stored import open_store
from sonata.engine.images.again import again
from sonata.engine.images.ends import DEFAULT_PARALLEL, sink_end, source_end
from sonata.engine.images.platforms import wanted_platform
from sonata.engine.images.trust import trust_for
from sonata.image.artifact_transfer import pull_artifact, push_artifact
from sonata.image.progress import Quiet
from sonata.image.pull_options import PullOptions as TransferOptions
from sonata.image.reference import drop_tag_of_digest
from sonata.image.transfer import partial_folder
from sonata_core.errors import NotFound, SonataError, UsageError
from sonata_core.hookspecs.transport import TransportWrite
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.artifact_store import ArtifactStore
    from sonata.image.progress import Progress
    from sonata.model.image_request import PullOptions
    from sonata.model.signing import Signing
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import ManifestBytes


def place_of(name: str) -> str:
    """Where an artifact lies in a registry. A name without a host is one of docker.io. Raises UsageError."""
    try:
        return f"docker://{drop_tag_of_digest(parse_name(name).with_default_tag())}"
    except UsageError as error:
        raise UsageError("invalid reference format", hint=error.hint) from error


def pull(engine: Engine, name: str, options: PullOptions, progress: Progress | None = None) -> str:
    """Pull the artifact `name` into the store under that very name; its digest.

    Raises UsageError, NotFound, Denied, RegistryFailure, Damaged; nothing of it is seen then.
    """
    start = source_end(engine, place_of(name), options)
    trust = trust_for(engine, options.signature_policy)
    trust.forbid(start.reference)
    transfer = TransferOptions(
        platform=wanted_platform(engine, options),
        partial=partial_folder(engine.config.storage.graph_root),
        parallel=engine.config.engine.image_parallel_copies or DEFAULT_PARALLEL,
        retries=start.options.retries,
        retry_delay=start.options.retry_delay,
    )
    hook, told = start.slot.hook, progress or Quiet()

    def attempt() -> str:
        with hook.transport_open_source(reference=start.reference, options=start.options) as source:

            def admit(manifest: ManifestBytes) -> None:
                told.message("Getting image source signatures")
                trust.admit(start.reference, source, manifest)

            digest = pull_artifact(source, open_store(engine), name, transfer, told, admit).digest
            told.message("Writing manifest to image destination")
            return digest

    try:
        return again(engine, start.options, attempt)
    except SonataError as error:
        raise _told(error, place_of(name)) from error


def _told(error: SonataError, place: str) -> SonataError:
    if "initializing source" not in error.message and isinstance(error, NotFound):
        error.message = f"initializing source {place}: {error.message}"
    return error


def _exactly(store: ArtifactStore, known: list[tuple[str, Digest]], name: str) -> tuple[str, Digest]:
    for own, digest in known:
        if own == name:
            return own, digest
    raise NotFound(
        f'initializing source oci:{store.folder}:{name}: no descriptor found for reference "{name}"', name=name
    )


def push(engine: Engine, name: str, options: PullOptions, signing: Signing, progress: Progress | None = None) -> str:
    """Push the artifact `name` of the store to the registry that its name says; its digest there, which is its own.

    It is signed first, so that nothing arrives where that fails. Raises UsageError, NotFound, Denied, RegistryFailure,
    Damaged, Unsupported.
    """
    from sonata.engine.images.signing import identity_of, make_signatures, put_signatures, require_signable

    place = place_of(name)
    store = open_store(engine)
    artifact = store.chosen(lambda known: _exactly(store, known, name))
    goal = sink_end(engine, place, options)
    made: tuple[bytes, ...] = ()
    if signing.wanted:
        require_signable(engine, signing, goal.reference, goal.options.endpoints[-1])
        made = make_signatures(engine, signing, artifact.manifest.digest, identity_of(signing, goal.reference))
    parallel = engine.config.engine.image_parallel_copies or DEFAULT_PARALLEL
    writer = goal.slot.require(TransportWrite)

    def attempt() -> None:
        with writer.transport_open_sink(reference=goal.reference, options=goal.options) as sink:
            told = progress or Quiet()
            told.message("Getting image source signatures")
            push_artifact(store, artifact, sink, told, parallel=parallel)
            told.message("Writing manifest to image destination")

    again(engine, goal.options, attempt)
    put_signatures(engine, goal.reference, artifact.manifest.digest, made, goal.options)
    return artifact.manifest.digest
