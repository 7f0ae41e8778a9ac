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


def decide(given: HealthOptions, image: Healthcheck | None) -> Healthcheck | None:
    """The container's check, None for none. Raises UsageError with Podman's texts."""
    if given.no_healthcheck:
        if given.health_cmd is not None:
            raise UsageError("cannot specify both --no-healthcheck and --health-cmd")
        return Healthcheck(test=("NONE",))
    base = image or Healthcheck()
    test = command(given.health_cmd) if given.health_cmd is not None else base.test
    interval = _time(given.health_interval, base.interval, "interval", zero_disables=True)
    check = base.replace(
        test=test,
        interval=interval,
        timeout=_time(given.health_timeout, base.timeout, "timeout"),
        start_period=_period(given.health_start_period, base.start_period),
        retries=_count(given.health_retries, base.retries),
        on_failure=_action(given.health_on_failure),
        log_destination=given.health_log_destination or "local",
        max_log_count=5 if given.health_max_log_count is None else given.health_max_log_count,
        max_log_size=500 if given.health_max_log_size is None else given.health_max_log_size,
    )
    if not test:
        if check.on_failure != "none":
            raise UsageError("cannot set on-failure action to " + check.on_failure + " without a health check")
        return None
    if test == ("NONE",):
        return Healthcheck(test=test)
    return check.replace(startup=_startup(given))


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
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            return tuple(words) if words[0] in ("CMD", "CMD-SHELL", "NONE") else ("CMD", *words)
    if not text:
        raise UsageError("must define a healthcheck command for all healthchecks")
    return ("CMD-SHELL", text)


def _time(text: str | None, default: int, what: str, *, zero_disables: bool = False) -> int:
    if text is None:
        return default
    if text == "disable" and zero_disables:
        return 0
    value = duration(text)
    if value == 0 and zero_disables:
        return 0
    if value < _SECOND:
        raise UsageError(f"healthcheck-{what} must be at least 1 second")
    return value


def _period(text: str | None, default: int) -> int:
    value = default if text is None else duration(text)
    if value < 0:
        raise UsageError("healthcheck-start-period must be 0 seconds or greater")
    return value


def _count(given: int | None, default: int) -> int:
    if given is not None and given < 1:
        raise UsageError("healthcheck-retries must be greater than 0")
    return default if given is None else given


def _action(text: str | None) -> str:
    if text is not None and text not in _ACTIONS:
        raise UsageError(f'on-failure action "{text}" is unknown, choose one of none, kill, restart, stop')
    return text or "none"


def _startup(given: HealthOptions) -> StartupCheck | None:
    if given.health_startup_cmd is None:
        return None
    return StartupCheck(
        test=command(given.health_startup_cmd),
        interval=_time(given.health_startup_interval, 30 * _SECOND, "startup-interval", zero_disables=True),
        timeout=_time(given.health_startup_timeout, 30 * _SECOND, "startup-timeout"),
        retries=given.health_startup_retries or 0,
        successes=given.health_startup_success or 0,
    )
