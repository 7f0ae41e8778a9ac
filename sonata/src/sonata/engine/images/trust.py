"""Trust in images: the policy that holds, and the verdict on one image before anything of it is used.

trust = trust_for(engine, options.signature_policy)
trust.forbid(reference)                                   # before the network is asked: rejected whatever it is
with hook.transport_open_source(...) as source:
    chosen = choose_image(source, platform)
    signatures = trust.admit(reference, source, chosen.manifest)   # raises Denied; else what to keep
"""

from __future__ import annotations

import os

from sonata.image import policy as rules
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.image.policy import Policy
    from sonata.image.signatures.gpg import KeyRing
    from sonata_core.models.image import Endpoint, ImageReference, ImageSource

_ROOT_LOOKASIDE = "file:///var/lib/containers/sigstore"
_PATHS = ("oci", "dir", "oci-archive", "sif")


class Trust:
    """A policy, and the file that it came from."""

    def __init__(self, engine: Engine, policy: Policy, path: str) -> None:
        self._engine = engine
        self.policy = policy
        self.path = path

    def forbid(self, reference: ImageReference) -> None:
        """Raise Denied if the policy rejects the image whatever signatures it has."""
        rules.forbid(self.policy, resolved(reference))

    def admit(self, reference: ImageReference, source: ImageSource, manifest: ManifestBytes) -> tuple[bytes, ...]:
        """Raise Denied unless the policy accepts the image with these very bytes as its manifest.

        `reference` is what was asked for, never a mirror. Of an index pass the manifest that was chosen from it; who
        copies the index too judges it as well. Returns the stored signatures of the manifest, to be kept with it.
        """
        found = source.signatures(manifest.digest)
        self.judge(reference, manifest, found)
        return found

    def admit_unsigned(self, reference: ImageReference) -> None:
        """Raise Denied unless the policy accepts what can have no signatures and no manifest, such as a tarball."""
        self.judge(reference, ManifestBytes(media_type="", digest=Digest(""), content=b""), ())

    def judge(self, reference: ImageReference, manifest: ManifestBytes, signatures: tuple[bytes, ...]) -> None:
        """As `admit`, for signatures that were read already."""
        meant = resolved(reference)
        wanted = rules.requirements_for(self.policy, meant)
        if all(one.kind == "insecureAcceptAnything" for one in wanted):
            return
        from sonata.image.signatures.verdict import Judge, Subject

        subject = Subject(reference=meant, manifest=manifest)
        Judge(self._ring).require(wanted, subject, lambda: signatures)

    def _ring(self) -> KeyRing:
        from sonata.image.signatures.gpg import KeyRing

        return KeyRing(self._engine.run_command, self._engine.find_program("gpg"))


def trust_for(engine: Engine, given: str = "") -> Trust:
    """The policy that holds; `given` is --signature-policy. Raises UsageError where there is none, or a broken one."""
    import json

    from sonata.config.policy import load_policy

    found, path = load_policy(engine.config, given)
    return Trust(engine, rules.parse_policy(json.dumps(found).encode(), path), path)


def resolved(reference: ImageReference) -> ImageReference:
    """The reference as a policy sees it: a link in a local path does not lead to another place's rules."""
    if reference.transport not in _PATHS or not reference.path:
        return reference
    return reference.replace(path=os.path.realpath(reference.path))


def with_signature_places(engine: Engine, endpoint: Endpoint) -> Endpoint:
    """An endpoint of a registry with where the signatures of its images lie, by registries.d. Raises UsageError."""
    from sonata.config.registries_d import folder_of, load_registries_d
    from sonata_core.naming import parse_name

    name = parse_name(endpoint.reference).with_default_tag()
    places = engine.config.places
    found = load_registries_d(folder_of(places)).resolve(rules.docker_scopes(name))
    default = _ROOT_LOOKASIDE
    if places.uid:
        default = f"file://{places.home}/.local/share/containers/sigstore"
    return endpoint.replace(
        lookaside=f"{found.lookaside or default}/{name.path}",
        lookaside_staging=f"{found.staging or default}/{name.path}",
        attachments=bool(found.attachments),
    )
