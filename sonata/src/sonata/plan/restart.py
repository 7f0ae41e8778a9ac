"""Restart policies: `--restart`, and whether a container that ended starts again."""

from __future__ import annotations

from sonata.model.container import RestartPolicy
from sonata.plan.values import atoi, go_quote
from sonata_core.errors import UsageError

NAMES = ("no", "always", "on-failure", "unless-stopped")


_ALIASES = {"": "no", "none": "no", "never": "no"}
FIRST_WAIT = 100_000_000
"""Nanoseconds before the first start by a policy."""
LONGEST_WAIT = 60_000_000_000
SETTLED = 10_000_000_000
"""Whoever ran that long is not crashing in a loop: its next wait is the first one again."""


def parse(text: str, doing: str = "running container create option: ") -> RestartPolicy:
    """`no`, `always`, `unless-stopped`, `on-failure[:N]`; empty, `none`, `never`: no. UsageError begins by `doing`."""
    name, colon, count = text.partition(":")
    retries = 0
    if colon:
        if name != "on-failure":
            raise UsageError("restart policy retries can only be specified with on-failure restart policy")
        try:
            retries = atoi(count)
        except UsageError as error:
            raise UsageError(f"parsing restart policy retry count: {error.message}") from None
        if retries < 0:
            raise UsageError("restart policy retry count must be greater than 0: invalid argument")
    name = _ALIASES.get(name, name)
    if name not in NAMES:
        raise UsageError(f"{doing}{go_quote(name)} is not a valid restart policy: invalid argument")
    return RestartPolicy(name=name, retries=retries)


def require_removable(text: str) -> None:
    """Raises UsageError for a policy that starts again what `--rm` removes."""
    if text not in ("", "no", "on-failure"):
        raise UsageError('the --rm option conflicts with --restart, when the restartPolicy is not "" and "no"')


def text(policy: RestartPolicy) -> str:
    """The policy as `--restart` takes it."""
    return f"{policy.name}:{policy.retries}" if policy.retries else policy.name


def should_restart(policy: RestartPolicy, exit_code: int, restarts: int, *, stopped_by_user: bool) -> bool:
    """Whether the cleanup of a container that ended by itself starts it again."""
    if stopped_by_user:
        return False
    if policy.name in ("always", "unless-stopped"):
        return True
    return policy.name == "on-failure" and exit_code != 0 and (not policy.retries or restarts < policy.retries)


def wait(last: int, lasted: int) -> int:
    """Nanoseconds until the next start by a policy, after a run of `lasted` ns that itself was put off by `last` ns.

    Doubled from one short run to the next, as Docker does, so that a container that cannot run costs next to nothing.
    """
    if not last or lasted >= SETTLED:
        return FIRST_WAIT
    return min(last * 2, LONGEST_WAIT)
