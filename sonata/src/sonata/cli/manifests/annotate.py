"""`sonata manifest annotate`."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.manifest_request import ListAnnotateRequest
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Note something of a list or of one of its instances, and print the list's id."""
    from sonata.engine.manifests.edit import annotate

    instance = parsed.args[1] if len(parsed.args) > 1 else ""
    print(annotate(call.engine, fill(ListAnnotateRequest, parsed, name=parsed.args[0], instance=instance)))
    return 0
