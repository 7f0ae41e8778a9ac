"""`generate`.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

SPEC = (
    ("compact", "c", "bool", False, "", "Print the json in a compact format for consumption"),
    ("filename", "f", "string", "", "", "Write output to the specified path", {"complete": "files"}),
    ("name", "n", "bool", True, "", "Specify a new name for the generated spec"),
)

KUBE = (
    ("filename", "f", "string", "", "", "Write output to the specified path"),
    ("no-trunc", "", "bool", False, "", "Do not truncate annotations", {"hidden": True, "aliases": ("notruncate",)}),
    ("podman-only", "", "bool", False, "", "Add Podman's own annotations"),
    ("replicas", "r", "int32", 1, "", "Number of replicas of a deployment"),
    ("service", "s", "bool", False, "", "Generate a service object too"),
    ("type", "t", "string", "pod", "", "Kind of the generated object"),
)

SYSTEMD = (
    ("after", "", "stringArray", (), "", "Add dependencies order to the generated unit file"),
    ("container-prefix", "", "string", "container", "", "Systemd unit name prefix for containers"),
    ("env", "e", "stringArray", (), "", "Set environment variables in the units"),
    ("files", "f", "bool", False, "", "Generate .service files instead of printing to stdout"),
    ("format", "", "string", "", "", "Print the created units in the specified format (json)"),
    ("name", "n", "bool", False, "", "Use container/pod names instead of IDs"),
    ("new", "", "bool", False, "", "Create a new container or pod instead of starting an existing one"),
    ("no-header", "", "bool", False, "", "Skip header generation"),
    ("pod-prefix", "", "string", "pod", "", "Systemd unit name prefix for pods"),
    ("requires", "", "stringArray", (), "", "Similar to wants, but declares stronger requirement dependencies"),
    (
        "restart-policy",
        "",
        "string",
        "on-failure",
        "",
        "Systemd restart-policy",
        {"choices": ("no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always")},
    ),
    ("restart-sec", "", "uint", 0, "", "Time before restarting a service"),
    ("separator", "", "string", "-", "", "Separator between the name and the prefix"),
    ("start-timeout", "", "uint", 0, "", "Start timeout override"),
    ("stop-timeout", "", "uint", 10, "", "Stop timeout override"),
    ("template", "", "bool", False, "", "Make it a template file and use %i and %I specifiers"),
    ("time", "t", "uint", 10, "", "Stop timeout override", {"hidden": True, "aliases": ("timeout",)}),
    ("wants", "", "stringArray", (), "", "Add (weak) requirement dependencies to the generated unit file"),
)
