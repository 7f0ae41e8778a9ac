"""`sonata secret rm`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.errors import NotFound, SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Forget secrets; print the ids of those that are gone."""
    from sonata.engine.secrets import listed, remove

    engine = call.engine
    names = [one.id for one in listed(engine)] if parsed["all"] else parsed.args
    done: list[str] = []
    failed: list[SonataError] = []
    for name in names:
        try:
            done.append(remove(engine, name))
        except NotFound as error:
            if not parsed["ignore"]:
                failed.append(error)
        except SonataError as error:
            error.details.setdefault("object", name)
            failed.append(error)
    return outcome(done, failed)
