"""`sonata generate`: what can be made from containers."""

from __future__ import annotations

from sonata.cli.request import fill
from sonata.model.container_request import SpecRequest
from sonata_core.errors import NotFound, SonataError, Unsupported
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.engine.engine import Engine


def spec(parsed: Parsed, call: Call) -> int:
    """Print, or write to a file whose name is printed then, how a container or a pod was made."""
    from sonata.cli.render.json import dumps

    request = fill(SpecRequest, parsed, new_name=parsed["name"])
    found = _found(call.engine, parsed.args[0], request)
    text = dumps(found, indent=None if request.compact else 1)
    path = parsed["filename"]
    if not path:
        print(text)
        return 0
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SonataError(f"open {path}: {(error.strerror or '').lower()}") from error
    print(path)
    return 0


def _found(engine: Engine, name: str, request: SpecRequest) -> dict[str, Any]:
    """The specification of a container, or of a pod if there is no such container. Raises NotFound."""
    from sonata.engine.containers.specgen import spec_of
    from sonata.engine.pods import specgen as pods

    try:
        return spec_of(engine, name, request)
    except NotFound as error:
        try:
            return pods.spec_of(engine, name, request)
        except NotFound:
            raise error from None


def kube(_parsed: Parsed, _call: Call) -> int:
    """Raises Unsupported: to come."""
    raise Unsupported("generate kube is not supported yet", hint="Kubernetes manifests are to come in a later version")


def systemd(_parsed: Parsed, _call: Call) -> int:
    """Raises Unsupported: it is deprecated."""
    raise Unsupported(
        "generate systemd is not supported: it is deprecated in favour of quadlets",
        hint="write a .container file for the container; at boot, sonata-restart.service starts those with --restart",
    )
