"""What passes between the engine and a network backend's plugin."""

from sonata_core.lite import Mapping
from sonata_core.models.ids import ContainerId
from sonata_core.models.process import HelperProcess
from sonata_core.record import Record


class NetnsRef(Record):
    """A network namespace, pinned by the engine at `path`.

    Where it has `binds`, a program that runs in it is to see the first of each pair at the second's place
    (`Command.binds`).
    """

    path: str
    binds: tuple[tuple[str, str], ...] = ()


class Subnet(Record):
    """One subnet of a network, in CIDR form, with its gateway and the range for leases."""

    subnet: str
    gateway: str = ""
    range_start: str = ""
    range_end: str = ""


class Route(Record):
    """A static route of a network."""

    destination: str
    gateway: str
    metric: int | None = None


class NetworkDefinition(Record):
    """A named network, decided. The engine stores it; its fields are netavark's."""

    name: str
    id: str
    driver: str = "bridge"
    interface: str = ""
    created: str = ""
    subnets: tuple[Subnet, ...] = ()
    routes: tuple[Route, ...] = ()
    ipv6_enabled: bool = False
    internal: bool = False
    dns_enabled: bool = False
    dns_servers: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    ipam_driver: str = "host-local"


class NetworkWish(Record):
    """A named network, asked for. What is empty, `net_plan` decides."""

    name: str
    id: str
    created: str
    driver: str = "bridge"
    interface: str = ""
    subnets: tuple[Subnet, ...] = ()
    routes: tuple[Route, ...] = ()
    ipv6: bool = False
    internal: bool = False
    disable_dns: bool = False
    dns_servers: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    ipam_driver: str = ""
    subnet_pools: tuple[tuple[str, int], ...] = ()
    """Where to look for a free subnet: base in CIDR form and the prefix length to cut."""
    taken_subnets: tuple[str, ...] = ()
    """Networks of live host interfaces, in CIDR form."""
    taken_interfaces: tuple[str, ...] = ()


class Attachment(Record):
    """One interface of a container: on which network, with which name and addresses.

    `addresses` has one per subnet, in the subnets' order: the engine does the leasing. `options` are the driver's, for
    this interface (`--network NAME:KEY=VALUE`): those that the backend does not know are refused.
    """

    network: NetworkDefinition
    interface: str
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    mac: str = ""
    options: Mapping[str, str] = {}


class PortMapping(Record):
    """`range` ports from `host_port` on, to as many from `container_port` on."""

    host_ip: str
    host_port: int
    container_port: int
    range: int = 1
    protocol: str = "tcp"


class AttachRequest(Record):
    """Everything a backend needs to connect a namespace.

    `options` are the mode's own (`slirp4netns:mtu=…`), `arguments` the same as they were given, for a backend whose
    options are a command line. `outer` is the namespace in which bridges
    live where that is not the host's. `lifetime_fd` is the read end of a pipe that closes when
    the container ends (-1: none): helpers exit with it. `pid` is the container's init, 0 before.
    """

    container: ContainerId
    name: str
    hostname: str = ""
    attachments: tuple[Attachment, ...] = ()
    ports: tuple[PortMapping, ...] = ()
    dns_servers: tuple[str, ...] = ()
    options: Mapping[str, str] = {}
    outer: NetnsRef | None = None
    lifetime_fd: int = -1
    pid: int = 0
    arguments: tuple[str, ...] = ()


class AddressResult(Record):
    """An address in CIDR form, with the gateway that it goes through."""

    address: str
    gateway: str = ""


class InterfaceResult(Record):
    """An interface as it came out."""

    network: str
    interface: str
    mac: str = ""
    addresses: tuple[AddressResult, ...] = ()


class AttachResult(Record):
    """What came of an attachment; stored by the engine, given back at detach.

    `host_address` is what the container reaches the host by, where that is not its gateway.
    """

    interfaces: tuple[InterfaceResult, ...] = ()
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    helpers: tuple[HelperProcess, ...] = ()
    host_address: str = ""


class NetFacts(Record):
    """A network backend. `modes` are the values of --network that it serves.

    `lifetime`: its helpers end with `AttachRequest.lifetime_fd`, not only with the namespace's file. `outer`: what
    connects containers is made in `AttachRequest.outer` where the request has one.
    """

    modes: tuple[str, ...]
    version: str = ""
    program: str = ""
    drivers: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("tcp", "udp")
    dns: bool = False
    ipv6: bool = False
    rootless: bool = False
    root: bool = True
    lifetime: bool = True
    outer: bool = False


class NetMember(Record):
    """A container whose connection is looked at: its namespace, what was asked, and what came of it.

    Not `settled`: a command is connecting or disconnecting it, so that what it has may be there or not.
    """

    netns: NetnsRef
    request: AttachRequest
    attached: AttachResult
    settled: bool = True


class NetFact(Record):
    """One thing that a connection consists of; two of the same words are the same thing.

    `kind` is a word for what it is: link, address, route, setting, rule, name, helper. `container` is whose it is,
    `network` of which network; either may be empty. `text` says what, as the tool that makes it would be told.
    """

    kind: str
    text: str
    container: str = ""
    network: str = ""


class NetPicture(Record):
    """What should be, in the order in which it is made, and what is; of the latter only what is a backend's own.

    `unclear` are sentences about what could not be looked at.
    """

    wanted: tuple[NetFact, ...] = ()
    found: tuple[NetFact, ...] = ()
    unclear: tuple[str, ...] = ()
