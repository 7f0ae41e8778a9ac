"""Process limits: `--ulimit name=soft[:hard]`, defaults, and clamping to what the host permits."""

from __future__ import annotations

from sonata.model.container import Rlimit
from sonata.plan.values import atoi, go_quote
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.models.host import HostFacts

_NAMES = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
]
UNLIMITED = 2**64 - 1
_DEFAULT = 1048576


def parse(text: str) -> Rlimit:
    """One `--ulimit`. Raises UsageError with Podman's texts."""
    try:
        return _parse(text)
    except UsageError as error:
        raise UsageError(
            f"ulimit option {go_quote(text)} requires name=SOFT:HARD, failed to be parsed: {error.message}"
        ) from None


def _parse(text: str) -> Rlimit:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"invalid ulimit argument: {text}")
    if name not in _NAMES:
        raise UsageError(f"invalid ulimit type: {name}")
    parts = value.split(":")
    if len(parts) > 2:
        raise UsageError(f"too many limit value arguments - {value}, can only have up to two, `soft[:hard]`")
    soft = atoi(parts[0], "ParseInt")
    hard = atoi(parts[1], "ParseInt") if len(parts) == 2 else soft
    if hard != -1 and (soft == -1 or soft > hard):
        raise UsageError(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return Rlimit(type="RLIMIT_" + name.upper(), soft=soft, hard=hard)


def decide(given: Iterable[str], defaults: Iterable[str]) -> tuple[tuple[Rlimit, ...], bool]:
    """Limits as asked, those of containers.conf below them; and whether `host` was asked for."""
    texts = list(given)
    if "host" in texts:
        if len(texts) > 1:
            raise UsageError("ulimit can use host only once: invalid argument")
        return (), True
    limits = {limit.type: limit.replace(given=False) for limit in map(parse, defaults)}
    limits |= {limit.type: limit for limit in map(parse, texts)}
    return tuple(limits.values()), False


def effective(limits: Iterable[Rlimit], facts: HostFacts) -> list[dict[str, object]]:
    """`process.rlimits`: NOFILE and NPROC always.

    Defaults go no higher than this engine may set. What the user asked for stays: the runtime says that it cannot be.
    """
    limits = tuple(limits)
    asked = {limit.type for limit in limits if limit.given}
    by_type = {limit.type: (limit.soft, limit.hard) for limit in limits}
    by_type.setdefault("RLIMIT_NOFILE", (_DEFAULT, _DEFAULT))
    by_type.setdefault("RLIMIT_NPROC", (_DEFAULT, _DEFAULT))
    if facts.rootless or facts.id_mapping or "SYS_RESOURCE" not in facts.capabilities:
        for name, own in (("RLIMIT_NOFILE", facts.nofile_limit), ("RLIMIT_NPROC", facts.nproc_limit)):
            by_type[name] = by_type[name] if name in asked else _clamp(by_type[name], own)
    return [
        {"type": name, "hard": _plain(hard), "soft": _plain(soft)} for name, (soft, hard) in sorted(by_type.items())
    ]


def _plain(value: int) -> int:
    return UNLIMITED if value < 0 else value


def _clamp(asked: tuple[int, int], own: tuple[int, int]) -> tuple[int, int]:
    hard = min(_plain(asked[1]), _plain(own[1]))
    return min(_plain(asked[0]), hard), hard
