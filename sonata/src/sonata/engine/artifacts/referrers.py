"""What refers to an image or artifact in a registry: signatures, bills of materials, all that name it as subject."""

from __future__ import annotations

from sonata.engine.artifacts.transfer import place_of
from sonata.engine.images.ends import source_end
from sonata_core.hookspecs.transport import TransportReferrers
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.naming import parse_name

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions
    from sonata_core.models.image import Descriptor


def referrers(engine: Engine, name: str, artifact_type: str, options: PullOptions) -> tuple[Descriptor, ...]:
    """The manifests of the repository whose subject is what `name` means there; of a type, or empty for any.

    Of an index that the name means it is the index. Nothing of the answer is verified. Raises UsageError, NotFound,
    Denied, RegistryFailure.
    """
    place = place_of(name.removeprefix("docker://"))
    end = source_end(engine, place, options)
    digest = Digest(parse_name(place.removeprefix("docker://")).digest)
    if not digest:
        hook = end.slot.hook
        with hook.transport_open_source(reference=end.reference, options=end.options) as source:
            digest = source.resolve().digest
    asked = end.slot.require(TransportReferrers)
    found: tuple[Descriptor, ...] = asked.transport_referrers(
        reference=end.reference, digest=digest, artifact_type=artifact_type, options=end.options
    )
    return found
