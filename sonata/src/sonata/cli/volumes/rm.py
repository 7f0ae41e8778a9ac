"""`sonata volume rm`."""

from __future__ import annotations

from sonata.cli.output import outcome, require_force
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove volumes with their content; print those that are gone."""
    from sonata.engine.volumes.create import listed
    from sonata.engine.volumes.remove import remove

    require_force(parsed)
    engine = call.engine
    names = [volume.name for volume in listed(engine)] if parsed["all"] else parsed.args
    done: list[str] = []
    failed: list[SonataError] = []
    for name in names:
        try:
            remove(engine, name, force=parsed["force"], timeout=parsed.get("time"))
            done.append(name)
        except NotFound as error:
            if not parsed["force"]:
                failed.append(error)
        except SonataError as error:
            error.details.setdefault("object", name)
            failed.append(error)
    return outcome(done, failed)
