"""Filters of `ps` and of verbs with `--filter`: texts to conditions on rows. Values of one key are alternatives."""

from __future__ import annotations

from sonata.model.times import nanoseconds
from sonata.state import containers as rows
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.state.rows import ContainerRow

    Condition = Callable[[ContainerRow], bool]

STATES = ("created", "exited", "initialized", "paused", "removing", "running", "stopped", "stopping", "unknown")


def grouped(texts: Iterable[str]) -> dict[str, list[str]]:
    """`KEY=VALUE` texts by key; `KEY!=VALUE` is the key `KEY!`. Raises UsageError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f'invalid filter "{text}"')
        found.setdefault(key.lower(), []).append(value)
    return found


def conditions(engine: Engine, texts: Iterable[str]) -> list[Condition]:
    """What a row must meet, one condition per key. Raises UsageError for a key or value that makes no sense."""
    found = []
    for key, values in grouped(texts).items():
        if key not in _MAKERS:
            raise UsageError(f"{key} is an invalid filter")
        found.append(_MAKERS[key](engine, values))
    return found


def shown_state(row: ContainerRow) -> str:
    """The state as `ps` names it."""
    phase = str(row.state.phase)
    return {"configured": "created", "creating": "created", "initialising": "created"}.get(phase, phase)


def matches(text: str, pattern: str) -> bool:
    """Is `pattern`, a regular expression, found in the text? Plain words need no `re`."""
    if pattern.replace("-", "").replace("_", "").isalnum():
        return pattern in text
    import re

    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise UsageError(f"invalid regular expression {pattern!r}: {error}") from error


def _id(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: any(row.config.id.startswith(value.lower()) for value in values)


def _name(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: any(matches(row.config.name, value.lstrip("/")) for value in values)


def _status(_engine: Engine, values: list[str]) -> Condition:
    for value in values:
        if value not in STATES:
            raise UsageError(f"unknown container state: {value}: invalid argument")
    wanted = {"exited" if value == "stopped" else value for value in values}
    return lambda row: {"stopped": "exited"}.get(shown_state(row), shown_state(row)) in wanted


def _exited(_engine: Engine, values: list[str]) -> Condition:
    try:
        codes = [int(value) for value in values]
    except ValueError as error:
        raise UsageError(
            f"exited code out of range '\\x00': strconv.ParseInt: parsing \"{values[0]}\": invalid syntax"
        ) from error
    return lambda row: shown_state(row) in ("exited", "stopped") and row.state.exit_code in codes


def _label(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: all(has_label(row.config.labels, value) for value in values)


def _no_label(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: not all(has_label(row.config.labels, value) for value in values)


def has_label(labels: object, wanted: str) -> bool:
    """Do labels have `KEY`, or `KEY=VALUE`? A key with a `*` stands for all that have it within them."""
    assert isinstance(labels, dict)
    key, _, value = wanted.partition("=")
    known = [key] if key in labels else []
    if "*" in key:
        from sonata.engine.globs import fits

        # Slashes are letters like others here.
        known = [one for one in labels if one == key or fits(f"*{key}*".replace("/", "|"), one.replace("/", "|"))]
    return any(not value or labels[one] == value for one in known)


def _ancestor(engine: Engine, values: list[str]) -> Condition:
    from sonata.engine.images import lookup

    ids: set[str] = set()
    for value in values:
        found = lookup.find(engine, value)
        if found is not None:
            ids.add(found[0].id)
    return lambda row: row.config.image_id in ids or any(value in row.config.image for value in values if value)


def _created(engine: Engine, name: str) -> int:
    try:
        return nanoseconds(rows.find(engine.database, name).config.created)
    except NotFound as error:
        raise UsageError(error.message) from error


def _before(engine: Engine, values: list[str]) -> Condition:
    limit = min(_created(engine, value) for value in values)
    return lambda row: nanoseconds(row.config.created) < limit


def _since(engine: Engine, values: list[str]) -> Condition:
    limit = max(_created(engine, value) for value in values)
    return lambda row: nanoseconds(row.config.created) > limit


def _until(_engine: Engine, values: list[str]) -> Condition:
    limit = moment(values[-1])
    return lambda row: nanoseconds(row.config.created) < limit


def moment(text: str, *, ahead: bool = False) -> int:
    """A time as a user types it: RFC 3339, a unix time, or a Go duration before now (`ahead`: after). UsageError."""
    import time

    try:
        return int(float(text) * 10**9)
    except ValueError:
        pass
    try:
        return nanoseconds(text if len(text) > 19 else f"{text}T00:00:00Z" if len(text) == 10 else text + "Z")
    except ValueError:
        pass
    from sonata.plan.values import duration

    try:
        return time.time_ns() + (duration(text) if ahead else -duration(text))
    except (ValueError, UsageError) as error:
        raise UsageError(f'failed to parse value as time or duration: "{text}"') from error


def _volume(_engine: Engine, values: list[str]) -> Condition:
    def uses(row: ContainerRow) -> bool:
        pairs = [(use.source, use.target) for use in row.config.mounts]
        wanted = [value.partition(":")[::2] for value in values]
        return any(a[0] == b[0] and (not b[1] or a[1] == b[1]) for a in pairs for b in wanted)

    return uses


def _network(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: any(
        value in (use.network for use in row.config.network.networks) or value == row.config.network.mode
        for value in values
    )


def _command(_engine: Engine, values: list[str]) -> Condition:
    return lambda row: bool(row.config.process.args) and row.config.process.args[0] in values


def _health(engine: Engine, values: list[str]) -> Condition:
    from sonata.engine.containers import health_log

    return lambda row: (health_log.status(engine, row) or "none") in values


def _restart(_engine: Engine, values: list[str]) -> Condition:
    for value in values:
        if value.partition(":")[0] not in ("no", "always", "on-failure", "unless-stopped"):
            raise UsageError(f"{value} invalid restart policy")
    return lambda row: any(row.config.restart.name == value.partition(":")[0] for value in values)


def _boot(_engine: Engine, values: list[str]) -> Condition:
    if values[-1].lower() not in ("true", "1", "t", "false", "0", "f"):
        raise UsageError(f'strconv.ParseBool: parsing "{values[-1]}": invalid syntax')
    wanted = values[-1].lower() in ("true", "1", "t")

    def starts(row: ContainerRow) -> bool:
        policy = row.config.restart.name
        return policy == "always" or (policy == "unless-stopped" and not row.state.stopped_by_user)

    return lambda row: starts(row) == wanted


def _pod(engine: Engine, values: list[str]) -> Condition:
    from sonata.state import pods

    ids = set()
    for value in values:
        try:
            ids.add(pods.find(engine.database, value).id)
        except (NotFound, UsageError):
            continue
    return lambda row: row.config.pod in ids


_MAKERS: dict[str, Callable[[Engine, list[str]], Condition]] = {
    "ancestor": _ancestor,
    "before": _before,
    "command": _command,
    "exited": _exited,
    "health": _health,
    "id": _id,
    "label": _label,
    "label!": _no_label,
    "name": _name,
    "network": _network,
    "pod": _pod,
    "restart-policy": _restart,
    "should-start-on-boot": _boot,
    "since": _since,
    "status": _status,
    "until": _until,
    "volume": _volume,
}
