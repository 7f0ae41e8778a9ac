"""The world that a plugin is given: it reaches for nothing else."""

from sonata_core.lite import TYPE_CHECKING, Any, Protocol
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata_core.models.host import HostFacts
    from sonata_core.models.process import Command, CommandResult
    from sonata_core.models.storage import StoreRoot


class Log(Protocol):
    """A logger of events: constant names, fields as keywords."""

    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class PluginContext(Record):
    """What a plugin's class is constructed with.

    `root` is its own persistent folder, `run` its volatile one (gone at boot), `cache` one that
    may vanish at any time; the plugin creates what it uses below them, mode 0700. `stores` are
    the image stores, writable one first. `config` is its table of the configuration file. Programs are run through
    `run_command` only, which raises CommandFailed for a program that cannot be started, never
    for one that exits with an error. `find_program(name)` gives an absolute path or None,
    looking in the helper folders, then in PATH.
    """

    name: str
    root: str
    run: str
    cache: str
    config: "Mapping[str, Any]"
    facts: "HostFacts"
    run_command: "Callable[[Command], CommandResult]"
    find_program: "Callable[[str], str | None]"
    log: Log
    stores: "tuple[StoreRoot, ...]" = ()
