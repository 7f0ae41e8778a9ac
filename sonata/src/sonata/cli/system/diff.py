"""`sonata diff`."""

from __future__ import annotations

from sonata.cli.diffs import show_changes
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print what a container or an image has changed."""
    return show_changes(parsed, call, "all")
