"""`import`: a tar of a root filesystem becomes an image."""

from __future__ import annotations

import time

from sonata.engine import events
from sonata.engine.images import making
from sonata.image.compose import LayerBlob, Made, oci
from sonata.image.instructions import apply_changes
from sonata.image.layers.compress import Decompressor
from sonata.image.platform import host_platform
from sonata.image.progress import Quiet
from sonata.image.reference import normal_name
from sonata.model.times import rfc3339
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.ids import Digest
from sonata_core.record import Record

if TYPE_CHECKING:
    from typing import BinaryIO

    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress


class ImportRequest(Record):
    """How the image is to be. Empty texts: as this host is. `source_date_epoch`: when it was made, in seconds."""

    name: str = ""
    change: tuple[str, ...] = ()
    message: str = ""
    os: str = ""
    arch: str = ""
    variant: str = ""
    source: str = ""
    """Path or address of the tar, as it was given."""
    signature_policy: str = ""
    source_date_epoch: int | None = None


def import_tar(engine: Engine, tar: BinaryIO, request: ImportRequest, progress: Progress | None = None) -> str:
    """Make an image of a tar, compressed or not; its id.

    Raises UsageError, Damaged for what is no tar, Denied where the policy does not accept tarballs.
    """
    _require_trust(engine, request)
    inner = apply_changes({}, request.change, single=True)
    name = str(normal_name(request.name, told=2)) if request.name else ""
    progress = progress or Quiet()
    progress.message("Getting image source signatures")
    layer = making.add_layer(engine, Decompressor(tar), None)
    epoch = request.source_date_epoch
    created = rfc3339(time.time_ns() if epoch is None else epoch * 1_000_000_000)
    digest = layer.diff_digest
    progress.blob(digest, "done", layer.diff_size, layer.diff_size)
    item = {
        "created": created,
        "created_by": f"/bin/sh -c #(nop) ADD file:{digest.partition(':')[2]} in /",
        "comment": request.message or "imported from tarball",
    }
    made = Made(
        created=created,
        architecture=request.arch or host_platform(engine.facts.machine).architecture,
        os=request.os or "linux",
        variant=request.variant,
        inner=inner,
        history=(item,),
        layers=(LayerBlob(digest=digest, size=layer.diff_size),),
    )
    image = making.add_image(engine, oci(made), layer.id, created, name)
    for state in ("config", "done"):
        progress.blob(Digest(f"sha256:{image.id}"), state, 0, 0)
    progress.message("Writing manifest to image destination")
    if name:
        events.thing(engine, "image", "tag", name, image.id)
    return str(image.id)


def _require_trust(engine: Engine, request: ImportRequest) -> None:
    from sonata.engine.images.trust import trust_for
    from sonata_core.models.image import ImageReference

    trust_for(engine, request.signature_policy).admit_unsigned(ImageReference(transport="tarball", rest=request.source))
