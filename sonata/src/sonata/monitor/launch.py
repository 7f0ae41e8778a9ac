"""Starting a container under conmon, which outlives us: it holds the terminal, writes the log, keeps the exit code.

Protocol of conmon 2.1 (its `src/conmon.c`): it waits for a byte on the start pipe, so that it can be
moved into its cgroup first; the process we spawn then forks and ends; the one that stays reports the
container's pid, or the runtime's message, as a line of JSON on the sync pipe.
"""

import os

from sonata.monitor.pipes import Channel, read_log_lines, remove_if_there
from sonata_core.errors import CommandFailed
from sonata_core.lite import TYPE_CHECKING, Callable, Mapping
from sonata_core.models.runtime import Launch
from sonata_core.record import Record
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

CREATE_TIMEOUT = 240.0
_STDERR_LIMIT = 65536


class MonitorSpec(Record):
    """A container for conmon to watch, or one exec session.

    `uid` names this run (the container's id, or the session's). `preserve_fds` reach the container as
    3, 4, …, -1 for none; `keep_fds` are only held open by conmon as long as it lives (bound host ports,
    lifetime pipes). `stdin_open` gives the container a pipe, else it reads end-of-file; `leave_stdin_open`
    keeps that pipe when an attached client closes its side. `timeout` and `exit_delay` are in
    seconds, `log_size_max` in bytes, 0 for none. `runtime_log` is the file that the `Launch` makes the
    runtime write. `env` is the complete environment of conmon, the runtime and the exit command.
    """

    conmon: str
    id: str
    uid: str
    name: str
    bundle: str
    pid_file: str
    conmon_pid_file: str = ""
    runtime_log: str
    exit_dir: str
    persist_dir: str = ""
    log_driver: str = "k8s-file"
    log_path: str = ""
    log_size_max: int = 0
    log_tag: str = ""
    log_level: str = "warning"
    terminal: bool = False
    stdin_open: bool = False
    leave_stdin_open: bool = False
    timeout: int = 0
    exit_command: tuple[str, ...] = ()
    exit_delay: int = 0
    restore_path: str = ""
    sdnotify_socket: str = ""
    preserve_fds: tuple[int, ...] = ()
    keep_fds: tuple[int, ...] = ()
    env: Mapping[str, str] = {}


class LaunchedPid(Record):
    """What runs now: the container's init (created, waiting for start) and its monitor."""

    pid: int
    conmon_pid: int


class LaunchRefused(Record):
    """The runtime would not: its JSON log's lines and what conmon passed on, for `runtime_explain`."""

    log_lines: tuple[str, ...]
    message: str


Placed = Callable[[int], None]
"""Called with conmon's pid while it waits: move it into its cgroup."""


def launch(spec: MonitorSpec, how: Launch, placed: Placed | None = None) -> LaunchedPid | LaunchRefused:
    """Create the container under conmon; it is then to be started through the runtime.

    Raises CommandFailed when conmon itself cannot run, TimedOut after four minutes. After a refusal
    the caller deletes what the runtime may have left.
    """
    for path in (spec.runtime_log, spec.pid_file, spec.conmon_pid_file):
        remove_if_there(path)
    with Channel() as sync, Channel() as start:
        _run_conmon(spec, how, (sync, start), placed)
        answer = sync.read_answer(CREATE_TIMEOUT, "container creation timeout")
    _give_back_null()
    if answer is None or answer.data <= 0:
        log_lines = read_log_lines(spec.runtime_log)
        if answer is None and not log_lines:
            raise CommandFailed(
                f"container create failed (no logs from conmon): {spec.conmon} and {how.program} said nothing",
                hint=f"see whether `{spec.conmon} --version` and `{how.program} --version` work",
            )
        return LaunchRefused(log_lines=log_lines, message=answer.message if answer else "")
    return LaunchedPid(pid=answer.data, conmon_pid=read_pid(spec.conmon_pid_file))


def _give_back_null() -> None:
    """crun 1.8 gives the standard input of a mapped container, which may be the host's /dev/null, to its root.

    The container is not started yet, so nobody has used that.
    """
    if os.geteuid() != 0:
        return
    status = os.stat("/dev/null")
    if (status.st_uid, status.st_gid) == (0, 0):
        return
    try:
        os.chown("/dev/null", 0, 0)
    except OSError:
        return  # a /dev/null that no one in this user namespace owns


def read_pid(path: str) -> int:
    """The number in a pid file, 0 if there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read(32))
    except (FileNotFoundError, ValueError):
        return 0


def _run_conmon(spec: MonitorSpec, how: Launch, channels: tuple[Channel, Channel], placed: Placed | None) -> None:
    start_conmon(spec, conmon_argv(spec, how), channels, {**spec.env, **how.env}, placed)


def start_conmon(
    spec: MonitorSpec,
    argv: list[str],
    channels: tuple[Channel, ...],
    env: Mapping[str, str],
    placed: Placed | None,
) -> None:
    """Spawn conmon with `channels` (sync, start, and for exec attach), let it go, wait for its first process.

    Raises CommandFailed, with what conmon said.
    """
    names = ("_OCI_SYNCPIPE", "_OCI_STARTPIPE", "_OCI_ATTACHPIPE")
    first = 3 + len(spec.preserve_fds)
    passed = (*spec.preserve_fds, *(channel.theirs for channel in channels), *spec.keep_fds)
    env = {**env, **{names[place]: str(first + place) for place in range(len(channels))}}
    said, their_stderr = os.pipe2(os.O_CLOEXEC)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    # A gap is filled: crun 1.8 would have its own log there, and hand it on.
    fds = {3 + place: descriptor if descriptor >= 0 else null for place, descriptor in enumerate(passed)}
    try:
        if spec.log_driver != "passthrough":
            fds.update({0: null, 1: null, 2: their_stderr})
        try:
            # cwd: conmon up to 2.1 leaves an empty file `oom` in its folder, and would pin the caller's.
            pid = spawn(argv, env, SpawnOptions(fds=fds, cwd=spec.bundle, group=True))
        except OSError as error:
            raise CommandFailed(f"{spec.conmon} cannot be started: {error.strerror}", argv=argv, code=None) from error
        finally:
            for channel in channels:
                channel.close_theirs()
            os.close(their_stderr)
        _place(pid, placed)
        channels[1].go()
        _await_first(pid, said, argv)
    finally:
        os.close(null)
        os.close(said)


def _place(pid: int, placed: Placed | None) -> None:
    """Nothing may be left that takes the end of the start pipe for the word to go."""
    if placed is None:
        return
    try:
        placed(pid)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _await_first(pid: int, said: int, argv: list[str]) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0:
        return
    os.set_blocking(said, False)
    try:
        text = os.read(said, _STDERR_LIMIT).decode(errors="replace").strip()
    except BlockingIOError:
        text = ""
    raise CommandFailed(
        f"conmon failed: exit status {code}" + (f": {text}" if text else ""), argv=argv, code=code, stderr=text
    )


def conmon_argv(spec: MonitorSpec, how: Launch) -> list[str]:
    """conmon's command line for `create` or `restore`; exec adds its own options."""
    argv = [spec.conmon, "--api-version", "1", "-c", spec.id, "-u", spec.uid, "-r", how.program]
    argv += ["-b", spec.bundle, "-p", spec.pid_file, "-n", spec.name, "--exit-dir", spec.exit_dir]
    if spec.persist_dir:
        argv += ["--persist-dir", spec.persist_dir]
    argv += ["--full-attach", *_log_options(spec)]
    # The value is joined with `=`: conmon would take one that starts with a dash for an option of its own.
    argv += [f"--runtime-arg={argument}" for argument in how.global_args]
    argv += [f"--runtime-opt={argument}" for argument in how.verb_args]
    if spec.sdnotify_socket:
        argv.append(f"--sdnotify-socket={spec.sdnotify_socket}")
    argv += _stdin_options(spec)
    if spec.timeout:
        argv.append(f"--timeout={spec.timeout}")
    if "LISTEN_FDS" in spec.env:
        argv.append("--replace-listen-pid")
    if spec.conmon_pid_file:
        argv += ["--conmon-pidfile", spec.conmon_pid_file]
    if spec.restore_path:
        argv += ["--restore", spec.restore_path]
    return argv + _exit_options(spec)


def _log_options(spec: MonitorSpec) -> list[str]:
    driver = f"{spec.log_driver}:{spec.log_path}" if spec.log_driver == "k8s-file" else spec.log_driver
    options = ["-l", driver, "--log-level", spec.log_level]
    if spec.log_size_max:
        options += ["--log-size-max", str(spec.log_size_max)]
    if spec.log_tag:
        options += ["--log-tag", spec.log_tag]
    return options


def _stdin_options(spec: MonitorSpec) -> list[str]:
    options = []
    if spec.terminal:
        options.append("-t")
    if spec.stdin_open:
        options.append("-i")
    if spec.leave_stdin_open:
        options.append("--leave-stdin-open")
    return options


def _exit_options(spec: MonitorSpec) -> list[str]:
    if not spec.exit_command:
        return []
    options = ["--exit-command", spec.exit_command[0]]
    options += [f"--exit-command-arg={argument}" for argument in spec.exit_command[1:]]
    if spec.exit_delay:
        options += ["--exit-delay", str(spec.exit_delay)]
    return options
