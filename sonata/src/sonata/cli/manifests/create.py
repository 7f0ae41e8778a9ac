"""`sonata manifest create`."""

from __future__ import annotations

from sonata.cli.manifests.transfer import tls_verify
from sonata.cli.request import fill
from sonata.model.manifest_request import ListCreateRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Make a list of images, and print its id."""
    from sonata.engine.manifests.edit import create

    name, *images = parsed.args
    request = fill(ListCreateRequest, parsed, name=name, images=tuple(images), tls_verify=tls_verify(parsed))
    print(create(call.engine, request))
    return 0
