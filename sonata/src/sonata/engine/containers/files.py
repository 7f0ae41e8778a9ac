"""Files that a container finds in its /etc and /run, made anew for each start."""

from __future__ import annotations

import os

from sonata._version import VERSION
from sonata.engine.paths import ContainerPaths
from sonata.model.container import NamespaceKind, NetworkMode
from sonata.model.materials import HostsInput, ResolvInput, RuntimeFiles
from sonata.plan import files as texts
from sonata_core.errors import HostLacks, NotFound
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.folders import write_whole
from sonata_core.sdk.safepath import read_in_root

if TYPE_CHECKING:
    from sonata.engine.containers.made import Prepared
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow
    from sonata_core.models.net import AttachRequest, AttachResult, InterfaceResult


def places(engine: Engine, config: ContainerConfig, paths: ContainerPaths, shm: str) -> RuntimeFiles:
    """Where the files are. Makes none. Raises HostLacks for an init program that the host lacks."""
    run = paths.run_dir
    own_net = config.network.mode not in (NetworkMode.CONTAINER, NetworkMode.POD)
    hosts = f"{run}/hosts" if config.network.manage_hosts and own_net else ""
    resolv = f"{run}/resolv.conf" if wants_resolv(config) and own_net else ""
    if not own_net:
        theirs = _borrowed(engine, config)
        hosts = theirs[0] if config.network.manage_hosts else ""
        resolv = theirs[1] if wants_resolv(config) else ""
    return RuntimeFiles(
        resolv_conf=resolv,
        hosts=hosts,
        hostname=f"{run}/hostname" if config.network.manage_hostname else "",
        containerenv=f"{run}/.containerenv",
        shm=shm,
        init=init_program(engine, config) if config.process.init else "",
        localtime=f"{run}/localtime" if config.process.timezone else "",
    )


def lay(engine: Engine, config: ContainerConfig, made: RuntimeFiles, name: str) -> None:
    """Write them, those of the network still empty: they are filled before the container starts."""
    if config.network.mode not in (NetworkMode.CONTAINER, NetworkMode.POD):
        for path in (made.hosts, made.resolv_conf):
            if path:
                write(path, "")
    elif made.hosts:
        from sonata.engine.containers.shared_hosts import announce

        announce(made.hosts, (name, config.name))
    write(made.containerenv, texts.containerenv(config, VERSION, rootless=engine.facts.rootless))
    if made.localtime:
        from sonata.engine.containers import timezone

        timezone.lay(config.process.timezone, made.localtime)
    if made.hostname:
        write(made.hostname, f"{name}\n")


def wants_resolv(config: ContainerConfig) -> bool:
    """Whether the container gets an /etc/resolv.conf of ours."""
    return config.network.manage_resolv and config.network.mode is not NetworkMode.NONE


def _borrowed(engine: Engine, config: ContainerConfig) -> tuple[str, str]:
    run = ContainerPaths(engine, config.backends.storage, config.namespaces.network.value).run_dir
    found = [path if os.path.exists(path) else "" for path in (f"{run}/hosts", f"{run}/resolv.conf")]
    return found[0], found[1]


def fill(
    engine: Engine, config: ContainerConfig, prepared: Prepared, request: AttachRequest | None, attached: AttachResult
) -> None:
    """Write hosts and resolv.conf in place, now that addresses are known."""
    made = prepared.files
    if config.network.mode in (NetworkMode.CONTAINER, NetworkMode.POD):
        return
    if made.hosts:
        base = _base_hosts(config, prepared.root)
        given = HostsInput(base=base, gateway=_host_internal(engine, config, request, attached))
        write(made.hosts, texts.hosts(_of_container(given, config, prepared.hostname, attached)))
    if made.resolv_conf:
        write(made.resolv_conf, texts.resolv_conf(_resolv_input(engine, config, attached)))


def amend(engine: Engine, row: ContainerRow, request: AttachRequest, both: tuple[AttachResult, AttachResult]) -> None:
    """Change hosts and resolv.conf of a running container, whose networks have changed; the rest stays as it is.

    `request` names all networks that are in `both`: what it had, and what it has.
    """
    config, mountpoint = row.config, row.state.mountpoint
    paths = ContainerPaths(engine, config.backends.storage, config.id)
    from sonata.engine.containers.shared_hosts import change
    from sonata.plan import amend

    if config.network.manage_hosts:
        root = os.open(mountpoint, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            base = _base_hosts(config, root)
        finally:
            os.close(root)
        name = config.hostname or config.id[:12]
        before, after = (
            texts.hosts(
                _of_container(
                    HostsInput(base=base, gateway=_host_internal(engine, config, request, one)), config, name, one
                )
            )
            for one in both
        )
        change(f"{paths.run_dir}/hosts", lambda text: amend.hosts(text, before, after))
    if wants_resolv(config):
        old, new = (texts.resolv_conf(_resolv_input(engine, config, one)) for one in both)
        change(f"{paths.run_dir}/resolv.conf", lambda text: amend.resolv_conf(text, old, new))


def _of_container(given: HostsInput, config: ContainerConfig, name: str, attached: AttachResult) -> HostsInput:
    addresses = tuple(one.address.partition("/")[0] for part in attached.interfaces for one in part.addresses)
    if config.network.mode in _USER_MODE:
        addresses = addresses[:1]
    return given.replace(
        add=config.network.add_hosts,
        addresses=addresses or (("127.0.0.1",) if config.network.mode is NetworkMode.NONE else ()),
        names=(name, config.name),
    )


def _resolv_input(engine: Engine, config: ContainerConfig, attached: AttachResult) -> ResolvInput:
    own = config.network.mode is not NetworkMode.HOST
    helped = config.network.mode in _USER_MODE
    served = bool(attached.dns_servers) and not helped
    from sonata.engine.containers import network
    from sonata.host.resolv import host_resolv

    containers = engine.config.containers
    return ResolvInput(
        host=host_resolv(),
        network=() if helped else attached.dns_servers,
        helper=attached.dns_servers if helped else _shared_servers(engine, config),
        network_search=attached.dns_search,
        given=() if served else network.servers(engine, config),
        search=(*containers.dns_searches, *config.network.dns_search),
        options=(*containers.dns_options, *config.network.dns_options),
        own_namespace=own,
        ipv6=_slirp_ipv6(config) or any(":" in one.address for part in attached.interfaces for one in part.addresses),
    )


def _slirp_ipv6(config: ContainerConfig) -> bool:
    """slirp4netns speaks IPv6, though no address of it may be settled yet."""
    return config.network.mode is NetworkMode.SLIRP4NETNS and "enable_ipv6=false" not in config.network.options


def _shared_servers(engine: Engine, config: ContainerConfig) -> tuple[str, ...]:
    """Whom an ordinary user's container on bridges asks, where no network of its serves names."""
    if config.network.mode is not NetworkMode.BRIDGE:
        return ()
    from sonata.engine.networks import shared

    return shared.known(engine).dns


def _base_hosts(config: ContainerConfig, root: int) -> str:
    base = config.network.base_hosts
    if base == "none":
        return ""
    if base == "image":
        return read_in_root(root, "etc/hosts").decode(errors="replace")
    if not base:
        return _read("/etc/hosts")
    try:
        with open(base, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise NotFound(f"failed to create new hosts file: open {base}: {text}", name=base) from error


_USER_MODE = (NetworkMode.SLIRP4NETNS, NetworkMode.PASTA)
"""Modes in which a helper stands for the network, and has one address for the container."""


def _host_internal(
    engine: Engine, config: ContainerConfig, request: AttachRequest | None, attached: AttachResult
) -> str:
    """The address by which the container reaches the host; empty for none.

    Where no gateway of the container's is the host's, it is an address of the host, as for Podman, reached or not.
    """
    chosen = engine.config.containers.host_containers_internal_ip
    if chosen:
        return "" if chosen == "none" else chosen
    if config.network.mode is NetworkMode.HOST:
        return "127.0.0.1"
    if attached.host_address:
        return attached.host_address
    if request is not None and request.outer is None:
        bridges = [one.network.name for one in request.attachments if one.network.driver == "bridge"]
        parts = [part for part in attached.interfaces if part.network in bridges]
        gateways = [address.gateway for part in parts for address in part.addresses if address.gateway]
        for gateway in gateways:
            if ":" not in gateway:
                return gateway
        if gateways:
            return gateways[-1]
    from sonata_core.sdk.interfaces import host_address

    own = attached.interfaces
    if request is not None and request.outer is not None:
        own = (*own, _of_uplink(engine))
    return host_address(own)


def _of_uplink(engine: Engine) -> InterfaceResult:
    """Addresses of the host that are those of the shared namespace too: they lead no further than there."""
    from sonata.engine.networks import shared
    from sonata_core.models.net import AddressResult, InterfaceResult

    found = tuple(AddressResult(address=one) for one in shared.known(engine).addresses)
    return InterfaceResult(network="", interface="", addresses=found)


def init_program(engine: Engine, config: ContainerConfig) -> str:
    """The program for --init on the host. Raises HostLacks."""
    wanted = config.process.init_path or engine.config.paths.init_path or "catatonit"
    found = engine.find_program(wanted)
    if not found:
        raise HostLacks(
            f"container-init binary not found on the host: stat {wanted}: no such file or directory",
            hint="apt-get install catatonit",
        )
    return found


def write(path: str, text: str) -> None:
    """Write a file in place, so that a bind mount of it sees the new content."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.fchmod(handle, 0o644)
        write_whole(handle, text.encode(errors="surrogateescape"), path)
    finally:
        os.close(handle)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


def uts_name(config: ContainerConfig) -> str:
    """The host's name where the container shares it."""
    kinds = (config.namespaces.uts.kind, config.namespaces.network.kind)
    return os.uname().nodename if NamespaceKind.HOST in kinds else ""
