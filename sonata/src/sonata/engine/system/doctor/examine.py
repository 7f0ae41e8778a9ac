"""The whole examination: what is looked at, in an order that tells causes before consequences."""

from __future__ import annotations

import os
import time

from sonata.engine.system.doctor import (
    backends,
    configuration,
    control_groups,
    kept,
    kernel,
    network,
    places,
    privileges,
    programs,
)
from sonata.engine.system.doctor.finding import Finding, Severity, error
from sonata.host import procfs
from sonata.host.facts import probe
from sonata_core.errors import SonataError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sonata.engine.engine import Engine
    from sonata_core.models.host import HostFacts

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def examine(open_engine: Callable[[], Engine], before: list[Finding], *, inside: bool) -> list[Finding]:
    """Everything that is found, errors first. The host is left as it was.

    `open_engine` reads the configuration: where that fails, the host itself is still looked at. `before` is what
    was found of an ordinary user already; not `inside`: he has no namespaces to look from.
    """
    try:
        engine = open_engine()
    except SonataError as failure:
        found = [*before, configuration.unreadable(failure), *_host(probe())]
    else:
        found = [*before, *_host(engine.facts), *_engine(engine, inside=inside)]
    return sorted(_once(found), key=lambda one: _ORDER[one.severity])


def can_run(findings: list[Finding]) -> bool:
    """Whether containers can be run at all."""
    return all(one.severity is not Severity.ERROR for one in findings)


def _once(findings: list[Finding]) -> list[Finding]:
    """Each finding once: two ways may lead to one."""
    return list({(one.id, one.evidence): one for one in findings}.values())


def _host(facts: HostFacts) -> Iterator[Finding]:
    """What needs no configuration."""
    yield from control_groups.check(control_groups.probe(facts))
    yield from kernel.check_release(facts)
    yield from kernel.check_devices(rootless=facts.rootless)
    yield from kernel.check_terminals()
    yield from privileges.check_capabilities(facts)
    yield from privileges.check_limits(facts)
    yield from privileges.check_clock(time.time())
    yield from privileges.check_interpreter()
    yield from privileges.check_working_directory()


def _engine(engine: Engine, *, inside: bool) -> Iterator[Finding]:
    """What the configuration names."""
    outside: tuple[Callable[[Engine], Iterator[Finding]], ...] = (_places, _programs, _network, _configuration)
    steps: tuple[Callable[[Engine], Iterator[Finding]], ...] = (
        _kernel,
        _places,
        _identity,
        _programs,
        _network,
        _configuration,
        configuration.check_folders,
        backends.check,
        kept.check,
    )
    for step in steps if inside else outside:
        try:
            yield from step(engine)
        except SonataError as failure:
            yield error("examination", "an examination was cut short", failure.message, failure.hint or "sonata info")
        except OSError as failure:  # a full disk, for one: what is wrong with it is found by another step
            told = f"{failure.filename}: {failure.strerror}"
            yield error("examination", "an examination was cut short", told, "mend what else is found")


def _kernel(engine: Engine) -> Iterator[Finding]:
    facts = engine.facts
    refused = kernel.namespaces(engine.kernel, facts.rootless)
    yield from kernel.check_namespaces(refused, facts.rootless)
    if facts.rootless:
        yield from kernel.check_proc(procfs.covered())
    actions = kernel.read("/proc/sys/kernel/seccomp/actions_avail")
    yield from kernel.check_seccomp(actions, engine.config.paths.seccomp_profile)


def _places(engine: Engine) -> Iterator[Finding]:
    storage = engine.config.storage
    graph = places.probe(storage.graph_root)
    yield from places.check_store(graph, bare=_is_bare(engine))
    yield from places.check_run(places.probe(storage.run_root))
    variable = engine.config.environment.get("TMPDIR")
    yield from places.check_temporary(places.probe(engine.config.paths.tmp_dir), variable)
    if not graph.refusal and (not engine.facts.rootless or engine.facts.id_mapping is not None):
        wanted = storage.driver == "overlay" or os.path.isdir(f"{storage.graph_root}/overlay-layers")
        trouble = kernel.overlay_trouble(engine.kernel, graph.existing)
        yield from kernel.check_overlay(graph.existing, trouble, wanted)


def _is_bare(engine: Engine) -> bool:
    try:
        return engine.driver == "vfs"
    except SonataError:  # told by another step
        return False


def _identity(engine: Engine) -> Iterator[Finding]:
    yield from privileges.check_identifiers(kernel.read("/etc/subuid"), kernel.read("/etc/subgid"))
    yield from privileges.check_modules(engine.facts, engine.find_program("apparmor_parser"))


def _configured(engine: Engine, program: str) -> str:
    """Where the configuration has a program; empty where it names none that is there."""
    if program == "conmon":
        try:
            return engine.conmon()
        except SonataError:
            return ""
    paths = engine.config.engine.runtimes.get(program, ())
    return next((path for path in paths if os.access(path, os.X_OK)), "")


def _programs(engine: Engine) -> Iterator[Finding]:
    for program in programs.PROGRAMS:
        path = _configured(engine, program.name)
        found = programs.probe(program, engine.find_program, engine.run_command, path)
        yield from programs.check(found, engine.facts.rootless)


def _network(engine: Engine) -> Iterator[Finding]:
    if not engine.facts.rootless:
        yield from network.check_bridge(network.bridge_trouble(engine.kernel))
        tool = "nft" if engine.config.network.firewall_driver == "nftables" else "iptables"
        firewall = network.probe_firewall(engine.kernel, tool, engine.find_program, engine.run_command)
        yield from network.check_firewall(firewall)
    forward = "/proc/sys/net/ipv4/ip_forward"
    yield from network.check_forwarding(kernel.read(forward), os.access(forward, os.W_OK))
    start = kernel.read("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    yield from network.check_port_start(start, engine.facts.rootless)
    settings = engine.config.network
    if engine.facts.rootless:  # whose bridges are in a network namespace of their own
        return
    routes = kernel.read("/proc/net/route") or ""
    yield from network.check_subnet(settings.default_subnet, f"{settings.default_network}0", routes)


def _configuration(engine: Engine) -> Iterator[Finding]:
    yield from configuration.check_policy(engine.config)
    yield from configuration.check_registries(engine.config)
    yield from configuration.check_credentials(engine.config)
    yield from configuration.check_unknown(engine.config)
