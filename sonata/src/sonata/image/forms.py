"""Docker's form of a manifest, and OCI's: where a registry refuses the one, it may take the other."""

from __future__ import annotations

from sonata_core.errors import RegistryFailure, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.image import ManifestBytes

OTHER = {OCI_MANIFEST: DOCKER_MANIFEST, DOCKER_MANIFEST: OCI_MANIFEST, OCI_INDEX: DOCKER_LIST, DOCKER_LIST: OCI_INDEX}


def check_destination(manifest: ManifestBytes, digest: str) -> None:
    """Raise UsageError unless the manifest has the digest that its destination names; that may be none."""
    if digest and manifest.digest != digest:
        raise UsageError(
            "Digest of source image's manifest would not match destination reference",
            hint=f"it is {manifest.digest}; name a tag, or that digest",
        )


def in_a_form(
    store: Callable[[ManifestBytes], None],
    made: ManifestBytes,
    again: Callable[[str], ManifestBytes],
    *,
    fixed: bool = False,
) -> ManifestBytes:
    """Store a manifest; where a registry refuses its form, what `again` makes of it in the other one, unless `fixed`.

    Returns what was stored. Raises RegistryFailure, with both answers where neither form is taken, and the first one
    where the image cannot be had in the other form (`again` raises Unsupported).
    """
    try:
        store(made)
    except RegistryFailure as error:
        other = OTHER.get(made.media_type)
        if fixed or other is None or not error.details.get("manifest_rejected"):
            raise
        try:
            second = again(other)
            store(second)
        except Unsupported:
            raise error from None
        except RegistryFailure as refusal:
            raise _neither((made.media_type, error), (other, refusal)) from refusal
        return second
    return made


def _neither(first: tuple[str, RegistryFailure], second: tuple[str, RegistryFailure]) -> RegistryFailure:
    what = "manifest list" if first[0] in (OCI_INDEX, DOCKER_LIST) else "manifest"
    tried = ", ".join(f"{kind}({error.message})" for kind, error in (first, second))
    last = second[1]
    return RegistryFailure(
        f"Uploading {what} failed, attempted the following formats: {tried}", last.hint, **last.details
    )
