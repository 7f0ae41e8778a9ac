"""Commands on what containers hold.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

IMAGE_DIFF = (("format", "", "string", "", "", "Change the output format (json)"),)

DIFF = (
    *IMAGE_DIFF,
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)

EXPORT = (
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

_CHANGE = (
    "change",
    "c",
    "stringArray",
    (),
    "",
    "Apply the following possible instructions to the created image (default []): CMD | ENTRYPOINT | ENV | EXPOSE | "
    "LABEL | ONBUILD | STOPSIGNAL | USER | VOLUME | WORKDIR",
    {
        "choices": (
            *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL"),
            *("ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
        )
    },
)

COMMIT = (
    ("author", "a", "string", "", "", "Set the author for the image committed"),
    _CHANGE,
    (
        "config",
        "",
        "string",
        "",
        "",
        "File with a container configuration in JSON to merge into the image",
        {"complete": "files"},
    ),
    ("format", "f", "string", "oci", "", "Format of the image manifest and metadata", {"choices": ("oci", "docker")}),
    ("iidfile", "", "string", "", "", "File to write the image ID to", {"complete": "files"}),
    ("include-volumes", "", "bool", False, "", "Include container volumes as image volumes"),
    ("message", "m", "string", "", "", "Set commit message for imported image"),
    ("pause", "p", "bool", False, "", "Pause container during commit"),
    ("quiet", "q", "bool", False, "", "Suppress output"),
    (
        "source-date-epoch",
        "",
        "uint",
        0,
        "SECONDS",
        "Time of the image, in seconds since 1970: the same content gives the same image (default: SOURCE_DATE_EPOCH)",
    ),
    ("squash", "s", "bool", False, "", "Squash newly built layers into a single new layer"),
)

IMPORT = (
    ("arch", "", "string", "", "", "Set the architecture of the imported image"),
    _CHANGE,
    ("message", "m", "string", "", "", "Set commit message for imported image"),
    ("os", "", "string", "", "", "Set the OS of the imported image"),
    ("quiet", "q", "bool", False, "", "Suppress output"),
    ("signature-policy", "", "string", "", "", "Path to a signature-policy file", {"hidden": True}),
    (
        "source-date-epoch",
        "",
        "uint",
        0,
        "SECONDS",
        "Time of the image, in seconds since 1970: the same content gives the same image (default: SOURCE_DATE_EPOCH)",
    ),
    ("variant", "", "string", "", "", "Set the variant of the imported image"),
)

CP = (
    ("archive", "a", "bool", True, "", "Chown copied files to the primary uid/gid of the destination container."),
    ("extract", "", "bool", False, "", "Deprecated: this option does nothing", {"hidden": True}),
    ("overwrite", "", "bool", False, "", "Allow to overwrite directories with non-directories and vice versa"),
    ("pause", "", "bool", True, "", "Deprecated: this option does nothing", {"hidden": True}),
)

MOUNT = (
    ("all", "a", "bool", False, "", "Mount all containers"),
    ("format", "", "string", "", "", "Print the mounted containers in specified format (json)"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("no-trunc", "", "bool", False, "", "Do not truncate output", {"aliases": ("notruncate",)}),
)

UNMOUNT = (
    ("all", "a", "bool", False, "", "Unmount all of the currently mounted containers"),
    ("force", "f", "bool", False, "", "Take all uses of the mount back, not one"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)
