"""A container's networks, ports and names.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

NETWORK = (
    ("add-host", "", "stringSlice", (), "", "Add a custom host-to-IP mapping (host:ip)"),
    ("dns", "", "stringSlice", (), "", "Set custom DNS servers"),
    ("dns-option", "", "stringSlice", (), "", "Set custom DNS options", {"aliases": ("dns-opt",)}),
    ("dns-search", "", "stringSlice", (), "", "Set custom DNS search domains"),
    ("expose", "", "stringSlice", (), "", "Expose a port or a range of ports"),
    ("hostname", "h", "string", "", "", "Set container hostname"),
    (
        "hosts-file",
        "",
        "string",
        "",
        "",
        'Base file to create the /etc/hosts file inside the container, or one of the special values. ("image"|"none")',
        {"choices": ("image", "none")},
    ),
    ("ip", "", "string", "", "", "Specify a static IPv4 address for the container"),
    ("ip6", "", "string", "", "", "Specify a static IPv6 address for the container"),
    (
        "link-local-ip",
        "",
        "string",
        "",
        "",
        "Link-local addresses of the container",
        {
            "refused": (
                "no network of Sonata's or Podman's gives out link-local addresses",
                "use a network with the subnet that you need, and --ip",
            )
        },
    ),
    ("mac-address", "", "string", "", "", "Container MAC address (e.g. 92:d0:c6:0a:29:33)"),
    (
        "network",
        "",
        "stringArray",
        (),
        "",
        "Connect a container to a network",
        {"aliases": ("net",), "complete": "networks"},
    ),
    ("network-alias", "", "stringSlice", (), "", "Add network-scoped alias for the container"),
    (
        "no-hostname",
        "",
        "bool",
        False,
        "",
        "Do not create /etc/hostname within the container, instead use the version from the image",
    ),
    (
        "no-hosts",
        "",
        "bool",
        False,
        "",
        "Do not create /etc/hosts within the container, instead use the version from the image",
    ),
    ("publish", "p", "stringSlice", (), "", "Publish a container's port, or a range of ports, to the host"),
    ("publish-all", "P", "bool", False, "", "Publish all exposed ports to random ports on the host interface"),
)
