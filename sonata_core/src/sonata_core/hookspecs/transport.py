"""The hooks of an image transport. Clauses: docs/contract/transport.md."""

from sonata_core.hookspecs.plugin import PluginHooks
from sonata_core.lite import TYPE_CHECKING, Protocol
from sonata_core.markers import hookspec

if TYPE_CHECKING:
    from sonata_core.models.ids import Digest
    from sonata_core.models.image import (
        Descriptor,
        Endpoint,
        FoundImage,
        ImageBatch,
        ImageReference,
        ImageSink,
        ImageSource,
        TransportFacts,
        TransportOptions,
    )


class TransportHooks(PluginHooks, Protocol):
    """A place where images lie. What it yields is verified by the engine, byte by byte."""

    @hookspec()
    def transport_facts(self) -> "TransportFacts":
        """T-09, T-19. Schemes served and what is kept."""

    @hookspec()
    def transport_parse(self, text: str) -> "ImageReference":
        """T-01. Parse what follows `scheme:`. Pure; `rest` parses to the same again. Raises UsageError."""

    @hookspec()
    def transport_open_source(self, reference: "ImageReference", options: "TransportOptions") -> "ImageSource":
        """T-02, T-03, T-04, T-05, T-08, T-14, T-21. Open for reading.

        Raises NotFound, Denied, RegistryFailure, HostLacks.
        """


class TransportWrite(Protocol):
    """Optional: storing images."""

    @hookspec()
    def transport_open_sink(self, reference: "ImageReference", options: "TransportOptions") -> "ImageSink":
        """T-06, T-07, T-08, T-17. Open for writing."""


class TransportTags(Protocol):
    """Optional: listing what is there."""

    @hookspec()
    def transport_tags(self, reference: "ImageReference", options: "TransportOptions") -> tuple[str, ...]:
        """T-10. Tags of a repository, or names within an archive, in the place's order."""


class TransportBatch(Protocol):
    """Optional: storing several images in one new place."""

    @hookspec()
    def transport_open_batch(self, reference: "ImageReference", options: "TransportOptions") -> "ImageBatch":
        """T-13. Open for writing; the reference has no selector."""


class TransportLogin(Protocol):
    """Optional: trying credentials at a registry."""

    @hookspec()
    def transport_login(self, endpoint: "Endpoint", options: "TransportOptions") -> None:
        """T-11. Try the endpoint's credentials; `reference` is `host[:port]`. Raises Denied, RegistryFailure."""


class TransportSearch(Protocol):
    """Optional: searching a registry."""

    @hookspec()
    def transport_search(
        self, endpoint: "Endpoint", term: str, limit: int, options: "TransportOptions"
    ) -> tuple["FoundImage", ...]:
        """T-12. Repositories that match, at most `limit`; endpoint as in T-11. Raises Denied, RegistryFailure."""


class TransportSignatures(Protocol):
    """Optional: storing signatures beside an image."""

    @hookspec()
    def transport_put_signatures(
        self,
        reference: "ImageReference",
        digest: "Digest",
        signatures: tuple[bytes, ...],
        options: "TransportOptions",
    ) -> None:
        """T-15. Keep these, in their stored form, for a manifest that is there. Raises Unsupported, Denied."""


class TransportReferrers(Protocol):
    """Optional: what refers to an image or artifact."""

    @hookspec()
    def transport_referrers(
        self, reference: "ImageReference", digest: "Digest", artifact_type: str, options: "TransportOptions"
    ) -> tuple["Descriptor", ...]:
        """T-16. Manifests whose subject is `digest`, of a type or, if empty, of any. Raises Denied, RegistryFailure."""
