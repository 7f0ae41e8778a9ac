"""`save`: images of the store as an archive or a folder."""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG

from sonata.engine import events
from sonata.engine.images import lookup
from sonata.engine.images.access import transport_options
from sonata.engine.images.outgoing import PushChoices, settings_for, stored
from sonata.engine.images.push import send
from sonata.image.push import put_image
from sonata.model.image_request import PullOptions
from sonata_core.errors import UsageError
from sonata_core.hookspecs.transport import TransportBatch
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sonata.engine.engine import Engine
    from sonata.image.progress import Progress

FORMATS = {
    "docker-archive": ("docker-archive", ""),
    "oci-archive": ("oci-archive", OCI_MANIFEST),
    "docker-dir": ("dir", DOCKER_MANIFEST),
    "oci-dir": ("oci", OCI_MANIFEST),
}
"""For each format the transport, and the type of manifest that it must hold."""

_OWN = {"/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/2": 2, "/proc/self/fd/1": 1, "/proc/self/fd/2": 2}
"""Names of what this process writes to, which need not be open to whoever opens them anew."""

_NAMED = ("docker-archive", "oci-archive", "oci")
"""Transports whose places keep a name beside the image."""


class Saved(Record):
    """One image to save: its id, and the names that it is to have there."""

    image: str
    names: tuple[str, ...]


class Packing(Record):
    """`compress` compresses the layers in a folder of the `dir` transport, `plain` leaves them as they are in OCI's."""

    compress: bool = False
    plain: bool = False


def save(
    engine: Engine,
    names: Sequence[str],
    path: str,
    form: str,
    *,
    multiple: bool = False,
    packing: Packing | None = None,
    progress: Progress | None = None,
) -> None:
    """Save images at `path`, or to standard output where that is empty.

    With `multiple` each name is an image; else the others are more tags for the first, which only a docker-archive
    keeps. Raises NotFound, UsageError.
    """
    wanted = _images(engine, names) if multiple else [_tagged(engine, names[0], names[1:])]
    if len(wanted) > 1 and form != "docker-archive":
        raise UsageError(
            f'unsupported format "{form}" for saving multiple images (only docker-archive)',
            hint="leave out --format, or save one image at a time",
        )
    poured = form.endswith("-archive") and (not path or _is_stream(path))
    place = _scratch(engine) if poured else os.path.realpath(path)
    try:
        _write(engine, wanted, place, (form, packing or Packing()), progress)
        if poured:
            _pour(place, path)
    finally:
        if poured and os.path.exists(place):
            os.unlink(place)
    for one in wanted:
        events.thing(engine, "image", "save", path, one.image)


def _images(engine: Engine, names: Sequence[str]) -> list[Saved]:
    """The images in the order of their first names, each with all of its names that were given."""
    found: dict[str, list[str]] = {}
    for name in names:
        image, full = lookup.get(engine, name)
        own = found.setdefault(image.id, [])
        if full and full not in own and not lookup.found_by_id(image, full, name):
            own.append(full)
    return [Saved(image=image, names=tuple(own)) for image, own in found.items()]


def _tagged(engine: Engine, name: str, tags: Sequence[str]) -> Saved:
    image, full = lookup.get(engine, name)
    named = full and not lookup.found_by_id(image, full, name)
    own = (*(_tag(text) for text in tags), *([full] if named else []))
    return Saved(image=image.id, names=tuple(dict.fromkeys(own)))


def _tag(text: str) -> str:
    """A further tag, as it will stand there. Raises UsageError."""
    from sonata.image.reference import local_name

    try:
        name = local_name(text)
    except UsageError as error:
        raise UsageError(f'invalid additional tag "{text}": {error.message}', hint=error.hint) from error
    if name.digest:
        raise UsageError(f'invalid additional tag "{text}": normalized to untagged "{name}"', hint="give NAME:TAG")
    return str(name.with_default_tag())


def _write(
    engine: Engine, wanted: list[Saved], place: str, how: tuple[str, Packing], progress: Progress | None
) -> None:
    form, packing = how
    scheme, kind = FORMATS[form]
    slot, options = engine.transport(scheme), transport_options(engine, PullOptions())
    choices = PushChoices(
        manifest_type=kind,
        compression="gzip",
        compress=packing.compress,
        plain=packing.plain,
        remove_signatures=True,
    )
    if slot.offers(TransportBatch):
        settings = settings_for(engine, slot, choices)
        reference = slot.hook.transport_parse(text=place)
        with slot.require(TransportBatch).transport_open_batch(reference=reference, options=options) as batch:
            for one in wanted:
                batch.add(put_image(stored(engine, one.image), batch, settings, progress), one.names)
            batch.commit()
        return
    name = wanted[0].names[-1] if wanted[0].names and scheme in _NAMED else ""
    reference = slot.hook.transport_parse(text=f"{place}:{name}" if name else place)
    send(engine, wanted[0].image, reference, options, choices, progress)


def _scratch(engine: Engine) -> str:
    return f"{engine.config.paths.tmp_dir}/sonata-save-{os.getpid()}-{os.urandom(4).hex()}"


def _is_stream(path: str) -> bool:
    """Whether bytes can only be poured in there: a pipe, a device, one of this process's own files."""
    if path in _OWN:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (S_ISREG(mode) or S_ISDIR(mode))


def _pour(path: str, place: str) -> None:
    """Copy a file to `place`, or to standard output."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        own = _OWN.get(place or "/dev/stdout")
        target = os.open(place, os.O_WRONLY | os.O_CLOEXEC) if own is None else os.dup(own)
        try:
            while data := os.read(source, 1 << 20):
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(target, rest) :]
        finally:
            os.close(target)
    finally:
        os.close(source)
