"""Signatures beside a registry: files below a URL, one folder for each manifest (containers-registries.d(5))."""

from __future__ import annotations

import os

from sonata_core.errors import NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.naming import digest_parts, shown
from sonata_core.sdk.content import file_error, read_small, store_bytes
from sonata_core.sdk.signatures import LARGEST, MOST, require_bounded
from sonata_transport_registry.address import split
from sonata_transport_registry.wire import discard, read_all

if TYPE_CHECKING:
    from sonata_core.models.ids import Digest
    from sonata_transport_registry.client import Client


def read(client: Client, base: str, digest: Digest) -> list[bytes]:
    """The signatures of a manifest, until the first that is missing. Raises Damaged for too many, RegistryFailure.

    A place on the web is asked without credentials.
    """
    if not base:
        return []
    found: list[bytes] = []
    while (one := _one(client, base, digest, len(found) + 1)) is not None:
        found.append(one)
        require_bounded((len(each) for each in found), digest)
    return found


def _one(client: Client, base: str, digest: Digest, number: int) -> bytes | None:
    path = _local(base)
    if path is not None:
        try:
            return read_small(f"{_folder(path, digest)}/signature-{number}", LARGEST)
        except NotFound:
            return None
    origin, target = split(f"{_folder(base, digest)}/signature-{number}")
    what = f"reading signature from {origin}{target}"
    answer = client.wire.ask("GET", origin, target, {})
    if answer.status == 404:
        discard(answer)
        return None
    if answer.status != 200:
        raise client.failure(what, answer)
    return read_all(answer, LARGEST, what)


def write(base: str, digest: Digest, signatures: list[bytes]) -> None:
    """Make these the signatures of a manifest. Raises Unsupported for a place on the web."""
    path = _local(base) if base else None
    if path is None:
        raise Unsupported(
            f"Writing directly to the lookaside {shown(base)} is not supported",
            hint="configure a lookaside-staging: location with a file:// address in registries.d",
        )
    folder = _folder(path, digest)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for number, one in enumerate(signatures, 1):
            store_bytes(f"{folder}/signature-{number}", one)
        for number in range(len(signatures) + 1, MOST + 1):
            os.unlink(f"{folder}/signature-{number}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(f"write {folder}", error) from error


def _folder(base: str, digest: Digest) -> str:
    algorithm, hexadecimal = digest_parts(digest)
    return f"{base}@{algorithm}={hexadecimal}"


def _local(base: str) -> str | None:
    """The path that a file:// address means; None for one of the web. Raises Unsupported for other schemes."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(base)
    if parts.scheme in ("http", "https"):
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise Unsupported(
            f"unsupported scheme when reading signature from {shown(base)}", hint="file:, http: or https:"
        )
    return unquote(parts.path)
