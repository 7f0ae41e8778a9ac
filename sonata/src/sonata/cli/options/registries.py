"""`login`, `logout` and `search`.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.pull import PULL

_TRANSFER = {row[0]: row for row in PULL}
_COMPAT = (
    "compat-auth-file",
    "",
    "string",
    "",
    "",
    "Path of a Docker-compatible config file to update instead",
    {"complete": "files"},
)

LOGIN = (
    _TRANSFER["authfile"],
    _TRANSFER["cert-dir"],
    _COMPAT,
    ("get-login", "", "bool", False, "", "Return the current login user for the registry"),
    ("password", "p", "string", "", "", "Password for registry"),
    ("password-stdin", "", "bool", False, "", "Take the password from stdin"),
    ("secret", "", "string", "", "", "Retrieve password from a secret", {"complete": "secrets"}),
    _TRANSFER["tls-verify"],
    ("username", "u", "string", "", "", "Username for registry"),
    ("verbose", "v", "bool", False, "", "Write more detailed information to stdout"),
)

LOGOUT = (
    ("all", "a", "bool", False, "", "Remove the cached credentials for all registries in the auth file"),
    _TRANSFER["authfile"],
    _COMPAT,
)

SEARCH = (
    _TRANSFER["authfile"],
    _TRANSFER["cert-dir"],
    ("compatible", "", "bool", False, "", "List stars, official and automated columns (Docker compatibility)"),
    _TRANSFER["creds"],
    (
        "filter",
        "f",
        "stringArray",
        (),
        "",
        "Filter output based on conditions provided",
        {"choices": ("is-automated", "is-official", "stars")},
    ),
    ("format", "", "string", "", "", "Change the output format to JSON or a Go template"),
    ("limit", "", "int", 0, "", "Limit the number of results"),
    ("list-tags", "", "bool", False, "", "List the tags of the input registry"),
    ("no-trunc", "", "bool", False, "", "Do not truncate the output"),
    _TRANSFER["tls-verify"],
)
