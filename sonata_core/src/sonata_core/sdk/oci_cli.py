"""A runtime plugin for any program that speaks the OCI runtime command line.

Subclass, name the program, and override what differs. The texts that it understands are those of
crun 1.8 and runc 1.1; every other runtime's are classified by the same words.
"""

from __future__ import annotations

import os

from sonata_core import json_text as json
from sonata_core.errors import (
    CommandFailed,
    CommandNotExecutable,
    CommandNotFound,
    Conflict,
    Damaged,
    HostLacks,
    NotFound,
    ProcessRefused,
)
from sonata_core.hookspecs.runtime import RuntimeHooks, RuntimePause, RuntimeUpdate
from sonata_core.lite import TYPE_CHECKING
from sonata_core.markers import hookimpl
from sonata_core.models.process import Command
from sonata_core.models.runtime import (
    FailureKind,
    Launch,
    LaunchRequest,
    LaunchVerb,
    RuntimeFacts,
    RuntimeFailure,
    RuntimeState,
    RuntimeStatus,
)
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from typing import NoReturn

    from sonata_core.context import PluginContext
    from sonata_core.models.process import CommandResult
    from sonata_core.models.runtime import ContainerRef, Resources

_DENIED = ("permission denied", "operation not permitted")
_MISSING = ("executable file not found in", "no such file or directory", "open executable")
_ABSENT = ("does not exist", "no such file or directory")
_STARTED = (
    "cannot start a container that has stopped",
    "cannot start an already running container",
    "is not in the created state",
    "is not created",
    "/exec.fifo`: no such file",
)
_UNKNOWN = ("/status`: no such file", "container does not exist")
_ENDED = ("no such process", "not running", "process already finished", "process not running")


class OciCliRuntime(RuntimeHooks, RuntimePause, RuntimeUpdate):
    """All runtime hooks, by running `program` with the OCI verbs: the first of `config["paths"]` there is, else PATH's.

    Raises HostLacks from its constructor when the program is not installed.
    """

    program_name = ""
    package = ""

    def __init__(self, context: PluginContext) -> None:
        self.context = context
        configured = context.config.get("paths")
        names = (*(configured if isinstance(configured, tuple) else ()), self.program_name)
        found = next((path for path in map(context.find_program, names) if path), None)
        if found is None:
            raise HostLacks(
                f"{self.program_name} not found in PATH",
                hint=f"install it: apt-get install {self.package or self.program_name}",
            )
        self.program = found

    @hookimpl
    def runtime_facts(self) -> RuntimeFacts:
        text = probe_version(self.context, self.program)
        version, spec = parse_version(text)
        return RuntimeFacts(program=self.program, version=version, version_text=text, spec_version=spec)

    @hookimpl
    def runtime_launch(self, request: LaunchRequest) -> Launch:
        global_args = [f"--{flag}" for flag in request.flags]
        if request.systemd_cgroup:
            global_args.append("--systemd-cgroup")
        global_args += ["--log-format=json", "--log", request.log_path]
        verb_args = []
        if request.verb is not LaunchVerb.EXEC:
            if request.no_pivot:
                verb_args.append("--no-pivot")
            if request.no_new_keyring:
                verb_args.append("--no-new-keyring")
        if request.preserve_fds:
            verb_args += ["--preserve-fds", str(request.preserve_fds)]
        return Launch(
            program=self.program,
            global_args=tuple(global_args),
            verb_args=tuple(verb_args),
            env=self._environment(),
        )

    @hookimpl
    def runtime_start(self, ref: ContainerRef) -> None:
        result = self._run("start", ref.id)
        if result.code:
            self._raise_refused(result)

    @hookimpl
    def runtime_state(self, ref: ContainerRef) -> RuntimeState:
        result = self._run("state", ref.id)
        if result.code:
            message = said(result)
            if has_any(message, _ABSENT):
                return RuntimeState(status=RuntimeStatus.ABSENT)
            self._raise_failed("state", result)
        try:
            state = json.loads(result.stdout)
            return RuntimeState(status=RuntimeStatus(state["status"]), pid=int(state.get("pid") or 0))
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{self.program_name} state {ref.id} printed no state", reason=repr(error)) from error

    @hookimpl
    def runtime_kill(self, ref: ContainerRef, signal: int, everyone: bool) -> None:
        # Numbers only: crun takes an unknown name for success without sending anything.
        options = ("--all",) if everyone else ()
        result = self._run("kill", *options, ref.id, str(signal))
        if not result.code:
            return
        message = said(result)
        if has_any(message, _ENDED):
            raise Conflict(f"container {ref.id} has exited: signal {signal} reaches nothing")
        if has_any(message, _ABSENT):
            raise NotFound(f"{self.program_name} knows no container {ref.id}")
        self._raise_failed("kill", result)

    @hookimpl
    def runtime_delete(self, ref: ContainerRef, force: bool) -> None:
        if force:
            result = self._run("delete", "--force", ref.id)
        else:
            status = self.runtime_state(ref).status
            if status is RuntimeStatus.ABSENT:
                return
            if status is not RuntimeStatus.STOPPED:
                raise Conflict(f"container {ref.id} is {status.value}: it must be stopped before it is deleted")
            result = self._run("delete", ref.id)
        if result.code and self.runtime_state(ref).status is not RuntimeStatus.ABSENT:
            self._raise_failed("delete", result)

    @hookimpl
    def runtime_explain(self, verb: LaunchVerb, log_lines: tuple[str, ...], message: str) -> RuntimeFailure:
        return explain(self.program_name, log_lines, message)

    @hookimpl
    def runtime_pause(self, ref: ContainerRef) -> None:
        if self.runtime_state(ref).status is not RuntimeStatus.RUNNING:
            raise Conflict(f'"{ref.id}" is not running, can\'t pause: container state improper')
        self._do("pause", ref)

    @hookimpl
    def runtime_resume(self, ref: ContainerRef) -> None:
        if self.runtime_state(ref).status is not RuntimeStatus.PAUSED:
            raise Conflict(f'"{ref.id}" is not paused, can\'t unpause: container state improper')
        self._do("resume", ref)

    @hookimpl
    def runtime_update(self, ref: ContainerRef, resources: Resources) -> None:
        document = json.dumps(resources).encode()
        result = self.context.run_command(
            Command(
                argv=(self.program, "update", "--resources=/dev/stdin", ref.id), env=self._environment(), input=document
            )
        )
        if result.code:
            self._raise_failed("update", result)

    def _do(self, verb: str, ref: ContainerRef) -> None:
        result = self._run(verb, ref.id)
        if result.code:
            self._raise_failed(verb, result)

    def _run(self, *arguments: str) -> CommandResult:
        return self.context.run_command(Command(argv=(self.program, *arguments), env=self._environment()))

    def _environment(self) -> dict[str, str]:
        """PATH, and where a rootless runtime keeps its states.

        crun would follow XDG_RUNTIME_DIR as root too, and then not find tomorrow what it made today.
        """
        path = {"PATH": os.environ.get("PATH", self.context.facts.path)}
        runtime_dir = os.environ.get("XDG_RUNTIME_DIR", "") if self.context.facts.rootless else ""
        return {**path, "XDG_RUNTIME_DIR": runtime_dir}

    def _raise_refused(self, result: CommandResult) -> NoReturn:
        message = said(result)
        failure = explain(self.program_name, (), message)
        if has_any(message, _STARTED):
            raise Conflict(f"{self.program_name}: {message}")
        if has_any(message, _UNKNOWN):
            raise NotFound(f"{self.program_name}: {message}")
        kinds: dict[FailureKind, type[ProcessRefused]] = {
            FailureKind.NOT_FOUND: CommandNotFound,
            FailureKind.DENIED: CommandNotExecutable,
        }
        raise kinds.get(failure.kind, ProcessRefused)(failure.text)

    def _raise_failed(self, verb: str, result: CommandResult) -> NoReturn:
        text = said(result)
        raise CommandFailed(
            f"{self.program_name} {verb}: {text or f'exit status {result.code}'}",
            argv=(self.program, verb),
            code=result.code,
            stderr=text,
        )


def said(result: CommandResult) -> str:
    """What a runtime printed when it failed, in one line."""
    text = (result.stderr or result.stdout).decode(errors="replace").strip()
    lines = text.splitlines()
    return last_error(lines) or _last_logfmt(lines) or text


def has_any(text: str, words: tuple[str, ...]) -> bool:
    """Does `text` contain one of `words`, which are lower case?"""
    lower = text.lower()
    return any(word in lower for word in words)


def last_error(lines: list[str] | tuple[str, ...]) -> str:
    """The last message of level error in a JSON log (runc writes warnings before it); "" if there is none."""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("error", "fatal") and entry.get("msg"):
            return str(entry["msg"])
    return ""


def _last_logfmt(lines: list[str]) -> str:
    """The message of the last `level=error msg="…"` line, as runc prints without a log file; "" if there is none."""
    for line in reversed(lines):
        _, found, message = line.partition(" level=error msg=")
        if found:
            try:
                return str(json.loads(message))
            except ValueError:
                return message
    return ""


def explain(program: str, log_lines: tuple[str, ...], message: str) -> RuntimeFailure:
    """Classify a failed create, exec or start. The log decides; `message` where it says nothing.

    Denial is looked for first: crun's "open executable: Permission denied" is one. Texts are Podman's.
    """
    whole = last_error(log_lines) or last_error(message.splitlines()) or message.strip()
    for words, kind, suffix in (
        (_DENIED, FailureKind.DENIED, "OCI permission denied"),
        (_MISSING, FailureKind.NOT_FOUND, "OCI runtime attempted to invoke a command that was not found"),
    ):
        if has_any(_plain(whole), words):
            line = next((line for line in whole.splitlines() if has_any(_plain(line), words)), whole)
            return RuntimeFailure(kind=kind, text=f"{program}: {line}: {suffix}")
    if not whole:
        return RuntimeFailure(kind=FailureKind.OTHER, text=f"OCI runtime error: {program}: it gave no reason")
    return RuntimeFailure(kind=FailureKind.OTHER, text=f"OCI runtime error: {program}: {whole}")


def _plain(text: str) -> str:
    """crun quotes the name inside the phrase: "executable file `x` not found in $PATH"."""
    if "executable file `" in text and "` not found in" in text:
        return text + " executable file not found in"
    return text


def probe_version(context: PluginContext, program: str) -> str:
    """What `program --version` prints, kept in the plugin's cache until the file changes.

    Raises HostLacks when it cannot run.
    """
    status = os.stat(program)
    key = f"{program}:{status.st_mtime_ns}:{status.st_size}:{status.st_ino}"
    memo = f"{context.cache}/version.json"
    try:
        with open(memo, encoding="utf-8") as file:
            kept = json.load(file)
        if kept["key"] == key:
            return str(kept["text"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no memo, or none to believe: ask the program
    result = context.run_command(Command(argv=(program, "--version"), timeout=20))
    text = result.stdout.decode(errors="replace").strip()
    if result.code or not text:
        raise HostLacks(f"{program} --version exits with {result.code}: {said(result)}")
    keep_privately(context.cache, "version.json", json.dumps({"key": key, "text": text}).encode())
    return text


def keep_privately(folder: str, name: str, content: bytes) -> None:
    """Write a file of mode 0600 in a folder of mode 0700, at once or not at all. A cache: trouble is no error."""
    temporary = f"{folder}/.{name}.{os.getpid()}"
    try:
        make_private(folder)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)
        os.rename(temporary, f"{folder}/{name}")
    except OSError:
        return


def parse_version(text: str) -> tuple[str, str]:
    """Version and specification version from `crun version 1.8.1` … `spec: 1.0.0`."""
    version, spec = "", "1.0.2"
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] == "version" and not version:
            version = words[2]
        elif len(words) == 2 and words[0] == "spec:":
            spec = words[1]
    return version, spec
