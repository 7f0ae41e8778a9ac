"""What becomes of signatures when an image is copied: judged, carried along or left behind, and made anew.

A copy asks of a `Carrier`: `admit` for every image's manifest before anything that it names is read, or `keep` for an
index whose images are all admitted one by one; `carry` when the manifest that is to be stored is known; and, after the
commit, `written`.
"""

from __future__ import annotations

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.ids import Digest
    from sonata_core.models.image import ManifestBytes


class Carrier:
    """The signatures of one copy.

    `admit` judges a manifest and returns its signatures (it raises Denied); `read` only returns them. `place` is the
    destination in words where that keeps no signatures, else empty; `sign` makes new signatures for a digest.
    """

    def __init__(
        self,
        admit: Callable[[ManifestBytes], tuple[bytes, ...]],
        *,
        read: Callable[[ManifestBytes], tuple[bytes, ...]] | None = None,
        place: str = "",
        remove: bool = False,
        sign: Callable[[Digest], tuple[bytes, ...]] | None = None,
    ) -> None:
        self._admit = admit
        self._read = read or admit
        self._place = place
        self._remove = remove
        self._sign = sign
        self._found: dict[Digest, tuple[bytes, ...]] = {}
        self.written: dict[Digest, tuple[bytes, ...]] = {}
        """The signatures to put at the destination, by the digest of the manifest there."""

    def admit(self, manifest: ManifestBytes) -> None:
        """Raise Denied unless the policy accepts the manifest; Unsupported if its signatures cannot go along."""
        self._have(manifest, self._admit(manifest))

    def keep(self, manifest: ManifestBytes) -> None:
        """As `admit`, for an index that comes with its images: those are judged, as peers do, and not the index."""
        self._have(manifest, self._read(manifest))

    @property
    def bound(self) -> bool:
        """Whether signatures go along, so that nothing may change that need not."""
        return bool(self._found)

    def _have(self, manifest: ManifestBytes, found: tuple[bytes, ...]) -> None:
        if not found or self._remove:
            return
        if self._place:
            raise Unsupported(
                f"Can not copy signatures to {self._place}: it keeps none",
                hint="--remove-signatures copies the image without them",
            )
        self._found[manifest.digest] = found

    def carry(self, original: ManifestBytes, made: ManifestBytes) -> None:
        """Have the signatures of what was admitted go with what is stored. Raises Unsupported if that is another."""
        kept = self._found.get(original.digest, ())
        if kept and made.digest != original.digest:
            raise Unsupported(
                "Copying this image would require changing its manifest, which we cannot do: "
                f'"Would invalidate signatures": {original.digest} is signed, {made.digest} is not',
                hint="--remove-signatures copies the image without them",
            )
        new = self._sign(made.digest) if self._sign is not None else ()
        if kept or new:
            self.written[made.digest] = (*kept, *new)


def unsigned(manifest: ManifestBytes) -> tuple[bytes, ...]:
    """For sources that are trusted and have no signatures."""
    return ()
