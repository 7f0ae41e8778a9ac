"""`sonata artifact rm`."""

from __future__ import annotations

from sonata.cli.output import outcome
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Remove artifacts, and print the digests of those that are gone."""
    from sonata.engine.artifacts.remove import remove

    if parsed["all"] and parsed.args:
        raise UsageError("when using the --all switch, you may not pass any artifact names or digests")
    if not parsed["all"] and not parsed.args:
        raise UsageError("at least one artifact name or digest must be specified")
    done, missing = remove(call.engine, parsed.args, every=parsed["all"], ignore=parsed["ignore"])
    return outcome(done, [missing] if missing else [])
