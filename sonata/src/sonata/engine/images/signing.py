"""Signing images: signatures made for a manifest, and put beside it.

signing = Signing(sign_by="me@example.com")
require_signable(engine, signing, reference, endpoint)    # before anything is written
made = make_signatures(engine, signing, manifest.digest, identity_of(signing, reference))
put_signatures(engine, reference, manifest.digest, (*kept, *made), options)
"""

from __future__ import annotations

import os

from sonata.image.signatures import payload
from sonata.image.signatures.carrying import Carrier
from sonata.image.signatures.identity import docker_name
from sonata.model.signing import Signing
from sonata_core.errors import Unsupported, UsageError
from sonata_core.hookspecs.transport import TransportSignatures
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import parse_name
from sonata_core.sdk import signatures as stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import Endpoint, ImageReference, ManifestBytes, TransportOptions

_CREATOR = "sonata 0.1.0"
_LARGEST_KEY = 1 << 20
_USERS_OWN = ("HOME", "GNUPGHOME", "XDG_RUNTIME_DIR", "GPG_TTY", "GPG_AGENT_INFO", "DISPLAY", "TERM")


def read_passphrase(path: str) -> bytes | None:
    """The first line of a passphrase's file; None for no file. Raises UsageError."""
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST_KEY).partition(b"\n")[0].rstrip(b"\r")
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or '').lower()}") from error


def require_signable(
    engine: Engine, signing: Signing, reference: ImageReference, endpoint: Endpoint | None = None
) -> None:
    """Raise before anything is written: Unsupported where the destination keeps no such signature, or for a way to
    sign that there is not; UsageError where it has no name that could be signed.
    """
    if not signing.wanted:
        return
    if signing.sq_fingerprint:
        raise Unsupported(
            "--sign-by-sq-fingerprint is not supported: keys of Sequoia-PGP are not read here",
            hint="sign with a key of GnuPG: --sign-by",
        )
    identity_of(signing, reference)
    require_kept(engine, reference)
    if (signing.sigstore_key or signing.sigstore_params) and endpoint is not None and not endpoint.attachments:
        raise Unsupported(
            "writing sigstore attachments is disabled by configuration",
            hint=f"a file in {engine.config.places.etc}/registries.d with use-sigstore-attachments: true",
        )


def require_kept(engine: Engine, reference: ImageReference) -> None:
    """Raise Unsupported where a place keeps no signatures."""
    if not _keeps(engine, reference):
        raise Unsupported(
            f"Can not copy signatures to {reference.transport}:{reference.rest}: "
            f"the transport {reference.transport} does not keep signatures",
            hint="--remove-signatures copies the image without them",
        )


def _keeps(engine: Engine, reference: ImageReference) -> bool:
    return engine.transport(reference.transport).offers(TransportSignatures)


def identity_of(signing: Signing, reference: ImageReference) -> str:
    """The name to sign. Raises UsageError where there is none."""
    if signing.identity:
        name = parse_name(signing.identity)
    else:
        found = docker_name(reference)
        if found is None:
            raise UsageError(
                f"Cannot determine canonical Docker reference for destination {reference.transport}:{reference.rest}",
                hint="a signature says the image's name: push to a registry, or give the name to sign",
            )
        name = found
    if not name.tag and not name.digest:
        raise UsageError(f"Sign identity must be a fully specified reference {name}")
    return str(name)


def make_signatures(engine: Engine, signing: Signing, digest: Digest, identity: str) -> tuple[bytes, ...]:
    """New signatures, in their stored form, that the manifest with this digest is `identity`.

    Raises UsageError, Denied, HostLacks, ExternalFailure, Unsupported.
    """
    found = []
    if signing.sign_by:
        found.append(_simple(engine, signing, digest, identity))
    if signing.sigstore_key:
        found.append(_sigstore(signing.sigstore_key, signing.passphrase, digest, identity))
    if signing.sigstore_params:
        from sonata.config.signing_params import load_signing_params

        params = load_signing_params(signing.sigstore_params)
        secret = read_passphrase(params.passphrase_file) if params.passphrase_file else signing.passphrase
        found.append(_sigstore(params.key, secret, digest, identity))
    return tuple(found)


def _simple(engine: Engine, signing: Signing, digest: Digest, identity: str) -> bytes:
    from sonata.image.signatures import gpg

    content = payload.make(digest, identity, payload.SIMPLE, _CREATOR, _now())
    env = {name: os.environ[name] for name in _USERS_OWN if name in os.environ}
    program = engine.find_program("gpg")
    message = gpg.sign(engine.run_command, program, content, signing.sign_by, signing.passphrase, env)
    return stored.write(stored.Simple(message=message))


def _sigstore(path: str, passphrase: bytes | None, digest: Digest, identity: str) -> bytes:
    import base64

    from sonata.image.signatures import cosign_key

    try:
        with open(path, "rb") as file:
            pem = file.read(_LARGEST_KEY)
    except OSError as error:
        raise UsageError(f"reading private key from {path}: {error.strerror}") from error
    content = payload.make(digest, identity, payload.COSIGN, _CREATOR, _now())
    made = base64.b64encode(cosign_key.sign(pem, passphrase or b"", content)).decode()
    return stored.write(stored.Sigstore(payload=content, annotations={stored.SIGNATURE_KEY: made}))


def _now() -> int:
    import time

    return int(time.time())


def put_signatures(
    engine: Engine,
    reference: ImageReference,
    digest: Digest,
    signatures: tuple[bytes, ...],
    options: TransportOptions,
) -> None:
    """Have a manifest's signatures at its place, after the image was committed there. Raises Unsupported, Denied."""
    if not signatures:
        return
    require_kept(engine, reference)
    engine.transport(reference.transport).require(TransportSignatures).transport_put_signatures(
        reference=reference, digest=digest, signatures=signatures, options=options
    )


def carrier_for(
    engine: Engine,
    admit: Callable[[ManifestBytes], tuple[bytes, ...]],
    goal: ImageReference,
    opened: TransportOptions,
    *,
    read: Callable[[ManifestBytes], tuple[bytes, ...]] | None = None,
    remove: bool = False,
    signing: Signing | None = None,
) -> Carrier:
    """What becomes of signatures in a copy to `goal`. Raises what `require_signable` does."""
    place = "" if _keeps(engine, goal) else f"{goal.transport}:{goal.rest}"
    if signing is None or not signing.wanted:
        return Carrier(admit, read=read, place=place, remove=remove)
    require_signable(engine, signing, goal, opened.endpoints[-1] if opened.endpoints else None)
    identity = identity_of(signing, goal)

    def sign(digest: Digest) -> tuple[bytes, ...]:
        return make_signatures(engine, signing, digest, identity)

    return Carrier(admit, read=read, place=place, remove=remove, sign=sign)


def carrier_of_stored(
    engine: Engine,
    image: str,
    goal: ImageReference,
    opened: TransportOptions,
    *,
    remove: bool = False,
    signing: Signing | None = None,
) -> Carrier:
    """As `carrier_for`, for an image of the store: it was judged when it came."""
    from sonata.engine.images import lookup
    from sonata.store.signatures import stored_signatures

    record, _ = lookup.get(engine, image)

    def found(manifest: ManifestBytes) -> tuple[bytes, ...]:
        return stored_signatures(engine.store, record, manifest.digest)

    return carrier_for(engine, found, goal, opened, remove=remove, signing=signing)


def put_written(engine: Engine, carrier: Carrier, goal: ImageReference, opened: TransportOptions) -> None:
    """Have the signatures of a copy at its destination."""
    for digest, signatures in carrier.written.items():
        put_signatures(engine, goal, digest, signatures, opened)
