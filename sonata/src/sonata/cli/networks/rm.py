"""`sonata network rm`."""

from __future__ import annotations

from sonata.cli.output import outcome, require_force
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove networks; print those that are gone."""
    from sonata.engine.networks.remove import remove

    require_force(parsed)
    done: list[str] = []
    failed: list[SonataError] = []
    for name in parsed.args:
        try:
            remove(call.engine, name, force=parsed["force"], timeout=parsed.get("time"))
            done.append(name)
        except NotFound as error:
            if not parsed["force"]:
                failed.append(error)
        except SonataError as error:
            error.details.setdefault("object", name)
            failed.append(error)
    return outcome(done, failed)
