"""The OCI command line plugin with a scripted program; texts are those of crun 1.8.1 and runc 1.1.5."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sonata_core.context import PluginContext
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
from sonata_core.markers import IMPL, SPEC
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId
from sonata_core.models.plugin import PluginInfo
from sonata_core.models.process import Command, CommandResult
from sonata_core.models.runtime import (
    ContainerRef,
    FailureKind,
    LaunchRequest,
    LaunchVerb,
    RuntimeState,
    RuntimeStatus,
)
from sonata_core.sdk.oci_cli import OciCliRuntime, explain

REF = ContainerRef(id=ContainerId("c" * 64), bundle="/b", run_dir="/r")


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class Thing(OciCliRuntime):
    program_name = "thing"
    package = "thing-runtime"

    def plugin_info(self) -> PluginInfo:
        return PluginInfo(name="thing", version="1", summary="", contract="runtime/1.0")


class Script:
    """Answers by verb, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, tuple[int, str]] | None = None) -> None:
        self.answers = dict(answers or {})
        self.ran: list[Command] = []

    def __call__(self, command: Command) -> CommandResult:
        self.ran.append(command)
        code, text = self.answers.get(command.argv[1], (0, ""))
        out, err = (text, "") if code == 0 else ("", text)
        return CommandResult(code=code, stdout=out.encode(), stderr=err.encode())


def make(tmp_path: Path, script: Script, **changes: Any) -> Thing:
    rootless = changes.pop("rootless", False)
    program = tmp_path / "thing"
    program.write_text("x")
    given: dict[str, Any] = {
        "name": "thing",
        "root": str(tmp_path / "root"),
        "run": str(tmp_path / "run"),
        "cache": str(tmp_path / "cache"),
        "config": {},
        "facts": HostFacts(uid=0, gid=0, rootless=rootless, kernel="6", machine="x", boot_id="b", cgroup_version=1),
        "run_command": script,
        "find_program": lambda name: str(program),
        "log": Quiet(),
    }
    return Thing(PluginContext(**{**given, **changes}))


def test_every_hook_is_there() -> None:
    for spec in (RuntimeHooks, RuntimePause, RuntimeUpdate):
        for name in dir(spec):
            if hasattr(getattr(spec, name), SPEC) and name != "plugin_info":
                assert hasattr(getattr(Thing, name), IMPL), name


def test_an_absent_program(tmp_path: Path) -> None:
    with pytest.raises(HostLacks, match="thing not found in PATH") as caught:
        make(tmp_path, Script(), find_program=lambda name: None)
    assert caught.value.hint == "install it: apt-get install thing-runtime"


def test_version_is_asked_once(tmp_path: Path) -> None:
    script = Script({"--version": (0, "thing version 1.8.1\ncommit: f8\nspec: 1.0.0\n+CAP")})
    facts = make(tmp_path, script).runtime_facts()
    assert (facts.version, facts.spec_version) == ("1.8.1", "1.0.0")
    again = make(tmp_path, script)
    os.utime(tmp_path / "thing", ns=(0, 5))
    again.runtime_facts()
    assert len(script.ran) == 2
    again.runtime_facts()
    assert len(script.ran) == 2, "unchanged since"
    (tmp_path / "cache" / "version.json").write_text("{")
    again.runtime_facts()
    assert len(script.ran) == 3, "a damaged memo is not believed"


def test_launch(tmp_path: Path) -> None:
    runtime = make(tmp_path, Script())
    request = LaunchRequest(
        verb=LaunchVerb.CREATE,
        ref=REF,
        log_path="/r/oci-log",
        systemd_cgroup=True,
        no_pivot=True,
        no_new_keyring=True,
        preserve_fds=2,
        flags=("debug",),
    )
    how = runtime.runtime_launch(request)
    assert how.global_args == ("--debug", "--systemd-cgroup", "--log-format=json", "--log", "/r/oci-log")
    assert how.verb_args == ("--no-pivot", "--no-new-keyring", "--preserve-fds", "2")
    assert runtime.runtime_launch(request.replace(verb=LaunchVerb.EXEC)).verb_args == ("--preserve-fds", "2")


def test_root_does_not_follow_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/5")
    script = Script()
    make(tmp_path, script).runtime_start(REF)
    make(tmp_path, script, rootless=True).runtime_start(REF)
    dirs = [(command.env or {})["XDG_RUNTIME_DIR"] for command in script.ran]
    assert dirs == ["", "/run/user/5"]


def state(status: str, pid: int = 7) -> tuple[int, str]:
    return 0, json.dumps({"status": status, "pid": pid, "id": REF.id})


def test_state(tmp_path: Path) -> None:
    script = Script({"state": state("running")})
    runtime = make(tmp_path, script)
    assert runtime.runtime_state(REF) == RuntimeState(status=RuntimeStatus.RUNNING, pid=7)
    for text in (
        "error opening file `/run/crun/X/status`: No such file or directory",
        'time="2026-11-21T23:15:23Z" level=error msg="container does not exist"',
    ):
        script.answers["state"] = (1, text)
        assert runtime.runtime_state(REF).status is RuntimeStatus.ABSENT
    script.answers["state"] = (1, "something else")
    with pytest.raises(CommandFailed, match="thing state: something else"):
        runtime.runtime_state(REF)
    for answer in ("", "[]", '{"status": "dreaming"}'):
        script.answers["state"] = (0, answer)
        with pytest.raises(Damaged):
            runtime.runtime_state(REF)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("executable file `x` not found in $PATH: No such file or directory", CommandNotFound),
        ("open executable: Permission denied", CommandNotExecutable),
        ('exec: "x": permission denied', CommandNotExecutable),
        ("error executing hook `/bin/false` (exit code: 1)", ProcessRefused),
        ("cannot start a container that has stopped", Conflict),
        ("cannot open `/run/crun/X/exec.fifo`: No such file or directory", Conflict),
        ("error opening file `/run/crun/X/status`: No such file or directory", NotFound),
    ],
)
def test_start_refused(tmp_path: Path, text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        make(tmp_path, Script({"start": (1, text)})).runtime_start(REF)
    assert type(caught.value) is kind


def test_kill(tmp_path: Path) -> None:
    script = Script()
    runtime = make(tmp_path, script)
    runtime.runtime_kill(REF, 15, False)
    runtime.runtime_kill(REF, 9, True)
    assert [command.argv[1:] for command in script.ran] == [
        ("kill", REF.id, "15"),
        ("kill", "--all", REF.id, "9"),
    ]
    for text, kind in (
        ("open pidfd: No such process", Conflict),
        ("container not running", Conflict),
        ("error opening file `/run/crun/X/status`: No such file or directory", NotFound),
        ("the moon is wrong", CommandFailed),
    ):
        script.answers["kill"] = (1, text)
        with pytest.raises(kind):
            runtime.runtime_kill(REF, 9, False)


def test_delete(tmp_path: Path) -> None:
    script = Script({"state": (1, "container does not exist"), "delete": (1, "cannot open directory '/run/crun/X'")})
    runtime = make(tmp_path, script)
    runtime.runtime_delete(REF, True)
    runtime.runtime_delete(REF, False)
    script.answers["state"] = state("running")
    with pytest.raises(Conflict):
        runtime.runtime_delete(REF, False)
    script.answers["state"] = state("stopped")
    with pytest.raises(CommandFailed, match="thing delete: cannot open directory"):
        runtime.runtime_delete(REF, False)


def test_update_hands_over_the_document(tmp_path: Path) -> None:
    script = Script()
    make(tmp_path, script).runtime_update(REF, {"memory": {"limit": 5}})
    assert script.ran[0].argv[1:] == ("update", "--resources=/dev/stdin", REF.id)
    assert script.ran[0].input == b'{"memory": {"limit": 5}}'


def entry(level: str, msg: str) -> str:
    return json.dumps({"level": level, "msg": msg, "time": "2026-11-21T21:40:38Z"})


def test_explain_takes_the_last_error_of_the_log() -> None:
    lines = (entry("warning", "permission denied"), entry("error", "first"), entry("error", "second"), "not json", "[]")
    failure = explain("runc", lines, "what conmon said")
    assert (failure.kind, failure.text) == (FailureKind.OTHER, "OCI runtime error: runc: second")


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (
            "executable file `nosuch` not found in $PATH: No such file or directory",
            FailureKind.NOT_FOUND,
            "crun: executable file `nosuch` not found in $PATH: No such file or directory: "
            "OCI runtime attempted to invoke a command that was not found",
        ),
        (
            "open executable: Permission denied",
            FailureKind.DENIED,
            "crun: open executable: Permission denied: OCI permission denied",
        ),
        (
            "setrlimit `RLIMIT_NOFILE`: Operation not permitted",
            FailureKind.DENIED,
            "crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied",
        ),
        (
            "the sysctl `kernel.x` is not namespaced",
            FailureKind.OTHER,
            "OCI runtime error: crun: the sysctl `kernel.x` is not namespaced",
        ),
        ("", FailureKind.OTHER, "OCI runtime error: crun: it gave no reason"),
    ],
)
def test_explain(message: str, kind: FailureKind, text: str) -> None:
    for failure in (explain("crun", (), message), explain("crun", (entry("error", message),) if message else (), "")):
        assert (failure.kind, failure.text) == (kind, text)
