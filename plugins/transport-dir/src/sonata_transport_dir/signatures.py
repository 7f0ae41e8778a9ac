"""Writing signatures into a folder of the `dir` transport."""

from __future__ import annotations

import os

from sonata_core.errors import Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.content import file_error, store_bytes
from sonata_core.sdk.signatures import MOST
from sonata_transport_dir.source import DirSource, signature_prefix

if TYPE_CHECKING:
    from sonata_core.models.ids import Digest


def put(folder: str, digest: Digest, signatures: tuple[bytes, ...]) -> None:
    """Make these the signatures of a manifest: each written at once, the others removed."""
    if len(signatures) > MOST:
        raise Unsupported(f"{len(signatures)} signatures of one manifest; {MOST} are read")
    with DirSource(folder) as source:
        prefix = f"{folder}/{signature_prefix(source.resolve(), digest)}signature-"
    try:
        for number, one in enumerate(signatures, 1):
            store_bytes(f"{prefix}{number}", one)
        for number in range(len(signatures) + 1, MOST + 1):
            os.unlink(f"{prefix}{number}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(f"write {prefix}", error) from error
