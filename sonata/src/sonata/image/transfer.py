"""An image from its source into the store: every byte verified. What lies there already is not fetched again."""

import os

from sonata.image.landing import Landing, PulledImage
from sonata.image.manifest import Index, LegacyManifest, Manifest, check_matches, parse
from sonata.image.platform import choose
from sonata.image.progress import Progress, Quiet
from sonata.image.pull_options import PullOptions
from sonata_core.errors import Damaged, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest, ImageId, LayerId
from sonata_core.models.image import Descriptor, ImageSource, ManifestBytes, Platform
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.model.image import ImageConfig

CONFIG_LIMIT = 4 << 20
MANIFEST_LIMIT = 4 << 20
_TRIES = 10


class Pulled(Record):
    """What is in the store now."""

    id: ImageId
    digest: Digest
    manifest: ManifestBytes
    top_digest: Digest
    """The digest of what the reference named: the index's, where there is one."""


class Chosen(Record):
    """One image of a source: its manifest, and the index that it was chosen from."""

    manifest: ManifestBytes
    document: Manifest | LegacyManifest
    index: ManifestBytes | None = None


def choose_image(source: ImageSource, platform: Platform) -> Chosen:
    """The manifest of the image for `platform`. Raises NotFound, Damaged, Unsupported (an index within an index)."""
    top = checked_manifest(source.resolve())
    document = parse(top)
    if not isinstance(document, Index):
        return Chosen(manifest=top, document=document)
    entry = choose(document, platform)
    manifest = check_matches(checked_manifest(source.manifest(entry.digest)), entry.digest)
    if 0 <= entry.size != len(manifest.content):
        raise Damaged(f"manifest {entry.digest} has {len(manifest.content)} bytes; its index says {entry.size}")
    inner = parse(manifest)
    if isinstance(inner, Index):
        raise Unsupported(f"{entry.digest} is an index within an index")
    return Chosen(manifest=manifest, document=inner, index=top)


def checked_manifest(manifest: ManifestBytes) -> ManifestBytes:
    """The manifest, if its bytes have its digest and are not too many. Raises Damaged."""
    if len(manifest.content) > MANIFEST_LIMIT:
        raise Damaged(f"manifest {manifest.digest} has {len(manifest.content)} bytes; {MANIFEST_LIMIT} are allowed")
    return check_matches(manifest, manifest.digest)


def read_config(source: ImageSource, blob: Descriptor) -> bytes:
    """The config blob, verified. Raises Damaged, also beyond 4 MiB."""
    from sonata.image.verify import VerifyingReader

    if blob.size > CONFIG_LIMIT:
        raise Damaged(f"the image's config has {blob.size} bytes; {CONFIG_LIMIT} are allowed")
    stream = VerifyingReader(source.open_blob(blob, 0), blob.digest, blob.size)
    try:
        parts: list[bytes] = []
        size = 0
        while part := stream.read(1 << 18):
            parts.append(part)
            size += len(part)
            if size > CONFIG_LIMIT:
                raise Damaged(f"the image's config has more than {CONFIG_LIMIT} bytes")
        return b"".join(parts)
    finally:
        stream.close()


def refuse_encrypted(layers: tuple[Descriptor, ...]) -> None:
    """Raise Unsupported where a layer can be read only with somebody's key."""
    sealed = next((layer.digest for layer in layers if layer.media_type.endswith("+encrypted")), "")
    if sealed:
        raise Unsupported(f"layer {sealed} is encrypted", hint="`skopeo copy --decryption-key` decrypts it")


def pull_image(
    source: ImageSource,
    landing: Landing,
    options: PullOptions,
    progress: Progress | None = None,
    admit: "Callable[[ManifestBytes], tuple[bytes, ...]] | None" = None,
) -> Pulled:
    """Bring one image into the store. After an error the layers that are whole stay, partial blobs too.

    `admit` is shown the very manifest that is used, before anything else of the image is read: it raises Denied, or
    returns the signatures to keep with the image.

    Raises NotFound, Damaged, Unsupported (an artifact), RegistryFailure, Unavailable, Interrupted.
    """
    from sonata.image.config import check_layers, check_times
    from sonata.image.config import parse as parse_config
    from sonata.image.legacy_config import from_legacy

    progress = progress or Quiet()
    chosen = choose_image(source, options.platform)
    signatures = admit(chosen.manifest) if admit is not None else ()
    document = chosen.document
    config: bytes
    if isinstance(document, LegacyManifest):
        layers = document.real_layers
        from sonata.image.layer_transfer import diff_ids_of

        config = from_legacy(document, tuple(diff_ids_of(source, layers, options, progress)))
    else:
        if not document.is_image:
            raise Unsupported(
                "parsing image configuration: unsupported image-specific operation on artifact with type "
                f'"{document.artifact_type or document.config.media_type}"',
                hint="artifacts are pulled with `artifact pull`",
            )
        layers = document.layers
        refuse_encrypted(layers)
        kept = landing.config_of(document.config.digest, chosen.manifest.digest)
        config = read_config(source, document.config) if kept is None else kept
    described = parse_config(config)
    check_layers(described, len(layers))
    check_times(described)
    image = _image(chosen, config, described)
    chain = chain_of(landing, described)
    if not (image.id and landing.has_image(image.id, chosen.manifest.digest)):
        from sonata.image.layer_transfer import Layers

        whole = image.replace(layer=chain[-1] if chain else None, signatures=signatures)
        land(landing, whole, lambda: Layers(source, landing, options, progress).bring(layers, chain, described))
    else:
        for blob in layers:
            progress.blob(blob.digest, "exists", max(blob.size, 0), blob.size)
    for state, done in (("config", 0), ("done", len(config))):
        progress.blob(image.config_digest, state, done, len(config))
    top = chosen.index or chosen.manifest
    return Pulled(id=image.id, digest=chosen.manifest.digest, manifest=chosen.manifest, top_digest=top.digest)


def land(landing: Landing, image: PulledImage, bring: "Callable[[], None]") -> None:
    """Bring an image's layers, and record it; so again where one that was here went with another image meanwhile.

    Raises what `bring` raises, NotFound where others remove layers quicker than they come.
    """
    for _ in range(_TRIES - 1):
        try:
            bring()
            landing.put_image(image)
        except NotFound as error:
            if "layer" not in error.details:
                raise
        else:
            return
    bring()
    landing.put_image(image)


def _image(chosen: Chosen, config: bytes, described: "ImageConfig") -> PulledImage:
    import hashlib

    legacy = isinstance(chosen.document, LegacyManifest)
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    if not legacy:
        assert isinstance(chosen.document, Manifest)
        digest = chosen.document.config.digest
    return PulledImage(
        id=ImageId(digest.partition(":")[2]),
        layer=None,
        manifest=chosen.manifest,
        config=None if legacy else config,
        config_digest=Digest(digest),
        index=chosen.index,
        created=described.created,
    )


def chain_of(landing: Landing, config: "ImageConfig") -> list[LayerId]:
    """The ids of the image's layers, base first."""
    chain: list[LayerId] = []
    for diff_id in config.diff_ids:
        chain.append(landing.layer_id(chain[-1] if chain else None, Digest(diff_id)))
    return chain


def partial_folder(graph_root: str) -> str:
    """Where partial blobs of a store lie."""
    return os.path.join(graph_root, "sonata", "partial")
