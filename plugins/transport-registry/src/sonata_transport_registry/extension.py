"""Signatures kept by the registry itself: OpenShift's extension of the protocol (`X-Registry-Supports-Signatures`).

Where a registry has it, it stands in for the lookaside. Source: containers-storage notes 7.8b.
"""

from __future__ import annotations

import base64
import json
import os

from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.manifests import load_object
from sonata_core.sdk.signatures import LARGEST_TOGETHER, require_bounded
from sonata_transport_registry.wire import discard, read_all

if TYPE_CHECKING:
    from sonata_core.models.ids import Digest
    from sonata_transport_registry.client import Client

_VERSION = 2
_KIND = "atomic"
_SCOPE = "pull,push"


def _target(client: Client, digest: Digest) -> str:
    return f"/extensions/v2/{client.name.path}/signatures/{digest}"


def read(client: Client, digest: Digest) -> list[bytes]:
    """The signatures of a manifest. Raises Damaged, RegistryFailure, Denied."""
    what = f"downloading signatures for {digest} in {client.name.repository}"
    answer = client.get("GET", _target(client, digest), {})
    if answer.status != 200:
        raise client.failure(what, answer)
    document = load_object(read_all(answer, 2 * LARGEST_TOGETHER, what), "the list of signatures", 2 * LARGEST_TOGETHER)
    listed = document.get("signatures") or []
    if not isinstance(listed, list):
        raise Damaged("the registry's list of signatures is malformed")
    found = [_content(one) for one in listed if _is_simple(one)]
    require_bounded((len(one) for one in found), digest)
    return found


def _is_simple(one: Any) -> bool:
    if not isinstance(one, dict):
        raise Damaged("the registry's list of signatures is malformed")
    return one.get("schemaVersion") == _VERSION and one.get("type") == _KIND


def _content(one: dict[str, Any]) -> bytes:
    text = one.get("content")
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except ValueError as error:
        raise Damaged("a signature in the registry's list is not base64") from error


def write(client: Client, digest: Digest, signatures: list[bytes]) -> None:
    """Add signatures that the registry does not have yet. Raises RegistryFailure, Denied."""
    there = read(client, digest)
    for one in signatures:
        if one in there:
            continue
        name = f"{digest}@{os.urandom(16).hex()}"
        content = base64.b64encode(one).decode()
        body = json.dumps({"schemaVersion": _VERSION, "name": name, "type": _KIND, "content": content}).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **client.authorization(_SCOPE)}
        answer = client.wire.once("PUT", client.origin(), _target(client, digest), headers, body)
        if answer.status != 201:
            raise client.failure(f"uploading signature to {client.name.repository}", answer)
        discard(answer)
