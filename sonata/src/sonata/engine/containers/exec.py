"""Running another process in a running container."""

from __future__ import annotations

import os

from sonata.engine import events
from sonata.engine.background import Background
from sonata.engine.containers import inside, present
from sonata.engine.containers.init import CONMON_CGROUP, DEFAULT_PARENT, monitor_env, refusal
from sonata.engine.containers.run import Sides, streams_for
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups, process
from sonata.monitor.attach import AttachEnd
from sonata.monitor.exec import ExecSession, prepare_folder
from sonata.monitor.launch import LaunchRefused, MonitorSpec
from sonata.plan import caps, lifecycle
from sonata.plan import env as plan_env
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import sessions
from sonata.state.rows import ExecState
from sonata.store.names import new_id
from sonata_core import interrupts
from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.runtime import LaunchRequest, LaunchVerb
from sonata_core.record import Record
from sonata_core.sdk.trees import remove_tree

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container_request import ExecRequest
    from sonata.state.rows import ContainerRow


class Executed(Record):
    """How an exec ended: the process's code, or detached from it. `session` is its id."""

    session: str
    code: int = 0
    detached: bool = False


def execute(engine: Engine, request: ExecRequest, sides: Sides) -> Executed:
    """Run a process and follow it to its end. Raises Conflict unless the container runs, ProcessRefused."""
    row = present.load(engine, request.name)
    lifecycle.require(Phase(row.state.phase), Verb.EXEC, row.config.id)
    Background(cgroups.wake)
    with interrupts.Shield():
        return _execute(engine, row, request, sides)


def _execute(engine: Engine, row: ContainerRow, request: ExecRequest, sides: Sides) -> Executed:
    session = new_id()
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    folder = prepare_folder(paths.bundle, session, row.config.id)
    try:
        events.container(engine, row.config, "exec", extra={"execID": session})
        code, detached = _follow(engine, row, request, (session, folder), sides)
        if not detached:
            events.container(engine, row.config, "exec_died", code=code, extra={"execID": session})
        return Executed(session=session, code=code, detached=detached)
    finally:
        remove_tree(folder)


def execute_detached(engine: Engine, request: ExecRequest) -> str:
    """Run a process in the background; the session's id. Raises as `execute`."""
    row = present.load(engine, request.name)
    lifecycle.require(Phase(row.state.phase), Verb.EXEC, row.config.id)
    session = new_id()
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    folder = prepare_folder(paths.bundle, session, row.config.id)
    state = ExecState(
        id=session, container=row.config.id, command=request.command, user=request.user, terminal=request.tty
    )
    sessions.put(engine.database, state)
    events.container(engine, row.config, "exec", extra={"execID": session})
    command = _exit_command(engine, row.config.id, session)
    try:
        with open_session(engine, row, request, (session, folder), command) as running:
            pid = started(engine, row, running)
    except BaseException:
        sessions.remove(engine.database, session)
        remove_tree(folder)
        raise
    alive = state.replace(running=True, pid=pid, pid_start=process.start_time(pid), boot=engine.facts.boot_id)
    sessions.put(engine.database, alive)
    return session


def forget_session(engine: Engine, container: str, session: str) -> None:
    """What conmon's exit command does for a session in the background. Absent is success."""
    row = present.load(engine, container)
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    try:
        with open(f"{paths.bundle}/{session}/exit/{row.config.id}", encoding="ascii") as file:
            code = int(file.read(16))
    except (OSError, ValueError):
        code = -1
    remove_tree(f"{paths.bundle}/{session}")
    sessions.remove(engine.database, session)
    events.container(engine, row.config, "exec_died", code=code, extra={"execID": session})


def _follow(
    engine: Engine, row: ContainerRow, request: ExecRequest, where: tuple[str, str], sides: Sides
) -> tuple[int, bool]:
    with open_session(engine, row, request, where, ()) as running:
        attachment = running.attach()
        pid = started(engine, row, running)
        began = process.start_time(pid)
        streams = streams_for(engine, sides, terminal=request.tty)
        end = attachment.copy(streams.replace(forward=lambda number: _forward(pid, began, number)))
        if end is AttachEnd.DETACHED:
            return 0, True
        return running.wait(), False


def _forward(pid: int, started: int, number: int) -> None:
    process.send(pid, started, number)


def started(engine: Engine, row: ContainerRow, running: ExecSession) -> int:
    """Let the session's process run; its pid. Raises ProcessRefused."""
    answer = running.start()
    if isinstance(answer, LaunchRefused):
        hook = engine.runtime(row.config.backends.runtime).hook
        raise refusal(hook.runtime_explain(verb=LaunchVerb.EXEC, log_lines=answer.log_lines, message=answer.message))
    return answer


def _exit_command(engine: Engine, container: str, session: str) -> tuple[str, ...]:
    return (
        *engine.overrides.program,
        *engine.overrides.arguments,
        "container",
        "cleanup",
        "--exec",
        session,
        container,
    )


def open_session(
    engine: Engine, row: ContainerRow, request: ExecRequest, where: tuple[str, str], exit_command: tuple[str, ...]
) -> ExecSession:
    """A session up to where its streams can be joined. `where` is its id and its folder."""
    session, folder = where
    config = row.config
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    preserved = request.preserve_fd or tuple(range(3, 3 + request.preserve_fds))
    how = engine.runtime(config.backends.runtime).hook.runtime_launch(
        request=LaunchRequest(
            verb=LaunchVerb.EXEC,
            ref=paths.ref,
            log_path=f"{folder}/oci-log",
            terminal=request.tty,
            systemd_cgroup=config.backends.cgroup_manager == "systemd",
            preserve_fds=len(preserved),
            flags=engine.runtime_flags(config.backends.runtime),
        )
    )
    spec = MonitorSpec(
        conmon=engine.conmon(),
        id=config.id,
        uid=session,
        name=config.name,
        bundle=folder,
        pid_file=f"{folder}/exec_pid",
        runtime_log=f"{folder}/oci-log",
        exit_dir=f"{folder}/exit",
        persist_dir=f"{folder}/persist/{config.id}",
        log_driver="none",
        terminal=request.tty,
        stdin_open=request.interactive,
        exit_command=exit_command,
        preserve_fds=preserved,
        env=monitor_env(engine),
    )

    def placed(pid: int) -> None:
        if config.cgroups == "enabled" and config.backends.cgroup_manager == "cgroupfs" and not engine.facts.rootless:
            cgroups.move(pid, f"{config.cgroup_parent or DEFAULT_PARENT}/{CONMON_CGROUP}")

    return ExecSession(spec, how, _process(engine, row, request, paths), placed)


def _process(engine: Engine, row: ContainerRow, request: ExecRequest, paths: ContainerPaths) -> dict[str, Any]:
    """The process object: the container's own with what was asked changed (runtime-spec config.md, process)."""
    with open(paths.config, encoding="utf-8", errors="surrogateescape") as file:
        found: dict[str, Any] = json.load(file)["process"]
    found["args"] = list(request.command)
    found.pop("terminal", None)
    if request.tty:
        found["terminal"] = True
    if any(use.env for use in row.config.secrets):
        from sonata.engine.containers import secrets

        known = secrets.variables_of_running(engine, row.config, row.state.pid)
        words = (one.partition("=")[::2] for one in found["env"])
        found["env"] = [f"{name}={known.get(name, value)}" for name, value in words]
    extra = {"TERM": "xterm"} if request.tty and not any(one.startswith("TERM=") for one in found["env"]) else {}
    for text in request.env_file:
        extra |= plan_env.file_entries(text, request.caller_env)
    extra |= plan_env.entries(request.env, request.caller_env)
    found["env"] = [
        *(one for one in found["env"] if one.partition("=")[0] not in extra),
        *(f"{k}={v}" for k, v in extra.items()),
    ]
    if request.workdir:
        found["cwd"] = request.workdir
    _set_user(engine, row, request, found)
    return found


def _set_user(engine: Engine, row: ContainerRow, request: ExecRequest, found: dict[str, Any]) -> None:
    same_user = not request.user or request.user == row.config.process.user
    if not same_user:
        root = os.open(f"/proc/{row.state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            who = inside.identity(row.config, root, request.user)
        finally:
            os.close(root)
        user = {"uid": who.uid, "gid": who.gid, "umask": found["user"].get("umask", 0o022)}
        # The given user's own group counts among the supplementary ones too.
        user["additionalGids"] = list(dict.fromkeys((who.gid, *who.groups)))
        found["user"] = user
        found["env"] = [one for one in found["env"] if not one.startswith("HOME=")] + [f"HOME={who.home}"]
    if request.privileged:
        own = ["CAP_" + name for name in sorted(engine.facts.capabilities)]
        every = own or list(caps.ALL)  # more than we have ourselves the kernel refuses
        found["capabilities"] = {"bounding": every, "effective": every, "permitted": every}
    elif not same_user:
        found["capabilities"] = _capabilities(row, found["user"]["uid"])


def _capabilities(row: ContainerRow, uid: int) -> dict[str, list[str]]:
    bounding = list(row.config.security.capabilities.bounding)
    if uid == 0:
        return {"bounding": bounding, "effective": bounding, "permitted": bounding}
    return {"bounding": bounding}
