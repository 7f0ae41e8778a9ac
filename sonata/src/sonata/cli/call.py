"""What a command is given beside its options: the global ones, and the engine when it asks for it."""

from __future__ import annotations

import os
import sys

from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.cli.pflag import Parsed
    from sonata.cli.render.progress import Progress
    from sonata.engine.engine import Engine

SETTINGS = {
    "cdi-spec-dir": "engine.cdi_spec_dirs",
    "cgroup-manager": "engine.cgroup_manager",
    "events-backend": "engine.events_logger",
    "hooks-dir": "engine.hooks_dir",
    "imagestore": "storage.imagestore",
    "max-workers": "engine.image_parallel_copies",
    "network-backend": "network.network_backend",
    "network-cmd-path": "engine.network_cmd_path",
    "network-config-dir": "network.network_config_dir",
    "root": "storage.graphroot",
    "runroot": "storage.runroot",
    "storage-driver": "storage.driver",
    "storage-opt": "storage.options",
    "tmpdir": "engine.tmp_dir",
    "transient-store": "storage.transient_store",
    "volumepath": "engine.volume_path",
}
"""Global options that stand for a setting of the configuration files."""

_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")
_NOT_REPEATED = ("help", "log-level", "trace")


class Call:
    """One invocation. `path` is the command's name (`container rm`), `words` the command line as typed."""

    __slots__ = ("_engine", "_progress", "globals", "looks_only", "path", "words")

    def __init__(self, path: str, words: tuple[str, ...], options: Parsed) -> None:
        self.path = path
        self.words = words
        self.globals = options
        self._engine: Engine | None = None
        self._progress = LateProgress()
        self.looks_only = False
        """Set before the engine is asked for: it then cannot write its state."""

    @property
    def engine(self) -> Engine:
        """The engine, assembled on first use. Raises what reading configuration raises."""
        if self._engine is None:
            self._engine = self._assemble()
        return self._engine

    def silence(self) -> None:
        """Say nothing of pulls on the way: `--quiet`."""
        self._progress.quiet = True

    def _assemble(self) -> Engine:
        from sonata.assemble import open_engine
        from sonata.engine.engine import Overrides

        given = self.globals.values
        level = str(given.get("log-level", "warn")).lower()
        if level not in _LEVELS:
            told = f'Log Level "{level}" is not supported, choose from: {", ".join(_LEVELS)}'
            raise UsageError(told, stage="settings")
        if given.get("debug"):
            level = "debug"
        if given.get("max-workers", 1) < 1:
            raise UsageError(f"maximum workers must be set to a positive number (got {given['max-workers']})")
        if given.get("cgroup-manager", "cgroupfs") not in ("cgroupfs", "systemd"):
            raise UsageError(
                "configuring runtime: cgroup manager must be one of cgroupfs and systemd: invalid argument"
            )
        settings = {SETTINGS[name]: settled(value) for name, value in given.items() if name in SETTINGS}
        overrides = Overrides(
            runtime=given.get("runtime", ""),
            runtime_flags=tuple(given.get("runtime-flag", ())),
            conmon=given.get("conmon", ""),
            log_level=level,
            syslog=bool(given.get("syslog")),
            modules=tuple(given.get("module", ())),
            arguments=repeated(given),
            looks_only=self.looks_only,
        )
        _require_backend(given.get("events-backend", ""), self.path)
        engine = open_engine(settings, overrides, notify=warn, environ=environment(given))
        engine.progress = self._progress
        engine.ask = ask
        engine.log.debug("command", path=self.path, root=engine.config.storage.graph_root, files=engine.config.files)
        return engine

    def close(self) -> None:
        """Let go of what the engine holds. Does nothing where no engine was asked for."""
        if self._engine is not None:
            self._progress.close()
            self._engine.close()


def ask(question: str, answers: Sequence[str]) -> str:
    """Have whoever sits at the terminal choose; empty where nobody does. Raises UsageError for Ctrl-C."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return ""
    from sonata.cli.render.choice import choose

    return choose(question, answers)


class LateProgress:
    """Progress on standard error for pulls on the way, made when the first one begins. `quiet` silences it."""

    def __init__(self) -> None:
        self.quiet = False
        self._real: Progress | None = None

    def blob(self, digest: str, state: str, done: int, total: int) -> None:
        """As the transfer tells it."""
        self._made().blob(digest, state, done, total)

    def message(self, text: str) -> None:
        """As the transfer tells it."""
        self._made().message(text)

    def _made(self) -> Progress:
        if self._real is None:
            from sonata.cli.render.progress import Progress

            self._real = Progress(sys.stderr, quiet=self.quiet)
        return self._real

    def close(self) -> None:
        """Leave the bars as they are."""
        if self._real is not None:
            self._real.close()


def environment(given: Mapping[str, Any]) -> Mapping[str, str]:
    """The process's environment, with what options say in the place of variables."""
    environ: Mapping[str, str] = os.environ
    if "config" in given:
        environ = {**environ, "DOCKER_CONFIG": given["config"]}
    if given.get("registries-conf"):
        path = given["registries-conf"]
        if not os.path.exists(path):
            raise UsageError(
                f"configuring runtime: locating specified registries.conf: faccessat {path}: no such file or directory"
            )
        environ = {**environ, "CONTAINERS_REGISTRIES_CONF": path}
    return environ


def _require_backend(name: str, path: str) -> None:
    """An events backend that was asked for must be there. A clean-up is never refused for want of it."""
    if name not in ("", "file", "journald", "none", "null"):
        raise UsageError(f'configuring runtime: "{name}" is not a valid events backend: invalid argument')
    if name == "journald" and path != "container cleanup":
        from sonata.engine.event_journal import require

        require()


def settled(value: Any) -> Any:
    """A value as settings have it: lists are tuples."""
    return tuple(value) if isinstance(value, list) else value


def repeated(given: dict[str, Any]) -> tuple[str, ...]:
    """The global options that Sonata is given again when it runs itself, as conmon's exit command."""
    words: list[str] = []
    for name, value in given.items():
        if name not in _NOT_REPEATED and (
            name in SETTINGS or name in ("conmon", "module", "runtime", "runtime-flag", "syslog")
        ):
            words.extend(f"--{name}={_word(one)}" for one in (value if isinstance(value, list) else [value]))
    return tuple(words)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def warn(text: str) -> None:
    """Tell the user something once, beside the results."""
    if sys.stdout is not None:
        sys.stdout.flush()
    print(f"Warning: {text}", file=sys.stderr)
