"""Commands on trust in images, and on signatures.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.signing import AUTHFILE

_OLD = {"complete": "files", "aliases": ("policypath",)}
_POLICY = ("signature-policy", "", "string", "", "", "Signature verification policy file", _OLD)

SHOW = (
    ("json", "j", "bool", False, "", "Output as json"),
    ("noheading", "n", "bool", False, "", "Do not print column headings"),
    ("raw", "", "bool", False, "", "Output raw policy file"),
    ("registrypath", "", "string", "", "", "Folder of registries.d files", {"hidden": True}),
    _POLICY,
)

SET = (
    (
        "pubkeysfile",
        "f",
        "stringArray",
        (),
        "",
        "Path of installed public key(s) to trust for TARGET. Absolute path to keys is added to policy.json. May "
        "used multiple times to define multiple public keys. File(s) must exist before using this command",
        {"complete": "files"},
    ),
    _POLICY,
    (
        "type",
        "t",
        "string",
        "signedBy",
        "",
        "Trust type, accept values: signedBy(default), accept, reject",
        {"choices": ("signedBy", "accept", "reject")},
    ),
)

SIGN = (
    ("all", "a", "bool", False, "", "Sign all the manifests of the multi-architecture image"),
    AUTHFILE,
    (
        "cert-dir",
        "",
        "string",
        "",
        "Pathname",
        "Pathname of a directory containing TLS certificates and keys",
        {"complete": "files"},
    ),
    (
        "directory",
        "d",
        "string",
        "",
        "",
        "Define an alternate directory to store signatures",
        {"complete": "files"},
    ),
    ("sign-by", "", "string", "", "", "Name of the signing key"),
)
