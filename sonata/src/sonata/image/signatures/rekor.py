"""The promise of a transparency log that it has an entry (Rekor's signed entry timestamp), checked offline."""

from __future__ import annotations

import hashlib
import json

from sonata.image.signatures.keys import holds, unbase64
from sonata.image.signatures.strict_json import loads
from sonata_core.errors import Damaged
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_LIMIT = 1 << 20
_EXACT = 2**53
_PAYLOAD = {"body": str, "integratedTime": int, "logIndex": int, "logID": str}


def logged_at(
    keys: Sequence[EllipticCurvePublicKey], bundle: bytes, der: bytes, signature: bytes, payload: bytes
) -> int:
    """When the log took an entry for this signature of this payload by this key or certificate (`der`); seconds.

    Raises Damaged.
    """
    document = _object(bundle, "the bundle", {"SignedEntryTimestamp": str, "Payload": dict})
    promised = document["Payload"]
    _check(promised, "Payload", _PAYLOAD)
    canonical = _canonical(promised)
    stamp = unbase64(document["SignedEntryTimestamp"], "SignedEntryTimestamp")
    if not any(holds(key, stamp, canonical) for key in keys):
        raise Damaged("cryptographic signature verification of Rekor SET failed")
    entry = _loads(unbase64(promised["body"], "the body of the log's entry"), "the body of the log's entry")
    if entry.get("kind") != "hashedrekord" or entry.get("apiVersion") != "0.0.1":
        raise Damaged("unsupported Rekor SET Payload: not a hashedrekord of version 0.0.1")
    _match(entry.get("spec"), der, signature, payload)
    return int(promised["integratedTime"])


def _match(spec: object, der: bytes, signature: bytes, payload: bytes) -> None:
    signed = _inner(spec, "signature")
    if _pem_content(_inner(signed, "publicKey").get("content")) != der:
        raise Damaged("publicKey in Rekor SET does not match")
    content = signed.get("content")
    if not isinstance(content, str) or unbase64(content, "the signature in the log's entry") != signature:
        raise Damaged("signature in Rekor SET does not match")
    digest = _inner(_inner(spec, "data"), "hash")
    if digest.get("algorithm") != "sha256" or digest.get("value") != hashlib.sha256(payload).hexdigest():
        raise Damaged("payload in Rekor SET does not match")


def _pem_content(value: object) -> bytes:
    """What is in the one PEM block that base64 text holds."""
    if not isinstance(value, str):
        raise Damaged("the log's entry has no public key")
    lines = unbase64(value, "the log's public key").decode("ascii", "replace").strip().splitlines()
    if len(lines) < 3 or not lines[0].startswith("-----BEGIN ") or not lines[-1].startswith("-----END "):
        raise Damaged("publicKey in Rekor SET is not in PEM format")
    return unbase64("".join(lines[1:-1]), "the log's public key")


def _inner(value: object, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise Damaged(f'Missing "{name}" field in hashedrekord')
    return found


def _canonical(payload: dict[str, Any]) -> bytes:
    """RFC 8785 for an object of strings and integers: names sorted, no spaces."""
    if any(isinstance(one, int) and not -_EXACT < one < _EXACT for one in payload.values()):
        raise Damaged("a number in the Rekor SET is too large")
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _object(content: bytes, what: str, members: dict[str, type]) -> dict[str, Any]:
    found = _loads(content, what)
    _check(found, what, members)
    return found


def _check(value: object, what: str, members: dict[str, type]) -> None:
    """Raises Damaged unless it is an object with exactly these members."""
    if not isinstance(value, dict) or set(value) != set(members):
        raise Damaged(f"{what} has other members than {', '.join(members)}")
    if not all(isinstance(value[name], kind) and not isinstance(value[name], bool) for name, kind in members.items()):
        raise Damaged(f"{what} has a member of another type than it should")


def _loads(content: bytes, what: str) -> dict[str, Any]:
    try:
        found = loads(content, _LIMIT)
    except ValueError as error:
        raise Damaged(f"{what} is not JSON as it must be: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise Damaged(f"{what} is not a JSON object")
    return found
