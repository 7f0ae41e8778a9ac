"""The composition root: configuration, facts and rooms become an engine."""

from __future__ import annotations

import os
import sys

from sonata.config.load import load_config
from sonata.engine.engine import Engine, Overrides
from sonata.host.facts import probe, user_of
from sonata.host.linux import LinuxKernel
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.log import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.model.defaults import Defaults
    from sonata.store.store import Store
    from sonata_core.context import Log


def open_engine(
    settings: Mapping[str, Any] | None = None,
    overrides: Overrides | None = None,
    notify: Callable[[str], None] | None = None,
    log: Log | None = None,
    environ: Mapping[str, str] | None = None,
) -> Engine:
    """An engine for this host and user.

    `settings` overrides the configuration by the names of its files (`storage.graphroot`,
    `engine.runtime`); `notify` is told what a user should read once. Raises UsageError for a
    configuration that cannot be read. Close the engine when done.
    """
    chosen = overrides or Overrides()
    if not chosen.program:
        chosen = chosen.replace(program=own_program())
    environ = os.environ if environ is None else environ
    config = load_config(environ, user_of(environ), settings, modules=chosen.modules)
    facts = probe().replace(helper_dirs=config.engine.helper_binaries_dir)
    return Engine(
        config,
        facts,
        log or Logger(chosen.log_level, syslog=chosen.syslog),
        LinuxKernel(),
        chosen,
        notify or _quiet,
        _Rooms(),
    )


class _Rooms:
    """The rooms of an engine, loaded when they are opened."""

    def defaults(self, engine: Engine) -> Defaults:
        from sonata.config.defaults import defaults_for, lacks_session

        if lacks_session(engine.config):
            from sonata.engine.rootless import tell_of_session

            tell_of_session(engine)
        return defaults_for(engine.config, systemd=engine.facts.systemd)

    def driver(self, engine: Engine) -> str:
        from sonata.engine.choose import storage_name

        return storage_name(engine)

    def store(self, engine: Engine) -> Store:
        from sonata.engine.storage import open_store

        return open_store(engine)


def own_program() -> tuple[str, ...]:
    """How to start Sonata again, as conmon's exit command does: this interpreter, isolated, and the launcher."""
    import sonata

    return (sys.executable or "/usr/bin/python3", "-I", "-S", f"{os.path.dirname(sonata.__file__)}/launch.py")


def _quiet(_text: str) -> None:
    """A library's user who wants to hear of notices says so."""
