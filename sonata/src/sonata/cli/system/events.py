"""`sonata events`."""

from __future__ import annotations

import sys

from sonata.cli.request import fill
from sonata.model.watch_request import EventsRequest
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

_PLACE = {"volume": ("Name",), "secret": ("ID",), "system": ("Name",), "artifact": ("Name",)}
"""What names the object in the line for people; an image has id and name."""


def to_request(parsed: Parsed) -> EventsRequest:
    """The request that the command line makes."""
    return fill(EventsRequest, parsed)


def command(parsed: Parsed, call: Call) -> int:
    """Print what happens, a line each, until stopped or until `--until`."""
    from sonata.engine.event_log import events

    write = _writer(parsed["format"] or "", full=parsed["no-trunc"])
    for event in events(call.engine, to_request(parsed)):
        sys.stdout.write(write(event))
        sys.stdout.flush()
    return 0


def _writer(form: str, *, full: bool) -> Callable[[Mapping[str, Any]], str]:
    from sonata.cli.render.report import is_json, render_object

    if not form:
        return lambda event: line(event, full=full)
    if is_json(form):
        from sonata.cli.render.json import dumps

        return lambda event: dumps(as_json(event)) + "\n"
    from sonata.cli.render.gotemplate.values import Struct

    return lambda event: render_object("events", Struct("system.Event", fields(event)), form)


def line(event: Mapping[str, Any], *, full: bool) -> str:
    """One event for people: `TIME container create ID (image=…, name=…, LABEL=…)`."""
    from sonata.cli.containers.ps import created_text

    ident = event.get("ID", "")
    ident = ident if full else ident[:12]
    head = f"{created_text(event['timeNano'])} {event['Type']} {event['Status']}"
    kind, attributes = event["Type"], event.get("Attributes") or {}
    if kind in ("container", "pod"):
        return f"{head} {ident} ({', '.join(_details(event, attributes))})\n"
    if kind == "network":
        if event["Status"] in ("connect", "disconnect"):
            return f"{head} {ident} (container={ident}, name={event.get('network', '')})\n"
        return f"{head} {ident} (name={event.get('network', '')}, type={attributes.get('driver', '')})\n"
    if kind == "image":
        trouble = f" {event['error']}" if event.get("error") else ""
        return f"{head} {ident} {event.get('Name', '')}{trouble}\n"
    words = [ident if key == "ID" else event.get(key, "") for key in _PLACE.get(kind, ("Name",))]
    return " ".join((head, *(word for word in words if word))) + "\n"


def _details(event: Mapping[str, Any], attributes: Mapping[str, str]) -> list[str]:
    found = [f"image={event.get('Image', '')}", f"name={event.get('Name', '')}"]
    if event.get("PodID"):
        found.append(f"pod_id={event['PodID']}")
    if event.get("health_status"):
        found.append(f"health_status={event['health_status']}")
        found.append(f"health_failing_streak={event.get('health_failing_streak', 0)}")
        found.append(f"health_log={event.get('health_log', '')}")
    return [*found, *(f"{key}={value}" for key, value in sorted(attributes.items()))]


def as_json(event: Mapping[str, Any]) -> dict[str, Any]:
    """The object of `--format json`: what is empty is left out, but for Status, Type and Attributes."""
    keys = ("ContainerExitCode", "OOMKilled", "ID", "Image", "Name", "network")
    shown = {key: event[key] for key in keys if key in event}
    shown |= {"Status": event["Status"], "time": event["timeNano"] // 10**9, "timeNano": event["timeNano"]}
    shown["Type"] = event["Type"]
    for key, name in (
        ("health_status", "health_status"),
        ("error", "Error"),
        ("ContainerInspectData",) * 2,
        ("PodID",) * 2,
    ):
        if event.get(key):
            shown[name] = event[key]
    attributes = event.get("Attributes")
    shown["Attributes"] = dict(sorted(attributes.items())) if attributes is not None else None
    return shown


def fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an event, as templates name them."""
    from sonata.cli.render.gotemplate.values import Struct

    attributes = dict(event.get("Attributes") or {})
    details = {
        "ContainerInspectData": event.get("ContainerInspectData", ""),
        "PodID": event.get("PodID", ""),
        "Attributes": attributes,
    }
    texts = ("ID", "Image", "Name", "Status", "Type", "PodID", "ContainerInspectData")
    return {
        **{name: event.get(name, "") for name in texts},
        "Attributes": attributes,
        "Details": Struct("events.Details", details),
        "ContainerExitCode": event.get("ContainerExitCode"),
        "Error": event.get("error", ""),
        "HealthStatus": event.get("health_status", ""),
        "Network": event.get("network", ""),
        "OOMKilled": event.get("OOMKilled"),
        "Time": event["timeNano"] // 10**9,
        "TimeNano": event["timeNano"],
    }
