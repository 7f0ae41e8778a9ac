"""`inspect --effective`: what the kernel enforces on a container beside what was asked, and where the two differ.

Read from the host alone: /proc of the container's first process, and the files of its control group.
"""

from __future__ import annotations

from sonata.engine.containers import lookup, present
from sonata.engine.paths import ContainerPaths
from sonata.host import enforced
from sonata.model.container import NamespaceKind
from sonata.plan import limits
from sonata.plan.spec.linux import cgroups_path
from sonata.state import containers as rows
from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.state.rows import ContainerRow

_SETS = {
    "Bounding": "CapBnd",
    "Effective": "CapEff",
    "Inheritable": "CapInh",
    "Permitted": "CapPrm",
    "Ambient": "CapAmb",
}
_SECCOMP = {"0": "disabled", "1": "strict", "2": "filter"}
_SPACES = {"cgroup": "cgroup", "ipc": "ipc", "net": "network", "pid": "pid", "user": "user", "uts": "uts"}
"""Namespaces that can be asked for: the kernel's name, ours."""
_FLAGS = ("ro", "rw", "nosuid", "nodev", "noexec")
_SPEC_LIMIT = 8 << 20


class _Report:
    """What is found, and the list of differences that grows meanwhile."""

    def __init__(self, config: ContainerConfig, spec: dict[str, Any], pid: int) -> None:
        self.config, self.spec, self.pid = config, spec, pid
        self.linux: dict[str, Any] = spec.get("linux", {})
        self.process: dict[str, Any] = spec.get("process", {})
        self.status = enforced.status(pid) if pid else {}
        self.differences: list[dict[str, Any]] = []

    def pair(self, what: str, asked: Any, found: Any, why: str = "", *, differs: bool | None = None) -> dict[str, Any]:
        """What was asked beside what is; noted as a difference where the container runs and they are not the same."""
        if self.pid and (asked != found if differs is None else differs):
            self.differences.append({"What": what, "Asked": asked, "Enforced": found, "Why": why})
        return {"Asked": asked, "Enforced": found if self.pid else None}


def effective(engine: Engine, row: ContainerRow) -> dict[str, Any]:
    """The object that `inspect --effective` shows for a container."""
    config, state = row.config, row.state
    report = _Report(config, _spec(engine, config), state.pid)
    shown = {
        "Id": config.id,
        "Name": config.name,
        "Status": str(state.phase),
        "Pid": state.pid,
        "Note": _note(report),
        "Cgroup": _cgroup(engine, report),
        "Capabilities": _capabilities(report),
        "Seccomp": _seccomp(report),
        "NoNewPrivileges": _no_new_privileges(report),
        "SecurityLabel": _label(report),
        "Rlimits": _rlimits(report),
        "OomScoreAdj": _oom_score(report),
        "Namespaces": _namespaces(engine, report),
        "IDMappings": {"UIDMap": _id_map(report, "uids", "uid_map"), "GIDMap": _id_map(report, "gids", "gid_map")},
        "Mounts": _mounts(report),
        "Sysctls": _sysctls(report),
    }
    return {**shown, "Differences": report.differences}


def find(engine: Engine, name: str) -> dict[str, Any]:
    """As `effective`, by name or id. Raises NotFound."""
    return effective(engine, lookup.load(engine, name))


def _note(report: _Report) -> str:
    if not report.pid:
        return "the container does not run: nothing is enforced, and only what was asked is known"
    if not report.spec:
        return "the bundle has no config.json: what the runtime was asked for is not known"
    return ""


def _spec(engine: Engine, config: ContainerConfig) -> dict[str, Any]:
    """The specification of the last start; empty before the first one."""
    try:
        with open(ContainerPaths(engine, config.backends.storage, config.id).config, "rb") as file:
            found: dict[str, Any] = json.loads(file.read(_SPEC_LIMIT))
    except (OSError, ValueError):
        return {}
    return found


def _cgroup(engine: Engine, report: _Report) -> dict[str, Any]:
    version = engine.facts.cgroup_version
    group = enforced.Group(report.pid) if report.pid else None
    wanted = cgroups_path(report.config, engine.facts)
    shown = []
    for limit in limits.limits(report.config.resources, version):
        files = group.files(limit.controller, limit.file) if group is not None else []
        if group is not None and limit.name == "blockIO.weight" and version == 1:
            known = files and enforced.content(files[0]) is not None
            files = files if known else group.files(limit.controller, "blkio.bfq.weight")
        shown.append(_limit(report, limit, files))
    return {"Version": version, "Path": group.path if group else wanted, "Limits": shown}


def _limit(report: _Report, limit: limits.Limit, files: list[str]) -> dict[str, Any]:
    found = enforced.content(files[0]) if files else None
    why, differs = "", False
    if limit.asked is not None and found is None:
        why, differs = f"the kernel has no {limit.file} for this container", True
    elif limit.asked is not None and found not in (None, limit.also) and not limits.met(limit.asked, found or ""):
        why, differs = f"{files[0]} says otherwise", True
    pair = report.pair(limit.name, limit.asked, found, why, differs=differs)
    above = _ceiling(files) if limit.ceiling and found is not None else None
    if above is not None and found is not None and (limits.amount(found) or 0) > above[0]:
        report.pair(limit.name, limit.asked, str(above[0]), f"{above[1]} of a group above is lower", differs=True)
    return {"Limit": limit.name, "File": files[0] if files else limit.file, **pair}


def _ceiling(files: list[str]) -> tuple[int, str] | None:
    """The lowest limit of the groups above, and its file."""
    found = []
    for path in files[1:]:
        value = limits.amount(enforced.content(path) or "")
        if value is not None and value < limits.UNLIMITED:
            found.append((value, path))
    return min(found, default=None)


def _capabilities(report: _Report) -> dict[str, Any]:
    asked = report.process.get("capabilities", {})
    shown = {}
    for name, key in _SETS.items():
        wanted = sorted(asked.get(name.lower(), ()))
        found = enforced.capabilities(report.status.get(key, ""))
        lacking, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        why = "; ".join(
            text
            for names, text in (
                (lacking, f"not there: {', '.join(lacking)}"),
                (more, f"beyond what was asked: {', '.join(more)}"),
            )
            if names
        )
        shown[name] = report.pair(f"capabilities.{name}", wanted, found, why)
    return shown


def _seccomp(report: _Report) -> dict[str, Any]:
    wanted = "filter" if "seccomp" in report.linux else "disabled"
    mode = _SECCOMP.get(report.status.get("Seccomp", ""), "")
    shown = report.pair("seccomp", wanted, mode, "the kernel's mode is another one")
    profile = report.config.security.seccomp
    filters = report.status.get("Seccomp_filters", "")
    return {**shown, "Profile": profile, "Filters": int(filters) if filters.isdigit() else None}


def _no_new_privileges(report: _Report) -> dict[str, Any]:
    wanted = bool(report.process.get("noNewPrivileges"))
    return report.pair("noNewPrivileges", wanted, report.status.get("NoNewPrivs") == "1", "set by the process itself")


def _label(report: _Report) -> dict[str, Any]:
    wanted = report.process.get("apparmorProfile") or report.process.get("selinuxLabel") or ""
    found = enforced.security_label(report.pid) if report.pid else ""
    bare = found.partition(" (")[0]
    why = "another label" if bare else "no security module labels the process"
    return report.pair("securityLabel", wanted, found, why, differs=bool(wanted) and bare != wanted)


def _rlimits(report: _Report) -> list[dict[str, Any]]:
    """Those that were asked for, then all others that the process has."""
    found = enforced.rlimits(report.pid) if report.pid else {}
    asked = {limit.type: (limit.soft, limit.hard) for limit in report.config.rlimits}
    shown = []
    for name in sorted({*asked, *found}):
        wanted, have = asked.get(name), found.get(name)
        why = "" if wanted is None or have is None else _why_limited(wanted, have)
        pair = report.pair(f"rlimit.{name}", _range(wanted), _range(have), why, differs=bool(wanted) and wanted != have)
        shown.append({"Type": name, **pair})
    return shown


def _why_limited(asked: tuple[int, int], found: tuple[int, int]) -> str:
    lower = any(have != -1 and (want == -1 or have < want) for want, have in zip(asked, found, strict=True))
    return "lower than asked" if lower else "higher than asked"


def _range(limit: tuple[int, int] | None) -> dict[str, int] | None:
    return None if limit is None else {"Soft": limit[0], "Hard": limit[1]}


def _oom_score(report: _Report) -> dict[str, Any]:
    wanted = report.config.process.oom_score_adj
    found = enforced.number(report.pid, "oom_score_adj") if report.pid else None
    return report.pair("oomScoreAdj", wanted, found, "the kernel has another one", differs=wanted not in (None, found))


def _namespaces(engine: Engine, report: _Report) -> list[dict[str, Any]]:
    host = enforced.namespaces("self")
    own = enforced.namespaces(report.pid) if report.pid else {}
    others = _others(engine, report) if report.pid else {}
    shown = []
    for name in own or host:
        inode = own.get(name, 0)
        shared = ["host"] if inode and inode == host.get(name) else []
        shared += [other for other, spaces in others.items() if inode and spaces.get(name) == inode and not shared]
        choice = getattr(report.config.namespaces, _SPACES[name]) if name in _SPACES else None
        kind = str(choice.kind) if choice else ("private" if name == "mnt" else "host")
        report.pair(
            f"namespace.{name}",
            kind,
            "host" if shared == ["host"] else "another than the host's",
            "shared with the host" if shared == ["host"] else "not shared with the host",
            differs=(kind == NamespaceKind.HOST) != (shared == ["host"]) and kind in ("host", "private"),
        )
        shown.append({"Type": name, "Asked": kind, "Inode": inode, "SharedWith": shared})
    return shown


def _others(engine: Engine, report: _Report) -> dict[str, dict[str, int]]:
    """The namespaces of every other container that runs, by its name."""
    found = {}
    for row in rows.listed(engine.database):
        now = present.corrected(engine, row)
        if now.state.pid and now.config.id != report.config.id:
            found[now.config.name] = enforced.namespaces(now.state.pid)
    return found


def _id_map(report: _Report, asked: str, name: str) -> dict[str, Any]:
    maps = report.config.id_mapping
    wanted = [(one.container_id, one.host_id, one.size) for one in getattr(maps, asked)] if maps else []
    found = enforced.id_map(report.pid, name) if report.pid else []
    return report.pair(
        name,
        [_map(one) for one in wanted],
        [_map(one) for one in found],
        "the kernel has another map",
        differs=bool(wanted) and sorted(wanted) != sorted(found),
    )


def _map(one: tuple[int, int, int]) -> dict[str, int]:
    return {"ContainerID": one[0], "HostID": one[1], "Size": one[2]}


def _mounts(report: _Report) -> list[dict[str, Any]]:
    """Every mount that the first process sees, with the options that were asked for at that place."""
    found = enforced.mounts(report.pid) if report.pid else []
    by_id = {mount["Id"]: mount for mount in found}
    asked = [*report.spec.get("mounts", ())]
    if report.spec:
        read_only = bool(report.spec["root"].get("readonly"))
        asked.append({"destination": "/", "options": ["ro" if read_only else "rw"]})
    for mount in asked:
        place = mount["destination"]
        have = by_id.get(enforced.mount_at(report.pid, place)) if report.pid else None
        _compare_mount(report, place, list(mount.get("options", ())), have)
        if have is not None:
            have["Asked"] = list(mount.get("options", ()))
    if not report.pid:
        return [{"Destination": mount["destination"], "Asked": list(mount.get("options", ()))} for mount in asked]
    return [{"Asked": None, **mount} for mount in found]


def _compare_mount(report: _Report, place: str, asked: list[str], have: dict[str, Any] | None) -> None:
    if have is None:
        report.pair(f"mount {place}", asked, None, "there is nothing at that place", differs=True)
        return
    missing = [flag for flag in _FLAGS if flag in asked and flag not in have["Options"]]
    # The last of `ro` and `rw` holds; what neither was asked of is as its source is.
    if {"ro", "rw"} <= set(asked):
        last = next(flag for flag in reversed(asked) if flag in ("ro", "rw"))
        missing = [flag for flag in missing if flag not in ("ro", "rw") or flag == last]
    if missing:
        report.pair(f"mount {place}", asked, have["Options"], f"not in force: {', '.join(missing)}", differs=True)


def _sysctls(report: _Report) -> list[dict[str, Any]]:
    asked: dict[str, str] = dict(report.config.sysctl)
    found = enforced.sysctls(report.pid, asked) if report.pid and asked else {}
    shown = []
    for name, wanted in asked.items():
        have = found.get(name)
        if name == "net.ipv4.ping_group_range" and have is not None:
            have = _groups_inside(report, have)
        same = have is not None and have.split() == wanted.split()
        pair = report.pair(f"sysctl.{name}", wanted, have, "the kernel has another value", differs=not same)
        shown.append({"Name": name, **pair})
    return shown


def _groups_inside(report: _Report, text: str) -> str:
    """Numbers of groups, which the kernel tells as the reader knows them, as the container knows them."""
    maps = enforced.id_map(report.pid, "gid_map")
    words = []
    for word in text.split():
        number = int(word) if word.isdigit() else -1
        words.append(next((str(number - out + own) for own, out, size in maps if out <= number < out + size), word))
    return " ".join(words)
