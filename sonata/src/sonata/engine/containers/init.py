"""Bringing a container to the brink of running: network, mounts, spec, and the runtime's `create` under conmon."""

from __future__ import annotations

import os
import time

from sonata.engine import events
from sonata.engine.background import Background
from sonata.engine.containers import files, network, rest, rootfs
from sonata.engine.containers import spec as specs
from sonata.engine.containers.aside import put_aside
from sonata.engine.containers.monitored import exit_command, monitor_env
from sonata.engine.paths import ContainerPaths
from sonata.engine.undo import Undo
from sonata.host import ports, process
from sonata.model.container import MountKind, NetworkMode
from sonata.monitor.launch import LaunchedPid, LaunchRefused, MonitorSpec, launch
from sonata.plan import lifecycle
from sonata.plan.lifecycle import Phase, Verb
from sonata.state import containers as rows
from sonata.state import intents
from sonata_core import trace
from sonata_core.codec import freeze
from sonata_core.hookspecs.runtime import RuntimeTune
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.net import AttachResult
from sonata_core.models.runtime import LaunchRequest, LaunchVerb
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from sonata.engine.containers.made import Mounted, Prepared
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow, ContainerState
    from sonata_core.models.net import AttachRequest

_HELPED = (NetworkMode.SLIRP4NETNS, NetworkMode.PASTA)


class Start:
    """One start in the making: what the steps hand to each other."""

    def __init__(self, engine: Engine, row: ContainerRow) -> None:
        self.engine = engine
        self.config: ContainerConfig = row.config
        self.state: ContainerState = row.state
        self.paths = ContainerPaths(engine, row.config.backends.storage, row.config.id)
        self.preserved: tuple[int, ...] = ()
        self.listening: dict[str, str] = {}
        self.keep: tuple[int, ...] = ()
        self.held: tuple[int, ...] = ()
        self.until = -1
        self.root = ""
        self.request: AttachRequest | None = None
        self.attaching: Background[AttachResult] | None = None
        self.prepared: Prepared | None = None


def init(engine: Engine, row: ContainerRow, preserved: tuple[int, ...] = ()) -> ContainerRow:
    """Create the container in its runtime; it then waits to be started. The caller holds its lock.

    Raises Conflict (wrong phase, port or address in use), ProcessRefused and its kinds, NotFound,
    and what backends raise. A failed init leaves nothing of the start behind.
    """
    lifecycle.require(Phase(row.state.phase), Verb.INIT, row.config.id)
    start = Start(engine, row)
    start.preserved = preserved
    if engine.config.environment.get("LISTEN_FDS"):
        _listen(start)
    with Undo(engine.log) as undo:
        undo.push("state", lambda: _record_failure(engine, row))
        undo.push("dismantle", lambda: rest.dismantle(engine, row.replace(state=start.state)))
        # Interrupted after conmon was let go, the runtime would still create what was just dismantled.
        undo.push("monitor", lambda: _end_monitor(engine, row.replace(state=start.state)))
        with trace.span("begin"):
            _begin(start)
        undo.push("ports", lambda: _release(start))
        with trace.span("namespace"):
            _network(start)
        if start.attaching is not None:
            undo.push("network", start.attaching.wait)
        with trace.span("mount"):
            mounted = rootfs.mount(engine, start.config, start.paths)
            start.root = mounted.root
            if any(use.kind is MountKind.ARTIFACT for use in start.config.mounts):
                _bind_artifacts(start, mounted)
        with trace.span("spec"):
            start.prepared = specs.prepare(engine, start.config, start.paths, mounted, start.state.netns)
        undo.push("root", lambda: _close_root(start))
        if start.attaching is not None and start.prepared.early_hooks:
            start.attaching.result()
        with trace.span("launch"):
            launched = _launch(start)
        _complete(start, launched.pid)
        with trace.span("wait for network"):
            attached = _attached(start, launched)
        files.fill(engine, start.config, start.prepared, start.request, attached)
        _learn(start)
        start.state = start.state.replace(
            phase=Phase.INITIALISED,
            pid=launched.pid,
            pid_start=process.start_time(launched.pid),
            conmon_pid=launched.conmon_pid,
            conmon_start=process.start_time(launched.conmon_pid),
            attached=freeze(attached),
            mountpoint=mounted.root,
        )
        undo.keep()
    _release(start)
    _close_root(start)
    rows.put_state(engine.database, start.config.id, start.state, durable=False)
    events.container(engine, start.config, "init")
    return row.replace(state=start.state)


def _complete(start: Start, pid: int) -> None:
    """What no runtime does, and what it has read and nobody else shall."""
    engine, config = start.engine, start.config
    if config.resources.get("blockIO"):
        from sonata.engine.containers import block_weight

        if block_weight.is_only_bfqs(engine.facts.cgroup_version):
            block_weight.write(pid, block_weight.asked(config.resources))
    if config.secrets:
        from sonata.engine.containers import secrets

        secrets.hide(engine, config, start.paths)


def _listen(start: Start) -> None:
    """Hand on the sockets that a service manager gave us."""
    from sonata.engine.containers import descriptors

    if start.preserved:
        start.engine.notify("Ignoring LISTEN_FDS to preserve custom user-specified FDs")
        return
    start.preserved, start.listening = descriptors.activated(start.engine.config.environment)


def _begin(start: Start) -> None:
    """Write down that this start begins, before anything of it exists."""
    engine, config = start.engine, start.config
    rest.forget_exit(start.paths)
    if config.pod:
        from sonata.engine.pods import limits

        limits.ensure_for(engine, config.pod)
    for folder in (start.paths.bundle, start.paths.run_dir, start.paths.exit_dir, start.paths.persist_dir):
        make_private(folder)
    start.request = network.request_for(engine, config)
    path = network.new_namespace_path(engine, config) or specs.network_namespace(engine, config)
    start.state = start.state.replace(
        phase=Phase.INITIALISING,
        boot=engine.facts.boot_id,
        netns=path,
        request=network.frozen(start.request),
        error="",
        restart_at=0,
        exited=False,
        exit_code=0,
        oom_killed=False,
        stopped_by_user=False,
    )
    with engine.database.transaction(durable=False):
        intents.put(engine.database, intents.Intent(id=config.id, kind=intents.INIT, boot=engine.facts.boot_id))
        rows.put_state(engine.database, config.id, start.state)


def _bind_artifacts(start: Start, mounted: Mounted) -> None:
    from sonata.engine.containers import artifact_mounts

    start.config = artifact_mounts.expanded(start.engine, start.config, artifact_mounts.kind_in(mounted.root))
    rootfs.note_flags(start.config, mounted)


def _network(start: Start) -> None:
    """Make the namespace, hold the host ports, and connect in the background."""
    config = start.config
    if config.network.mode not in network.OWN:
        return
    assert start.request is not None
    if config.network.mode is NetworkMode.BRIDGE:
        # A user-mode helper binds the ports itself.
        _hold_ports(start, start.request)
    if network.made_by_runtime(config):
        start.request = _with_lifetime(start, start.request)
        return
    from sonata.host import netns

    path, request = start.state.netns, _with_lifetime(start, start.request)
    netns.create(start.engine.kernel, path)
    start.attaching = Background(lambda: _connect(start, path, request))


def _hold_ports(start: Start, request: AttachRequest) -> None:
    """Take the host's ports: for the monitor to keep, or for a forwarder that is to end with it."""
    config = start.config
    if request.outer is None or not config.network.ports:
        start.keep = ports.hold(config.network.ports)
        return
    from sonata.engine.containers import forwarding

    forwarding.require_possible(config.network.ports)
    start.held = ports.hold(config.network.ports)
    until, kept = os.pipe2(os.O_CLOEXEC)
    start.keep = (kept,)
    start.until = until


def _release(start: Start) -> None:
    """Close what the monitor and the forwarder have of their own by now."""
    ports.release((*start.keep, *start.held, *((start.until,) if start.until >= 0 else ())))


def _with_lifetime(start: Start, request: AttachRequest) -> AttachRequest:
    """For a user-mode helper: the read end of a pipe whose write end conmon keeps, so that it ends with conmon."""
    if start.config.network.mode not in _HELPED:
        return request
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    start.keep = (*start.keep, theirs)
    return request.replace(lifetime_fd=ours)


def _connect(start: Start, path: str, request: AttachRequest) -> AttachResult:
    try:
        with trace.span("network"):
            attached = network.attach(start.engine, start.config, path, request)
        if start.held:
            from sonata.engine.containers import forwarding

            forwarding.start(start.engine, start.config, request, attached, start.held, start.until)
        return attached
    finally:
        if request.lifetime_fd >= 0:
            os.close(request.lifetime_fd)


def _attached(start: Start, launched: LaunchedPid) -> AttachResult:
    if start.attaching is not None:
        return start.attaching.result()
    if start.config.network.mode in network.OWN:
        from sonata.host import netns

        assert start.request is not None
        netns.pin(start.engine.kernel, launched.pid, start.state.netns)
        return _connect(start, start.state.netns, start.request)
    return AttachResult()


def _launch(start: Start) -> LaunchedPid:
    """The runtime's `create`, under conmon. Raises ProcessRefused and its kinds."""
    engine, config, paths = start.engine, start.config, start.paths
    hook = engine.runtime(config.backends.runtime).hook
    how = hook.runtime_launch(request=_launch_request(start))

    result = launch(_monitor_spec(start), how, lambda pid: put_aside(engine, config, pid))
    if isinstance(result, LaunchRefused):
        failure = hook.runtime_explain(verb=LaunchVerb.CREATE, log_lines=result.log_lines, message=result.message)
        hook.runtime_delete(ref=paths.ref, force=True)
        from sonata.engine.containers.refused import refusal

        raise refusal(failure, start.root)
    return result


def _launch_request(start: Start) -> LaunchRequest:
    config, engine = start.config, start.engine
    return LaunchRequest(
        verb=LaunchVerb.CREATE,
        ref=start.paths.ref,
        log_path=start.paths.runtime_log,
        terminal=config.process.terminal,
        systemd_cgroup=config.backends.cgroup_manager == "systemd",
        cgroups_disabled=config.cgroups == "disabled",
        no_pivot=engine.config.engine.no_pivot_root,
        no_new_keyring=not engine.config.containers.keyring,
        preserve_fds=0 if start.listening else len(start.preserved),  # LISTEN_FDS itself tells the runtime
        flags=engine.runtime_flags(config.backends.runtime),
    )


def _monitor_spec(start: Start) -> MonitorSpec:
    config, engine, paths = start.config, start.engine, start.paths
    notified = engine.config.environment.get("NOTIFY_SOCKET", "") if config.process.sdnotify == "container" else ""
    if notified:
        os.makedirs(f"{paths.bundle}/notify", mode=0o755, exist_ok=True)
    driver = {"json-file": "k8s-file", "passthrough-tty": "passthrough"}.get(config.log.driver, config.log.driver)
    return MonitorSpec(
        conmon=engine.conmon(),
        id=config.id,
        uid=config.id,
        name=config.name,
        bundle=paths.bundle,
        pid_file=paths.pid_file,
        conmon_pid_file=config.conmon_pid_file or paths.conmon_pid_file,
        runtime_log=paths.runtime_log,
        exit_dir=paths.exit_dir,
        persist_dir=paths.persist_dir,
        log_driver=driver,
        log_path=config.log.path or paths.log,
        # Beyond its bound conmon 2.1 forgets what it wrote; where older files are kept, log_watch moves them instead.
        log_size_max=_log_bound(config),
        log_tag=_tag(start) if driver == "journald" else "",
        terminal=config.process.terminal,
        stdin_open=config.process.stdin_open and not config.process.terminal,
        timeout=config.process.timeout,
        exit_command=exit_command(engine, config),
        sdnotify_socket=notified,
        preserve_fds=start.preserved,
        keep_fds=start.keep,
        env={**monitor_env(engine), **start.listening},
    )


def _log_bound(config: ContainerConfig) -> int:
    bound = max(config.log.max_size, 0)
    if config.log.max_files == 1 or not bound:
        return bound
    from sonata.engine.containers.log_rotation import BACKSTOP

    return max(BACKSTOP, 64 * bound)


def _tag(start: Start) -> str:
    text = start.config.log.tag
    if "{{" not in text:
        return text
    from sonata.engine.containers import log_tag

    return log_tag.tag(start.engine, start.config.id)


def _learn(start: Start) -> None:
    """Let the runtime's plugin keep what it learnt from this create."""
    slot = start.engine.runtime(start.config.backends.runtime)
    if slot.offers(RuntimeTune) and start.prepared is not None:
        slot.require(RuntimeTune).runtime_created(ref=start.paths.ref, spec=start.prepared.spec)


def _end_monitor(engine: Engine, row: ContainerRow) -> None:
    from sonata.engine.containers.recovery import end_processes

    end_processes(engine, row)


def _close_root(start: Start) -> None:
    if start.prepared is not None and start.prepared.root >= 0:
        os.close(start.prepared.root)
        start.prepared.root = -1


def _record_failure(engine: Engine, row: ContainerRow) -> None:
    """Back to where the container was, once the start was undone."""
    with engine.database.transaction():
        rows.put_state(engine.database, row.config.id, row.state.replace(finished=row.state.finished or time.time_ns()))
        intents.done(engine.database, row.config.id, intents.INIT)
