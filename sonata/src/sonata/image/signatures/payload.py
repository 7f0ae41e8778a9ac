"""What is signed: which manifest, under which name. Read strictly, as the formats demand.

Source: containers-signature(5), and the payload that cosign shares with it.
"""

from sonata.image.signatures.strict_json import loads
from sonata_core.errors import Damaged
from sonata_core.naming import is_digest, shown
from sonata_core.record import Record

SIMPLE = "atomic container signature"
COSIGN = "cosign container image signature"
_LIMIT = 4 << 20


class Claims(Record):
    """What a payload says. True only if the signature over the payload is."""

    digest: str
    reference: str
    creator: str = ""
    timestamp: int | None = None


def make(digest: str, reference: str, kind: str, creator: str, timestamp: int) -> bytes:
    """A payload, as peers write it: members sorted, no spaces."""
    import json

    document = {
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest},
            "type": kind,
        },
        "optional": {"creator": creator, "timestamp": timestamp},
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def parse(content: bytes, kind: str) -> Claims:
    """The claims of a payload of one kind. Raises Damaged for anything unknown, doubled, missing or of another type."""
    try:
        document = loads(content, _LIMIT)
    except ValueError as error:
        raise Damaged(f"invalid signature: its payload is not JSON as it must be: {str(error)[:200]}") from error
    top = _exactly(document, ("critical", "optional"), "the payload")
    critical = _exactly(top["critical"], ("type", "image", "identity"), "critical")
    if critical["type"] != kind:
        raise Damaged(f"invalid signature: Unrecognized signature type {shown(critical['type'])}")
    image = _exactly(critical["image"], ("docker-manifest-digest",), "image")
    identity = _exactly(critical["identity"], ("docker-reference",), "identity")
    digest, reference = image["docker-manifest-digest"], identity["docker-reference"]
    if not isinstance(digest, str) or not is_digest(digest):
        raise Damaged(f"invalid signature: invalid docker-manifest-digest value {shown(digest)}")
    if not isinstance(reference, str):
        raise Damaged("invalid signature: docker-reference is not a string")
    creator, timestamp = _optional(top["optional"], kind)
    return Claims(digest=digest, reference=reference, creator=creator, timestamp=timestamp)


def _optional(value: object, kind: str) -> tuple[str, int | None]:
    if value is None and kind == COSIGN:
        return "", None
    if not isinstance(value, dict):
        raise Damaged("invalid signature: optional is not an object")
    creator, timestamp = value.get("creator", ""), value.get("timestamp")
    if not isinstance(creator, str):
        raise Damaged("invalid signature: optional.creator is not a string")
    if timestamp is not None and (isinstance(timestamp, bool) or not isinstance(timestamp, int | float)):
        raise Damaged("invalid signature: optional.timestamp is not a number")
    if isinstance(timestamp, float) and not timestamp.is_integer():
        raise Damaged("invalid signature: Field optional.timestamp is not an integer")
    return creator, None if timestamp is None else int(timestamp)


def _exactly(value: object, names: tuple[str, ...], what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Damaged(f"invalid signature: {what} is not an object")
    if set(value) != set(names):
        raise Damaged(f"invalid signature: {what} has other members than {', '.join(names)}")
    return value
