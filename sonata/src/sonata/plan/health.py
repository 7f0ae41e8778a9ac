"""Health checks: what an image says, changed by `--health-*`."""

from __future__ import annotations

from sonata.model.container import Healthcheck, StartupCheck
from sonata.plan.values import duration
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sonata.model.request import HealthOptions

_SECOND = 10**9
_ACTIONS = ("none", "kill", "restart", "stop")


_NONE = Healthcheck(test=("NONE",), interval=0, timeout=0, retries=0)
"""What `--no-healthcheck` leaves."""
OPTIONS = (
    *("health_cmd", "health_interval", "health_log_destination", "health_max_log_count", "health_max_log_size"),
    *("health_on_failure", "health_retries", "health_start_period", "health_timeout", "health_startup_cmd"),
    *("health_startup_interval", "health_startup_retries", "health_startup_success", "health_startup_timeout"),
)


def decide(given: HealthOptions, image: Healthcheck | None) -> Healthcheck | None:
    """The container's check, None for none. Raises UsageError with Podman's texts."""
    if given.no_healthcheck:
        if given.health_cmd:
            raise UsageError("cannot specify both --no-healthcheck and --health-cmd")
        return _NONE
    check = _changed(given, image or Healthcheck())
    if not check.test:
        if check.on_failure != "none":
            raise UsageError("cannot set on-failure action to " + check.on_failure + " without a health check")
        if given.health_startup_cmd:
            raise UsageError("cannot set a startup healthcheck when there is no regular healthcheck: invalid argument")
        return None
    return check


def updated(given: HealthOptions, old: Healthcheck | None) -> Healthcheck | None:
    """A container's check with those options changed that were given. Raises UsageError with Podman's texts."""
    named = [name for name in OPTIONS if getattr(given, name) is not None]
    if given.no_healthcheck:
        if named:
            raise UsageError("cannot specify both --no-healthcheck and other HealthCheck flags")
        return _NONE
    if not named:
        return old
    check = _changed(given, Healthcheck() if old is None or old == _NONE else old)
    if not check.test:
        raise UsageError("healthcheck command is not set", hint="give one with --health-cmd")
    if check.startup is None and any("startup" in name for name in named) and given.health_startup_cmd is None:
        raise UsageError("startup healthcheck command is not set", hint="give one with --health-startup-cmd")
    return check


def _changed(given: HealthOptions, base: Healthcheck) -> Healthcheck:
    """The options that were given in the place of what was there."""
    test = command(given.health_cmd) if given.health_cmd else base.test
    count, size = given.health_max_log_count, given.health_max_log_size
    return base.replace(
        test=test,
        interval=_time(given.health_interval, base.interval, "interval"),
        timeout=_time(given.health_timeout, base.timeout, "timeout"),
        start_period=_period(given.health_start_period, base.start_period),
        retries=_count(given.health_retries, base.retries),
        on_failure=_action(given.health_on_failure, base.on_failure),
        log_destination=given.health_log_destination or base.log_destination,
        max_log_count=base.max_log_count if count is None else count,
        max_log_size=base.max_log_size if size is None else size,
        startup=None if test[:1] in ((), ("NONE",)) else _startup(given, base.startup),
    )


def command(text: str) -> tuple[str, ...]:
    """`none`, a JSON array, or a line for the shell, in Docker's form."""
    if text.lower() == "none":
        return ("NONE",)
    if text.startswith("["):
        from json import loads

        try:
            words = loads(text)
        except ValueError:
            words = None
        if words == []:
            raise UsageError("must define a healthcheck command for all healthchecks")
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words) if words[0] in ("CMD", "CMD-SHELL", "NONE") else ("CMD", *words)
    return ("CMD-SHELL", text)


def _time(text: str | None, default: int, what: str) -> int:
    """Nanoseconds. An interval of zero, or `disable`, is none; anything else lasts a second or more."""
    if text is None:
        return default
    interval = what == "interval"
    if text == "disable" and interval:
        return 0
    value = _span(text, what)
    if value < (0 if interval else _SECOND):
        raise UsageError(f"healthcheck-{what} must be at least 1 second")
    return value


def _span(text: str, what: str) -> int:
    try:
        return duration(text)
    except UsageError as error:
        raise UsageError(f"invalid healthcheck-{what}: {error.message}") from error


def _period(text: str | None, default: int) -> int:
    value = default if text is None else _span(text, "start-period")
    if value < 0:
        raise UsageError("healthcheck-start-period must be 0 seconds or greater")
    return value


def _count(given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise UsageError("healthcheck-retries must be greater than 0")
    return default if given is None else given


def _action(text: str | None, default: str) -> str:
    if text is None:
        return default
    if text not in _ACTIONS:
        raise UsageError(
            f'invalid on-failure action "{text}" for health check: supported actions are none,kill,restart,stop'
        )
    return text


def _startup(given: HealthOptions, old: StartupCheck | None) -> StartupCheck | None:
    if given.health_startup_cmd is None and old is None:
        return None
    base = old or StartupCheck(test=(), interval=30 * _SECOND, timeout=30 * _SECOND)
    retries, successes = given.health_startup_retries, given.health_startup_success
    test = base.test if given.health_startup_cmd is None else command(given.health_startup_cmd)
    if test == ("NONE",):
        return None
    return StartupCheck(
        test=test,
        interval=_time(given.health_startup_interval, base.interval, "interval"),
        timeout=_time(given.health_startup_timeout, base.timeout, "timeout"),
        retries=base.retries if retries is None else retries,
        successes=base.successes if successes is None else successes,
    )
