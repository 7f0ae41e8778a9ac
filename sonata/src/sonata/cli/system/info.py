"""`sonata info`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, call: Call) -> int:
    """Print what there is of host, store, registries and plugins: YAML, JSON, or through a template."""
    from sonata.cli.render.report import is_json, render_object
    from sonata.cli.system.version import client
    from sonata.engine.system.info import info

    found = {**info(call.engine), "version": client()}
    if parsed["debug"]:
        import sys

        found["debug"] = {"compiler": sys.implementation.name, "files": list(call.engine.config.files)}
    form = parsed.get("format")
    if form is None:
        from sonata.cli.render.yaml import dump

        print(dump(found), end="")
    elif is_json(form):
        from sonata.cli.render.json import dumps

        print(dumps(found, indent=2))
    else:
        print(render_object("info", templated(complete(found)), form), end="")
    return 0


def complete(found: dict[str, Any]) -> dict[str, Any]:
    """The report with the members that are left out of JSON while they are empty. `freeLocks`: there is no number."""
    host = found["host"]
    distribution = {"variant": "", **host["distribution"]}
    more = {"emulatedArchitectures": [], "freeLocks": Nothing(), "runtimeInfo": {}}
    return {**found, "host": {**more, **host, "distribution": distribution}}


class Nothing:
    """What Go shows as `<nil>`, where every other null of the report is a list."""


def templated(value: Any) -> Any:
    """The report as a template meets it: Go's names have capitals, `OCIRuntime` and their like written out."""
    from sonata.cli.render.gotemplate.values import Struct

    if isinstance(value, Nothing):
        return None
    if value is None:
        return []  # every null of this report is a list that Go has not made
    if isinstance(value, list):
        return [templated(item) for item in value]
    if not isinstance(value, dict):
        return value
    return Struct("define.Info", {go_name(key): templated(item) for key, item in value.items()}, json=value)


_WORDS = {
    "apparmorEnabled": "AppArmorEnabled",
    "capabilities": "DefaultCapabilities",
    "cgroupVersion": "CgroupsVersion",
    "cpuUtilization": "CPUUtilization",
    "cpus": "CPUs",
    "dns": "DNS",
    "gidmap": "GIDMap",
    "idMappings": "IDMappings",
    "ociRuntime": "OCIRuntime",
    "os": "OS",
    "seccompEnabled": "SECCOMPEnabled",
    "seccompProfilePath": "SECCOMPProfilePath",
    "selinuxEnabled": "SELinuxEnabled",
    "slirp4netns": "Slirp4NetNS",
    "uidmap": "UIDMap",
}


def go_name(key: str) -> str:
    """The Go member that JSON calls `key`."""
    return _WORDS.get(key, key[:1].upper() + key[1:])
