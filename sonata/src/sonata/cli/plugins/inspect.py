"""`sonata plugin inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print what plugins are and offer, as JSON or through a template. A name may stand as KIND/NAME."""
    from sonata.engine.plugins.inspect import inspect

    return inspect_all(parsed, parsed.args, lambda name: inspect(call.engine, name))
