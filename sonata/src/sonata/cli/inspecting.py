"""What all `inspect` commands share: objects as a JSON array or through a template, then what was not found."""

from __future__ import annotations

from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.cli.pflag import Parsed


def inspect_all(parsed: Parsed, names: Iterable[str], find: Callable[[str], dict[str, Any]]) -> int:
    """Print the object of each name, in order; raise for names that are not there, after the others."""
    from sonata.cli.output import outcome

    found: list[dict[str, Any]] = []
    missing: list[NotFound] = []
    for name in names:
        try:
            found.append(find(name))
        except NotFound as error:
            missing.append(error)
    show(found, parsed["format"])
    return outcome((), missing)


def show(objects: list[dict[str, Any]], form: str) -> None:
    """A JSON array with five blanks a level, as Podman has it; a template's text for each object otherwise.

    `{{json .}}` is a template like others: an object a line, as Docker has it and Podman since 5.
    """
    from sonata.cli.render.report import render_objects

    if form.replace(" ", "") in ("", "json", "{{json}}"):
        from sonata.cli.render.json import dumps

        print(dumps(objects, indent=5))
        return
    print(render_objects("inspect", [templated(one) for one in objects], rewritten(form)), end="")


def rewritten(form: str) -> str:
    """Docker's names for what Podman calls otherwise."""
    for old, new in ((".Src", ".Source"), (".Dst", ".Destination"), (".ImageID", ".Image")):
        form = form.replace(old, new)
    return form


_MAPS = frozenset(
    (
        *("Annotations", "Containers", "Data", "ExposedPorts", "IPAMOptions", "Labels", "Networks", "Options"),
        *("PortBindings", "Ports", "Status", "Tmpfs", "Volumes", "CgroupConf"),
    )
)
"""Members that are maps: asking them for a key that they lack is no error."""

_TIMES = frozenset(("CheckpointedAt", "Created", "CreatedAt", "FinishedAt", "RestoredAt", "StartedAt"))

_NAMES = {
    "AdditionalMACAddresses": "AdditionalMacAddresses",
    "Domainname": "DomainName",
    "HealthcheckMaxLogCount": "HealthMaxLogCount",
    "HealthcheckMaxLogSize": "HealthMaxLogSize",
    "HostIp": "HostIP",
    "containers": "Containers",
    "author": "Author",
    "blkio_weight": "BlkioWeight",
    "blkio_weight_device": "BlkioWeightDevice",
    "cpu_period": "CPUPeriod",
    "cpu_quota": "CPUQuota",
    "cpu_shares": "CPUShares",
    "cpuset_cpus": "CPUSetCPUs",
    "cpuset_mems": "CPUSetMems",
    "device_read_bps": "BlkioDeviceReadBps",
    "device_write_bps": "BlkioDeviceWriteBps",
    "devices": "Devices",
    "memory_limit": "MemoryLimit",
    "memory_swap": "MemorySwap",
    "mounts": "Mounts",
    "pid_ns": "PidNS",
    "security_opt": "SecurityOpts",
    "userns": "UserNS",
    "uts_ns": "UtsNS",
    "volumes_from": "VolumesFrom",
    "comment": "Comment",
    "created": "Created",
    "created_by": "CreatedBy",
    "empty_layer": "EmptyLayer",
    "dns_enabled": "DNSEnabled",
    "driver": "Driver",
    "gateway": "Gateway",
    "id": "ID",
    "internal": "Internal",
    "ipam_options": "IPAMOptions",
    "ipv6_enabled": "IPv6Enabled",
    "labels": "Labels",
    "lockNumber": "LockNumber",
    "name": "Name",
    "network_dns_servers": "NetworkDNSServers",
    "network_interface": "NetworkInterface",
    "options": "Options",
    "routes": "Routes",
    "sdNotifyMode": "SdNotifyMode",
    "sdNotifySocket": "SdNotifySocket",
    "subnet": "Subnet",
    "subnets": "Subnets",
}
"""Members that Go names otherwise than JSON does."""

_TYPES = {
    "Config": "*define.InspectContainerConfig",
    "GraphDriver": "*define.DriverData",
    "HostConfig": "*define.InspectContainerHostConfig",
    "InfraConfig": "*define.InspectPodInfraConfig",
    "NetworkSettings": "*define.InspectNetworkSettings",
    "RootFS": "*inspect.RootFS",
    "State": "*define.InspectContainerState",
}

_KINDS = (("MountCount", "volume"), ("dns_enabled", "network"), ("CreateInfra", "pod"))
"""By which member objects are told apart that are inspected; what Go calls all of them says nothing."""

_LEFT_OUT: dict[str, dict[str, Any]] = {
    "interface {}": {"OCIConfigPath": "", "OCIRuntime": "", "SizeRw": None, "SizeRootFs": 0},
    "*define.InspectContainerConfig": {
        **dict.fromkeys(("StartupHealthCheck", "Healthcheck", "Passwd")),
        **dict.fromkeys(("HealthcheckOnFailureAction", "HealthLogDestination", "Timezone", "Umask"), ""),
        **dict.fromkeys(("SdNotifyMode", "SdNotifySocket"), ""),
        **dict.fromkeys(("HealthMaxLogCount", "HealthMaxLogSize"), 0),
        **dict.fromkeys(("CreateCommand", "Secrets", "ChrootDirs"), ()),
        "SystemdMode": False,
    },
    "*define.InspectContainerHostConfig": {
        "CgroupManager": "",
        "IDMappings": None,
        "Init": False,
        "IntelRdtClosID": "",
    },
    "*define.InspectContainerState": {
        **dict.fromkeys(("CgroupPath", "CheckpointLog", "CheckpointPath", "RestoreLog"), ""),
        **dict.fromkeys(("Checkpointed", "Restored", "StoppedByUser"), False),
        "ConmonPid": 0,
        "Health": None,
    },
    "*define.InspectNetworkSettings": {
        **dict.fromkeys(("SecondaryIPAddresses", "SecondaryIPv6Addresses", "AdditionalMacAddresses"), ()),
        "Networks": {},
    },
    "define.InspectMounts": {"Name": "", "SubPath": ""},
    "*define.InspectPodInfraConfig": {**dict.fromkeys(("CPUPeriod", "CPUQuota"), 0), "CPUSetCPUs": ""},
    "pod": {
        **dict.fromkeys(("BlkioWeight", "CPUPeriod", "CPUQuota", "CPUShares", "MemoryLimit", "MemorySwap"), 0),
        **dict.fromkeys(
            ("CPUSetCPUs", "CPUSetMems", "CgroupPath", "InfraContainerID", "Namespace", "RestartPolicy"), ""
        ),
        **dict.fromkeys(("BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioWeightDevice", "Containers"), ()),
        **dict.fromkeys(("CreateCommand", "Devices", "Mounts", "SecurityOpts", "SharedNamespaces", "VolumesFrom"), ()),
        "InfraConfig": None,
        "Labels": {},
    },
    "network": {
        **dict.fromkeys(("Subnets", "Routes", "NetworkDNSServers"), ()),
        **{key: {} for key in ("Labels", "Options", "Containers")},
        "NetworkInterface": "",
    },
    "volume": {
        **dict.fromkeys(("UID", "GID", "Timeout"), 0),
        **dict.fromkeys(("Anonymous", "NeedsCopyUp", "NeedsChown"), False),
        "Status": {},
        "StorageID": "",
    },
}
"""Members that JSON leaves out where they are empty, and that a template may name all the same."""


def templated(value: dict[str, Any], type_name: str = "interface {}") -> Any:
    """The object as a template meets it: structs with Go's names, maps, times."""
    from sonata.cli.render.gotemplate.values import NilMap, Struct

    if "RepoTags" in value and "RootFS" in value:
        from sonata.cli.image_template import templated_image

        return templated_image(value, member)
    kind = next((kind for key, kind in _KINDS if key in value), type_name)
    members = dict(_LEFT_OUT.get(kind, ()))
    if kind == "*define.InspectContainerConfig":
        members["ExposedPorts"] = NilMap()
    members |= {_NAMES.get(key, key): member(_NAMES.get(key, key), item) for key, item in value.items()}
    if kind == "network":
        from sonata.cli.networks import members as typed

        members["Subnets"] = typed.subnets(value.get("subnets", []))
        members["Routes"] = typed.routes(value.get("routes", []))
        members["Containers"] = typed.containers(value.get("containers", {}))
    if "Id" in members:
        members["ID"] = members["Id"]
    shown = tuple(_NAMES.get(name, name) for name in value)
    return Struct(type_name, members, shown, json=value)


def member(name: str, value: Any) -> Any:
    """A member of an object as a template meets it; `name` is Go's."""
    if isinstance(value, dict):
        if name in _MAPS:
            return {key: member("", item) for key, item in value.items()}
        return templated(value, _TYPES.get(name, "define.Inspect" + (name or "Data")))
    if isinstance(value, list):
        return [member(name, item) for item in value]
    if name in _TIMES and isinstance(value, str) and len(value) >= 20:
        from sonata.cli.render.gotemplate.times import Time

        return Time.parse(value)
    return value
