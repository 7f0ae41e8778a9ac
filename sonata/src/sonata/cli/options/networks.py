"""Commands on networks.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

CREATE = (
    ("disable-dns", "", "bool", False, "", "Disable dns plugin"),
    ("dns", "", "stringSlice", (), "", "DNS servers this network will use"),
    ("driver", "d", "string", "bridge", "", "Driver to manage the network"),
    (
        "from",
        "",
        "string",
        "",
        "",
        "Take the network from a file in the format of Podman's networks",
        {"complete": "files"},
    ),
    ("gateway", "", "ipSlice", (), "ipSlice", "IPv4 or IPv6 gateway for the subnet"),
    ("ignore", "", "bool", False, "", "Don't fail if network already exists"),
    ("interface-name", "", "string", "", "", "Interface name which is used by the driver"),
    ("internal", "", "bool", False, "", "Restrict external access from this network"),
    ("ip-range", "", "stringArray", (), "", "Allocate container IP from range"),
    ("ipam-driver", "", "string", "", "", "IP Address Management Driver", {"choices": ("host-local", "dhcp", "none")}),
    ("ipv6", "", "bool", False, "", "Enable IPv6 networking"),
    ("label", "", "stringArray", (), "", "Set metadata on a network"),
    ("opt", "o", "stringArray", (), "", "Set driver specific options"),
    ("route", "", "stringArray", (), "", "Static routes"),
    ("subnet", "", "stringArray", (), "", "Subnets in CIDR format"),
)

LS = (
    ("filter", "f", "stringArray", (), "", "Provide filter values (e.g. 'name=podman')"),
    ("format", "", "string", "", "", "Pretty-print networks to JSON or using a Go template"),
    ("no-trunc", "", "bool", False, "", "Do not truncate the network ID"),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("quiet", "q", "bool", False, "", "Display only names"),
)

INSPECT = (("format", "f", "string", "", "", "Pretty-print network to JSON or using a Go template"),)

RM = (
    ("force", "f", "bool", False, "", "Remove any containers using network"),
    ("time", "t", "int", 10, "", "Seconds to wait for running containers to stop before killing the container"),
)

CONNECT = (
    ("alias", "", "stringSlice", (), "", "Network scoped alias for container"),
    ("ip", "", "ip", "", "ip", "Set a static ipv4 address for this container network"),
    ("ip6", "", "ip", "", "ip", "Set a static ipv6 address for this container network"),
    ("mac-address", "", "string", "", "", "Set a static mac address for this container network"),
)

DISCONNECT = (("force", "f", "bool", False, "", "Force removal of container from network"),)

RELOAD = (
    ("all", "a", "bool", False, "", "Reload network configuration of all containers"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)

UPDATE = (
    ("dns-add", "", "stringSlice", (), "", "Add network level nameservers"),
    ("dns-drop", "", "stringSlice", (), "", "Remove network level nameservers"),
)

# Sonata alone has this one.
RECONCILE = (
    ("check", "", "bool", False, "", "Only look, and exit with 1 if something is to be mended"),
    ("format", "", "string", "", "", "Pretty-print findings to JSON or using a Go template"),
    ("json", "", "bool", False, "", "Print findings as JSON, as --format json does"),
)
