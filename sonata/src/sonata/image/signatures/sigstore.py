"""Sigstore signatures: a key pair's, or a certificate's with the proof that a log has seen it (ADR 43)."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sonata.image.signatures.keys import PublicKey, holds, public_key, spki, unbase64
from sonata_core.errors import Damaged, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.signatures import BUNDLE_KEY, CERTIFICATE_KEY, CHAIN_KEY, SIGNATURE_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata_core.sdk.signatures import Sigstore


class Trusted(Record):
    """What a requirement trusts, read from its files: exactly one of `keys`, `fulcio`, `pki`."""

    keys: tuple[bytes, ...] = ()
    rekor: tuple[bytes, ...] = ()
    fulcio: tuple[bytes, str, str] | None = None
    """The authority's certificates, the issuer and the e-mail address."""
    pki: tuple[bytes, bytes, str, str] | None = None
    """Roots, intermediates, e-mail address, host name."""


def verify(signature: Sigstore, trusted: Trusted) -> bytes:
    """The payload, which what is trusted has signed. Raises Damaged; UsageError for a key that is none."""
    encoded = signature.annotations.get(SIGNATURE_KEY)
    if encoded is None:
        raise Damaged(f"missing {SIGNATURE_KEY} annotation")
    raw = unbase64(encoded, "signature")
    keys = _keys(signature, trusted, raw)
    for key in keys:
        if holds(key, raw, signature.payload):
            return signature.payload
    raise Damaged("cryptographic signature verification failed: invalid signature when validating the payload")


def _keys(signature: Sigstore, trusted: Trusted, raw: bytes) -> list[PublicKey]:
    """The keys that may have signed: the policy's that the log vouches for, or the certificate's."""
    if trusted.keys:
        keys = [public_key(one) for one in trusted.keys]
        return [key for key in keys if _logged(signature, trusted, raw, spki(key))] if trusted.rekor else keys
    from sonata.image.signatures import certificates

    leaf = _annotation(signature, CERTIFICATE_KEY)
    chain = signature.annotations.get(CHAIN_KEY, "").encode()
    if trusted.fulcio is not None:
        from sonata.image.signatures.rekor import logged_at

        certificate = certificates.one(leaf)
        der = certificate.public_bytes(serialization.Encoding.DER)
        when = logged_at(_rekor_keys(trusted), _annotation(signature, BUNDLE_KEY), der, raw, signature.payload)
        return [certificates.fulcio_key(certificate, chain, trusted.fulcio, when)]
    if trusted.pki is not None:
        return [certificates.pki_key(certificates.one(leaf), chain, trusted.pki)]
    raise UsageError("sigstoreSigned names neither a key nor an authority")


def _logged(signature: Sigstore, trusted: Trusted, raw: bytes, der: bytes) -> bool:
    from sonata.image.signatures.rekor import logged_at

    bundle = _annotation(signature, BUNDLE_KEY)
    try:
        logged_at(_rekor_keys(trusted), bundle, der, raw, signature.payload)
    except Damaged:
        if len(trusted.keys) == 1:
            raise
        return False
    return True


def _annotation(signature: Sigstore, name: str) -> bytes:
    text = signature.annotations.get(name)
    if text is None:
        raise Damaged(f"missing {name} annotation")
    return text.encode()


def _rekor_keys(trusted: Trusted) -> Sequence[ec.EllipticCurvePublicKey]:
    found = [public_key(one) for one in trusted.rekor]
    if not found or not all(isinstance(one, ec.EllipticCurvePublicKey) for one in found):
        raise UsageError("Rekor public key is not using ECDSA")
    return found
