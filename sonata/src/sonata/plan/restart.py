"""Restart policies: `--restart`, and whether a container that ended starts again."""

from __future__ import annotations

from sonata.model.container import RestartPolicy
from sonata.plan.values import atoi, go_quote
from sonata_core.errors import UsageError

NAMES = ("no", "always", "on-failure", "unless-stopped")


def parse(text: str) -> RestartPolicy:
    """`no`, `always`, `unless-stopped`, `on-failure[:N]`; empty: no. Raises UsageError."""
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
    if name not in ("", *NAMES):
        raise UsageError(
            f"running container create option: {go_quote(name)} is not a valid restart policy: invalid argument"
        )
    return RestartPolicy(name=name or "no", retries=retries)


def should_restart(policy: RestartPolicy, exit_code: int, restarts: int, *, stopped_by_user: bool) -> bool:
    """Whether the cleanup of a container that ended by itself starts it again."""
    if stopped_by_user:
        return False
    if policy.name in ("always", "unless-stopped"):
        return True
    return policy.name == "on-failure" and exit_code != 0 and (not policy.retries or restarts < policy.retries)
