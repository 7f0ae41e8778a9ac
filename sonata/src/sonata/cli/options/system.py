"""Commands on the engine and its host.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

INSPECT = (
    (
        "effective",
        "",
        "bool",
        False,
        "",
        "Show what the kernel enforces on containers beside what was asked, and where the two differ",
    ),
    ("format", "f", "string", "json", "", "Format the output to a Go template or json"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("size", "s", "bool", False, "", "Display total file size"),
    (
        "type",
        "t",
        "string",
        "all",
        "",
        "Specify inspect-object type",
        {"choices": ("all", "artifact", "container", "image", "network", "pod", "volume")},
    ),
)

INFO = (
    ("debug", "D", "bool", False, "", "Display additional debug information", {"hidden": True}),
    ("format", "f", "string", "", "", "Change the output format to JSON or a Go template"),
)

VERSION = (("format", "f", "string", "", "", "Change the output format to JSON or a Go template"),)

COMPLETION = (
    ("file", "f", "string", "", "", "Output the completion to file rather than stdout"),
    ("no-desc", "", "bool", False, "", "Don't include descriptions in the completion output"),
)

SYSTEM_CHECK = (
    ("force", "f", "bool", False, "", "Remove inconsistent images and containers"),
    ("max", "m", "duration", 0, "", "Maximum allowed age of unreferenced layers"),
    ("quick", "q", "bool", False, "", "Skip time-consuming checks. The default is to include time-consuming checks"),
    ("repair", "r", "bool", False, "", "Remove inconsistent images"),
)

SYSTEM_DF = (
    ("format", "", "string", "", "", "Pretty-print images using a Go template"),
    ("verbose", "v", "bool", False, "", "Show detailed information on disk usage"),
)

SYSTEM_PRUNE = (
    ("all", "a", "bool", False, "", "Remove all unused data"),
    ("build", "", "bool", False, "", "Remove build containers"),
    ("external", "", "bool", False, "", "Remove container data in storage not controlled by Sonata"),
    ("filter", "", "stringArray", (), "", "Provide filter values (e.g. 'label=<key>=<value>')"),
    ("force", "f", "bool", False, "", "Do not prompt for confirmation"),
    ("volumes", "", "bool", False, "", "Prune volumes"),
)

SYSTEM_MIGRATE = (
    ("migrate-db", "", "bool", False, "", "Say whether the database must become another kind: it never must"),
    ("new-runtime", "", "string", "", "", "Specify a new runtime for all containers"),
)

UNSHARE = (
    (
        "rootless-netns",
        "",
        "bool",
        False,
        "",
        "Join the rootless network namespace used for bridge networks",
    ),
)

SYSTEM_RESET = (("force", "f", "bool", False, "", "Do not prompt for confirmation"),)

EVENTS = (
    ("filter", "f", "stringArray", (), "", "Filter output"),
    ("format", "", "string", "", "", "Format the output using a Go template"),
    ("no-trunc", "", "bool", True, "", "Do not truncate the output"),
    ("since", "", "string", "", "", "Show all events created since timestamp"),
    (
        "stream",
        "",
        "bool",
        True,
        "",
        "Stream events and do not exit when returning the last known event",
    ),
    ("until", "", "string", "", "", "Show all events until timestamp"),
)

STATE = (("json", "", "bool", True, "", "Output as JSON (there is no other form)"),)

DOCTOR = (
    ("format", "f", "string", "", "", "Output as a Go template, or as JSON with `json`", {"choices": ("json",)}),
    ("quiet", "q", "bool", False, "", "Print nothing where all is well"),
)
