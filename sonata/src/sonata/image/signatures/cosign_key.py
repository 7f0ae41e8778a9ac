"""The encrypted private keys that cosign and Skopeo make, and signing with them.

PEM around base64 around JSON: scrypt makes a key of the passphrase, NaCl's secretbox (XSalsa20 and Poly1305) holds the
PKCS #8 key. Poly1305 and all that touches the signing key is the library's; XSalsa20, which no library of ours has,
is here: some forty lines for a hundred bytes, and a tag that does not verify stops everything before (ADR 43).
"""

from __future__ import annotations

import base64
import struct

from sonata_core.errors import Denied, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABELS = ("ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY")
_LARGEST = 64 << 10
_MOST_MEMORY = 1 << 28
_SIGMA = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_NOTHING_READ = "reading private key"


def sign(pem: bytes, passphrase: bytes, content: bytes) -> bytes:
    """A signature of the content, ECDSA or RSA over SHA-256, or Ed25519. Raises UsageError, Denied (the passphrase)."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

    try:
        key: Any = serialization.load_der_private_key(decrypt(pem, passphrase), None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{_NOTHING_READ}: what is encrypted in it is no PKCS #8 key") from error
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    raise UsageError(f"{_NOTHING_READ}: a key of this kind does not sign images")


def decrypt(pem: bytes, passphrase: bytes) -> bytes:
    """The key in DER. Raises UsageError for what is no such key, Denied for the wrong passphrase."""
    import hashlib

    document = _document(pem)
    kdf, cipher = _inner(document, "kdf", "scrypt"), _inner(document, "cipher", "nacl/secretbox")
    parameters = kdf.get("params")
    numbers = [parameters.get(name) if isinstance(parameters, dict) else None for name in ("N", "r", "p")]
    if not all(type(one) is int and one > 0 for one in numbers):
        raise UsageError(f"{_NOTHING_READ}: it has no parameters for scrypt")
    n, r, p = (int(str(one)) for one in numbers)
    if 128 * n * r > _MOST_MEMORY or p > 16:
        raise UsageError(f"{_NOTHING_READ}: its parameters for scrypt ask for too much")
    salt, nonce, box = _bytes(kdf, "salt"), _bytes(cipher, "nonce"), _bytes(document, "ciphertext")
    try:
        key = hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=2 * _MOST_MEMORY, dklen=32)
    except ValueError as error:
        raise UsageError(f"{_NOTHING_READ}: its parameters for scrypt are wrong") from error
    if len(nonce) != 24:
        raise UsageError(f"{_NOTHING_READ}: its nonce has {len(nonce)} bytes")
    plain = open_box(key, nonce, box)
    if plain is None:
        raise Denied("decrypt: encrypted: decryption failed", hint="is this the key's passphrase?")
    return plain


def _document(pem: bytes) -> Mapping[str, object]:
    import json

    lines = pem[:_LARGEST].decode("ascii", "replace").strip().splitlines()
    ends = [(f"-----BEGIN {label}-----", f"-----END {label}-----") for label in _LABELS]
    if len(lines) < 3 or (lines[0].strip(), lines[-1].strip()) not in ends:
        raise UsageError(
            f"{_NOTHING_READ}: it is not a PEM file with an {_LABELS[1]}", hint="skopeo generate-sigstore-key"
        )
    try:
        found = json.loads(base64.b64decode("".join(line.strip() for line in lines[1:-1]), validate=True))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{_NOTHING_READ}: what is in its PEM is not JSON") from error
    if not isinstance(found, dict):
        raise UsageError(f"{_NOTHING_READ}: what is in its PEM is no object")
    return found


def _inner(document: Mapping[str, object], name: str, wanted: str) -> Mapping[str, object]:
    found = document.get(name)
    if not isinstance(found, dict) or found.get("name") != wanted:
        raise UsageError(f"{_NOTHING_READ}: its {name} is not {wanted}")
    return found


def _bytes(document: Mapping[str, object], name: str) -> bytes:
    value = document.get(name)
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except ValueError as error:
        raise UsageError(f"{_NOTHING_READ}: its {name} is not base64") from error


def open_box(key: bytes, nonce: bytes, box: bytes) -> bytes | None:
    """What is in a NaCl secretbox; None where key, nonce and box do not belong together."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    tag, sealed = box[:16], box[16:]
    stream = _xsalsa20(key, nonce, 32 + len(sealed))
    try:
        Poly1305.verify_tag(stream[:32], sealed, tag)
    except InvalidSignature:
        return None
    return bytes(a ^ b for a, b in zip(sealed, stream[32:], strict=True))


def _xsalsa20(key: bytes, nonce: bytes, length: int) -> bytes:
    """So many bytes of the key stream (Bernstein, "Extending the Salsa20 nonce")."""
    words = _state(key, nonce[:16])
    mixed = _rounds(words)
    inner = struct.pack("<8I", *(mixed[at] for at in (0, 5, 10, 15, 6, 7, 8, 9)))
    stream = b""
    for count in range(-(-length // 64)):
        words = _state(inner, nonce[16:] + struct.pack("<Q", count))
        pairs = zip(words, _rounds(words), strict=True)
        stream += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in pairs))
    return stream[:length]


def _state(key: bytes, middle: bytes) -> list[int]:
    k, m, s = struct.unpack("<8I", key), struct.unpack("<4I", middle), _SIGMA
    return [s[0], *k[:4], s[1], *m, s[2], *k[4:], s[3]]


def _rounds(words: list[int]) -> list[int]:
    """Twenty rounds."""
    x = list(words)
    for _ in range(10):
        for a, b, c, d in (*_COLUMNS, *_ROWS):
            x[b] ^= _turned(x[a] + x[d], 7)
            x[c] ^= _turned(x[b] + x[a], 9)
            x[d] ^= _turned(x[c] + x[b], 13)
            x[a] ^= _turned(x[d] + x[c], 18)
    return x


def _turned(value: int, by: int) -> int:
    value &= 0xFFFFFFFF
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF
