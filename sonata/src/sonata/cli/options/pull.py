"""Options that every command which may pull has.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.signing import AUTHFILE

PROGRESS = (
    "progress",
    "",
    "string",
    "auto",
    "",
    "Show progress as bars on a terminal (auto), in lines (plain), or as JSON lines on standard error (json)",
    {"choices": ("auto", "plain", "json")},
)

PULL = (
    (
        "arch",
        "",
        "string",
        "",
        "ARCH",
        "Use ARCH instead of the architecture of the machine for choosing images",
    ),
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
        "creds",
        "",
        "string",
        "",
        "credentials",
        "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry",
    ),
    (
        "decryption-key",
        "",
        "stringArray",
        (),
        "",
        "Key needed to decrypt the image (e.g. /path/to/key.pem)",
        {
            "refused": (
                "encrypted images (ocicrypt) cannot be read here",
                "decrypt it first, as skopeo copy --decryption-key does, and load the copy",
            )
        },
    ),
    (
        "os",
        "",
        "string",
        "",
        "OS",
        "Use OS instead of the running OS for choosing images",
    ),
    (
        "platform",
        "",
        "string",
        "",
        "",
        "Specify the platform for selecting the image.  (Conflicts with --arch and --os)",
    ),
    ("retry", "", "uint", 3, "", "Number of times to retry in case of failure when performing pull"),
    ("retry-delay", "", "string", "", "", "Delay between retries in case of pull failures"),
    ("signature-policy", "", "string", "", "", "Signature verification policy file", {"hidden": True}),
    (
        "tls-verify",
        "",
        "bool",
        True,
        "",
        "Require HTTPS and verify certificates when contacting registries for pulling images",
    ),
    (
        "variant",
        "",
        "string",
        "",
        "VARIANT",
        "Use VARIANT instead of the running architecture variant for choosing images",
    ),
)
