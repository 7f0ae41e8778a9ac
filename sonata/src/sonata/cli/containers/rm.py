"""`sonata rm`."""

from __future__ import annotations

from sonata.cli.output import outcome, require_force
from sonata.cli.request import fill, selection
from sonata.model.container_request import RemoveRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> RemoveRequest:
    """The request that the command line makes. Force means that a missing container is no error.

    Raises UsageError for a time without force.
    """
    request = fill(RemoveRequest, parsed, select=selection(parsed))
    require_force(parsed)
    return request.replace(ignore=request.ignore or request.force)


def command(parsed: Parsed, call: Call) -> int:
    """Remove containers; print them as they were named."""
    from sonata.engine.containers.removal import remove_many

    return outcome(*remove_many(call.engine, to_request(parsed)))
