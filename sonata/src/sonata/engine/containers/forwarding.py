"""The forwarder of an ordinary user's published ports: started when a container is on its networks, ended with it.

A host port leads to the container from outside of the namespace that its bridge is in (ADR 45).
"""

from __future__ import annotations

import _socket
import os
import sys

from sonata.engine.networks import shared
from sonata.engine.paths import ContainerPaths
from sonata.host import forwarder, ports, process
from sonata_core.errors import HostLacks, NotFound, Unsupported
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.process import HelperProcess
from sonata_core.record import Record
from sonata_core.sdk import helper_process
from sonata_core.sdk.spawn import SpawnOptions, spawn

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow, ContainerState
    from sonata_core.models.net import AttachRequest, AttachResult, PortMapping

_UNTIL, _READY, _FIRST = 3, 4, 5


class Target(Record):
    """Where a container is reached: its addresses, empty for none, by which network, and the subnets of all of them.

    `answers`: it has a way back to whoever calls, whatever his address.
    """

    four: str = ""
    six: str = ""
    network: str = ""
    subnets: tuple[str, ...] = ()
    answers: bool = True


def require_possible(mappings: tuple[PortMapping, ...]) -> None:
    """Raises Unsupported for a protocol that is not forwarded."""
    for mapping in mappings:
        if mapping.protocol not in ("tcp", "udp"):
            raise Unsupported(
                f"can't forward protocol: {mapping.protocol}",
                hint="ordinary users' ports are forwarded for tcp and udp",
            )


def target_of(request: AttachRequest, attached: AttachResult) -> Target | None:
    """Where the container's ports lead: a network with a way out comes first. None where it has no address."""
    open_ones = [each.network.name for each in request.attachments if _leads_out(each.network)]
    parts = sorted(attached.interfaces, key=lambda part: part.network not in open_ones)
    found = next((part for part in parts if part.addresses), None)
    if found is None:
        return None
    addresses = [one.address.partition("/")[0] for one in found.addresses]
    return Target(
        four=next((one for one in addresses if ":" not in one), ""),
        six=next((one for one in addresses if ":" in one), ""),
        network=found.network,
        subnets=tuple(subnet.subnet for each in request.attachments for subnet in each.network.subnets),
        answers=found.network in open_ones,
    )


def start(
    engine: Engine,
    config: ContainerConfig,
    request: AttachRequest,
    attached: AttachResult,
    held: tuple[int, ...],
    until: int,
) -> None:
    """Forward the bound sockets `held` to the container until `until` can be read. Raises CommandFailed, HostLacks."""
    assert request.outer is not None
    target = target_of(request, attached)
    if target is None:
        return
    files = _Files(engine, config)
    ready, told = os.pipe2(os.O_CLOEXEC)
    try:
        shows = target.answers and shared.shows_clients(engine, request.outer)
        helper = _spawn(config, request.outer.path, (target, shows), files, {_UNTIL: until, _READY: told}, held)
        os.close(told)
        told = -1
        try:
            helper_process.save(files.record, helper, target=[target.four, target.six])
            helper_process.wait_ready(helper, ready, files.log)
        except BaseException:
            helper_process.stop(helper)
            raise
    finally:
        os.close(ready)
        if told >= 0:
            os.close(told)


def _spawn(
    config: ContainerConfig,
    netns: str,
    to: tuple[Target, bool],
    files: _Files,
    fds: dict[int, int],
    held: tuple[int, ...],
) -> HelperProcess:
    target, shows = to
    words = [f"{number}:{_inside(config.network.ports, bound)}" for number, bound in enumerate(held, _FIRST)]
    keep = ",".join((*target.subnets, "")) if shows else "-"
    fixed = (str(_UNTIL), str(_READY), target.four or "-", target.six or "-", keep)
    null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    try:
        log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            given = {0: null, 1: log, 2: log, **fds, **dict(enumerate(held, _FIRST))}
            argv = (sys.executable, "-I", "-S", forwarder.__file__, *fixed, *words)
            pid = spawn(argv, {}, SpawnOptions(fds=given, netns=netns, group=True))
        finally:
            os.close(log)
    except OSError as error:
        raise HostLacks(f"start {sys.executable}: {error.strerror}") from error
    finally:
        os.close(null)
    return HelperProcess(name="forwarder", pid=pid, start_time=helper_process.start_time(pid))


def stop(engine: Engine, config: ContainerConfig) -> None:
    """End the container's forwarder; on return its ports are free. None is success."""
    files = _Files(engine, config)
    known = helper_process.load(files.record)
    if known is not None:
        helper_process.stop(known[0])
        helper_process.forget(files.record)
        helper_process.forget(files.log)


def stands(engine: Engine, config: ContainerConfig, request: AttachRequest, attached: AttachResult) -> bool:
    """Whether the container's ports lead to where it is. True as well where none have to."""
    target = target_of(request, attached)
    if request.outer is None or not config.network.ports or target is None:
        return True
    known = helper_process.load(_Files(engine, config).record)
    if known is None or not helper_process.is_alive(known[0]) or known[1].get("target") != [target.four, target.six]:
        return False
    return _is_in(known[0].pid, request.outer.path)


def renew(engine: Engine, row: ContainerRow, request: AttachRequest, attached: AttachResult) -> bool:
    """Have the ports of a running container lead to where it is now; whether something had to be done.

    Raises Conflict for a port that somebody else has by now, NotFound where the container has ended, and as `start`.
    """
    if stands(engine, row.config, request, attached):
        return False
    stop(engine, row.config)
    until = _end_of(row.state)
    try:
        held = ports.hold(row.config.network.ports)
        try:
            start(engine, row.config, request, attached, held, until)
        finally:
            ports.release(held)
    finally:
        os.close(until)
    return True


def _end_of(state: ContainerState) -> int:
    """What can be read when the container's monitor has ended; the container itself where that is gone already."""
    for pid, started in ((state.conmon_pid, state.conmon_start), (state.pid, state.pid_start)):
        found = process.open_process(pid, started) if pid else None
        if found is not None:
            return found
    raise NotFound("the container has ended: its ports lead nowhere")


def _is_in(pid: int, path: str) -> bool:
    """Whether a process is in the network namespace of this name: another may have taken its place."""
    try:
        here, there = os.stat(f"/proc/{pid}/ns/net"), os.stat(path)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _leads_out(network: object) -> bool:
    options = getattr(network, "options", {})
    return not getattr(network, "internal", False) and options.get("no_default_route") not in ("true", "1")


def _inside(mappings: tuple[PortMapping, ...], descriptor: int) -> int:
    """The container's port for a bound socket."""
    bound = _socket.socket(fileno=os.dup(descriptor))
    try:
        address, port = str(bound.getsockname()[0]), int(bound.getsockname()[1])
        kind = "udp" if bound.type & 0xF == _socket.SOCK_DGRAM else "tcp"
        family = bound.family
    finally:
        bound.close()
    for mapping in mappings:
        step = port - mapping.host_port
        if mapping.protocol == kind and 0 <= step < mapping.range and _is_bound(mapping.host_ip, family, address):
            return mapping.container_port + step
    raise AssertionError(f"{kind} port {port} was not asked for")


def _is_bound(asked: str, family: int, address: str) -> bool:
    if not asked:
        return address in ("0.0.0.0", "::")  # noqa: S104
    if (":" in asked) != (family == _socket.AF_INET6):
        return False
    return _socket.inet_pton(family, asked) == _socket.inet_pton(family, address)


class _Files:
    def __init__(self, engine: Engine, config: ContainerConfig) -> None:
        folder = ContainerPaths(engine, config.backends.storage, config.id).run_dir
        self.record, self.log = f"{folder}/forwarder.json", f"{folder}/forwarder.log"
