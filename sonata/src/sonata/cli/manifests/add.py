"""`sonata manifest add`."""

from __future__ import annotations

from sonata.cli.manifests.transfer import tls_verify
from sonata.cli.request import fill
from sonata.model.manifest_request import ListAddRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_OF_ARTIFACTS = ("type", "config", "config-type", "layer-type", "subject", "exclude-titles")


def command(parsed: Parsed, call: Call) -> int:
    """Add images or an artifact to a list, and print the list's id. Raises UsageError."""
    from sonata.engine.manifests.edit import add

    if not parsed["artifact"]:
        given = [f"--artifact-{name}" for name in _OF_ARTIFACTS if parsed.changed(f"artifact-{name}")]
        if given:
            raise UsageError(f"{'/'.join(given)} require{'s' if len(given) == 1 else ''} --artifact")
    name, *images = parsed.args
    request = fill(
        ListAddRequest,
        parsed,
        name=name,
        images=tuple(images),
        tls_verify=tls_verify(parsed),
        artifact_type=parsed["artifact-type"] if parsed.changed("artifact-type") else None,
    )
    print(add(call.engine, request))
    return 0
