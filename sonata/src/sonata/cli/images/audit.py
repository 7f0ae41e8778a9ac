"""`sonata image audit`."""

from __future__ import annotations

from sonata.model.audit_checks import CHECKS, LEVELS
from sonata.model.audit_choice import AuditRequest, checks_named, parse_accepted
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.audit_choice import Accepted

FOUND = 1
"""The exit code where something was found that must not be."""
_LARGEST = 1 << 20


def command(parsed: Parsed, call: Call) -> int:
    """Print what an image holds that one should know of; 1 if it is something that --fail-on names."""
    from sonata.cli.images.audit_report import shown
    from sonata.cli.request import fill
    from sonata.engine.images.audit import audit
    from sonata.model.image_request import PullOptions

    fatal = checks_named(parsed["fail-on"], "fail-on", levels=True)
    wanted = checks_named(parsed["check"], "check") or frozenset(CHECKS)
    request = AuditRequest(
        wanted=wanted - checks_named(parsed["skip"], "skip"), accepted=_accepted(parsed["ignore-file"])
    )
    if parsed.changed("fail-on") and parsed.changed("check") and not fatal & request.wanted:
        raise UsageError("--fail-on names no check that is looked for", hint="see --check and --skip")
    found = audit(call.engine, parsed.args[0], request, fill(PullOptions, parsed))
    lowest = LEVELS.index(parsed["severity"])
    listed = found.replace(findings=tuple(one for one in found.findings if one.rank >= lowest))
    print(shown(listed, parsed["format"]), end="")
    return FOUND if any(one.id in fatal for one in found.findings) else 0


def _accepted(paths: list[str]) -> tuple[Accepted, ...]:
    """Every line of the ignore lists. Raises NotFound, UsageError."""
    import time

    today = time.strftime("%Y-%m-%d", time.gmtime())
    found: list[Accepted] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                text = file.read(_LARGEST + 1)
        except OSError as error:
            raise NotFound(f"open {path}: {(error.strerror or '').lower()}") from error
        if len(text) > _LARGEST:
            raise UsageError(f"{path} has more than {_LARGEST} bytes: it is no ignore list")
        try:
            found += parse_accepted(text.decode(), today)
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is no text in UTF-8") from error
        except UsageError as error:
            error.message = f"{path}: {error.message}"
            raise
    return tuple(found)
