"""Config and manifest of an image that is made here, byte for byte as buildah writes them."""

from __future__ import annotations

import hashlib
import json

from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from sonata_core.record import Record
from sonata_core.sdk.manifests import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_INNER_OCI = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal")
_EMPTY_DOCKER = {"Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False}
_EMPTY_DOCKER |= {"AttachStderr": False, "ExposedPorts": None, "Tty": False, "OpenStdin": False, "StdinOnce": False}
_EMPTY_DOCKER |= {"Env": None, "Cmd": None, "Healthcheck": None, "Image": "", "Volumes": None, "WorkingDir": ""}
_EMPTY_DOCKER |= {"Entrypoint": None, "OnBuild": None, "Labels": None, "StopSignal": None, "Shell": None}
_LEFT_OUT = ("ExposedPorts", "Healthcheck", "StopSignal", "Shell", "StopTimeout")
"""Members that Docker's config lacks where they are empty; the others are null."""


class LayerBlob(Record):
    """An uncompressed layer: its digest and bytes."""

    digest: Digest
    size: int


class Made(Record):
    """What an image says of itself. `inner` is its `config` with Docker's keys; times are RFC 3339."""

    created: str
    architecture: str
    os: str = "linux"
    variant: str = ""
    author: str = ""
    comment: str = ""
    container: str = ""
    parent: str = ""
    inner: Mapping[str, Any] = {}
    before: Mapping[str, Any] = {}
    """The container's own config, before changes: only Docker's form has it."""
    history: tuple[Mapping[str, Any], ...] = ()
    layers: tuple[LayerBlob, ...] = ()
    annotations: Mapping[str, str] = {}


class Composed(Record):
    """The bytes. An image's id is its config's digest."""

    config: bytes
    config_digest: Digest
    manifest: ManifestBytes


def oci(made: Made) -> Composed:
    """An OCI image: what it has no room for (ONBUILD, HEALTHCHECK, SHELL, the comment) is left out."""
    config: dict[str, Any] = {"created": made.created}
    if made.author:
        config["author"] = made.author
    config["architecture"] = made.architecture
    if made.variant:
        config["variant"] = made.variant
    config["os"] = made.os
    config["config"] = {key: made.inner[key] for key in _INNER_OCI if made.inner.get(key)}
    config |= _common(made)
    content = dump(config)
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    manifest["config"] = {"mediaType": OCI_CONFIG, "digest": digest_of(content), "size": len(content)}
    manifest["layers"] = [{"mediaType": OCI_LAYER, "digest": one.digest, "size": one.size} for one in made.layers]
    if made.annotations:
        manifest["annotations"] = dict(made.annotations)
    return _composed(content, OCI_MANIFEST, manifest)


def docker(made: Made) -> Composed:
    """An image of Docker's schema 2."""
    config: dict[str, Any] = {}
    if made.comment:
        config["comment"] = made.comment
    config["created"] = made.created
    if made.container:
        config["container"] = made.container
    config["container_config"] = _docker_inner(made.before)
    if made.author:
        config["author"] = made.author
    config["config"] = _docker_inner(made.inner)
    config["architecture"] = made.architecture
    if made.variant:
        config["variant"] = made.variant
    config["os"] = made.os
    if made.parent:
        config["parent"] = made.parent
    config |= _common(made)
    content = dump(config)
    manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST}
    manifest["config"] = {"mediaType": DOCKER_CONFIG, "size": len(content), "digest": digest_of(content)}
    manifest["layers"] = [{"mediaType": DOCKER_LAYER, "size": one.size, "digest": one.digest} for one in made.layers]
    return _composed(content, DOCKER_MANIFEST, manifest)


def _common(made: Made) -> dict[str, Any]:
    return {
        "rootfs": {"type": "layers", "diff_ids": [one.digest for one in made.layers]},
        "history": [dict(item) for item in made.history],
    }


def _docker_inner(inner: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**_EMPTY_DOCKER, **inner}
    return {key: value for key, value in whole.items() if key not in _LEFT_OUT or value}


def _composed(config: bytes, kind: str, manifest: dict[str, Any]) -> Composed:
    content = dump(manifest)
    digest = Digest("sha256:" + hashlib.sha256(config).hexdigest())
    body = ManifestBytes(media_type=kind, digest=digest_of(content), content=content)
    return Composed(config=config, config_digest=digest, manifest=body)


def dump(value: object) -> bytes:
    """JSON as Go writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(plain, escaped)
    return text.encode(errors="surrogateescape")
