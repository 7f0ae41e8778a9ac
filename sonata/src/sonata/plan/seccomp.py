"""A seccomp profile in containers-common's form → `linux.seccomp` of the runtime specification."""

from __future__ import annotations

import errno

from sonata.plan.values import is_digits
from sonata_core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sonata_core.lite import Any

DEFAULT_PROFILE = __file__.rpartition("/")[0] + "/seccomp.json"
"""Where the profile lies that holds when the host has none."""

_NATIVE = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    "armv7l": ("arm", "SCMP_ARCH_ARM"),
    "i686": ("x86", "SCMP_ARCH_X86"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
}


def convert(profile: Mapping[str, Any], machine: str, bounding: Collection[str]) -> dict[str, Any]:
    """`linux.seccomp` for a host's machine and a container's bounding set. Raises UsageError."""
    arch, scmp = _NATIVE.get(machine, (machine, ""))
    result: dict[str, Any] = {"defaultAction": profile.get("defaultAction", "SCMP_ACT_ERRNO")}
    default_errno = _errno(profile.get("defaultErrno"), profile.get("defaultErrnoRet"))
    if default_errno is not None:
        result["defaultErrnoRet"] = default_errno
    for key in ("flags", "listenerPath", "listenerMetadata"):
        if profile.get(key):
            result[key] = profile[key]
    architectures = _architectures(profile, scmp)
    if architectures:
        result["architectures"] = architectures
    rules = [_rule(entry) for entry in profile.get("syscalls") or () if _applies(entry, arch, bounding)]
    if rules:
        result["syscalls"] = rules
    return result


def _architectures(profile: Mapping[str, Any], scmp: str) -> list[str]:
    given, table = profile.get("architectures"), profile.get("archMap")
    if given and table:
        raise UsageError("both 'architectures' and 'archMap' are specified in the seccomp profile, use either one")
    if given:
        return list(given)
    for entry in table or ():
        if entry.get("architecture") == scmp:
            return [scmp, *(entry.get("subArchitectures") or ())]
    return []


def _applies(entry: Mapping[str, Any], arch: str, bounding: Collection[str]) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if arch in (excludes.get("arches") or ()) or any(cap in bounding for cap in excludes.get("caps") or ()):
        return False
    arches = includes.get("arches")
    return (not arches or arch in arches) and all(cap in bounding for cap in includes.get("caps") or ())


def _rule(entry: Mapping[str, Any]) -> dict[str, Any]:
    if entry.get("name") and entry.get("names"):
        raise UsageError("'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'")
    rule: dict[str, Any] = {"names": [entry["name"]] if entry.get("name") else list(entry.get("names") or ())}
    rule["action"] = entry.get("action", "SCMP_ACT_ALLOW")
    code = _errno(entry.get("errno"), entry.get("errnoRet"))
    if code is not None:
        rule["errnoRet"] = code
    if entry.get("args"):
        rule["args"] = [_argument(argument) for argument in entry["args"]]
    return rule


def _argument(given: Mapping[str, Any]) -> dict[str, Any]:
    result = {"index": given["index"], "value": given["value"]}
    if given.get("valueTwo"):
        result["valueTwo"] = given["valueTwo"]
    return result | {"op": given["op"]}


def _errno(name: str | None, number: int | None) -> int | None:
    if not name:
        return number
    if is_digits(name):
        return int(name)
    value = getattr(errno, name, None)
    if value is None:
        raise UsageError(f"unknown errno {name} in the seccomp profile")
    return int(value)
