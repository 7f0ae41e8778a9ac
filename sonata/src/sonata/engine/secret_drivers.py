"""Drivers of secrets that run programs: `pass` (gpg), and `shell` (the user's own commands).

Here alone a command that a user has configured is run, and only when that user says so with each secret or in
containers.conf. The data goes through pipes: it is never an argument, never in the environment.
"""

from __future__ import annotations

import os

from sonata.store.secrets import SecretDriver, file_driver
from sonata_core.errors import CommandFailed, HostLacks, NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.engine.engine import Engine
    from sonata_core.models.process import CommandResult

_PATIENCE = 300.0
"""Seconds that a program may take: it may ask somebody for a passphrase."""
_STORES = (".password-store", ".local/share/gopass/stores/root")
_SHELL = ("delete", "list", "lookup", "store")


def open_driver(engine: Engine, name: str, options: Mapping[str, str]) -> SecretDriver:
    """A driver by its name. Raises Unsupported for an unknown one, UsageError for options that make no sense."""
    if name == "shell":
        return ShellDriver(engine, options)
    if name == "pass":
        return PassDriver(engine, options)
    return file_driver(name, options)


class ShellDriver(SecretDriver):
    """Commands for `list`, `lookup`, `store` and `delete`, run by /bin/sh with SECRET_ID in the user's environment."""

    def __init__(self, engine: Engine, options: Mapping[str, str]) -> None:
        for key in options:
            if key not in _SHELL:
                raise UsageError(f'invalid shell driver option: "{key}"', hint=f"they are {', '.join(_SHELL)}")
        if not all(options.get(key) for key in _SHELL):
            raise UsageError("missing config value", hint=f"give each of {', '.join(_SHELL)} a command")
        self._engine = engine
        self._options = options

    def lookup(self, ident: str) -> bytes:
        done = self._run("lookup", ident)
        if done.code:
            raise NotFound(f"{ident}: no such secret data", hint=_said(done))
        return done.stdout

    def keep(self, ident: str, data: bytes) -> None:
        _require(self._run("store", ident, data))

    def forget(self, ident: str) -> None:
        _require(self._run("delete", ident))

    def _run(self, key: str, ident: str, data: bytes = b"") -> CommandResult:
        argv = ("/bin/sh", "-c", self._options[key])
        env = {**os.environ, "SECRET_ID": ident}
        return _result(self._engine, Command(argv=argv, env=env, input=data, timeout=_PATIENCE))


class PassDriver(SecretDriver):
    """Files of a store of `pass`, encrypted by gpg; options `root`, `keyid`, `gpghomedir` say where and for whom."""

    def __init__(self, engine: Engine, options: Mapping[str, str]) -> None:
        self._engine = engine
        self._root = options.get("root") or _usual_root(engine)
        self._home = options.get("gpghomedir", "")
        self._key = options.get("keyid") or _key_of(self._root)

    def lookup(self, ident: str) -> bytes:
        path = self._path(ident)
        if not os.path.exists(path):
            raise NotFound(f"{ident}: no such secret data")
        done = self._run("--decrypt", path)
        if done.code:
            raise NotFound(f"{ident}: no such secret data", hint=_said(done))
        return done.stdout

    def keep(self, ident: str, data: bytes) -> None:
        if not self._root or not self._key:
            raise UsageError(
                "the pass driver has no store" if not self._root else f"{self._root} says no key",
                hint="`pass init KEY` makes one; or give --driver-opts root=FOLDER,keyid=KEY",
            )
        _require(self._run("--encrypt", "-r", self._key, "-o", self._path(ident), data=data))

    def forget(self, ident: str) -> None:
        try:
            os.unlink(self._path(ident))
        except FileNotFoundError:
            pass

    def _path(self, ident: str) -> str:
        return f"{self._root}/{ident}.gpg"

    def _run(self, *words: str, data: bytes = b"") -> CommandResult:
        program = self._engine.find_program("gpg")
        if program is None:
            raise HostLacks("the pass driver needs gpg", hint="apt-get install gnupg")
        usual = ("--batch", "--quiet", "--yes", "--always-trust", "--no-encrypt-to")
        home = ("--homedir", self._home) if self._home else ()
        argv = (program, *home, *usual, *words)
        return _result(self._engine, Command(argv=argv, env=dict(os.environ), input=data, timeout=_PATIENCE))


def _usual_root(engine: Engine) -> str:
    home = engine.config.places.home
    return next((f"{home}/{one}" for one in _STORES if home and os.path.isdir(f"{home}/{one}")), "")


def _key_of(root: str) -> str:
    try:
        with open(f"{root}/.gpg-id", encoding="utf-8") as file:
            return file.readline(4096).strip()
    except OSError:
        return ""


def _result(engine: Engine, command: Command) -> CommandResult:
    result: CommandResult = engine.run_command(command)
    return result


def _require(done: CommandResult) -> None:
    if done.code:
        text = f"exit status {done.code}" if done.code > 0 else f"signal {-done.code}"
        raise CommandFailed(text, hint=_said(done))


def _said(done: CommandResult) -> str | None:
    """The last line that the program wrote on its standard error."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else None
