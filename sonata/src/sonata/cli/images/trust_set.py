"""`sonata image trust set`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Change the policy's default, or its rule for a registry or a part of one."""
    from sonata.engine.images.trust_rules import change

    change(call.engine, parsed["signature-policy"], parsed.args[0], parsed["type"], tuple(parsed["pubkeysfile"]))
    return 0
