"""Use-cases on secrets: made, listed, looked at, removed."""

from __future__ import annotations

import time

from sonata.engine import events
from sonata.model.times import rfc3339
from sonata.store.secrets import Secret, SecretDriver, SecretStore, file_driver
from sonata_core.errors import AlreadyExists, CommandFailed, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata.engine.engine import Engine
    from sonata.model.object_request import SecretCreateRequest


def store(engine: Engine) -> SecretStore:
    """The store's secrets. Drivers that run programs are loaded when a secret of theirs is met."""

    def open_one(name: str, options: Mapping[str, str]) -> SecretDriver:
        if name == "file":
            return file_driver(name, options)
        from sonata.engine.secret_drivers import open_driver

        return open_driver(engine, name, options)

    return SecretStore(engine.config.storage.graph_root, open_one)


def create(engine: Engine, request: SecretCreateRequest, data: bytes) -> Secret:
    """Keep `data` as a secret. Driver and its options are the request's, else containers.conf's.

    Raises AlreadyExists, UsageError, Unsupported for an unknown driver, CommandFailed from one that runs programs.
    """
    if request.ignore and request.replace_existing:
        raise UsageError("cannot use --ignore and --replace flags together")
    settings = engine.config.secrets
    kept = store(engine)
    now = rfc3339(time.time_ns())
    wanted = Secret(
        id="",
        name=request.name,
        labels=labels(request.label),
        created=now,
        updated=now,
        driver=request.driver or settings.driver,
        options=request.driver_opts or settings.opts,
    )
    try:
        made = kept.add(wanted, data, replace=request.replace_existing)
    except AlreadyExists:
        if not request.ignore:
            raise
        return kept.find(request.name)
    except CommandFailed as error:
        raise CommandFailed(f"creating secret {request.name}: {error.message}", hint=error.hint) from error
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
    """Forget a secret; its id. Containers that run keep what they were given. Raises NotFound, CommandFailed."""
    try:
        gone = store(engine).remove(name)
    except CommandFailed as error:
        raise CommandFailed(f"deleting secret {name}: {error.message}", hint=error.hint) from error
    events.thing(engine, "secret", "remove", "", gone.id)
    return gone.id
