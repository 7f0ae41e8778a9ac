"""What the commands on lists have in common: how a registry is spoken to."""

from __future__ import annotations

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.pflag import Parsed


def tls_verify(parsed: Parsed) -> bool | None:
    """Whether certificates are verified; None: as the configuration says. Raises UsageError."""
    if parsed.changed("insecure"):
        if parsed.changed("tls-verify"):
            raise UsageError("--insecure may not be used with --tls-verify")
        return not parsed["insecure"]
    return bool(parsed["tls-verify"]) if parsed.changed("tls-verify") else None
