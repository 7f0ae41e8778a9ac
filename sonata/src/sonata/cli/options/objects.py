"""Commands on networks and volumes.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

NETWORK_CREATE = (
    ("disable-dns", "", "bool", False, "", "Disable dns plugin"),
    ("dns", "", "stringSlice", (), "", "DNS servers this network will use"),
    ("driver", "d", "string", "bridge", "", "Driver to manage the network"),
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

NETWORK_LS = (
    ("filter", "f", "stringArray", (), "", "Provide filter values (e.g. 'name=podman')"),
    ("format", "", "string", "", "", "Pretty-print networks to JSON or using a Go template"),
    ("no-trunc", "", "bool", False, "", "Do not truncate the network ID"),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("quiet", "q", "bool", False, "", "Display only names"),
)

NETWORK_INSPECT = (("format", "f", "string", "", "", "Pretty-print network to JSON or using a Go template"),)

NETWORK_RM = (
    ("force", "f", "bool", False, "", "Remove any containers using network"),
    ("time", "t", "int", 10, "", "Seconds to wait for running containers to stop before killing the container"),
)

NETWORK_CONNECT = (
    ("alias", "", "stringSlice", (), "", "Network scoped alias for container"),
    ("ip", "", "ip", "", "ip", "Set a static ipv4 address for this container network"),
    ("ip6", "", "ip", "", "ip", "Set a static ipv6 address for this container network"),
    ("mac-address", "", "string", "", "", "Set a static mac address for this container network"),
)

NETWORK_DISCONNECT = (("force", "f", "bool", False, "", "Force removal of container from network"),)

VOLUME_CREATE = (
    ("driver", "d", "string", "local", "", "Specify volume driver name"),
    ("gid", "", "int", 0, "", "Set the GID of the volume owner"),
    ("ignore", "", "bool", False, "", "Don't fail if volume already exists"),
    ("label", "l", "stringArray", (), "", "Set metadata for a volume"),
    ("opt", "o", "stringArray", (), "", "Set driver specific options"),
    ("uid", "", "int", 0, "", "Set the UID of the volume owner"),
)

VOLUME_LS = (
    ("filter", "f", "stringArray", (), "", "Filter volume output"),
    (
        "format",
        "",
        "string",
        "{{range .}}{{.Driver}}\t{{.Name}}\n{{end -}}",
        "",
        "Format volume output using Go template",
    ),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("quiet", "q", "bool", False, "", "Print volume output in quiet mode"),
)

VOLUME_INSPECT = (
    ("all", "a", "bool", False, "", "Inspect all volumes"),
    ("format", "f", "string", "json", "", "Format volume output using Go template"),
)

VOLUME_RM = (
    ("all", "a", "bool", False, "", "Remove all volumes"),
    ("force", "f", "bool", False, "", "Remove a volume by force, even if it is being used by a container"),
    ("time", "t", "int", 10, "", "Seconds to wait for running containers to stop before killing the container"),
)

VOLUME_EXPORT = (
    (
        "output",
        "o",
        "string",
        "",
        "",
        "Write to a specified file (default: stdout, which must be redirected)",
        {"complete": "files"},
    ),
)
