"""Commands on lists of images.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.pull import PULL
from sonata.cli.options.signing import PARAMETERS, PRIVATE_KEY, SEQUOIA

_TRANSFER = {row[0]: row for row in PULL}
_ALL = ("all", "", "bool", False, "", "Add all of the list's images if the image is a list")
_INSECURE = (
    "insecure",
    "",
    "bool",
    False,
    "",
    "Neither require HTTPS nor verify certificates when accessing the registry",
    {"hidden": True},
)
_ANNOTATION = ("annotation", "", "stringArray", (), "annotation", "Set an annotation for the specified image")
_INSTANCE = (
    ("arch", "", "string", "", "architecture", "Override the architecture of the specified image"),
    ("features", "", "stringSlice", (), "features", "Override the features of the specified image"),
    ("os", "", "string", "", "OS", "Override the OS of the specified image"),
    ("os-version", "", "string", "", "version", "Override the OS version of the specified image"),
    ("variant", "", "string", "", "Variant", "Override the Variant of the specified image"),
)
_AUTHFILE, _CERTS, _CREDS, _TLS = (_TRANSFER[name] for name in ("authfile", "cert-dir", "creds", "tls-verify"))

CREATE = (
    _ALL,
    ("amend", "a", "bool", False, "", "Modify an existing list if one with the desired name already exists"),
    ("annotation", "", "stringArray", (), "", "Set annotations on the new list"),
    _INSECURE,
    _TLS,
)

ADD = (
    _ALL,
    _ANNOTATION,
    *_INSTANCE,
    ("artifact", "", "bool", False, "", "Add all arguments as artifact files rather than as images"),
    ("artifact-config", "", "string", "", "", "Artifact configuration file", {"complete": "files"}),
    ("artifact-config-type", "", "string", "", "", "Artifact configuration media type"),
    (
        "artifact-exclude-titles",
        "",
        "bool",
        False,
        "",
        'Refrain from setting "org.opencontainers.image.title" annotations on "layers"',
    ),
    ("artifact-layer-type", "", "string", "", "", "Artifact layer media type"),
    ("artifact-subject", "", "string", "", "", "Artifact subject reference"),
    ("artifact-type", "", "string", "", "", "Override the artifactType value"),
    _AUTHFILE,
    _CERTS,
    _CREDS,
    _INSECURE,
    _TLS,
)

ANNOTATE = (
    ("annotation", "", "stringArray", (), "annotation", "Set an annotation for the specified image or artifact"),
    *_INSTANCE,
    ("index", "", "bool", False, "", "Apply --annotation values to the image index itself"),
    ("os-features", "", "stringSlice", (), "features", "Override the OS features of the specified image or artifact"),
    ("subject", "", "string", "", "subject", "Set the subject to which the image index refers"),
)

INSPECT = (
    _AUTHFILE,
    _INSECURE,
    _TLS,
    ("verbose", "v", "bool", False, "", "Added for Docker compatibility", {"hidden": True}),
)

RM = (("ignore", "i", "bool", False, "", "Ignore errors when a specified manifest is missing"),)

_PACKINGS = ("gzip", "zstd", "zstd:chunked")

PUSH = (
    (
        "add-compression",
        "",
        "stringSlice",
        (),
        "strings",
        "Add instances with selected compression while pushing",
        {"choices": _PACKINGS},
    ),
    ("all", "", "bool", True, "", "Also push the images in the list"),
    _AUTHFILE,
    _CERTS,
    ("compression-format", "", "string", "", "", "Compression format to use", {"choices": _PACKINGS}),
    ("compression-level", "", "int", 0, "", "Compression level to use"),
    _CREDS,
    (
        "digestfile",
        "",
        "string",
        "",
        "",
        "After copying the image, write the digest of the resulting digest to the file",
        {"complete": "files"},
    ),
    (
        "force-compression",
        "",
        "bool",
        False,
        "",
        "Use the specified compression algorithm even if the destination contains a differently-compressed variant "
        "already",
    ),
    (
        "format",
        "f",
        "string",
        "",
        "",
        "Manifest type (oci or v2s2) to attempt to use when pushing the manifest list "
        "(default is manifest type of source)",
        {"choices": ("oci", "v2s2")},
    ),
    _INSECURE,
    ("purge", "p", "bool", False, "", "Remove the local manifest list after push", {"hidden": True}),
    ("quiet", "q", "bool", False, "", "Don't output progress information when pushing lists"),
    ("remove-signatures", "", "bool", False, "", "Don't copy signatures when pushing images"),
    ("rm", "", "bool", False, "", "Remove the manifest list if push succeeds"),
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
        {"complete": "files"},
    ),
    _TLS,
)
