"""`sonata network ls`."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed
    from sonata_core.models.net import NetworkDefinition

COLUMNS = (("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"))
HEADINGS = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Labels": "LABELS"}


def command(parsed: Parsed, call: Call) -> int:
    """List networks, sorted by name."""
    from sonata.engine.networks.list import listed

    print(shown(parsed, listed(call.engine, tuple(parsed["filter"]))), end="")
    return 0


def shown(parsed: Parsed, networks: list[NetworkDefinition]) -> str:
    """What is printed for the networks."""
    form = parsed.get("format")
    if parsed["quiet"]:
        return "".join(f"{network.name}\n" for network in networks)
    from sonata.cli.render.report import Report, is_json, json_text, render_rows

    if form is not None and is_json(form):
        from sonata.engine.networks.list import document

        return json_text(form, [document(network) for network in networks])
    rows = [fields(network, full=parsed["no-trunc"]) for network in networks]
    report = Report("ls", "network.ListPrintReports", COLUMNS, HEADINGS)
    return render_rows(report, rows, form, heading=not parsed["noheading"])


def fields(network: NetworkDefinition, *, full: bool) -> Mapping[str, Any]:
    """The members of a row, as templates name them."""
    from sonata.cli.networks import members
    from sonata.engine.networks.list import document

    return {
        "Created": lambda: _time(network.created),
        "DNSEnabled": network.dns_enabled,
        "Driver": network.driver,
        "ID": network.id if full else network.id[:12],
        "Internal": network.internal,
        "IPAMOptions": {"driver": network.ipam_driver},
        "IPv6Enabled": network.ipv6_enabled,
        "Labels": ",".join(f"{key}={value}" for key, value in sorted(network.labels.items())),
        "Name": network.name,
        "NetworkDNSServers": list(network.dns_servers),
        "NetworkInterface": network.interface,
        "Options": dict(network.options),
        "Routes": lambda: members.routes(document(network).get("routes", [])),
        "Subnets": lambda: members.subnets(document(network).get("subnets", [])),
    }


def _time(text: str) -> Any:
    from sonata.cli.render.gotemplate.times import Time

    return Time.parse(text) if text else Time.zero()
