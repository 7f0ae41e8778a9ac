"""Resource limits of this process, and what of a wished limit the kernel would let a container have."""

from __future__ import annotations

import resource

_UNLIMITED = 0xFFFFFFFFFFFFFFFF
"""How the runtime specification writes `unlimited`."""


def current(name: str) -> tuple[int, int]:
    """Soft and hard limit by name (`nofile`, `RLIMIT_NOFILE`); -1 is unlimited. Raises KeyError for an unknown name."""
    return resource.getrlimit(_number(name))


def clamp(name: str, soft: int, hard: int, may_raise: bool) -> tuple[int, int]:
    """Soft and hard as they can be had: without CAP_SYS_RESOURCE (`may_raise`) not above our own hard limit."""
    if may_raise:
        return soft, hard
    ceiling = current(name)[1]
    if ceiling == resource.RLIM_INFINITY:
        return soft, hard
    hard = ceiling if hard in (-1, _UNLIMITED) else min(hard, ceiling)
    soft = hard if soft in (-1, _UNLIMITED) else min(soft, hard)
    return soft, hard


def _number(name: str) -> int:
    short = name.upper().removeprefix("RLIMIT_")
    number = getattr(resource, f"RLIMIT_{short}", None)
    if number is None:
        raise KeyError(name)
    return int(number)
