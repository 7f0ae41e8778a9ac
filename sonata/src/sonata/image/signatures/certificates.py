"""Chains of certificates for signatures of images. What is unusual in one is refused.

The rules are those of RFC 5280 that matter here: signatures, validity at one moment, who may issue, for how long a
path, for which purpose; critical extensions that are not looked at here make a certificate unfit.
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from sonata_core.errors import Damaged, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 8
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_DER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_LOOKED_AT = (
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
)


def one(pem: bytes) -> x509.Certificate:
    """The one certificate in PEM text. Raises Damaged."""
    found = _several(pem)
    if len(found) != 1:
        raise Damaged("unexpected multiple certificates present in signature certificate data")
    return found[0]


def _several(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Damaged(f"parsing certificate: {error}") from error


def _authority(pem: bytes, what: str) -> list[x509.Certificate]:
    """Certificates of the policy. Raises UsageError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"error loading {what} certificates") from error


def fulcio_key(leaf: x509.Certificate, chain: bytes, trusted: tuple[bytes, str, str], when: int) -> Any:
    """The key of a certificate that the authority gave to `(_, issuer, email)`, valid when the log saw it (seconds).

    Raises Damaged.
    """
    authority, issuer, email = trusted
    moment = datetime.datetime.fromtimestamp(when, datetime.UTC)
    between = _several(chain)[:-1] if chain.strip() else []
    _require_chain(leaf, between, _authority(authority, "Fulcio CA"), moment)
    said = _issuer_of(leaf)
    if said != issuer:
        raise Damaged(f"Unexpected Fulcio OIDC issuer {shown(said)}")
    _require_email(leaf, email)
    return leaf.public_key()


def pki_key(leaf: x509.Certificate, chain: bytes, trusted: tuple[bytes, bytes, str, str]) -> Any:
    """The key of a certificate below the roots, valid now, for the e-mail address and the host. Raises Damaged."""
    roots, intermediates, email, hostname = trusted
    between = [*(_authority(intermediates, "PKI CA Intermediate") if intermediates else ())]
    between += _several(chain)[:-1] if chain.strip() else []
    _require_chain(leaf, between, _authority(roots, "PKI CA Roots"), datetime.datetime.now(datetime.UTC))
    if email:
        _require_email(leaf, email)
    if hostname and hostname.lower() not in (name.lower() for name in _names(leaf, x509.DNSName)):
        raise Damaged(f"Unexpected subject hostname: {shown(hostname)} is not in the certificate")
    return leaf.public_key()


def _require_chain(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    moment: datetime.datetime,
) -> None:
    """Raises Damaged unless a path leads from the leaf to a root, every certificate of it fit and valid."""
    if not _fit(leaf, moment) or not _for_code(leaf, required=True):
        raise Damaged("verifying leaf certificate failed: it is not for code signing, or not valid at that time")
    at, left = leaf, list(between)
    for depth in range(_LONGEST):
        if any(_issued(at, root, moment, depth) for root in roots):
            return
        issuer = next((one for one in left if _issued(at, one, moment, depth)), None)
        if issuer is None:
            break
        left.remove(issuer)
        at = issuer
    raise Damaged("verifying leaf certificate failed: certificate signed by unknown authority")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, moment: datetime.datetime, depth: int) -> bool:
    """Whether `issuer` is a valid authority with room for `depth` more below it, and signed the certificate."""
    if certificate.issuer != issuer.subject or not _fit(issuer, moment) or not _for_code(issuer, required=False):
        return False
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not basic.ca or (basic.path_length is not None and basic.path_length < depth):
            return False
        usage = _usage(issuer)
        if usage is not None and not usage.key_cert_sign:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return True


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _fit(certificate: x509.Certificate, moment: datetime.datetime) -> bool:
    """Whether it is valid at that moment and has no critical extension that nobody here looks at."""
    try:
        critical = [one.oid for one in certificate.extensions if one.critical]
    except (ValueError, x509.DuplicateExtension):
        return False
    if not all(oid in _LOOKED_AT for oid in critical):
        return False
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _for_code(certificate: x509.Certificate, *, required: bool) -> bool:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return not required
    return ExtendedKeyUsageOID.CODE_SIGNING in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _names(certificate: x509.Certificate, kind: Any) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name) for name in found.get_values_for_type(kind)]


def _require_email(certificate: x509.Certificate, email: str) -> None:
    found = _names(certificate, x509.RFC822Name)
    if email not in found:
        raise Damaged(f"Required email {shown(email)} not found (got {shown(', '.join(found))})")


def _issuer_of(certificate: x509.Certificate) -> str:
    """Who vouched for the person, as the authority recorded it: as text, as DER, or both alike. Raises Damaged."""
    found = []
    for oid in (_ISSUER, _ISSUER_DER):
        try:
            value = certificate.extensions.get_extension_for_oid(oid).value
        except x509.ExtensionNotFound:
            continue
        assert isinstance(value, x509.UnrecognizedExtension)
        found.append(_text(value.value, der=oid == _ISSUER_DER))
    if not found:
        raise Damaged("Fulcio certificate is missing the issuer extension")
    if len(set(found)) != 1:
        raise Damaged("Fulcio certificate has two issuers that differ")
    return found[0]


def _text(value: bytes, *, der: bool) -> str:
    """UTF-8 text, as it is or as a DER UTF8String of up to 127 bytes or with one or two bytes of length."""
    if der:
        head = {0x81: 3, 0x82: 4}.get(value[1], 2) if len(value) > 1 else 0
        length = int.from_bytes(value[2:head], "big") if head > 2 else value[1] if head else -1
        if value[:1] != b"\x0c" or length != len(value) - head:
            raise Damaged("Fulcio certificate has an issuer that is no UTF8String")
        value = value[head:]
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged("Fulcio certificate has an issuer that is no text") from error
