"""What CNI's configurations have taken, for networks that are not CNI's: read, never changed."""

from __future__ import annotations

import os

from sonata.plan import addresses
from sonata_core import json_text as json
from sonata_core.lite import Any
from sonata_core.record import Record

FOLDER = "/etc/cni/net.d"
_LIMIT = 1 << 20
_DEPTH = 8


class Taken(Record):
    """Subnets in CIDR form, and names of bridges."""

    subnets: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()


def taken(folder: str = FOLDER) -> Taken:
    """What the folder's configurations name. What makes no sense in them is passed over."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith((".conflist", ".conf", ".json")))
    except OSError:
        return Taken()
    subnets: list[str] = []
    bridges: list[str] = []
    for name in names:
        try:
            with open(f"{folder}/{name}", "rb") as file:
                _collect(json.loads(file.read(_LIMIT)), subnets, bridges, _DEPTH)
        except (OSError, ValueError, RecursionError):
            continue
    return Taken(subnets=tuple(subnets), bridges=tuple(bridges))


def _collect(value: Any, subnets: list[str], bridges: list[str], depth: int) -> None:
    """Members `subnet` and `bridge`, wherever they are: plugins of IPAM differ in how they nest them."""
    if depth and isinstance(value, dict):
        subnet, bridge = value.get("subnet"), value.get("bridge")
        if isinstance(subnet, str) and addresses.parse_subnet(subnet) is not None:
            subnets.append(subnet)
        if isinstance(bridge, str):
            bridges.append(bridge)
    if depth and isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            _collect(each, subnets, bridges, depth - 1)
