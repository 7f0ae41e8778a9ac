"""`sonata inspect`: containers, images, networks and volumes by name."""

from __future__ import annotations

from sonata.cli.inspecting import inspect_all
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

KINDS = ("all", "container", "image", "network", "volume", "pod", "artifact")


def command(parsed: Parsed, call: Call) -> int:
    """Print objects as JSON, or through a template; each name is looked up as container, image, volume, network."""
    kind = parsed["type"]
    if kind not in KINDS:
        raise UsageError(
            f'invalid type "{kind}": must be "image", "container", "pod", "network", "volume", "artifact", or "all"'
        )
    if parsed["latest"] and kind not in ("all", "container"):
        raise UsageError(f'latest is not supported for type "{kind}"')
    if parsed["size"] and kind not in ("all", "container"):
        raise UsageError(f'size is not supported for type "{kind}"')
    if parsed["latest"] or parsed["effective"]:
        if kind not in ("all", "container"):
            raise UsageError("effective is only supported for type container")
        from sonata.cli.containers.inspect import command as of_containers

        return of_containers(parsed, call)
    finders = _finders(call, size=parsed["size"])
    finders |= {"artifact": lambda name: _artifact(call, name)} if kind != "all" else {}
    if kind != "all":
        return inspect_all(parsed, parsed.args, finders[kind])
    return inspect_all(parsed, parsed.args, lambda name: _first(finders, name))


def _first(finders: dict[str, Callable[[str], dict[str, Any]]], name: str) -> dict[str, Any]:
    for find in finders.values():
        try:
            return find(name)
        except NotFound:
            continue
    raise NotFound(f'no such object: "{name}"', name=name)


def _finders(call: Call, *, size: bool) -> dict[str, Callable[[str], dict[str, Any]]]:
    """How to find each kind, in the order in which `all` tries them."""

    def container(name: str) -> dict[str, Any]:
        from sonata.engine.containers.inspect import inspect

        if not name:
            raise UsageError("name or ID cannot be empty")
        try:
            return inspect(call.engine, name, size=size)
        except NotFound as error:
            raise NotFound(f'no such container "{name}"', name=name) from error

    def image(name: str) -> dict[str, Any]:
        from sonata.engine.images.inspect import inspect

        return inspect(call.engine, name)

    def volume(name: str) -> dict[str, Any]:
        from sonata.cli.volumes.inspect import shown
        from sonata.engine.volumes.create import get

        try:
            return shown(call.engine, get(call.engine, name))
        except NotFound as error:
            raise NotFound(f"no such volume {name}", name=name) from error

    def network(name: str) -> dict[str, Any]:
        from sonata.cli.networks.inspect import find

        return find(call.engine, name)

    def pod(name: str) -> dict[str, Any]:
        from sonata.cli.pods.inspect import find

        return find(call.engine, name)

    return {"container": container, "image": image, "volume": volume, "network": network, "pod": pod}


def _artifact(call: Call, name: str) -> dict[str, Any]:
    from sonata.engine.artifacts.stored import get
    from sonata.engine.artifacts.stored import inspect as document

    return document(get(call.engine, name))
