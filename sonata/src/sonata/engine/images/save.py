"""`save`: images of the store as an archive or a folder."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.images import lookup
from sonata.engine.images.pull import transport_options
from sonata.engine.images.push import PushChoices, send
from sonata.model.image_request import PullOptions
from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.engine import Engine
    from sonata.image.transfer import Progress

FORMATS = {
    "docker-archive": ("docker-archive", ""),
    "oci-archive": ("oci-archive", OCI_MANIFEST),
    "docker-dir": ("dir", DOCKER_MANIFEST),
    "oci-dir": ("oci", OCI_MANIFEST),
}
"""For each format the transport, and the type of manifest that it must hold."""


def save(
    engine: Engine,
    names: Sequence[str],
    path: str,
    form: str,
    *,
    multiple: bool = False,
    progress: Progress | None = None,
) -> None:
    """Save an image at `path`, or to standard output where that is empty. More names are tags of the same image.

    Raises NotFound, Unsupported (several images in one archive), Unavailable.
    """
    image, full = lookup.get(engine, names[0])
    others = [lookup.get(engine, name)[0].id for name in names[1:]]
    if any(other != image.id for other in others):
        raise Unsupported(
            "saving several images into one archive is not supported yet", hint="save one image at a time"
        )
    scheme, kind = FORMATS[form]
    place = path or _scratch(engine)
    try:
        name = full if scheme in ("docker-archive", "oci-archive", "oci") and full else ""
        reference = engine.transport(scheme).hook.transport_parse(text=f"{place}:{name}" if name else place)
        choices = PushChoices(manifest_type=kind)
        send(engine, image.id, reference, transport_options(engine, PullOptions()), choices, progress)
        if not path:
            _pour(place)
    finally:
        if not path and os.path.exists(place):
            os.unlink(place)
    events.thing(engine, "image", "save", path, image.id)


def _scratch(engine: Engine) -> str:
    return f"{engine.config.paths.tmp_dir}/sonata-save-{os.getpid()}-{os.urandom(4).hex()}"


def _pour(path: str) -> None:
    """Copy a file to standard output."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while data := os.read(source, 1 << 20):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(1, rest) :]
    finally:
        os.close(source)
