"""`sonata logout`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.image_request import LoginRequest
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def to_request(parsed: Parsed) -> LoginRequest:
    """The request that the command line makes."""
    return fill(LoginRequest, parsed, registry=parsed.args[0] if parsed.args else "")


def command(parsed: Parsed, call: Call) -> int:
    """Forget the credentials of a registry, or of all."""
    from sonata.engine.images.login import kept_by_docker, log_out

    request = to_request(parsed)
    if request.all and request.registry:
        raise UsageError("--all takes no arguments")
    try:
        key = log_out(call.engine, request)
    except NotFound as error:
        key = str(error.details.get("name", ""))
        if request.authfile or not kept_by_docker(call.engine, key):
            raise
        print(
            f"Not logged into {key} with current tool. Existing credentials were established via docker login. "
            "Please use docker logout instead."
        )
        return 0
    print(f"Removed login credentials for {key}" if key else "Removed login credentials for all registries")
    return 0
