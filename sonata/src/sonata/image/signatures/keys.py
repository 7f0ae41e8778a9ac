"""Public keys, and whether they made a signature."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from sonata_core.errors import Damaged, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


PublicKey = Any
"""A public key of `cryptography`, of a kind that `check` knows."""


def public_key(pem: bytes) -> PublicKey:
    """A public key in PEM. Raises UsageError."""
    try:
        return serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError("parsing public key: it is not PEM with a public key of a known kind") from error


def spki(key: PublicKey) -> bytes:
    """A public key as DER."""
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def holds(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether a key made this signature over SHA-256 of the content (Ed25519: the content). UsageError for others."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        else:
            raise UsageError("creating verifier: unsupported public key type")
    except InvalidSignature:
        return False
    return True


def unbase64(text: str, what: str) -> bytes:
    """Raises Damaged."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Damaged(f"invalid signature: {what} is not base64") from error
