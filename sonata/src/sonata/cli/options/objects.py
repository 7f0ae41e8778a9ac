"""Commands on volumes.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

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
