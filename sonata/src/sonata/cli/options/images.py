"""Commands on images.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.pull import PULL

PULL_IMAGE = (
    *PULL,
    ("all-tags", "a", "bool", False, "", "All tagged images in the repository will be pulled"),
    ("disable-content-trust", "", "bool", False, "", "This is a Docker specific option and is a NOOP"),
    (
        "policy",
        "",
        "string",
        "always",
        "",
        'Pull image policy ("always"|"missing"|"never"|"newer")',
        {"choices": ("always", "missing", "never", "newer")},
    ),
    ("quiet", "q", "bool", False, "", "Suppress output information when pulling images"),
)

IMAGES = (
    ("all", "a", "bool", False, "", "Show all images"),
    ("digests", "", "bool", False, "", "Show digests"),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions provided"),
    ("format", "", "string", "", "", "Change the output format to JSON or a Go template"),
    ("history", "", "bool", False, "", "Display the image name history"),
    ("no-trunc", "", "bool", False, "", "Do not truncate output"),
    ("noheading", "n", "bool", False, "", "Do not print column headings"),
    ("quiet", "q", "bool", False, "", "Display only image IDs"),
    (
        "sort",
        "",
        "choice",
        "created",
        "",
        "Sort by created, id, repository, size, tag",
        {"choices": ("created", "id", "repository", "size", "tag")},
    ),
)

REMOVE = (
    ("all", "a", "bool", False, "", "Remove all images"),
    ("force", "f", "bool", False, "", "Force Removal of the image"),
    ("ignore", "i", "bool", False, "", "Ignore errors if a specified image does not exist"),
    ("no-prune", "", "bool", False, "", "Do not remove dangling images"),
)

HISTORY = (
    ("format", "", "string", "", "", "Change the output to JSON or a Go template"),
    ("human", "H", "bool", True, "", "Display sizes and dates in human readable format"),
    ("no-trunc", "", "bool", False, "", "Do not truncate the output", {"aliases": ("notruncate",)}),
    ("quiet", "q", "bool", False, "", "Display the numeric IDs only"),
)

INSPECT = (("format", "f", "string", "json", "", "Format the output to a Go template or json"),)

LOAD = (
    ("input", "i", "string", "", "", "Read from specified archive file (default: stdin)", {"complete": "files"}),
    ("quiet", "q", "bool", False, "", "Suppress the output"),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", {"hidden": True, "later": True}),
)

SAVE = (
    (
        "compress",
        "",
        "bool",
        False,
        "",
        "Compress tarball image layers when saving to a directory using the 'dir' transport",
    ),
    (
        "format",
        "",
        "string",
        "docker-archive",
        "",
        (
            "Save image to oci-archive, oci-dir (directory with oci manifest type), docker-archive, "
            "docker-dir (directory with v2s2 manifest type)"
        ),
        {"choices": ("oci-dir", "oci-archive", "docker-dir", "docker-archive")},
    ),
    (
        "multi-image-archive",
        "m",
        "bool",
        False,
        "",
        "Interpret additional arguments as images not tags and create a multi-image-archive (only for docker-archive)",
    ),
    (
        "output",
        "o",
        "string",
        "",
        "",
        "Write to a specified file (default: stdout, which must be redirected)",
        {"complete": "files"},
    ),
    ("quiet", "q", "bool", False, "", "Suppress the output"),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", {"hidden": True, "later": True}),
    ("uncompressed", "", "bool", False, "", "Accept uncompressed layers when copying OCI images"),
)
