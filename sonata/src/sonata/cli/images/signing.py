"""What commands that sign are told: keys, and the passphrase of one."""

from __future__ import annotations

import sys

from sonata.model.signing import Signing
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.pflag import Parsed

_KEYS = ("sign-by", "sign-by-sq-fingerprint", "sign-by-sigstore-private-key")


def signing_of(parsed: Parsed) -> Signing:
    """How to sign, by the options. Asks at the terminal for a passphrase that a key must have. Raises UsageError."""
    from sonata.engine.images.signing import read_passphrase

    by, sequoia, key = (parsed.get(name) or "" for name in _KEYS)
    path = parsed.get("sign-passphrase-file") or ""
    if path and sum(map(bool, (by, sequoia, key))) > 1:
        raise UsageError(
            "only one of --sign-by, --sign-by-sq-fingerprint and --sign-by-sigstore-private-key can be used with "
            "--sign-passphrase-file"
        )
    found = Signing(
        sign_by=by,
        sigstore_key=key,
        sigstore_params=parsed.get("sign-by-sigstore") or "",
        sq_fingerprint=sequoia,
        passphrase=read_passphrase(path),
        identity=parsed.get("sign-identity") or "",
    )
    if key and found.passphrase is None and sys.stdin.isatty():
        from getpass import getpass

        return found.replace(passphrase=getpass("Passphrase for signing key: ").encode())
    return found
