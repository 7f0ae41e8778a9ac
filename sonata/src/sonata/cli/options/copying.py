"""Options of `image copy`, `image sync` and `image scp`.

Rows are described in `sonata.cli.pflag`. Names are those of `skopeo copy` and `skopeo sync`; `scp` has Podman's.
"""

from sonata.cli.options.pull import PROGRESS
from sonata.cli.options.signing import PARAMETERS, PRIVATE_KEY, SEQUOIA

_SIGNING = (
    ("sign-by", "", "string", "", "KEY-ID", "Sign the image using a GPG key with the specified FINGERPRINT"),
    PARAMETERS,
    PRIVATE_KEY,
    SEQUOIA,
    ("sign-identity", "", "string", "", "", "Identity of signed image, must be a fully specified docker reference"),
    ("sign-passphrase-file", "", "string", "", "PATH", "Read a passphrase for signing an image from PATH"),
)

_NO_DECRYPTION = (
    "encrypted images (ocicrypt) cannot be read here",
    "decrypt it first, as skopeo copy --decryption-key does, and copy the result",
)
_NO_ENCRYPTION = ("images cannot be encrypted here", "encrypt the copy, as skopeo copy --encryption-key does")


def _side(prefix: str, what: str, *, daemons: bool = False) -> tuple[tuple[object, ...], ...]:
    """The options of one end."""
    files = {"complete": "files"}
    host = (f"{prefix}daemon-host", "", "string", "", "HOST", f"Use the Docker daemon at HOST for the {what}")
    daemon = (host,) if daemons else ()
    return (
        (f"{prefix}authfile", "", "string", "", "", f"Path of the {what} registry's authentication file", files),
        (f"{prefix}cert-dir", "", "string", "", "", f"Folder with TLS certificates and keys for the {what}", files),
        (f"{prefix}creds", "", "string", "", "", f"Credentials (USERNAME:PASSWORD) for the {what} registry"),
        *daemon,
        (f"{prefix}no-creds", "", "bool", False, "", f"Access the {what} registry anonymously"),
        (f"{prefix}password", "", "string", "", "", f"Password for the {what} registry"),
        (f"{prefix}tls-verify", "", "bool", True, "", f"Require HTTPS and verify certificates of the {what} registry"),
        (f"{prefix}username", "", "string", "", "", f"User name for the {what} registry"),
    )


_BOTH = (
    (
        "authfile",
        "",
        "string",
        "",
        "",
        "Path of the authentication file, for both ends. Use REGISTRY_AUTH_FILE environment variable to override",
        {"complete": "files"},
    ),
    (
        "format",
        "f",
        "string",
        "",
        "",
        "Manifest type (oci or v2s2) to use in the destination",
        {"choices": ("oci", "v2s2")},
    ),
    ("preserve-digests", "", "bool", False, "", "Fail if the digests of the source cannot be kept"),
    ("remove-signatures", "", "bool", False, "", "Do not copy signatures of the source"),
    (
        "retry",
        "",
        "uint",
        3,
        "",
        "Number of times to retry in case of failure",
        {"aliases": ("retry-times",)},
    ),
    ("retry-delay", "", "string", "", "", "Delay between retries"),
    *_SIGNING,
    ("policy", "", "string", "", "", "Path of the signature verification policy file", {"complete": "files"}),
    ("tls-verify", "", "bool", True, "", "Require HTTPS and verify certificates of both registries"),
)

COPY = (
    ("additional-tag", "", "stringArray", (), "", "Further names of the image in a docker-archive or a Docker daemon"),
    ("all", "a", "bool", False, "", "Copy all images of an index, and the index"),
    *_BOTH,
    ("decryption-key", "", "stringArray", (), "", "Key needed to decrypt the image", {"refused": _NO_DECRYPTION}),
    ("dest-compress", "", "bool", False, "", "Compress layers that are not compressed"),
    (
        "dest-compress-format",
        "",
        "string",
        "",
        "FORMAT",
        "Compression of the layers in the destination (gzip, zstd, zstd:chunked)",
        {"choices": ("gzip", "zstd", "zstd:chunked"), "aliases": ("compression-format",)},
    ),
    (
        "dest-compress-level",
        "",
        "int",
        0,
        "LEVEL",
        "Compression level to use",
        {"aliases": ("compression-level",)},
    ),
    ("dest-decompress", "", "bool", False, "", "Keep layers uncompressed in the destination"),
    (
        "dest-force-compress-format",
        "",
        "bool",
        False,
        "",
        "Pack layers again that the destination has in another compression",
        {"aliases": ("force-compression",)},
    ),
    (
        "dest-oci-accept-uncompressed-layers",
        "",
        "bool",
        False,
        "",
        "Leave uncompressed layers as they are in OCI destinations too",
    ),
    ("digestfile", "", "string", "", "", "Write the digest of the copied image to the file", {"complete": "files"}),
    ("encrypt-layer", "", "intSlice", (), "", "Layers to encrypt", {"refused": _NO_ENCRYPTION}),
    ("encryption-key", "", "stringArray", (), "", "Key to encrypt the image with", {"refused": _NO_ENCRYPTION}),
    (
        "multi-arch",
        "",
        "string",
        "",
        "",
        "What to copy of an index: system, all, or index-only",
        {"choices": ("system", "all", "index-only")},
    ),
    (
        "platform",
        "",
        "stringArray",
        (),
        "OS/ARCH",
        "Copy the image for this platform; given several times, an index of these",
    ),
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress output information when copying images"),
    *_side("src-", "source", daemons=True),
    *_side("dest-", "destination", daemons=True),
)

SYNC = (
    ("all", "a", "bool", False, "", "Copy all images of an index, and the index"),
    ("append-suffix", "", "string", "", "", "Suffix to put behind every tag in the destination"),
    *_BOTH,
    (
        "dest",
        "d",
        "string",
        "",
        "",
        "Transport of the destination: docker or dir",
        {"choices": ("docker", "dir")},
    ),
    (
        "digestfile",
        "",
        "string",
        "",
        "",
        "Write digests and names of the copied images to the file",
        {"complete": "files"},
    ),
    ("dry-run", "", "bool", False, "", "Only say what would be copied"),
    ("filter", "", "stringArray", (), "", "Copy only tags that match: tag=REGEX, semver=RANGE"),
    ("keep-going", "", "bool", False, "", "Go on with the other images if copying one fails"),
    PROGRESS,
    ("quiet", "q", "bool", False, "", "Suppress output information when copying images"),
    ("scoped", "", "bool", False, "", "Keep the whole name of an image, with its registry, in the destination"),
    (
        "src",
        "s",
        "string",
        "",
        "",
        "Transport of the source: docker, dir or yaml",
        {"choices": ("docker", "dir", "yaml")},
    ),
    *_side("src-", "source"),
    *_side("dest-", "destination"),
)

SCP = (
    (
        "format",
        "",
        "string",
        "",
        "format",
        "Form in which the image travels (docker-archive, oci-archive)",
        {"choices": ("oci-archive", "docker-archive")},
    ),
    ("quiet", "q", "bool", False, "", "Suppress the output"),
)
