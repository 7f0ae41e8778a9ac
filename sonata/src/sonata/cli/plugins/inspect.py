"""`sonata plugin inspect`."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


KINDS = ("runtime", "net", "storage", "transport", "hooks")


def command(parsed: Parsed, call: Call) -> int:
    """Print what plugins are and offer, as JSON or through a template. A name may stand as KIND/NAME or KIND NAME."""
    from sonata.engine.plugins.inspect import inspect

    names = list(parsed.args)
    if len(names) == 2 and names[0] in KINDS:
        names = ["/".join(names)]
    return inspect_all(parsed, names, lambda name: inspect(call.engine, name))
