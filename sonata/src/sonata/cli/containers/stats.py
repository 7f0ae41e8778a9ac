"""`sonata stats`."""

from __future__ import annotations

import time

from sonata.cli.request import selection
from sonata.model.watch_request import StatsRequest
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata.model.stats import ContainerStats, Traffic

COLUMNS = (
    ("ID", "ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET IO"),
    ("BlockIO", "BLOCK IO"),
    ("PIDS", "PIDS"),
    ("UpTime", "CPU TIME"),
    ("AVGCPU", "AVG CPU %"),
)
HEADINGS = {
    **dict(COLUMNS),
    "MemUsageBytes": "MEM USAGE / LIMIT",
}
_CLEAR = "\x1b[2J\x1b[H"


def to_request(parsed: Parsed) -> StatsRequest:
    """The request that the command line makes."""
    return StatsRequest(select=selection(parsed))


def command(parsed: Parsed, call: Call) -> int:
    """Print what containers use: once, or again and again."""
    from sonata.engine.containers.stats import sample

    request, form = to_request(parsed), parsed["format"]
    if parsed["interval"] < 1:
        raise UsageError("invalid interval, must be a positive number greater zero")
    before: dict[str, ContainerStats] = {}
    while True:
        found = sample(call.engine, request, before)
        text = shown(found, form, full=parsed["no-trunc"])
        if not parsed["no-stream"] and not parsed["no-reset"] and not form:
            text = _CLEAR + text
        print(text, end="", flush=True)
        if parsed["no-stream"]:
            return 0
        before = {one.id: one for one in found}
        time.sleep(parsed["interval"])


def shown(found: list[ContainerStats], form: str, *, full: bool) -> str:
    """What is printed for one look."""
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if form and is_json(form):
        return json_text(form, [as_json(one, full=full) for one in found], 1)
    report = Report("stats", "containers.containerStats", COLUMNS, HEADINGS)
    return render_rows(report, [fields(one, full=full) for one in found], form or None)


def texts(one: ContainerStats, *, full: bool) -> dict[str, str]:
    """What people are shown, by the names that templates have for it."""
    from sonata.cli.render.gotemplate.values import Duration
    from sonata.cli.render.human import bytes_size, human_size

    return {
        "ID": one.id if full else one.id[:12],
        "CPUPerc": f"{one.cpu:.2f}%",
        "AVGCPU": f"{one.average_cpu:.2f}%",
        "MemUsage": f"{human_size(one.memory)} / {human_size(one.memory_limit)}",
        "MemUsageBytes": f"{bytes_size(one.memory)} / {bytes_size(one.memory_limit)}",
        "MemPerc": f"{one.memory_percent:.2f}%",
        "NetIO": f"{human_size(one.received)} / {human_size(one.sent)}",
        "BlockIO": f"{human_size(one.io_read)} / {human_size(one.io_written)}",
        "PIDS": str(one.pids),
        "Up": str(Duration(one.cpu_ns)),
    }


def as_json(one: ContainerStats, *, full: bool) -> dict[str, str]:
    """The object of `--format json`."""
    text = texts(one, full=full)
    names = (
        *(("id", "ID"), ("name", ""), ("cpu_time", "Up"), ("cpu_percent", "CPUPerc"), ("avg_cpu", "AVGCPU")),
        *(("mem_usage", "MemUsage"), ("mem_percent", "MemPerc"), ("net_io", "NetIO"), ("block_io", "BlockIO")),
        ("pids", "PIDS"),
    )
    return {key: text[name] if name else one.name for key, name in names}


def fields(one: ContainerStats, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.render.gotemplate.values import Duration

    return {
        **texts(one, full=full),
        "AvgCPU": one.average_cpu,
        "BlockInput": one.io_read,
        "BlockOutput": one.io_written,
        "ContainerID": one.id,
        "CPU": one.cpu,
        "CPUNano": one.cpu_ns,
        "CPUSystemNano": one.cpu_system_ns,
        "Duration": one.cpu_ns,
        "MemLimit": one.memory_limit,
        "Name": one.name,
        "Network": {name: _interface(traffic) for name, traffic in sorted(one.network.items())},
        "PIDs": one.pids,
        "SystemNano": one.taken,
        "UpTime": Duration(one.cpu_ns),
    }


def _interface(traffic: Traffic) -> Any:
    from sonata.cli.render.gotemplate.values import Struct

    members = {
        "RxBytes": traffic.rx_bytes,
        "RxDropped": traffic.rx_dropped,
        "RxErrors": traffic.rx_errors,
        "RxPackets": traffic.rx_packets,
        "TxBytes": traffic.tx_bytes,
        "TxDropped": traffic.tx_dropped,
        "TxErrors": traffic.tx_errors,
        "TxPackets": traffic.tx_packets,
    }
    return Struct("define.ContainerNetworkStats", members)
