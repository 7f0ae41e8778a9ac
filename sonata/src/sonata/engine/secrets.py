"""Use-cases on secrets: made, listed, looked at, removed."""

from __future__ import annotations

import time

from sonata.engine import events
from sonata.model.times import rfc3339
from sonata.store.secrets import Secret, SecretStore
from sonata_core.errors import AlreadyExists, NotFound, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.model.object_request import SecretCreateRequest


def store(engine: Engine) -> SecretStore:
    """The store's secrets."""
    return SecretStore(engine.config.storage.graph_root)


def create(engine: Engine, request: SecretCreateRequest, data: bytes) -> Secret:
    """Keep `data` as a secret. Raises AlreadyExists, UsageError, Unsupported for another driver than `file`."""
    if request.driver != "file":
        raise Unsupported(
            f"creating secret {request.name} with driver {request.driver}: invalid driver",
            hint="only the driver `file` is there",
        )
    kept = store(engine)
    now = rfc3339(time.time_ns())
    wanted = Secret(
        id="", name=request.name, labels=labels(request.label), created=now, updated=now, options=request.driver_opts
    )
    try:
        made = kept.add(wanted, data, replace=request.replace_existing)
    except AlreadyExists:
        if not request.ignore:
            raise
        return kept.find(request.name)
    events.thing(engine, "secret", "create", "", made.id)
    return made


def labels(texts: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` texts, or `KEY`. Raises UsageError for one without a key."""
    found = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise UsageError(f"invalid label format: {text!r}")
        found[key] = value
    return found


def listed(engine: Engine, filters: Iterable[str] = ()) -> list[Secret]:
    """The secrets that meet the filters: `id=` by its beginning, `name=` a regular expression. Raises UsageError."""
    from sonata.engine.containers.filters import grouped, matches

    wanted = grouped(filters)
    for key in wanted:
        if key not in ("id", "name"):
            raise UsageError(f'invalid filter "{key}"')
    found = store(engine).all()
    if "id" in wanted:
        found = [one for one in found if any(one.id.startswith(value) for value in wanted["id"])]
    if "name" in wanted:
        found = [one for one in found if any(matches(one.name, value) for value in wanted["name"])]
    return found


def exists(engine: Engine, name: str) -> bool:
    """Whether there is such a secret."""
    try:
        store(engine).find(name)
    except NotFound:
        return False
    return True


def remove(engine: Engine, name: str) -> str:
    """Forget a secret; its id. Containers that run keep what they were given. Raises NotFound."""
    gone = store(engine).remove(name)
    events.thing(engine, "secret", "remove", "", gone.id)
    return gone.id
