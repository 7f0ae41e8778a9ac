"""CNI plugins as programs: where they lie, which versions they speak, how they are called and how they fail.

Source: CNI specification 1.1, sections 2 and 5.
"""

from __future__ import annotations

import os
import stat
import time

from sonata_core import json_text as json
from sonata_core.errors import CommandFailed, HostLacks, NotFound, Unavailable, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.process import Command
from sonata_core.record import Record
from sonata_core.sdk.json_command import ANSWER_LIMIT, tail
from sonata_core.sdk.program_facts import program_facts
from sonata_net_cni.conflist import VERSIONS, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata_core.context import PluginContext
    from sonata_core.errors import SonataError
    from sonata_core.models.net import NetnsRef
    from sonata_core.models.process import CommandResult

DIRS = (
    *("/usr/local/libexec/cni", "/usr/libexec/cni", "/usr/local/lib/cni", "/usr/lib/cni"),
    "/opt/cni/bin",
)
"""Where plugins are looked for, unless containers.conf names other folders (`cni_plugin_dirs`)."""
INSTALL = "install the CNI plugins (Debian: apt-get install containernetworking-plugins)"
TRY_AGAIN = 11
ATTEMPTS = 5
PAUSE = 0.2
CODES = {
    1: "incompatible CNI version",
    2: "unsupported field in the configuration",
    3: "container unknown",
    4: "invalid environment variables",
    5: "I/O failure",
    6: "failed to decode content",
    7: "invalid network configuration",
    11: "try again later",
    50: "the plugin is not available",
    51: "the plugin is not available, and containers may have no network",
}
_ERRORS: dict[int, type[SonataError]] = {
    1: Unsupported,
    2: Unsupported,
    3: NotFound,
    7: UsageError,
    11: Unavailable,
    50: Unavailable,
    51: Unavailable,
}
_TIMEOUT = 120.0


class Call(Record):
    """What the environment says in one call; `container` may be empty for GC and STATUS."""

    verb: str
    container: str = ""
    netns: str = ""
    interface: str = ""
    args: tuple[tuple[str, str], ...] = ()


class Programs:
    """The plugins of this host. `outer` is the network namespace that they are run in, where that is not our own."""

    def __init__(self, context: PluginContext, dirs: Iterable[str], outer: NetnsRef | None = None) -> None:
        self._context = context
        self._dirs = tuple(dirs) or DIRS
        self._outer = outer

    def here(self) -> Programs:
        """The same plugins, run in our own namespace."""
        return Programs(self._context, self._dirs)

    def has(self, name: str) -> bool:
        """Whether there is a plugin of that name."""
        return self._look(name) is not None

    def find(self, name: str) -> str:
        """The program of a plugin. Raises HostLacks that says where it was looked for."""
        found = self._look(name)
        if found is None:
            raise HostLacks(f"failed to find plugin {name!r} in path [{' '.join(self._dirs)}]", INSTALL)
        return found

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of the specification that a plugin speaks, asked once for each program."""
        path = self.find(name)
        known = program_facts(self._context.cache, path, lambda: self._ask_versions(name, path))
        return tuple(str(one) for one in known["versions"])

    def agree(self, network: str, offered: tuple[str, ...], names: Iterable[str]) -> str:
        """The best of the list's versions that all its plugins speak. Raises Unsupported with what each one does."""
        spoken = {name: self.versions(name) for name in names}
        for version in offered:
            if all(version in each for each in spoken.values()):
                return version
        name = next(name for name, each in spoken.items() if offered[0] not in each)
        raise Unsupported(
            f"network {network} wants CNI {', '.join(offered)}: plugin {name} speaks {', '.join(spoken[name])}",
            f"install a newer {name}, or write an older cniVersion into the configuration",
        )

    def call(self, name: str, call: Call, config: dict[str, Any]) -> dict[str, Any]:
        """Run a plugin; its result, empty where it has none. One that asks for a moment is asked again.

        Raises the error that the plugin's code stands for, naming plugin, command, code and its words.
        """
        argv = (self.find(name),)
        command = Command(
            argv=argv,
            env=self._environment(call),
            input=json.dumps(config).encode(),
            timeout=_TIMEOUT,
            netns=None if self._outer is None else self._outer.path,
            binds=() if self._outer is None else self._outer.binds,
        )
        for attempt in range(ATTEMPTS):
            done = self._context.run_command(command)
            answer = _answer(done.stdout)
            if done.code == 0 and (answer is not None or not done.stdout.strip()):
                return answer or {}
            if _code(answer) != TRY_AGAIN or attempt == ATTEMPTS - 1:
                break
            time.sleep(PAUSE)
        raise _failure(name, call.verb, done, answer)

    def _look(self, name: str) -> str | None:
        for folder in self._dirs:
            path = f"{folder}/{name}"
            try:
                status = os.stat(path)
            except OSError:
                continue
            if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o111:
                continue
            if status.st_mode & stat.S_IWOTH:
                raise HostLacks(f"CNI plugin {path}: everybody may write it", f"chmod o-w {path}")
            return path
        return None

    def _ask_versions(self, name: str, path: str) -> dict[str, Any]:
        command = Command(
            argv=(path,), env=self._environment(Call(verb="VERSION")), input=b'{"cniVersion": "1.0.0"}', timeout=10.0
        )
        done = self._context.run_command(command)
        answer = _answer(done.stdout)
        if done.code or answer is None:
            raise _failure(name, "VERSION", done, answer)
        said = answer.get("supportedVersions")
        listed = [one for one in said if one in VERSIONS] if isinstance(said, list) else []
        if not listed:
            raise HostLacks(f"CNI plugin {path} speaks no known version", INSTALL)
        return {"versions": sorted(listed, key=version_key)}

    def _environment(self, call: Call) -> dict[str, str]:
        return {
            "PATH": self._context.facts.path,
            "CNI_COMMAND": call.verb,
            "CNI_CONTAINERID": call.container,
            "CNI_NETNS": call.netns,
            "CNI_IFNAME": call.interface,
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in call.args),
            "CNI_PATH": ":".join(self._dirs),
        }


def _answer(output: bytes) -> dict[str, Any] | None:
    if not output.strip() or len(output) > ANSWER_LIMIT:
        return None
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _code(answer: dict[str, Any] | None) -> int:
    code = answer.get("code") if answer is not None else None
    return code if isinstance(code, int) else 0


def _failure(name: str, verb: str, done: CommandResult, answer: dict[str, Any] | None) -> SonataError:
    """libcni's words, and the code. The class says what its code asks for; codes from 100 on are the plugin's own."""
    code = _code(answer)
    words = [str(answer[key]) for key in ("msg", "details") if answer.get(key)] if answer is not None else []
    if not words:
        said = tail(done.stderr) or tail(done.stdout)
        words = [f"killed by signal {-done.code}" if done.code < 0 else f"exited with {done.code}"]
        words += [said] if said else []
    meaning = f" (error code {code}{': ' + CODES[code] if code in CODES else ''})" if code else ""
    text = f'plugin type="{name}" failed ({verb.lower()}): {": ".join(words)}{meaning}'
    kind = _ERRORS.get(code)
    if kind is None:
        return CommandFailed(text, argv=(name, verb), code=done.code, cni_code=code, stderr=tail(done.stderr))
    return kind(text, plugin=name, command=verb, cni_code=code)
