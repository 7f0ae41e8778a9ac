"""What passes between the engine and an image transport's plugin."""

from sonata_core.lite import TYPE_CHECKING, Mapping, Protocol
from sonata_core.models.ids import Digest
from sonata_core.record import Record

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self


class Platform(Record):
    """A platform in Go's words: `linux`, `amd64`, `v8`."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()


class Descriptor(Record):
    """A piece of content: its digest, its size in bytes and what it is (image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""


class ImageReference(Record):
    """A parsed reference: `str(transport) + ":" + rest` is what the user may type again.

    `name` is the normalised name of the image as a Docker reference (`docker.io/library/x:1`),
    empty where the transport gives none; `path` the file or folder of a local transport;
    `selector` what picks one image of several (`:name`, `@2`).
    """

    transport: str
    rest: str
    name: str = ""
    path: str = ""
    selector: str = ""


class Credentials(Record):
    """A user and a password, or an identity token. Shown by `repr` without its secrets."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, ***)"


class Endpoint(Record):
    """Where to ask for an image: `reference` is the name rewritten for this place.

    `lookaside` and `lookaside_staging` are URLs below which the repository's signatures are read and written, without
    the digest that follows them; `attachments` says whether sigstore signatures lie in the repository itself.
    """

    reference: str
    insecure: bool = False
    credentials: Credentials | None = None
    cert_dirs: tuple[str, ...] = ()
    lookaside: str = ""
    lookaside_staging: str = ""
    attachments: bool = False


class TransportOptions(Record):
    """How to go about it. `endpoints` are tried in order (mirrors, then the registry itself)."""

    endpoints: tuple[Endpoint, ...] = ()
    tls_verify: bool | None = None
    """None: as the endpoint says."""
    retries: int = 3
    retry_delay: float = 1.0
    user_agent: str = "sonata"
    proxies: Mapping[str, str] = {}
    compression: str = ""
    """For sinks that compress: gzip, zstd, or empty for as the source has it."""
    source_date_epoch: int | None = None


class FoundImage(Record):
    """What a registry's search knows of a repository: its path there, as `library/box`."""

    name: str
    description: str = ""
    stars: int = 0
    official: bool = False
    automated: bool = False


class ManifestBytes(Record):
    """A manifest or index exactly as it was stored."""

    media_type: str
    digest: Digest
    content: bytes


class TransportFacts(Record):
    """A transport. `keeps_digests`: blobs and manifests come out as they went in."""

    schemes: tuple[str, ...]
    keeps_digests: bool = True
    multi_image: bool = False
    writes: bool = False
    manifest_types: tuple[str, ...] = ()
    """Media types of manifests that a sink takes; empty for any."""
    layer_compression: str = "keep"
    """`keep`, or `none` where a sink wants layers uncompressed."""
    sequential: bool = False
    """Since transport/1.2: blobs lie one behind the other in the order in which they are put (T-19)."""


class ImageSource(Protocol):
    """An image opened for reading. Nothing that it yields is trusted: the engine verifies all."""

    def resolve(self) -> ManifestBytes:
        """The manifest or index that the reference names. Raises NotFound."""

    def manifest(self, digest: Digest) -> ManifestBytes:
        """A manifest by digest. Raises NotFound."""

    def open_blob(self, blob: Descriptor, offset: int) -> "BinaryIO":
        """A stream of the blob from `offset` bytes on. Raises NotFound, RegistryFailure."""

    def signatures(self, digest: Digest) -> tuple[bytes, ...]:
        """Stored signatures of a manifest, in their stored form; empty where there are none."""

    def __enter__(self) -> "Self": ...

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None: ...


class RangedSource(Protocol):
    """Since transport/1.2: a source that can send a part of a blob alone (T-21). It is known by this method."""

    def open_range(self, blob: Descriptor, offset: int, size: int) -> "BinaryIO | None":
        """A stream of `size` bytes of the blob from `offset` on; None where the other end would send the whole.

        Raises NotFound, RegistryFailure.
        """


class ImageSink(Protocol):
    """An image opened for writing. Nothing is visible under its name before `commit`."""

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the place has this blob already, whole."""

    def put_blob(self, blob: Descriptor, stream: "BinaryIO") -> None:
        """Store a blob; storing one that is there is success. Raises Damaged if it does not verify."""

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """Store a manifest by its digest."""

    def commit(self, manifest: ManifestBytes) -> None:
        """Make `manifest` what the reference names. Idempotent."""

    def __enter__(self) -> "Self": ...

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None: ...


class ImageBatch(Protocol):
    """A place opened for several images. Nothing is visible before `commit`."""

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the place has this blob already, whole."""

    def put_blob(self, blob: Descriptor, stream: "BinaryIO") -> None:
        """As a sink's."""

    def put_manifest(self, manifest: ManifestBytes) -> None:
        """As a sink's."""

    def add(self, manifest: ManifestBytes, names: tuple[str, ...]) -> None:
        """One image, whose blobs were put, under all these names."""

    def commit(self) -> None:
        """Make all that was added visible."""

    def __enter__(self) -> "Self": ...

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None: ...
