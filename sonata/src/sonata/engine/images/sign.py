"""`image sign`: simple signatures of images that lie somewhere, put into a lookaside without touching the image."""

from __future__ import annotations

import os

from sonata.engine.images.signing import identity_of, make_signatures
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import digest_parts

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.image_request import PullOptions
    from sonata.model.signing import Signing
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import ImageSource

_MOST = 128


def sign(
    engine: Engine, text: str, signing: Signing, options: PullOptions, *, folder: str = "", every: bool = False
) -> list[str]:
    """Sign the image that `text` names with its transport; the files that were written.

    They go below `folder`, or where registries.d says that signatures are written. With `every` all images of an
    index are signed instead of the index. Raises UsageError, NotFound, Denied, Damaged.
    """
    from sonata.engine.images.ends import scheme_of, source_end
    from sonata.image.transfer import checked_manifest
    from sonata_core.naming import parse_name

    try:
        scheme_of(engine, text, "source")
    except UsageError as error:
        raise UsageError(f"parsing image name: {error.message.partition(': ')[2]}", hint=error.hint) from error
    start = source_end(engine, text, options)
    identity = identity_of(signing, start.reference)
    path = parse_name(identity).path
    place = f"{folder}/{path}" if folder else _place(start.options.endpoints[-1].lookaside_staging)
    hook = start.slot.hook
    with hook.transport_open_source(reference=start.reference, options=start.options) as source:
        top = checked_manifest(source.resolve())
        digests = _instances(source, top.content, text) if every else [top.digest]
    written = []
    for digest in digests:
        for one in make_signatures(engine, signing, digest, identity):
            written.append(_add(place, digest, one))
    return written


def _instances(source: ImageSource, content: bytes, text: str) -> list[Digest]:
    """The images of an index, each of them there."""
    from sonata.image.manifest import Index, check_matches, parse_bytes
    from sonata.image.transfer import checked_manifest

    document = parse_bytes(content)
    if not isinstance(document, Index):
        raise UsageError(f"{text} is not a multi-architecture image", hint="leave out --all")
    for entry in document.manifests:
        check_matches(checked_manifest(source.manifest(entry.digest)), entry.digest)
    return [entry.digest for entry in document.manifests]


def _place(url: str) -> str:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.scheme != "file" or not parts.path.startswith("/"):
        raise UsageError(
            f"writing to {url} is not supported. Use a supported scheme",
            hint="--directory, or a lookaside-staging: with a file:// address in registries.d",
        )
    return unquote(parts.path)


def _add(place: str, digest: Digest, signature: bytes) -> str:
    """Write the next signature of a manifest; its file."""
    from sonata_core.sdk.content import file_error, write_all

    algorithm, hexadecimal = digest_parts(digest)
    folder = f"{place}@{algorithm}={hexadecimal}"
    try:
        os.makedirs(folder, mode=0o751, exist_ok=True)
        for number in range(1, _MOST + 1):
            path = f"{folder}/signature-{number}"
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                continue
            try:
                write_all(fd, signature)
            finally:
                os.close(fd)
            return path
    except OSError as error:
        raise file_error(f"write {folder}", error) from error
    raise UsageError(f"{folder} has {_MOST} signatures already: no more are read")
