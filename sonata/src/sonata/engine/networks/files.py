"""Networks that other tools keep in files, in the format that netavark and Podman share.

Such a file is read, never believed: one that makes no sense is named in a warning, passed over, and left as it is.
"""

from __future__ import annotations

import os

from sonata.plan import addresses
from sonata_core import json_text as json
from sonata_core.errors import ExternalFailure, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.net import NetworkDefinition, Route, Subnet

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_FILE_LIMIT = 1 << 20
_INDENT = 5
"""How far Podman indents its network files."""


def definitions(engine: Engine) -> list[NetworkDefinition]:
    """Networks that other tools have defined in files, by name."""
    folder = engine.config.paths.network_config_dir
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except OSError:
        return []
    found = []
    for name in names:
        path = f"{folder}/{name}"
        try:
            found.append(_checked(from_netavark(_document(path)), name))
        except FileNotFoundError:
            continue  # removed while we were looking
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            engine.log.warning("network_file_passed_over", file=path, reason=reason)
    return found


def read(path: str) -> NetworkDefinition:
    """The network of one file, wherever it lies. Raises UsageError for what is none."""
    try:
        found = from_netavark(_document(path))
        return _checked(found, f"{found.name}.json")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path} does not define a network: {reason}") from error


def from_netavark(data: dict[str, Any]) -> NetworkDefinition:
    """A definition from netavark's JSON. Raises KeyError, TypeError, AttributeError for what is none."""
    return NetworkDefinition(
        name=str(data["name"]),
        id=str(data["id"]),
        driver=str(data.get("driver", "bridge")),
        interface=str(data.get("network_interface", "")),
        created=str(data.get("created", "")),
        subnets=tuple(_subnet(one) for one in data.get("subnets") or ()),
        routes=tuple(
            Route(destination=one["destination"], gateway=one["gateway"], metric=one.get("metric"))
            for one in data.get("routes") or ()
        ),
        ipv6_enabled=bool(data.get("ipv6_enabled", False)),
        internal=bool(data.get("internal", False)),
        dns_enabled=bool(data.get("dns_enabled", False)),
        dns_servers=tuple(data.get("network_dns_servers") or ()),
        labels=dict(data.get("labels") or {}),
        options=dict(data.get("options") or {}),
        ipam_driver=str((data.get("ipam_options") or {}).get("driver", "host-local")),
    )


def put_servers(engine: Engine, name: str, servers: tuple[str, ...]) -> None:
    """Change the name servers in another tool's file; all else in it stays, known to us or not.

    Raises ExternalFailure.
    """
    folder = engine.config.paths.network_config_dir
    path, draft = f"{folder}/{name}.json", f"{folder}/.{name}.json.{os.getpid()}"
    try:
        data = _document(path)
        data.pop("network_dns_servers", None)
        if servers:
            data["network_dns_servers"] = list(servers)
        mode = os.stat(path).st_mode & 0o7777
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(data, indent=_INDENT) + "\n")
        os.rename(draft, path)
    except (OSError, ValueError) as error:
        raise ExternalFailure(f"network {name}: cannot change {path}: {error}") from error


def _document(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        data = json.loads(file.read(_FILE_LIMIT))
    if not isinstance(data, dict):
        raise TypeError("it is no object")
    return data


def _checked(found: NetworkDefinition, file_name: str) -> NetworkDefinition:
    """Raises ValueError for a definition that Podman would pass over, or that could not be worked with."""
    if f"{found.name}.json" != file_name:
        raise ValueError(f"network config name {json.dumps(found.name)} does not match the file's")
    if (
        not found.name.isascii()
        or not found.name[:1].isalnum()
        or not found.name.replace("_", "").replace(".", "").replace("-", "").isalnum()
    ):
        raise ValueError(f"invalid name {json.dumps(found.name)}")
    if len(found.id) != 64 or set(found.id) - set("0123456789abcdef"):
        raise ValueError(f"invalid network ID {json.dumps(found.id)}")
    for subnet in found.subnets:
        if addresses.parse_subnet(subnet.subnet) is None:
            raise ValueError(f"invalid CIDR address: {subnet.subnet}")
        for text in (subnet.gateway, subnet.range_start, subnet.range_end):
            if text and not addresses.is_address(text):
                raise ValueError(f"invalid IP address: {text}")
    return found


def _subnet(data: dict[str, Any]) -> Subnet:
    lease = data.get("lease_range") or {}
    return Subnet(
        subnet=str(data["subnet"]),
        gateway=str(data.get("gateway") or ""),
        range_start=str(lease.get("start_ip") or ""),
        range_end=str(lease.get("end_ip") or ""),
    )
