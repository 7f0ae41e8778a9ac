"""The engine: what the use-cases are given. It holds no state of its own, only the way to it."""

from __future__ import annotations

import os
from _thread import RLock

from sonata.state.db import Database
from sonata.state.locks import Locks
from sonata_core import trace
from sonata_core.border import Border
from sonata_core.catalog import Catalog
from sonata_core.context import Log, PluginContext
from sonata_core.fanout import Fanout
from sonata_core.groups import HOOKS, NET, RUNTIME, STORAGE, TRANSPORT, Group
from sonata_core.lite import TYPE_CHECKING, Any, Protocol
from sonata_core.memo import Memo
from sonata_core.models.host import HostFacts
from sonata_core.models.storage import StoreRoot
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sonata.config.values import EngineConfig
    from sonata.host.kernel import Kernel
    from sonata.image.progress import Progress
    from sonata.model.defaults import Defaults
    from sonata.store.store import Store
    from sonata_core.hookspecs.net import NetHooks
    from sonata_core.hookspecs.runtime import RuntimeHooks
    from sonata_core.hookspecs.storage import StorageHooks
    from sonata_core.hookspecs.transport import TransportHooks
    from sonata_core.slot import Slot


class Overrides(Record):
    """What the command line says beside the configuration."""

    runtime: str = ""
    runtime_flags: tuple[str, ...] = ()
    conmon: str = ""
    log_level: str = "warning"
    syslog: bool = False
    """What is logged goes to the system's log too."""
    modules: tuple[str, ...] = ()
    """Modules of containers.conf, by path or by name."""
    arguments: tuple[str, ...] = ()
    """Global options to repeat when Sonata runs itself, as conmon's exit command."""
    program: tuple[str, ...] = ()
    """How Sonata is started."""
    looks_only: bool = False
    """The command only looks: the state is opened so that it cannot be written."""


class Rooms(Protocol):
    """What an engine opens when it is first asked for."""

    def defaults(self, engine: Engine) -> Defaults:
        """What a new container gets unless it asks otherwise."""

    def driver(self, engine: Engine) -> str:
        """The storage driver's name."""

    def store(self, engine: Engine) -> Store:
        """The image store."""


class Engine:
    """Configuration, facts and lazily opened rooms. Make one with `sonata.assemble.open_engine`."""

    def __init__(
        self,
        config: EngineConfig,
        facts: HostFacts,
        log: Log,
        kernel: Kernel,
        overrides: Overrides,
        notify: Callable[[str], None],
        rooms: Rooms,
    ) -> None:
        self.config = config
        self.facts = facts
        self.log = log
        self.kernel = kernel
        self.overrides = overrides
        self.notify = notify
        self.rooms = rooms
        self.progress: Progress | None = None
        """Told of pulls that a command makes on its way, if a door sets it."""
        self.ask: Callable[[str, Sequence[str]], str] | None = None
        """Has somebody choose, if a door has somebody to ask; answers with nothing where there is nobody."""
        self.memo = Memo(f"{config.paths.cache_dir}/memo")
        self.catalog = Catalog(self.memo, self._border)
        self.database = Database(
            f"{config.paths.static_dir}/state.db",
            {"graph_root": config.storage.graph_root, "run_root": config.storage.run_root},
            read_only=overrides.looks_only,
        )
        self.locks = Locks(f"{config.paths.run_dir}/locks")
        self._slots: dict[tuple[str, str], Slot[Any]] = {}
        self._seating = RLock()
        self._store: Store | None = None
        self._hooks: Fanout | None = None
        self._defaults: Defaults | None = None
        self._storage_name = ""

    @property
    def defaults(self) -> Defaults:
        """What a new container gets unless it asks otherwise."""
        if self._defaults is None:
            self._defaults = self.rooms.defaults(self)
        return self._defaults

    @property
    def driver(self) -> str:
        """The storage driver's name."""
        if not self._storage_name:
            self._storage_name = self.rooms.driver(self)
        return self._storage_name

    @property
    def store(self) -> Store:
        """The image store."""
        if self._store is None:
            self._store = self.rooms.store(self)
        return self._store

    @property
    def storage(self) -> Slot[StorageHooks]:
        """The storage driver."""
        return self.storage_slot(self.driver)

    @property
    def hooks(self) -> Fanout:
        """The participants of the hooks group."""
        if self._hooks is None:
            self._hooks = self.catalog.fanout(HOOKS, lambda name: self.context(HOOKS, name))
        return self._hooks

    def storage_slot(self, name: str) -> Slot[StorageHooks]:
        """A storage driver by name."""
        return self._slot(STORAGE, name)

    def runtime(self, name: str) -> Slot[RuntimeHooks]:
        """A runtime by name."""
        return self._slot(RUNTIME, name)

    def net(self, name: str) -> Slot[NetHooks]:
        """A network backend by name."""
        return self._slot(NET, name)

    def transport(self, scheme: str) -> Slot[TransportHooks]:
        """An image transport by its scheme. Raises Unsupported for one that is known, and not served."""
        if scheme == "sif":
            from sonata_core.errors import Unsupported

            raise Unsupported(
                "sif: Singularity images are not read here: their root is a squashfs inside the file",
                hint="singularity build --sandbox DIR IMAGE.sif, then tar -C DIR -c . | sonata import - NAME",
            )
        return self._slot(TRANSPORT, scheme)

    def context(self, group: Group, name: str) -> PluginContext:
        """The world of one plugin."""
        paths = self.config.paths
        own = f"{group.name}-{name}"
        return PluginContext(
            name=name,
            root=f"{paths.static_dir}/plugins/{own}",
            run=f"{paths.run_dir}/plugins/{own}",
            cache=f"{paths.cache_dir}/plugins/{own}",
            config=self._plugin_config(group, name),
            facts=self.facts,
            run_command=self.run_command,
            find_program=self.find_program,
            log=self.log,
            stores=self.stores(),
        )

    def stores(self) -> tuple[StoreRoot, ...]:
        """The image stores: the graph root, the image store where it is split off, then the read-only ones."""
        storage = self.config.storage
        writable = dict.fromkeys(path for path in (storage.graph_root, storage.image_store) if path)
        own = (StoreRoot(path=path, run=storage.run_root) for path in writable)
        more = (StoreRoot(path=path, run=storage.run_root, read_only=True) for path in storage.additional_stores)
        return (*own, *more)

    def find_program(self, name: str) -> str | None:
        """A helper program's absolute path: in the helper folders, then in PATH."""
        from sonata.host.commands import find_program

        chosen = self.config.engine.network_cmd_path
        if chosen and name == os.path.basename(chosen):
            return chosen if os.access(chosen, os.X_OK) else None
        return find_program(name, self.facts)

    def run_command(self, command: Any) -> Any:
        """Run a helper program to its end."""
        from sonata.host.commands import run

        with trace.span(command.argv[0], "program", argv=command.argv):
            return run(command)

    def conmon(self) -> str:
        """The monitor program. Raises HostLacks where there is none."""
        from sonata_core.errors import HostLacks

        candidates = (self.overrides.conmon,) if self.overrides.conmon else self.config.engine.conmon_path
        for path in candidates:
            if path and os.access(path, os.X_OK):
                return path
        found = None if self.overrides.conmon else self.find_program("conmon")
        if found:
            return found
        raise HostLacks("could not find a working conmon binary", hint="apt-get install conmon")

    def runtime_flags(self, name: str) -> tuple[str, ...]:
        """Global flags for a runtime: those of the configuration, then the command line's."""
        return (*self.config.engine.runtimes_flags.get(name, ()), *self.overrides.runtime_flags)

    def close(self) -> None:
        """Let go of what is open."""
        self.database.close()

    def _slot(self, group: Group, name: str) -> Slot[Any]:
        # Layers are unpacked by several threads at once; a driver's stages are known to one object only.
        with self._seating:
            slot = self._slots.get((group.name, name))
            if slot is None:
                slot = self.catalog.load(group, name, lambda found: self.context(group, found))
                self._slots[group.name, name] = slot
        return slot

    def _border(self, group: str) -> Border:
        return Border(group, self.log, guard=self.database.assert_idle)

    def _plugin_config(self, group: Group, name: str) -> dict[str, Any]:
        config = self.config
        if group is STORAGE:
            options = config.storage.options
            return {**options.get("", {}), **options.get(name, {}), "imagestore": config.storage.image_store}
        if group is RUNTIME:
            asked = self.overrides.runtime
            named = (asked,) if os.path.basename(asked) == name and asked != name else ()
            return {"paths": (*named, *config.engine.runtimes.get(name, ()))}
        if group is NET:
            network = config.network
            return {
                "firewall_driver": network.firewall_driver,
                "plugin_dirs": network.netavark_plugin_dirs,
                "dns_bind_port": network.dns_bind_port,
                "pasta_options": network.pasta_options,
                "cmd_options": config.engine.network_cmd_options,
                "run_dir": config.paths.network_run_dir,
                "config_dir": config.paths.network_config_dir,
                "cni_plugin_dirs": network.cni_plugin_dirs,
                "cni_config_dir": config.paths.cni_config_dir,
            }
        if group is HOOKS:
            return {"hooks_dirs": config.engine.hooks_dir}
        return {
            "tmp_dir": config.paths.tmp_dir,
            "trusted_realms": config.engine.registry_trusted_realms,
            "head_seconds": config.engine.registry_head_seconds,
            "block_seconds": config.engine.registry_block_seconds,
        }
