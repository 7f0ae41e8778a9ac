"""Commands on images.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.pull import PROGRESS, PULL
from sonata.cli.options.signing import AUTHFILE, PARAMETERS, PRIVATE_KEY, SEQUOIA
from sonata.model.audit_checks import KINDS, LEVELS

_NO_ENCRYPTION = (
    "images cannot be encrypted here (ocicrypt)",
    "encrypt the pushed image, as skopeo copy --encryption-key does",
)

_OWN_STORE = {
    "hidden": True,
    "refused": (
        "a policy judges where images come from, and the engine's own store is always accepted",
        "leave it out; `image copy --policy` takes one",
    ),
}

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
    PROGRESS,
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

_OF_REGISTRIES = ("authfile", "cert-dir", "creds", "platform", "retry", "retry-delay", "signature-policy", "tls-verify")

AUDIT = (
    *(row for row in PULL if row[0] in _OF_REGISTRIES),
    (
        "check",
        "",
        "stringSlice",
        (),
        "",
        "Look for these checks or kinds of checks only",
        {"choices": ("any", *KINDS)},
    ),
    (
        "fail-on",
        "",
        "stringSlice",
        (),
        "",
        "Exit with 1 if something of this severity or a worse one, of these checks or kinds is found",
        {"choices": ("any", *LEVELS, *KINDS)},
    ),
    ("format", "", "string", "", "", "Change the output to JSON, SARIF or a Go template for each finding"),
    (
        "ignore-file",
        "",
        "stringArray",
        (),
        "",
        "File of findings that are known and accepted, a line each: CHECK [PATH] [until=YYYY-MM-DD] [# why]",
        {"complete": "files"},
    ),
    (
        "severity",
        "",
        "choice",
        LEVELS[0],
        "",
        "List findings of this severity and worse ones",
        {"choices": LEVELS},
    ),
    (
        "skip",
        "",
        "stringSlice",
        (),
        "",
        "Leave out these checks or kinds of checks",
        {"choices": KINDS},
    ),
)

MOUNT = (
    ("all", "a", "bool", False, "", "Mount all images"),
    ("format", "", "string", "", "", "Print the mounted images in specified format (json)"),
)

UNMOUNT = (
    ("all", "a", "bool", False, "", "Unmount all of the currently mounted images"),
    ("force", "f", "bool", False, "", "Force the complete unmounting of the specified mounted images"),
)

TREE = (("whatrequires", "", "bool", False, "", "Show all child images and layers of the specified image"),)

INSPECT = (("format", "f", "string", "json", "", "Format the output to a Go template or json"),)

LOAD = (
    ("input", "i", "string", "", "", "Read from specified archive file (default: stdin)", {"complete": "files"}),
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress the output"),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", {"hidden": True}),
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
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress the output"),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", _OWN_STORE),
    ("uncompressed", "", "bool", False, "", "Accept uncompressed layers when copying OCI images"),
)

PUSH = (
    AUTHFILE,
    (
        "cert-dir",
        "",
        "string",
        "",
        "",
        "Path to a directory containing TLS certificates and keys",
        {"complete": "files"},
    ),
    (
        "compress",
        "",
        "bool",
        False,
        "",
        "Compress tarball image layers when pushing to a directory using the 'dir' transport",
    ),
    (
        "compression-format",
        "",
        "string",
        "gzip",
        "",
        "Compression format to use",
        {"choices": ("gzip", "zstd", "zstd:chunked")},
    ),
    ("compression-level", "", "int", 0, "", "Compression level to use"),
    (
        "creds",
        "",
        "string",
        "",
        "Credentials",
        "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry",
    ),
    ("digestfile", "", "string", "", "", "Write the digest of the pushed image to the specified file"),
    ("disable-content-trust", "", "bool", False, "", "This is a Docker specific option and is a NOOP"),
    (
        "encrypt-layer",
        "",
        "intSlice",
        (),
        "",
        (
            "Layers to encrypt, 0-indexed layer indices with support for negative indexing (e.g. 0 is the "
            "first layer, -1 is the last layer). If not defined, will encrypt all layers if "
            "encryption-key flag is specified"
        ),
        {"refused": _NO_ENCRYPTION},
    ),
    (
        "encryption-key",
        "",
        "stringArray",
        (),
        "",
        "Key with the encryption protocol to use to encrypt the image (e.g. jwe:/path/to/key.pem)",
        {"refused": _NO_ENCRYPTION},
    ),
    (
        "force-compression",
        "",
        "bool",
        False,
        "",
        (
            "Use the specified compression algorithm even if the destination contains a "
            "differently-compressed variant already"
        ),
    ),
    (
        "format",
        "f",
        "string",
        "",
        "",
        "Manifest type (oci, v2s2, or v2s1) to use in the destination",
        {"choices": ("oci", "v2s2")},
    ),
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress output information when pushing images"),
    ("remove-signatures", "", "bool", False, "", "Discard any pre-existing signatures in the image"),
    ("retry", "", "uint", 3, "", "Number of times to retry in case of failure when performing push"),
    ("retry-delay", "", "string", "", "", "Delay between retries in case of push failures"),
    ("sign-by", "", "string", "", "", "Add a signature at the destination using the specified key"),
    PARAMETERS,
    PRIVATE_KEY,
    SEQUOIA,
    (
        "sign-passphrase-file",
        "",
        "string",
        "",
        "PATH",
        "Read a passphrase for signing an image from PATH",
    ),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", _OWN_STORE),
    ("tls-verify", "", "bool", True, "", "Require HTTPS and verify certificates when contacting registries"),
)
