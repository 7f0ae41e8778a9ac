"""`sonata network create`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.object_request import NetworkCreateRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> NetworkCreateRequest:
    """The request that the command line makes."""
    source = parsed["from"]
    if source and any(parsed.changed(name) for name in parsed.values if name not in ("from", "ignore")):
        raise UsageError("--from takes everything from the file: no other options can be given with it")
    return fill(NetworkCreateRequest, parsed, name=parsed.args[0] if parsed.args else "", source=source)


def command(parsed: Parsed, call: Call) -> int:
    """Create a network and print its name."""
    from sonata.engine.networks.create import create

    print(create(call.engine, to_request(parsed)).name)
    return 0
