"""Rows that every command has alike which signs, or asks a registry.

Rows are described in `sonata.cli.pflag`.
"""

PARAMETERS = (
    "sign-by-sigstore",
    "",
    "string",
    "",
    "PATH",
    "Sign the image using a sigstore parameter file at PATH",
    {"complete": "files"},
)
PRIVATE_KEY = (
    "sign-by-sigstore-private-key",
    "",
    "string",
    "",
    "PATH",
    "Sign the image using a sigstore private key at PATH",
    {"complete": "files"},
)
SEQUOIA = (
    "sign-by-sq-fingerprint",
    "",
    "string",
    "",
    "FINGERPRINT",
    "Sign the image using a Sequoia-PGP key with the specified FINGERPRINT",
    {"refused": ("keys of Sequoia-PGP are not read here", "sign with a key of GnuPG: --sign-by")},
)
AUTHFILE = (
    "authfile",
    "",
    "string",
    "",
    "",
    "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override",
    {"complete": "files"},
)
