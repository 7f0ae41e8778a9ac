"""Signatures in the form in which they are stored, beside an image or in a lookaside folder.

Simple signing is stored as raw OpenPGP bytes; everything else begins with a zero byte, the name of its
format and a newline (containers-storage notes 7.8).
"""

from sonata_core.errors import Damaged
from sonata_core.lite import Iterable, Mapping
from sonata_core.naming import shown
from sonata_core.record import Record
from sonata_core.sdk.manifests import load_object

SIGSTORE_MIME = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_KEY = "dev.cosignproject.cosign/signature"
BUNDLE_KEY = "dev.sigstore.cosign/bundle"
CERTIFICATE_KEY = "dev.sigstore.cosign/certificate"
CHAIN_KEY = "dev.sigstore.cosign/chain"
_SIMPLE = b"simple-signing"
_SIGSTORE = b"sigstore-json"
MOST = 128
LARGEST = 4 << 20
LARGEST_TOGETHER = 16 << 20
"""Bounds for the signatures of one manifest: how many, and bytes of each and of all."""
_OPENPGP = frozenset((*range(0x88, 0x94), *range(0xA0, 0xA4), 0xC2, 0xC4, 0xC8))
"""First bytes of what OpenPGP signs: packets of the tags 2, 4 and 8, in the old form and the new."""


class Simple(Record):
    """An OpenPGP message with a payload in it."""

    message: bytes


class Sigstore(Record):
    """A payload and, as annotations, its signature and what may prove whose it is. Nothing of it is verified."""

    payload: bytes
    annotations: Mapping[str, str]
    mime: str = SIGSTORE_MIME


def require_bounded(sizes: Iterable[int], what: str) -> None:
    """Raise Damaged where there are more or larger signatures than anybody needs."""
    found = list(sizes)
    if len(found) > MOST or max(found, default=0) > LARGEST or sum(found) > LARGEST_TOGETHER:
        raise Damaged(f"{what} has {len(found)} signatures of {sum(found)} bytes or more: that is unreasonable")


def read(blob: bytes) -> Simple | Sigstore:
    """What a stored signature is. Raises Damaged for what is neither."""
    if not blob:
        raise Damaged("empty signature blob")
    if len(blob) > LARGEST:
        raise Damaged(f"a signature has {len(blob)} bytes; {LARGEST} are accepted")
    if blob[0] in _OPENPGP:
        return Simple(message=blob)
    if blob[0]:
        raise Damaged(f"unrecognized signature format, starting with binary {blob[0]:#x}")
    name, newline, content = blob[1:].partition(b"\n")
    if not newline:
        raise Damaged("invalid signature format, missing newline")
    if name == _SIMPLE:
        return Simple(message=content)
    if name == _SIGSTORE:
        return _read_sigstore(content)
    raise Damaged(f"unrecognized signature format {shown(name.decode('ascii', 'replace'))}")


def _read_sigstore(content: bytes) -> Sigstore:
    import base64

    document = load_object(content, "signature")
    mime, payload, annotations = document.get("mimeType"), document.get("payload"), document.get("annotations")
    if not isinstance(mime, str) or not isinstance(payload, str):
        raise Damaged("a sigstore signature has no mimeType or no payload")
    if annotations is None:
        annotations = {}
    if not isinstance(annotations, dict) or not all(isinstance(one, str) for one in annotations.values()):
        raise Damaged("a sigstore signature's annotations are not strings")
    try:
        return Sigstore(payload=base64.b64decode(payload, validate=True), annotations=annotations, mime=mime)
    except ValueError as error:
        raise Damaged("a sigstore signature's payload is not base64") from error


def write(signature: Simple | Sigstore) -> bytes:
    """The stored form."""
    import base64
    import json

    if isinstance(signature, Simple):
        return signature.message if signature.message[:1] and signature.message[0] in _OPENPGP else _named(signature)
    document = {
        "mimeType": signature.mime,
        "payload": base64.b64encode(signature.payload).decode(),
        "annotations": dict(signature.annotations),
    }
    return b"\0" + _SIGSTORE + b"\n" + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _named(signature: Simple) -> bytes:
    return b"\0" + _SIMPLE + b"\n" + signature.message
