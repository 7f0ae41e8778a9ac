"""Whether an image satisfies the requirements that apply to it: on the bytes of its manifest, before anything of it
is unpacked or recorded.

All requirements must be satisfied; each that asks for a signature by at least one. A signature whose check fails
for whatever reason counts as none.
"""

from __future__ import annotations

from sonata.image.policy import rejected
from sonata.image.signatures import payload
from sonata.image.signatures.identity import docker_name, is_identity
from sonata_core.errors import Damaged, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import shown
from sonata_core.record import Record
from sonata_core.sdk import signatures as stored
from sonata_core.sdk.manifests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.image.policy import Requirements
    from sonata.image.signatures.gpg import KeyRing
    from sonata.image.signatures.requirement import Material, Requirement
    from sonata.image.signatures.sigstore import Trusted
    from sonata_core.models.image import ImageReference, ManifestBytes

_LARGEST_FILE = 4 << 20


class Subject(Record):
    """What is judged: an image's manifest, and the reference that the user asked for, never a mirror's."""

    reference: "ImageReference"
    manifest: "ManifestBytes"


class Judge:
    """Checks signatures. `open_ring` gives an empty key ring for OpenPGP."""

    def __init__(self, open_ring: Callable[[], KeyRing]) -> None:
        self._open_ring = open_ring

    def require(
        self, requirements: Requirements, subject: Subject, signatures: Callable[[], tuple[bytes, ...]]
    ) -> None:
        """Raise Denied unless every requirement accepts the image. `signatures` is asked only where one is wanted."""
        if not requirements:
            raise rejected("List of verification policy requirements must not be empty")
        for one in requirements:
            if one.kind == "insecureAcceptAnything":
                continue
            if one.kind == "reject":
                reference = subject.reference
                raise rejected(f"Running image {reference.transport}:{reference.rest} is rejected by policy.")
            if one.kind == "signedBy":
                self._signed(one, subject, signatures(), self._simple)
            elif one.kind == "sigstoreSigned":
                self._signed(one, subject, signatures(), self._sigstore)
            else:
                raise rejected(f"{one.kind} not implemented yet!")

    def _signed(
        self,
        requirement: Requirement,
        subject: Subject,
        blobs: tuple[bytes, ...],
        check: Callable[[Requirement, Subject, list[stored.Simple | stored.Sigstore]], list[str]],
    ) -> None:
        """Raise Denied unless `check` finds one good signature: it then returns no reasons."""
        try:
            found = [stored.read(blob) for blob in blobs]
            reasons = check(requirement, subject, found)
        except (UsageError, Damaged) as error:
            raise rejected(error.message) from error
        if len(reasons) == 1:
            raise rejected(reasons[0])
        if reasons:
            raise rejected(f"None of the signatures were accepted, reasons: {'; '.join(reasons)}")

    def _simple(
        self, requirement: Requirement, subject: Subject, found: list[stored.Simple | stored.Sigstore]
    ) -> list[str]:
        if requirement.key_type != "GPGKeys":
            return [f'Unimplemented "keyType" value "{requirement.key_type}"']
        mine = [one for one in found if isinstance(one, stored.Simple)]
        if not mine:
            return [_none(len(found), "non-simple signatures")]
        assert requirement.keys is not None
        with self._open_ring() as ring:
            ring.add(read(requirement.keys))
            if not ring.keys:
                return ["No public keys imported"]
            return _first_good(lambda one: _simple_payload(ring, one), mine, payload.SIMPLE, requirement, subject)

    def _sigstore(
        self, requirement: Requirement, subject: Subject, found: list[stored.Simple | stored.Sigstore]
    ) -> list[str]:
        mine = [one for one in found if isinstance(one, stored.Sigstore) and one.mime == stored.SIGSTORE_MIME]
        if not mine:
            return [_none(len(found), "non-sigstore signatures or attachments")]
        from sonata.image.signatures import sigstore

        trusted = trust_of(requirement)
        return _first_good(lambda one: sigstore.verify(one, trusted), mine, payload.COSIGN, requirement, subject)


def _none(others: int, what: str) -> str:
    text = "A signature was required, but no signature exists"
    return f"{text} ({others} {what})" if others else text


def _simple_payload(ring: KeyRing, signature: stored.Simple) -> bytes:
    content, made_by = ring.verify(signature.message)
    if not set(made_by) & set(ring.keys):
        raise Damaged(f"Signature by key {made_by[0]} is not accepted")
    return content


def _first_good(
    content_of: Callable[[Any], bytes], found: Iterable[Any], kind: str, requirement: Requirement, subject: Subject
) -> list[str]:
    """No reasons, if one is good; else why each is not."""
    reasons: list[str] = []
    for one in found:
        try:
            _require_claims(payload.parse(content_of(one), kind), requirement, subject)
        except SonataError as error:
            reasons.append(error.message)
        else:
            return []
    return reasons


def _require_claims(claims: payload.Claims, requirement: Requirement, subject: Subject) -> None:
    """Raises Damaged unless this manifest is meant, under a name that the requirement takes for the image's."""
    if digest_of(subject.manifest.content, claims.digest.partition(":")[0]) != claims.digest:
        raise Damaged(f"Signature for digest {claims.digest} does not match")
    if not is_identity(requirement.match, docker_name(subject.reference), claims.reference):
        raise Damaged(f"Signature for identity {shown(claims.reference)} is not accepted")


def read(material: Material) -> tuple[bytes, ...]:
    """Keys or certificates of a policy. Raises UsageError for a file that cannot be read."""
    found = list(material.data)
    for path in material.paths:
        try:
            with open(path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise UsageError(f"open {path}: {error.strerror}") from error
        if len(content) > _LARGEST_FILE:
            raise UsageError(f"{path} has more than {_LARGEST_FILE} bytes")
        found.append(content)
    return tuple(found)


def trust_of(requirement: Requirement) -> Trusted:
    """What a `sigstoreSigned` requirement trusts, read from its files. Raises UsageError."""
    from sonata.image.signatures.sigstore import Trusted

    rekor = read(requirement.rekor) if requirement.rekor is not None else ()
    if requirement.keys is not None:
        return Trusted(keys=read(requirement.keys), rekor=rekor)
    if requirement.fulcio is not None:
        fulcio = requirement.fulcio
        return Trusted(fulcio=(read(fulcio.authority)[0], fulcio.issuer, fulcio.email), rekor=rekor)
    assert requirement.pki is not None
    pki = requirement.pki
    between = b"\n".join(read(pki.intermediates))
    return Trusted(pki=(read(pki.roots)[0], between, pki.email, pki.hostname))
