"""`sonata ps`."""

from __future__ import annotations

import time

from sonata.cli.request import fill
from sonata.model.container_request import ListRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.listing import ListedContainer
    from sonata_core.models.net import PortMapping

COLUMNS = (
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedHuman", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
)
NAMESPACE_COLUMNS = (
    ("ID", "CONTAINER ID"),
    ("Names", "NAMES"),
    ("Pid", "PID"),
    ("CGROUPNS", "CGROUPNS"),
    ("IPC", "IPC"),
    ("MNT", "MNT"),
    ("NET", "NET"),
    ("PIDNS", "PIDNS"),
    ("USERNS", "USERNS"),
    ("UTS", "UTS"),
)
HEADINGS = {"ID": "CONTAINER ID", "Names": "NAMES", "CreatedHuman": "CREATED", "PIDNS": "PIDNS", "USERNS": "USERNS"}

_COMMAND_WIDTH = 17
_NEVER = -62135596800


def to_request(parsed: Parsed) -> ListRequest:
    """The request that the command line makes. Raises UsageError for options that exclude each other."""
    request = fill(ListRequest, parsed)
    if parsed.changed("last") and request.last >= 0 and request.latest:
        raise UsageError("last and latest are mutually exclusive")
    if parsed["quiet"] and (request.size or request.ns):
        raise UsageError("quiet conflicts with size and namespace")
    if request.size and request.ns:
        raise UsageError("size and namespace options conflict")
    if parsed["watch"] and request.latest:
        raise UsageError("the watch and latest flags cannot be used together")
    form = parsed["format"]
    return request.replace(size=request.size or ".Size" in form, ns=request.ns or "NS" in form or ".Namespaces" in form)


def command(parsed: Parsed, call: Call) -> int:
    """List containers; with `--watch`, again and again."""
    from sonata.engine.containers.listing import listing

    request = to_request(parsed)
    while True:
        text = shown(parsed, listing(call.engine, request), time.time())
        if parsed["watch"]:
            print("\x1b[2J\x1b[H", end="")
        print(text, end="", flush=bool(parsed["watch"]))
        if not parsed["watch"]:
            return 0
        time.sleep(parsed["watch"])


def shown(parsed: Parsed, listed: list[ListedContainer], now: float) -> str:
    """What is printed for the rows."""
    form = parsed.get("format")
    if parsed["quiet"] and not form:
        return "".join(f"{one.id if parsed['no-trunc'] else one.id[:12]}\n" for one in listed)
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if form is not None and is_json(form):
        return json_text(form, [as_json(one, now) for one in listed])
    columns: tuple[tuple[str, str], ...] = NAMESPACE_COLUMNS if parsed["ns"] else COLUMNS
    if parsed["pod"]:
        columns = (*columns, ("Pod", "POD ID"), ("PodName", "PODNAME"))
    if parsed["size"]:
        columns = (*columns, ("Size", "SIZE"))
    report = Report("ps", "containers.psReporter", columns, HEADINGS)
    rows = [fields(one, now, full=parsed["no-trunc"]) for one in listed]
    return render_rows(report, rows, form and form.replace(".Namespaces.", "."), heading=not parsed["noheading"])


def fields(one: ListedContainer, now: float, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    spaces = one.namespaces
    return {
        "AutoRemove": one.auto_remove,
        "Cgroup": spaces.get("Cgroup", ""),
        "CGROUPNS": spaces.get("Cgroup", ""),
        "CIDFile": one.cidfile,
        "Command": command_text(one.command, full=full),
        "Created": lambda: _go_time(one.created),
        "CreatedAt": lambda: created_text(one.created),
        "CreatedHuman": lambda: f"{_ago(now - one.created / 1e9)} ago",
        "ExitCode": one.exit_code,
        "Exited": one.exited,
        "ExitedAt": one.exited_at,
        "ExposedPorts": _exposed(one.exposed),
        "ID": one.id if full else one.id[:12],
        "Image": one.image,
        "ImageID": one.image_id if full else one.image_id[:12],
        "IPC": spaces.get("IPC", ""),
        "IsInfra": one.infra,
        "Label": lambda name: one.labels.get(name, ""),
        "Labels": dict(one.labels),
        "MNT": spaces.get("MNT", ""),
        "Namespaces": _namespaces(spaces),
        "Mounts": list(one.mounts),
        "Names": one.name,
        "NET": spaces.get("NET", ""),
        "Networks": ",".join(one.networks),
        "Pid": one.pid,
        "PIDNS": spaces.get("PIDNS", ""),
        "Pod": one.pod if full else one.pod[:12],
        "PodName": one.pod_name,
        "Ports": lambda: ports_text(one),
        "Restarts": str(one.restarts),
        "RunningFor": lambda: f"{_ago(now - one.created / 1e9)} ago",
        "Size": lambda: size_text(one.size),
        "StartedAt": one.started_at,
        "State": one.state,
        "Status": lambda: status_text(one, now),
        "User": spaces.get("User", ""),
        "USERNS": spaces.get("User", ""),
        "UTS": spaces.get("UTS", ""),
    }


def as_json(one: ListedContainer, now: float) -> dict[str, Any]:
    """The object of `--format json`."""
    size = None if one.size is None else {"rootFsSize": one.size[1], "rwSize": one.size[0]}
    return {
        "AutoRemove": one.auto_remove,
        "Command": list(one.command) or None,
        "CreatedAt": f"{_ago(now - one.created / 1e9)} ago",
        "CIDFile": one.cidfile,
        "Exited": one.exited,
        "ExitedAt": one.exited_at,
        "ExitCode": one.exit_code,
        "ExposedPorts": _exposed(one.exposed) or None,
        "Id": one.id,
        "Image": one.image,
        "ImageID": one.image_id,
        "IsInfra": one.infra,
        "Labels": dict(sorted(one.labels.items())) or None,
        "Mounts": list(one.mounts),
        "Names": [one.name],
        "Namespaces": dict(one.namespaces),
        "Networks": list(one.networks),
        "Pid": one.pid,
        "Pod": one.pod,
        "PodName": one.pod_name,
        "Ports": [_port(mapping) for mapping in one.ports] or None,
        "Restarts": one.restarts,
        "Size": size,
        "StartedAt": one.started_at,
        "State": one.state,
        "Status": status_text(one, now),
        "Created": one.created // 10**9,
    }


def _port(mapping: PortMapping) -> dict[str, Any]:
    return {
        "host_ip": mapping.host_ip,
        "container_port": mapping.container_port,
        "host_port": mapping.host_port,
        "range": mapping.range,
        "protocol": mapping.protocol,
    }


def _exposed(texts: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for text in texts:
        number, _, protocol = text.partition("/")
        found.setdefault(int(number), []).append(protocol or "tcp")
    return dict(sorted(found.items()))


def _ago(seconds: float) -> str:
    from sonata.cli.render.human import human_duration

    return human_duration(max(seconds, 0))


def _namespaces(spaces: Mapping[str, str]) -> Mapping[str, Any]:
    from sonata.cli.render.gotemplate.values import Struct

    names = ("MNT", "Cgroup", "IPC", "NET", "PIDNS", "UTS", "User")
    return Struct("types.ListContainerNamespaces", {name: spaces.get(name, "") for name in names}, names)


def _go_time(moment: int) -> Any:
    from sonata.cli.render.gotemplate.times import Time

    return Time(moment)


def created_text(moment: int) -> str:
    """`2026-11-21 23:29:02.27969245 +0000 UTC`."""
    seconds, fraction = divmod(moment, 10**9)
    local = time.localtime(seconds)
    part = f".{fraction:09}".rstrip("0") if fraction else ""
    return time.strftime("%Y-%m-%d %H:%M:%S", local) + part + time.strftime(" %z %Z", local)


def command_text(words: tuple[str, ...], *, full: bool) -> str:
    """The command on one line, cut after seventeen characters."""
    text = " ".join(words)
    return text if full or len(text) <= _COMMAND_WIDTH else text[:_COMMAND_WIDTH] + "..."


def size_text(size: tuple[int, int] | None) -> str:
    """`11.2kB (virtual 2.01MB)`."""
    from sonata.cli.render.human import human_size

    own, whole = size or (0, 0)
    return f"{human_size(own, 3)} (virtual {human_size(whole, 3)})"


def status_text(one: ListedContainer, now: float) -> str:
    """`Up 2 minutes`, `Exited (3) 5 seconds ago`, `Created`."""
    text = _states(one, now)
    return f"{text} ({one.health})" if one.health else text


def _states(one: ListedContainer, now: float) -> str:
    if one.state == "running":
        return f"Up {_ago(now - one.started_at)}"
    if one.state in ("exited", "stopped"):
        return f"Exited ({one.exit_code}) {_ago(now - one.exited_at)} ago"
    return one.state[:1].upper() + one.state[1:]


def ports_text(one: ListedContainer) -> str:
    """`0.0.0.0:8080->80/tcp, 443/tcp`: what is published, and what is only exposed."""
    texts = []
    published: set[str] = set()
    for mapping in one.ports:
        address = mapping.host_ip or "0.0.0.0"  # noqa: S104
        address = f"[{address}]" if ":" in address else address
        last = mapping.range - 1
        host = f"{mapping.host_port}-{mapping.host_port + last}" if last else str(mapping.host_port)
        inner = f"{mapping.container_port}-{mapping.container_port + last}" if last else str(mapping.container_port)
        texts.append(f"{address}:{host}->{inner}/{mapping.protocol}")
        published.update(f"{mapping.container_port + number}/{mapping.protocol}" for number in range(mapping.range))
    return ", ".join([*texts, *_ranges(text for text in one.exposed if text not in published)])


def _ranges(exposed: Iterable[str]) -> list[str]:
    """`7000-7002/udp` for ports that follow one another."""
    pairs = sorted(
        (protocol or "tcp", int(number)) for number, _, protocol in (text.partition("/") for text in exposed)
    )
    runs: list[tuple[str, int, int]] = []
    for protocol, number in pairs:
        if runs and runs[-1][0] == protocol and runs[-1][2] + 1 == number:
            runs[-1] = (protocol, runs[-1][1], number)
        else:
            runs.append((protocol, number, number))
    return [f"{first}-{last}/{name}" if last > first else f"{first}/{name}" for name, first, last in runs]
