"""`index.json` of an OCI layout (image-spec image-layout.md): finding an image in it, putting one in."""

from __future__ import annotations

import json

from sonata_core.errors import Damaged, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import ACCEPTED, MANIFEST_LIMIT, OCI_INDEX
from sonata_core.naming import check_digest, shown
from sonata_core.sdk.local_reference import index_of
from sonata_core.sdk.manifests import load_object, media_type_of

if TYPE_CHECKING:
    from typing import Any

    from sonata_transport_oci.tree import Tree

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_JOINTS = frozenset(("-", ".", "_", ":", "@", "+", "--"))


def check_name(selector: str) -> None:
    """Refuse a name that `ref.name` may not have (image-spec annotations.md). Raises UsageError."""
    for component in selector.split("/"):
        joint = "-"
        for character in component + "-":
            if character in _ALNUM:
                if joint and joint not in _JOINTS:
                    raise _no_name(selector)
                joint = ""
            else:
                joint += character
        if component[:1] not in _ALNUM or component[-1:] not in _ALNUM:
            raise _no_name(selector)


def _no_name(selector: str) -> UsageError:
    return UsageError(f"Invalid image {shown(selector)}: it is no name of an image in an OCI layout")


def entries(tree: Tree, where: str) -> list[dict[str, Any]]:
    """The descriptors of the index. Raises NotFound where there is no layout, Damaged."""
    try:
        content = tree.read("index.json", MANIFEST_LIMIT)
    except NotFound as error:
        raise NotFound(f"{where} is no OCI layout: it has no index.json") from error
    return parse_entries(content, where)


def parse_entries(content: bytes, where: str) -> list[dict[str, Any]]:
    """The descriptors of the bytes of an index, as dictionaries. Raises Damaged."""
    found = load_object(content, f"index.json of {where}").get("manifests") or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise Damaged(f"index.json of {where}: manifests is no list of descriptors")
    for entry in found:
        annotations = entry.get("annotations") or {}
        if not isinstance(annotations, dict) or not all(isinstance(text, str) for text in annotations.values()):
            raise Damaged(f"index.json of {where}: an entry's annotations are not strings")
    return found


def name_of(entry: dict[str, Any], key: str = _REF_NAME) -> str:
    """The name that an entry has, empty for none."""
    return str((entry.get("annotations") or {}).get(key, ""))


def names(found: list[dict[str, Any]]) -> tuple[str, ...]:
    """A selector for every image, in order: containerd's full name, the layout's, or `@index`."""
    return tuple(name_of(entry, _CONTAINERD_NAME) or name_of(entry) or f"@{index}" for index, entry in enumerate(found))


def find(found: list[dict[str, Any]], selector: str, where: str) -> dict[str, Any]:
    """The entry that a selector means. Raises NotFound, UsageError."""
    index = index_of(selector)
    if index is not None:
        if index >= len(found):
            raise NotFound(f"{where} has {len(found)} images: there is none with index {index}")
        return found[index]
    if selector:
        for key in (_REF_NAME, _CONTAINERD_NAME):
            for entry in found:
                if name_of(entry, key) == selector:
                    return entry
        raise NotFound(f"no descriptor found for reference {shown(selector)} in {where}", hint=_there(found))
    if not found:
        raise NotFound(f"{where} holds no image")
    if len(found) > 1:
        raise UsageError(f"more than one image in {where}, choose an image", hint=_there(found))
    return found[0]


def _there(found: list[dict[str, Any]]) -> str:
    return f"it has: {', '.join(names(found)[:20]) or 'nothing'}"


def manifest_bytes(tree: Tree, path: str, digest: str, claimed: object) -> ManifestBytes:
    """A manifest or index that lies in the layout as a blob. Raises NotFound, Damaged."""
    content = tree.read(path, MANIFEST_LIMIT)
    known = isinstance(claimed, str) and claimed in ACCEPTED
    media_type = str(claimed) if known else media_type_of(content)
    return ManifestBytes(media_type=media_type, digest=check_digest(digest), content=content)


def with_image(found: list[dict[str, Any]], manifest: ManifestBytes, name: str) -> bytes:
    """The bytes of the index once `manifest` is in it under `name`: an older holder loses the name, not its place."""
    kept = [dict(entry) for entry in found]
    for entry in kept:
        if name and name_of(entry) == name:
            left = {key: text for key, text in entry["annotations"].items() if key != _REF_NAME}
            entry["annotations"] = left
            if not left:
                del entry["annotations"]
    new: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": len(manifest.content),
    }
    if name:
        new["annotations"] = {_REF_NAME: name}
    same = [i for i, entry in enumerate(kept) if entry.get("digest") == manifest.digest and not name_of(entry)]
    if same:
        kept[same[0]] = new
    else:
        kept.append(new)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": kept}
    return json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()
