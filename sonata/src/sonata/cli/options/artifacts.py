"""Commands on artifacts.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.images import PUSH as PUSH_IMAGE
from sonata.cli.options.pull import PROGRESS
from sonata.cli.options.pull import PULL as PULL_IMAGE

_PULL = {row[0]: row for row in PULL_IMAGE}
_PUSH = {row[0]: row for row in PUSH_IMAGE}

ADD = (
    ("annotation", "", "stringArray", (), "annotation", "set an annotation for the specified files of artifact"),
    ("append", "a", "bool", False, "", "Append files to an existing artifact"),
    ("file-type", "", "string", "", "", "Set file type to use for the artifact (layer)"),
    ("replace", "", "bool", False, "", "Replace an existing artifact"),
    ("type", "", "string", "", "", "Use type to describe an artifact"),
)

EXTRACT = (
    ("digest", "", "string", "", "", "Only extract blob with the given digest"),
    ("title", "", "string", "", "", "Only extract blob with the given title"),
)

INSPECT = (("format", "f", "string", "json", "", "Format volume output using JSON or a Go template"),)

LS = (
    (
        "format",
        "",
        "string",
        "{{range .}}{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.Created}}\t{{.Size}}\n{{end -}}",
        "",
        "Format volume output using JSON or a Go template",
    ),
    ("no-trunc", "", "bool", False, "", "Do not truncate output"),
    ("noheading", "n", "bool", False, "", "Do not print column headings"),
)

RM = (
    ("all", "a", "bool", False, "", "Remove all artifacts"),
    ("ignore", "i", "bool", False, "", "Ignore error if artifact does not exist"),
)

PULL = (
    *(_PULL[name] for name in ("authfile", "cert-dir", "creds", "decryption-key")),
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress output information when pulling images"),
    *(_PULL[name] for name in ("retry", "retry-delay")),
    (*_PULL["tls-verify"][:5], "Require HTTPS and verify certificates when contacting registries"),
)

PUSH = (
    *(
        _PUSH[name]
        for name in ("authfile", "cert-dir", "creds", "digestfile", "progress", "quiet", "retry", "retry-delay")
    ),
    *(_PUSH[name] for name in _PUSH if name.startswith("sign-")),
    *(_PUSH[name] for name in ("signature-policy", "tls-verify")),
)

REFERRERS = (
    ("artifact-type", "", "string", "", "", "List referrers of that artifact type only"),
    *(_PULL[name] for name in ("authfile", "cert-dir", "creds")),
    ("format", "", "string", "", "", "Change the output format to JSON or a Go template"),
    ("no-trunc", "", "bool", False, "", "Do not truncate output"),
    ("noheading", "n", "bool", False, "", "Do not print column headings"),
    *(_PULL[name] for name in ("retry", "retry-delay")),
    (*_PULL["tls-verify"][:5], "Require HTTPS and verify certificates when contacting registries"),
)
