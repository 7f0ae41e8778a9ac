"""Running another process in a running container."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.background import Background
from sonata.engine.containers import inside, lookup
from sonata.engine.containers.aside import put_aside
from sonata.engine.containers.monitored import monitor_env
from sonata.engine.containers.streams import Sides, preserved_of, streams_for
from sonata.engine.paths import ContainerPaths
from sonata.host import cgroups, process
from sonata.monitor.attach import AttachEnd
from sonata.monitor.exec import LOST, ExecSession, prepare_folder
from sonata.monitor.launch import LaunchRefused, MonitorSpec
from sonata.plan import caps, lifecycle
from sonata.plan import env as plan_env
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import sessions
from sonata.state.rows import ExecState
from sonata.store.names import new_id
from sonata_core import interrupts
from sonata_core import json_text as json
from sonata_core.errors import NotFound, SonataError, TimedOut
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
    preserved = preserved_of(request)
    row = _target(engine, request)
    Background(cgroups.wake)
    with interrupts.Shield():
        return _execute(engine, row, request, sides, preserved)


def _execute(
    engine: Engine, row: ContainerRow, request: ExecRequest, sides: Sides, preserved: tuple[int, ...]
) -> Executed:
    session = _Session(engine, row, request)
    # A session that can be detached from has to be cleaned up by somebody else then; killed, by the container's end.
    detachable = request.tty and request.interactive
    detached = False
    try:
        attended = session.attend() if detachable else -1
        events.container(engine, row.config, "exec", extra={"execID": session.id})
        command = session.exit_command(f"--unless-gone={session.folder}/") if detachable else ()
        with open_session(engine, row, request, session.where, command, preserved) as running:
            code, detached = _follow(session, running, sides)
    except SonataError as error:
        error.details["stage"] = "exec"
        raise
    finally:
        if not detached:
            session.forget()
        if detachable:
            os.close(attended)
    if not detached:
        events.container(engine, row.config, "exec_died", code=code, extra={"execID": session.id})
    return Executed(session=session.id, code=code, detached=detached)


def execute_detached(engine: Engine, request: ExecRequest) -> str:
    """Run a process in the background; the session's id. Raises as `execute`."""
    preserved = preserved_of(request)
    row = _target(engine, request)
    with interrupts.Shield():
        session = _Session(engine, row, request)
        events.container(engine, row.config, "exec", extra={"execID": session.id})
        try:
            sessions.put(engine.database, session.state)
            with open_session(engine, row, request, session.where, session.exit_command(), preserved) as running:
                session.began(started(engine, row, running))
        except BaseException as error:
            if isinstance(error, SonataError):
                error.details["stage"] = "detached"
            session.forget()
            raise
    return session.id


class _Session:
    """One session on record: its folder and its row, until it is forgotten."""

    def __init__(self, engine: Engine, row: ContainerRow, request: ExecRequest) -> None:
        self.engine, self.row, self.request = engine, row, request
        self.id = new_id()
        paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
        self.folder = prepare_folder(paths.bundle, self.id, row.config.id)
        self.state = ExecState(
            id=self.id,
            container=row.config.id,
            command=request.command,
            user=request.user,
            terminal=request.tty,
            boot=engine.facts.boot_id,
        )
        self.recorded = not request.no_session

    @property
    def where(self) -> tuple[str, str]:
        return self.id, self.folder

    def began(self, pid: int) -> None:
        """Write down that it runs."""
        self.state = self.state.replace(running=True, pid=pid, pid_start=process.start_time(pid))
        if self.recorded:
            sessions.put(self.engine.database, self.state)

    def forget(self) -> None:
        if self.recorded:
            sessions.remove(self.engine.database, self.id)
        remove_tree(self.folder)

    def attend(self) -> int:
        """A lock that the exit command waits for (`sonata.launch`), while we are here to clean up."""
        import fcntl

        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(handle, fcntl.LOCK_SH)
        return handle

    def exit_command(self, *more: str) -> tuple[str, ...]:
        """What conmon runs at the session's end."""
        own = self.engine.overrides
        words = ("container", "cleanup", "--stopped-only", "--exec", self.id, *more, self.row.config.id)
        return (*own.program, *own.arguments, *words)


def _target(engine: Engine, request: ExecRequest) -> ContainerRow:
    """The container, when it runs; within `--wait` seconds. Raises NotFound, Conflict, TimedOut."""
    deadline = time.monotonic() + request.wait
    while True:
        late = time.monotonic() >= deadline
        try:
            row = lookup.load(engine, request.name)
            if late or row.state.phase == Phase.RUNNING:
                lifecycle.require(Phase(row.state.phase), Verb.EXEC, row.config.id)
                return row
        except NotFound as error:
            if late and request.wait:
                raise TimedOut(f"timed out waiting for container: {request.name}") from error
            if late:
                raise
        time.sleep(0.05)


def alive(engine: Engine, session: ExecState) -> bool:
    """Whether a session's process runs."""
    return session.running and session.boot == engine.facts.boot_id and process.alive(session.pid, session.pid_start)


def forget_session(engine: Engine, container: str, session: str) -> None:
    """What conmon's exit command does for a session whose command has left it. Absent is success."""
    try:
        row = lookup.load(engine, container)
    except NotFound:
        return
    known = sessions.get(engine.database, session)
    if known is not None and (known.container != row.config.id or alive(engine, known)):
        return
    if not session.isalnum():
        return
    paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
    try:
        with open(f"{paths.bundle}/{session}/exit/{row.config.id}", encoding="ascii") as file:
            code = int(file.read(16))
    except (OSError, ValueError):
        code = LOST
    if known is None and not os.path.isdir(f"{paths.bundle}/{session}/exit"):
        return
    remove_tree(f"{paths.bundle}/{session}")
    sessions.remove(engine.database, session)
    events.container(engine, row.config, "exec_died", code=code, extra={"execID": session})


def _follow(session: _Session, running: ExecSession, sides: Sides) -> tuple[int, bool]:
    attachment = running.attach()
    pid = started(session.engine, session.row, running)
    session.began(pid)
    began = session.state.pid_start
    streams = streams_for(session.engine, sides, terminal=session.request.tty)
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
        from sonata.engine.containers.refused import refusal

        raise refusal(hook.runtime_explain(verb=LaunchVerb.EXEC, log_lines=answer.log_lines, message=answer.message))
    return answer


def open_session(
    engine: Engine,
    row: ContainerRow,
    request: ExecRequest,
    where: tuple[str, str],
    exit_command: tuple[str, ...],
    preserved: tuple[int, ...] = (),
) -> ExecSession:
    """A session up to where its streams can be joined. `where` is its id and its folder."""
    session, folder = where
    config = row.config
    paths = ContainerPaths(engine, config.backends.storage, config.id)
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
    process = _process(engine, row, request, paths)
    return ExecSession(spec, how, process, lambda pid: put_aside(engine, config, pid, session))


def _process(engine: Engine, row: ContainerRow, request: ExecRequest, paths: ContainerPaths) -> dict[str, Any]:
    """The process object: the container's own with what was asked changed (runtime-spec config.md, process)."""
    with open(paths.config, encoding="utf-8", errors="surrogateescape") as file:
        found: dict[str, Any] = json.load(file)["process"]
    found["args"] = list(request.command)
    # Sockets of a service manager are the first process's alone.
    own = row.config.process.env
    found["env"] = [one for one in found["env"] if one[:7] != "LISTEN_" or one.partition("=")[0] in own]
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
