"""Commands on lists of images.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.pull import PULL

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
    ("artifact", "", "bool", False, "", "Add all arguments as artifact files rather than as images", {"later": True}),
    ("artifact-config", "", "string", "", "", "Artifact configuration file", {"later": True}),
    ("artifact-config-type", "", "string", "", "", "Artifact configuration media type", {"later": True}),
    (
        "artifact-exclude-titles",
        "",
        "bool",
        False,
        "",
        'Refrain from setting "org.opencontainers.image.title" annotations on "layers"',
        {"later": True},
    ),
    ("artifact-layer-type", "", "string", "", "", "Artifact layer media type", {"later": True}),
    ("artifact-subject", "", "string", "", "", "Artifact subject reference", {"later": True}),
    ("artifact-type", "", "string", "", "", "Override the artifactType value", {"later": True}),
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
