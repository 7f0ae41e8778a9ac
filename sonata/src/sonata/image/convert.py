"""Turning an image's manifest and config into the kind that a destination takes (push, save).

Pure: what goes in and comes out is bytes and descriptors. Documents are written as the container
tools write them, compact and in their order, so that the same image gets the same digest everywhere.
"""

from __future__ import annotations

from sonata.image.config import check_times
from sonata.image.config import parse as parse_config
from sonata.image.manifest import Manifest
from sonata.image.view import container_config, history_entry
from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ManifestBytes
from sonata_core.models.media import (
    DOCKER_CONFIG,
    DOCKER_FOREIGN_LAYER,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
)
from sonata_core.sdk.manifests import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.model.image import ImageConfig
    from sonata_core.models.image import Platform, TransportFacts

_OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"
_FAMILIES = {
    OCI_MANIFEST: (OCI_LAYER, _OCI_FOREIGN_LAYER, "+"),
    DOCKER_MANIFEST: (DOCKER_LAYER, DOCKER_FOREIGN_LAYER, "."),
}
_COMPRESSIONS = ("", "gzip", "zstd")


def pick_type(manifest: Manifest, accepted: Sequence[str]) -> str:
    """The manifest type to write: as it is if that is taken, else Docker's, else the first that can be made.

    `accepted` empty means that any is. Raises Unsupported.
    """
    if not accepted or manifest.media_type in accepted:
        return manifest.media_type
    for media_type in (DOCKER_MANIFEST, OCI_MANIFEST):
        if media_type in accepted:
            return media_type
    raise Unsupported(
        f"the image is of type {manifest.media_type}; the destination takes {', '.join(accepted)} and no other"
    )


def wanted_type(manifest: Manifest, accepted: Sequence[str], forced: str, *, zstd: bool) -> str:
    """The manifest type to write: what was asked for, else as `pick_type`; with zstd-compressed layers OCI's alone.

    Raises Unsupported.
    """
    if zstd and forced == DOCKER_MANIFEST:
        raise Unsupported(
            f"compression using zstd required together with format {forced}, which does not support it",
            hint="use the OCI format, or gzip",
        )
    for only in (forced, OCI_MANIFEST if zstd else ""):
        if only and accepted and only not in accepted:
            raise Unsupported(f"a manifest of the type {only} is not taken there; {', '.join(accepted)} are")
        if only:
            accepted = (only,)
    return pick_type(manifest, accepted)


def require_packing(facts: TransportFacts, compression: str, manifest_type: str = "") -> None:
    """Raise Unsupported where a place whose manifests are Docker's is to have layers in zstd, or OCI's manifests."""
    if facts.layer_compression != "none":
        return
    if manifest_type not in ("", DOCKER_MANIFEST):
        raise Unsupported(
            "writing manifest: Unsupported manifest type, need a Docker schema 2 manifest",
            hint=f"leave the format out: {facts.schemes[0]} keeps an image's config and layers, and no manifest",
        )
    if compression.startswith("zstd"):
        raise Unsupported(
            f"compression using zstd required but the destination only supports MIME types [{DOCKER_MANIFEST}], "
            "none of which support it",
            hint="leave the compression out: layers lie uncompressed there",
        )


def _no_zstd() -> Unsupported:
    return Unsupported("zstd-compressed layers are not supported for docker images", hint="use the OCI format, or gzip")


def is_layer(media_type: str) -> bool:
    """Whether it is the type of a layer of files, which may be packed in another way."""
    try:
        layer_type(media_type, OCI_MANIFEST)
    except Unsupported:
        return False
    return True


def layer_type(layer: str, manifest_type: str, compression: str | None = None) -> str:
    """A layer's media type in a manifest of that type, with another compression (`""`, `gzip`, `zstd`) if given.

    Raises Unsupported for a layer type that has no counterpart: unknown, encrypted, zstd under Docker.
    """
    for plain, foreign, joint in _FAMILIES.values():
        for place, base in enumerate((plain, foreign)):
            for found in _COMPRESSIONS:
                if layer == (f"{base}{joint}{found}" if found else base):
                    return _spell(manifest_type, place, found if compression is None else compression)
    raise Unsupported(f"a layer of type {layer} cannot be put into a manifest of type {manifest_type}")


def _spell(manifest_type: str, place: int, compression: str) -> str:
    if manifest_type == DOCKER_MANIFEST and compression == "zstd":
        raise _no_zstd()
    family = _FAMILIES[manifest_type]
    return family[place] + (family[2] + compression if compression else "")


class Converted:
    """A manifest and the config that it names."""

    def __init__(self, manifest: ManifestBytes, config: Descriptor, config_bytes: bytes) -> None:
        self.manifest = manifest
        self.config = config
        self.config_bytes = config_bytes


def convert(
    manifest: Manifest, config: bytes, media_type: str, layers: Sequence[Descriptor] | None = None
) -> Converted:
    """The image as a manifest of `media_type`; `layers` replace its own, such as after recompression.

    The layers' media types follow the manifest's. From Docker to OCI the config is written anew
    without what OCI does not know, so the image's ID changes; the other way it stays.
    """
    if media_type not in _FAMILIES:
        raise Unsupported(f"an image cannot be converted to {media_type}")
    wanted = OCI_CONFIG if media_type == OCI_MANIFEST else DOCKER_CONFIG
    from_docker = manifest.media_type == DOCKER_MANIFEST
    if media_type == OCI_MANIFEST and (from_docker or manifest.config.media_type == DOCKER_CONFIG):
        known = parse_config(config)
        check_times(known)
        config = oci_config(known)
    described = Descriptor(media_type=wanted, digest=digest_of_blob(config), size=len(config))
    stays = media_type == manifest.media_type
    kept = [
        layer
        if stays and not is_layer(layer.media_type)
        else layer.replace(media_type=layer_type(layer.media_type, media_type))
        for layer in (manifest.layers if layers is None else layers)
    ]
    annotations = {} if from_docker or media_type == DOCKER_MANIFEST else manifest.annotations
    like = manifest if stays else None
    if like is not None and described.digest == manifest.config.digest:
        described = described.replace(urls=manifest.config.urls, annotations=manifest.config.annotations)
    return Converted(write_manifest(media_type, described, kept, annotations, like), described, config)


def digest_of_blob(content: bytes) -> Digest:
    """The digest of a config's bytes."""
    import hashlib

    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


def write_manifest(
    media_type: str,
    config: Descriptor,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
    like: Manifest | None = None,
) -> ManifestBytes:
    """A manifest's bytes, compact and in the order of the specification's structures.

    It says of itself what `like` does: the type of artifact that it is, and what it is about.
    """
    docker = media_type == DOCKER_MANIFEST
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type}
    if like is not None and like.artifact_type and not docker:
        document["artifactType"] = like.artifact_type
    document["config"] = _descriptor(config, docker=docker)
    document["layers"] = [_descriptor(layer, docker=docker) for layer in layers]
    if like is not None and like.subject is not None and not docker:
        document["subject"] = _descriptor(like.subject, docker=False)
    if annotations:
        document["annotations"] = dict(sorted(annotations.items()))
    content = go_json(document)
    return ManifestBytes(media_type=media_type, digest=digest_of(content), content=content)


def write_index(
    media_type: str, manifests: Sequence[Descriptor], annotations: Mapping[str, str] | None = None
) -> ManifestBytes:
    """An index's bytes, compact and in the order of the specification's structures."""
    docker = media_type == DOCKER_LIST
    rows = []
    for item in manifests:
        row = _descriptor(item, docker=docker)
        if item.platform is not None:
            row["platform"] = _platform(item.platform)
        if item.artifact_type and not docker:
            row["artifactType"] = item.artifact_type
        rows.append(row)
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type, "manifests": rows}
    if annotations:
        document["annotations"] = dict(sorted(annotations.items()))
    content = go_json(document)
    return ManifestBytes(media_type=media_type, digest=digest_of(content), content=content)


def _platform(platform: Platform) -> dict[str, object]:
    values = (
        ("architecture", platform.architecture),
        ("os", platform.os),
        ("os.version", platform.os_version),
        ("os.features", list(platform.os_features)),
        ("variant", platform.variant),
    )
    return {key: value for key, value in values if value or key in ("architecture", "os")}


def _descriptor(item: Descriptor, *, docker: bool) -> dict[str, object]:
    found: dict[str, object] = {"mediaType": item.media_type}
    found.update({"size": item.size, "digest": item.digest} if docker else {"digest": item.digest, "size": item.size})
    if item.urls:
        found["urls"] = list(item.urls)
    if item.annotations and not docker:
        found["annotations"] = dict(sorted(item.annotations.items()))
    return found


def oci_config(config: ImageConfig) -> bytes:
    """An OCI config with what OCI knows of `config`: no health check, shell, onbuild or stop timeout."""
    values: tuple[tuple[str, object], ...] = (
        ("created", config.created),
        ("author", config.author),
        ("architecture", config.architecture),
        ("os", config.os),
        ("os.version", config.os_version),
        ("os.features", list(config.os_features)),
        ("variant", config.variant),
    )
    document = {key: value for key, value in values if value or key in ("architecture", "os")}
    inner = container_config(config)
    for key in ("ExposedPorts", "Volumes", "Labels"):
        if key in inner:
            found = inner[key]
            assert isinstance(found, dict)
            inner[key] = dict(sorted(found.items()))
    document["config"] = inner
    document["rootfs"] = {"type": "layers", "diff_ids": list(config.diff_ids)}
    if config.history:
        document["history"] = [history_entry(item) for item in config.history]
    return go_json(document)


def go_json(document: object) -> bytes:
    """Compact JSON as Go writes it, with its escapes; the order of keys is kept."""
    from sonata_core.sdk.raw_json import go_text

    return go_text(document).encode()
