"""`sonata image sign`."""

from __future__ import annotations

import os

from sonata.model.image_request import PullOptions
from sonata.model.signing import Signing
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make signatures of images and put them into a folder or the lookaside."""
    from sonata.engine.images.sign import sign

    if not parsed["sign-by"]:
        raise UsageError("no identity provided", hint="--sign-by names a key of GnuPG")
    folder = parsed["directory"]
    if folder and not os.path.exists(folder):
        raise UsageError(f"faccessat {folder}: no such file or directory")
    options = PullOptions(authfile=parsed["authfile"], cert_dir=parsed["cert-dir"])
    for name in parsed.args:
        sign(call.engine, name, Signing(sign_by=parsed["sign-by"]), options, folder=folder, every=parsed["all"])
    return 0
