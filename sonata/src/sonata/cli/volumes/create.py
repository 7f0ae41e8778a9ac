"""`sonata volume create`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.object_request import VolumeCreateRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> VolumeCreateRequest:
    """The request that the command line makes."""
    return fill(VolumeCreateRequest, parsed, name=parsed.args[0] if parsed.args else "")


def command(parsed: Parsed, call: Call) -> int:
    """Create a volume and print its name."""
    from sonata.engine.volumes.create import create

    print(create(call.engine, to_request(parsed)).name)
    return 0
