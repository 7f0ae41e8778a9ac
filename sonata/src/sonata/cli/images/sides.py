"""What `image copy` and `image sync` are told of their two ends."""

from __future__ import annotations

from sonata.cli.images.signing import signing_of
from sonata.model.copy_request import CopyChoices
from sonata.model.image_request import PullOptions
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.media import DOCKER_MANIFEST, OCI_MANIFEST

if TYPE_CHECKING:
    from sonata.cli.pflag import Parsed

MANIFESTS = {"": "", "oci": OCI_MANIFEST, "v2s2": DOCKER_MANIFEST, "docker": DOCKER_MANIFEST}


def manifest_type(text: str) -> str:
    """The type of manifest that a word stands for. Raises UsageError."""
    if text == "v2s1":
        raise UsageError(
            "the format v2s1 is not written here: schema 1 has been dropped by registries and by the specification",
            hint="v2s2 is what Docker reads since 1.10",
        )
    if text not in MANIFESTS:
        raise UsageError(f"unknown format \"{text}\". Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'")
    return MANIFESTS[text]


def choices_of(parsed: Parsed) -> CopyChoices:
    """The choices that a command line makes; what the command has no option for stays as it is by default."""
    platforms = tuple(parsed.get("platform") or ())
    multi = parsed.get("multi-arch") or ""
    if parsed.get("all"):
        if multi:
            raise UsageError("Cannot use --all and --multi-arch flags together")
        multi = "all"
    if multi not in ("", "system", "all", "index-only"):
        raise UsageError(
            f'unknown multi-arch option "{multi}". Choose one of the supported options: '
            "'system', 'all', or 'index-only'"
        )
    if platforms and multi not in ("", "system"):
        raise UsageError("--platform and --all cannot be used together", hint="--platform may be given several times")
    if parsed.get("dest-compress") and parsed.get("dest-decompress"):
        raise UsageError("--dest-compress and --dest-decompress cannot be used together")
    level = parsed.get("dest-compress-level") if parsed.changed("dest-compress-level") else None
    return CopyChoices(
        source=side(parsed, "src-"),
        destination=side(parsed, "dest-"),
        platforms=platforms,
        multi=multi,
        manifest_type=manifest_type(parsed.get("format") or ""),
        compression=compression(parsed.get("dest-compress-format") or ""),
        level=level,
        compress=bool(parsed.get("dest-compress")),
        decompress=bool(parsed.get("dest-decompress")),
        accept_uncompressed=bool(parsed.get("dest-oci-accept-uncompressed-layers")),
        force=bool(parsed.get("dest-force-compress-format")),
        preserve_digests=bool(parsed.get("preserve-digests")),
        remove_signatures=bool(parsed.get("remove-signatures")),
        signing=signing_of(parsed),
        additional_tags=tuple(parsed.get("additional-tag") or ()),
    )


def compression(text: str) -> str:
    """A compression by its name. Raises UsageError."""
    known = ("", "gzip", "zstd", "zstd:chunked")
    if text.lower() not in known:
        raise UsageError(f'cannot find compressor for "{text}"', hint="gzip, zstd and zstd:chunked are known")
    return text.lower()


def side(parsed: Parsed, prefix: str) -> PullOptions:
    """How to talk to one end."""
    creds = parsed.get(f"{prefix}creds") or ""
    user, password = parsed.get(f"{prefix}username") or "", parsed.get(f"{prefix}password") or ""
    if creds and (user or password or parsed.get(f"{prefix}no-creds")):
        raise UsageError(
            f"creds and username/password or no-creds cannot be specified at the same time: --{prefix}creds"
        )
    if bool(user) != bool(password):
        raise UsageError(f"--{prefix}username and --{prefix}password belong together")
    given: dict[str, object] = {}
    if parsed.changed(f"{prefix}tls-verify"):
        given["tls_verify"] = parsed[f"{prefix}tls-verify"]
    elif parsed.changed("tls-verify"):
        given["tls_verify"] = parsed["tls-verify"]
    if parsed.changed("retry"):
        given["retry"] = parsed["retry"]
    return PullOptions(
        authfile=parsed.get(f"{prefix}authfile") or parsed.get("authfile") or "",
        cert_dir=parsed.get(f"{prefix}cert-dir") or "",
        creds=creds or (f"{user}:{password}" if user else ""),
        anonymous=bool(parsed.get(f"{prefix}no-creds")),
        daemon_host=parsed.get(f"{prefix}daemon-host") or "",
        retry_delay=parsed.get("retry-delay") or "",
        signature_policy=parsed.get("policy") or "",
    ).replace(**given)
