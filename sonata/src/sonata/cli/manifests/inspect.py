"""`sonata manifest inspect`."""

from __future__ import annotations

from sonata.cli.manifests.transfer import tls_verify
from sonata.model.image_request import PullOptions
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print a list of the store or of a registry as JSON, with four blanks a level."""
    from sonata.cli.render.json import dumps
    from sonata.engine.manifests.inspect import inspect

    options = PullOptions(authfile=parsed["authfile"], tls_verify=tls_verify(parsed))
    print(dumps(inspect(call.engine, parsed.args[0], options), indent=4, escape_html=True))
    return 0
