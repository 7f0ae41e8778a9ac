"""What the host is: a handful of small files, no program run."""

from __future__ import annotations

import os
import resource

from sonata.host import cgroups
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.host import CAPABILITIES, HostFacts
from sonata_core.models.process import IdMap, IdMapping

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = (IdMap(container_id=0, host_id=0, size=4294967295),)


def probe(rootless: bool | None = None) -> HostFacts:
    """The facts of this host and process. `rootless` None: decided by the user, and by the mark that a
    command which has entered its user namespace carries."""
    if rootless is None:
        rootless = os.geteuid() != 0 or bool(os.environ.get("_CONTAINERS_USERNS_CONFIGURED"))
    system = os.uname()
    version, hybrid, controllers = cgroups.detect()
    return HostFacts(
        uid=os.geteuid(),
        gid=os.getegid(),
        rootless=rootless,
        kernel=system.release,
        machine=system.machine,
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        cgroup_version=version,
        cgroup_hybrid=hybrid,
        cgroup_controllers=controllers,
        systemd=os.path.isdir("/run/systemd/system"),
        capabilities=effective_capabilities(),
        id_mapping=id_mapping(),
        nofile_limit=resource.getrlimit(resource.RLIMIT_NOFILE),
        nproc_limit=resource.getrlimit(resource.RLIMIT_NPROC),
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
        apparmor=_read("/sys/module/apparmor/parameters/enabled") == "Y",
        path=os.environ.get("PATH") or HostFacts._defaults["path"],
    )


def user_of(environ: Mapping[str, str]) -> int:
    """The user's id outside of the namespace that this process may have entered."""
    marked = environ.get("_CONTAINERS_ROOTLESS_UID", "") if environ.get("_CONTAINERS_USERNS_CONFIGURED") else ""
    return int(marked) if marked.isdigit() else os.geteuid()


def effective_capabilities() -> tuple[str, ...]:
    """Names, without CAP_, of this process's effective set."""
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return tuple(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)
    return ()


def id_mapping(process: str = "self") -> IdMapping | None:
    """The maps of the process's user namespace; None where every id is itself."""
    uids, gids = _maps(f"/proc/{process}/uid_map"), _maps(f"/proc/{process}/gid_map")
    if uids in ((), _WHOLE) and gids in ((), _WHOLE):
        return None
    return IdMapping(uids=uids, gids=gids)


def _maps(path: str) -> tuple[IdMap, ...]:
    found = []
    for line in _read(path).splitlines():
        inside, outside, size = line.split()
        found.append(IdMap(container_id=int(inside), host_id=int(outside), size=int(size)))
    return tuple(found)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
