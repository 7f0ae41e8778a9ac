"""What a door asks for when it makes networks and volumes: field names are options' long names."""

from sonata_core.lite import Mapping
from sonata_core.record import Record


class NetworkCreateRequest(Record):
    """`network create`. Empty `name`: one is made up. Subnets, gateways and ranges pair by position.

    `source` is a file of another engine's, which says everything else.
    """

    name: str = ""
    disable_dns: bool = False
    dns: tuple[str, ...] = ()
    driver: str = ""
    gateway: tuple[str, ...] = ()
    ignore: bool = False
    interface_name: str = ""
    internal: bool = False
    ip_range: tuple[str, ...] = ()
    ipam_driver: str = ""
    ipv6: bool = False
    label: tuple[str, ...] = ()
    opt: tuple[str, ...] = ()
    route: tuple[str, ...] = ()
    source: str = ""
    subnet: tuple[str, ...] = ()


class VolumeCreateRequest(Record):
    """`volume create`. Empty `name`: one is made up. `uid`, `gid` None: as the engine runs."""

    name: str = ""
    driver: str = "local"
    gid: int | None = None
    ignore: bool = False
    label: tuple[str, ...] = ()
    opt: tuple[str, ...] = ()
    uid: int | None = None


class SecretCreateRequest(Record):
    """`secret create`: everything but the secret itself. Empty `driver`: as containers.conf says."""

    name: str = ""
    driver: str = ""
    driver_opts: Mapping[str, str] = {}
    ignore: bool = False
    label: tuple[str, ...] = ()
    replace_existing: bool = False
