"""Whether the name that was signed is the name of the image (containers-policy.json(5), `signedIdentity`)."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import ImageName, parse_name

if TYPE_CHECKING:
    from sonata.image.signatures.requirement import Match
    from sonata_core.models.image import ImageReference

_NAMED = ("docker", "atomic", "docker-daemon", "docker-archive", "containers-storage")


def docker_name(reference: ImageReference) -> ImageName | None:
    """The name of an image as a registry has it; None where its place gives it none."""
    if reference.transport not in _NAMED or not reference.name:
        return None
    return parse_name(reference.name)


def is_identity(match: Match, intended: ImageName | None, signed: str) -> bool:
    """Whether a signature that says `signed` is one for the image. What cannot be parsed never is."""
    try:
        said = parse_name(signed)
    except UsageError:
        return False
    if match.kind in ("exactReference", "exactRepository"):
        return _exactly(match, said)
    if intended is None:
        return False
    if match.kind == "matchRepository":
        return said.repository == intended.repository
    if match.kind == "matchExact":
        return _has_suffix(intended) and said == intended
    if match.kind == "remapIdentity":
        intended = _remapped(match, intended)
    elif match.kind != "matchRepoDigestOrExact":
        return False
    return intended is not None and _repo_digest_or_exact(intended, said)


def _exactly(match: Match, said: ImageName) -> bool:
    wanted = parse_name(match.reference)
    if match.kind == "exactRepository":
        return said.repository == wanted.repository
    return _has_suffix(said) and said == wanted


def _has_suffix(name: ImageName) -> bool:
    return bool(name.tag or name.digest)


def _repo_digest_or_exact(intended: ImageName, said: ImageName) -> bool:
    if not _has_suffix(said):
        return False
    if intended.tag:
        return said == intended
    return bool(intended.digest) and said.repository == intended.repository


def _remapped(match: Match, intended: ImageName) -> ImageName | None:
    """The name with its prefix replaced, where that is whole components of it; None where the result is no name."""
    repository = intended.repository
    if repository != match.prefix and not repository.startswith(f"{match.prefix}/"):
        return intended
    text = match.signed_prefix + str(intended)[len(match.prefix) :]
    try:
        found = parse_name(text)
    except UsageError:
        return None
    return found if str(found) == text else None
