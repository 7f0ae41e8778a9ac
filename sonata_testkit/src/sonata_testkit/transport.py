"""The suite of the transport group. Contract: docs/contract/transport.md."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.errors import Damaged, Denied, NotFound, SonataError, Unsupported, UsageError
from sonata_core.groups import TRANSPORT
from sonata_core.hookspecs.transport import (
    TransportBatch,
    TransportLogin,
    TransportReferrers,
    TransportSearch,
    TransportSignatures,
    TransportTags,
    TransportWrite,
)
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ImageReference, ManifestBytes, TransportFacts, TransportOptions
from sonata_core.models.media import INDEXES, OCI_MANIFEST
from sonata_core.sdk import signatures
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.faults import crash_everywhere
from sonata_testkit.images import SampleImage, descriptors_of, digest_of, index_over, manifest_bytes, plain_of
from sonata_testkit.plugin import PluginConformance

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.image import Endpoint, ImageBatch, ImageSink, ImageSource
    from sonata_core.slot import Slot
    from sonata_testkit.fixtures import KeptLog

_NOWHERE = Digest("sha256:" + "0" * 64)
_SECRET = "kit-s3cr3t-word"


class Place:
    """One place for an image: where the plugin reads and writes."""

    def __init__(self, hook: Any, text: str, options: Callable[[ImageReference], TransportOptions]) -> None:
        self.hook, self.text = hook, text
        self.reference: ImageReference = hook.transport_parse(text=text)
        self.options = options(self.reference)

    def source(self) -> ImageSource:
        found: ImageSource = self.hook.transport_open_source(reference=self.reference, options=self.options)
        return found

    def sink(self) -> ImageSink:
        found: ImageSink = self.hook.transport_open_sink(reference=self.reference, options=self.options)
        return found

    def write(self, image: SampleImage, *, commit: bool = True) -> None:
        with self.sink() as sink:
            put_blobs(sink, image)
            if commit:
                sink.commit(image.manifest)

    def resolve(self) -> ManifestBytes:
        with self.source() as source:
            return source.resolve()

    def read(self) -> tuple[ManifestBytes, dict[Digest, bytes]]:
        """The image's manifest and all its blobs, whole."""
        with self.source() as source:
            manifest = source.resolve()
            blobs = {each.digest: blob_of(source, each) for each in descriptors_of(manifest)}
        return manifest, blobs

    def is_absent(self) -> bool:
        try:
            self.resolve()
        except NotFound:
            return True
        return False


def put_blobs(sink: ImageSink | ImageBatch, image: SampleImage) -> None:
    """Put config and layers."""
    for blob in image.descriptors:
        if not sink.has_blob(blob):
            sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))


def blob_of(source: ImageSource, blob: Descriptor, offset: int = 0) -> bytes:
    """A blob's bytes from `offset` on, read in odd pieces."""
    stream = source.open_blob(blob, offset)
    try:
        pieces = []
        while piece := stream.read(70_001):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        stream.close()


def _referrer(subject: SampleImage, config: Descriptor, number: int) -> ManifestBytes:
    """An artifact about an image: the last one has no artifact type but its config's."""
    about = {
        "mediaType": subject.manifest.media_type,
        "digest": subject.manifest.digest,
        "size": len(subject.manifest.content),
    }
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": plain_of(config), "layers": []}
    kind = {"artifactType": f"application/x-kind-{number}"} if number < 2 else {}
    return manifest_bytes(OCI_MANIFEST, {**document, **kind, "subject": about, "annotations": {"number": str(number)}})


class TransportConformance(PluginConformance):
    """Inherit, and give `backend(self, plugin_context)`.

    A transport that needs more than a path below a temporary folder overrides `place_text` (the text
    after `scheme:` of a fresh image called `name`) and `options` (endpoints, credentials).
    """

    group = TRANSPORT

    def options(self, reference: ImageReference) -> TransportOptions:
        """How to go about it, for one reference."""
        return TransportOptions(retry_delay=0.01)

    @pytest.fixture
    def place_text(self, tmp_path: Path) -> Callable[[str], str]:
        """Makes the text of a fresh image's place."""
        return lambda name: str(tmp_path / f"place-{name}")

    @pytest.fixture
    def absent_text(self, place_text: Callable[[str], str]) -> str:
        """The text of a place where no image is."""
        return place_text("absent")

    @pytest.fixture
    def facts(self, hook: Any) -> TransportFacts:
        found: TransportFacts = hook.transport_facts()
        return found

    @pytest.fixture
    def place(self, hook: Any, place_text: Callable[[str], str]) -> Callable[[str], Place]:
        return lambda name: Place(hook, place_text(name), self.options)

    @pytest.fixture
    def written(self, slot: Slot[Any], place: Callable[[str], Place]) -> Place:
        """A place that may be written to."""
        if not slot.offers(TransportWrite):
            not_offered("TransportWrite")
        return place("one")

    @pytest.fixture
    def sample(self, facts: TransportFacts) -> Callable[..., SampleImage]:
        """Makes images of a kind that the transport takes."""
        docker = bool(facts.manifest_types) and OCI_MANIFEST not in facts.manifest_types
        compressed = facts.layer_compression != "none"
        return lambda seed, **more: SampleImage(seed, docker=docker, compressed=compressed, **more)

    @clause("T-01")
    def test_parse_round_trips(self, hook: Any, place_text: Callable[[str], str], facts: TransportFacts) -> None:
        reference = hook.transport_parse(text=place_text("one"))
        assert reference.transport in facts.schemes
        assert hook.transport_parse(text=reference.rest) == reference
        assert hook.transport_parse(text=place_text("one")) == reference

    @clause("T-01")
    def test_nonsense_is_a_usage_error(self, hook: Any) -> None:
        for text in ("", "\0"):
            with pytest.raises(UsageError):
                hook.transport_parse(text=text)

    @clause("T-02")
    def test_what_is_read_verifies(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        image = sample("verify")
        written.write(image)
        manifest, blobs = written.read()
        assert digest_of(manifest.content) == manifest.digest
        for descriptor in descriptors_of(manifest):
            assert digest_of(blobs[descriptor.digest]) == descriptor.digest
            assert len(blobs[descriptor.digest]) == descriptor.size
        assert image.config in blobs.values(), "the config is another"

    @clause("T-02")
    def test_a_blob_from_the_middle(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        written.write(sample("offset"))
        manifest, blobs = written.read()
        with written.source() as source:
            for descriptor in descriptors_of(manifest):
                for offset in (0, 1, descriptor.size // 2, descriptor.size):
                    assert blob_of(source, descriptor, offset) == blobs[descriptor.digest][offset:]

    @clause("T-02")
    def test_a_manifest_by_its_digest(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        written.write(sample("by-digest"))
        with written.source() as source:
            manifest = source.resolve()
            again = source.manifest(manifest.digest)
            assert (again.digest, again.content) == (manifest.digest, manifest.content)
            assert isinstance(source.signatures(manifest.digest), tuple)

    @clause("T-03")
    @pytest.mark.parametrize("hurt", ["short", "long", "corrupt", "empty"])
    def test_a_damaged_blob_is_refused(self, written: Place, sample: Callable[..., SampleImage], hurt: str) -> None:
        image = sample(f"damage-{hurt}")
        blob = image.descriptors[1]
        content = image.blobs[blob.digest]
        damaged = {
            "short": content[:-1],
            "long": content + b"x",
            "corrupt": content[:5] + bytes([content[5] ^ 1]) + content[6:],
            "empty": b"",
        }[hurt]
        with written.sink() as sink:
            with pytest.raises(Damaged):
                sink.put_blob(blob, io.BytesIO(damaged))
            assert not sink.has_blob(blob), "a damaged blob counts as there"
            put_blobs(sink, image)
            sink.commit(image.manifest)
        manifest, blobs = written.read()
        assert all(digest_of(blobs[each.digest]) == each.digest for each in descriptors_of(manifest))

    @clause("T-04")
    def test_an_index_and_its_images(
        self, written: Place, facts: TransportFacts, sample: Callable[..., SampleImage]
    ) -> None:
        if facts.manifest_types and not set(INDEXES) & set(facts.manifest_types):
            not_offered("indexes: manifest_types names none")
        images = [sample("amd", architecture="amd64"), sample("arm", architecture="arm64")]
        index = index_over(images)
        with written.sink() as sink:
            for image in images:
                put_blobs(sink, image)
                sink.put_manifest(image.manifest)
            sink.commit(index)
        with written.source() as source:
            found = source.resolve()
            assert (found.content, found.media_type) == (index.content, index.media_type)
            for image in images:
                manifest = source.manifest(image.manifest.digest)
                assert manifest.content == image.manifest.content
                assert manifest.media_type == image.manifest.media_type
                for descriptor in descriptors_of(manifest):
                    assert blob_of(source, descriptor) == image.blobs[descriptor.digest]

    @clause("T-05")
    def test_an_absent_image_is_not_found(self, hook: Any, absent_text: str) -> None:
        with pytest.raises(NotFound):
            Place(hook, absent_text, self.options).resolve()

    @clause("T-05")
    def test_absent_parts_are_not_found(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        written.write(sample("parts"))
        with written.source() as source:
            source.resolve()
            with pytest.raises(NotFound):
                source.manifest(_NOWHERE)
            with pytest.raises(NotFound):
                blob_of(source, Descriptor(media_type="application/octet-stream", digest=_NOWHERE, size=5))

    @clause("T-06")
    def test_putting_twice(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        image = sample("twice")
        with written.sink() as sink:
            for _ in range(2):
                for blob in image.descriptors:
                    sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))
                    assert sink.has_blob(blob)
            for _ in range(2):
                sink.commit(image.manifest)
        first = written.read()
        assert digest_of(first[0].content) == first[0].digest

    @clause("T-06")
    def test_writing_the_same_image_again(
        self, written: Place, sample: Callable[..., SampleImage], facts: TransportFacts
    ) -> None:
        image = sample("again")
        written.write(image)
        first = written.read()
        try:
            written.write(image)
        except SonataError as error:
            assert not facts.multi_image or not facts.keeps_digests, error
        assert written.read() == first

    @clause("T-07")
    def test_nothing_is_visible_before_commit(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        image = sample("hidden")
        with written.sink() as sink:
            put_blobs(sink, image)
            assert written.is_absent(), "it can be read before commit"
        assert written.is_absent(), "it can be read though it was never committed"
        with pytest.raises(RuntimeError, match="interrupted"), written.sink() as sink:
            put_blobs(sink, image)
            raise RuntimeError("interrupted")
        assert written.is_absent()
        written.write(image)
        assert not written.is_absent()

    @clause("T-07")
    def test_a_manifest_alone_is_no_image(
        self, written: Place, sample: Callable[..., SampleImage], facts: TransportFacts
    ) -> None:
        if not facts.keeps_digests:
            not_offered("manifests by digest: keeps_digests says no")
        image = sample("manifest")
        with written.sink() as sink:
            put_blobs(sink, image)
            sink.put_manifest(image.manifest)
            assert written.is_absent(), "it can be read before commit"
        assert written.is_absent(), "it can be read though it was never committed"

    @clause("T-07")
    def test_the_older_image_stays_until_commit(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        old, new = sample("old"), sample("new")
        written.write(old)
        before = written.read()
        try:
            with written.sink() as sink:
                put_blobs(sink, new)
                assert written.read() == before
                sink.commit(new.manifest)
        except SonataError:
            assert written.read() == before, "a refused write changed what was there"
            not_offered("replacing an image: this place refuses")
        assert new.config in written.read()[1].values()

    @clause("T-07")
    def test_crash_while_writing(
        self, place: Callable[[str], Place], slot: Slot[Any], sample: Callable[..., SampleImage]
    ) -> None:
        if not slot.offers(TransportWrite):
            not_offered("TransportWrite")
        image = sample("crash")
        places: list[Place] = []

        def prepare() -> Callable[[], object]:
            places.append(place(f"crash-{len(places)}"))
            return lambda: places[-1].write(image)

        def judge(step: int) -> None:
            if not places[-1].is_absent():
                manifest, blobs = places[-1].read()
                assert all(digest_of(blobs[each.digest]) == each.digest for each in descriptors_of(manifest)), (
                    f"a crash after {step - 1} steps left half an image under its name"
                )
                return
            places[-1].write(image)
            assert image.config in places[-1].read()[1].values()

        crash_everywhere(prepare, judge)

    @clause("T-08")
    def test_credentials_are_never_shown(
        self, slot: Slot[Any], hook: Any, absent_text: str, border_log: KeptLog
    ) -> None:
        place = Place(hook, absent_text, self.options)
        shown = []
        for options in (self.with_secret(place.reference), self.options(place.reference)):
            place.options = options
            works: list[Callable[[], object]] = [place.resolve]
            if slot.offers(TransportWrite):
                works.append(lambda: place.write(SampleImage("secret"), commit=False))
            if slot.offers(TransportTags):
                works.append(lambda: hook.transport_tags(reference=place.reference, options=place.options))
            for work in works:
                try:
                    work()
                except SonataError as error:
                    shown += [str(error), repr(error), str(error.hint), repr(error.details), repr(error.__cause__)]
        shown.append(repr(border_log.events))
        assert _SECRET not in "\n".join(shown)

    def with_secret(self, reference: ImageReference) -> TransportOptions:
        """The options with credentials that no place takes."""
        from sonata_core.models.image import Credentials, Endpoint

        options = self.options(reference)
        wrong = Credentials(username="kit", password=_SECRET)
        endpoints = options.endpoints or (Endpoint(reference=reference.name or "localhost/none"),)
        return options.replace(endpoints=tuple(each.replace(credentials=wrong) for each in endpoints))

    @clause("T-09")
    def test_facts_are_true(
        self, slot: Slot[Any], facts: TransportFacts, written: Place, sample: Callable[..., SampleImage]
    ) -> None:
        assert facts.schemes
        assert facts.writes == slot.offers(TransportWrite)
        assert facts.layer_compression in ("keep", "none")
        image = sample("facts")
        written.write(image)
        manifest, blobs = written.read()
        if facts.keeps_digests:
            assert (manifest.digest, manifest.content) == (image.manifest.digest, image.manifest.content)
            assert blobs == image.blobs
        if facts.layer_compression == "none":
            layers = [blobs[each.digest] for each in descriptors_of(manifest)[1:]]
            assert layers == image.layers

    @clause("T-09")
    def test_a_manifest_of_another_kind_is_refused(
        self, written: Place, facts: TransportFacts, sample: Callable[..., SampleImage]
    ) -> None:
        if not facts.manifest_types:
            not_offered("manifest_types: any is taken")
        image = sample("kind")
        strange = image.manifest.replace(media_type="application/vnd.example.manifest+json")
        with pytest.raises(SonataError) as caught, written.sink() as sink:
            put_blobs(sink, image)
            sink.commit(strange)
        assert isinstance(caught.value, Unsupported | UsageError)
        assert written.is_absent()

    @clause("T-17")
    def test_blobs_from_next_door(
        self, written: Place, place: Callable[[str], Place], sample: Callable[..., SampleImage], facts: TransportFacts
    ) -> None:
        image, other = sample("neighbour"), place("next-door")
        other.write(image)
        host, _, rest = (other.reference.name or "h.example/x:1").partition("/")
        source, there = f"containerd.io/distribution.source.{host}", rest.partition(":")[0]
        with written.sink() as sink:
            for blob in image.descriptors:
                nowhere = blob.replace(annotations={source: "kit/nothing"})
                assert sink.has_blob(nowhere) == sink.has_blob(blob)
                if not sink.has_blob(blob.replace(annotations={source: f"kit/nothing,{there}"})):
                    sink.put_blob(blob, io.BytesIO(image.blobs[blob.digest]))
                assert sink.has_blob(blob)
            sink.commit(image.manifest)
        if facts.keeps_digests:
            assert written.read() == other.read()

    @clause("T-19")
    def test_the_same_order_gives_the_same_bytes(
        self, place: Callable[[str], Place], facts: TransportFacts, written: Place, sample: Callable[..., SampleImage]
    ) -> None:
        if not facts.sequential:
            not_offered("one file with blobs in their order: sequential says no")
        image = sample("order")
        again = place("again")
        written.write(image)
        again.write(image)
        first, second = (Path(each.reference.path).read_bytes() for each in (written, again))
        assert first == second

    @clause("T-21")
    def test_a_part_of_a_blob(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        image = sample("part")
        written.write(image)
        with written.source() as source:
            if not hasattr(source, "open_range"):
                not_offered("parts of blobs: its sources have no open_range")
            blob = next(each for each in image.descriptors if each.size > 9)
            for offset, size in ((0, 5), (3, blob.size - 5), (blob.size - 1, 1)):
                stream = source.open_range(blob, offset, size)
                assert stream is not None
                with stream:
                    pieces = iter(lambda: stream.read(3), b"")  # noqa: B023
                    assert b"".join(pieces) == image.blobs[blob.digest][offset : offset + size]

    @clause("T-10")
    def test_tags(self, slot: Slot[Any], written: Place, sample: Callable[..., SampleImage]) -> None:
        if not slot.offers(TransportTags):
            not_offered("TransportTags")
        written.write(sample("tags"))
        found = slot.hook.transport_tags(reference=written.reference, options=written.options)
        assert isinstance(found, tuple)
        reference = written.reference
        tag = reference.name.rpartition("/")[2].partition(":")[2]
        assert {reference.selector.removeprefix(":") or "@0", tag, reference.name} & set(found), found

    @clause("T-11")
    def test_login(self, slot: Slot[Any], written: Place) -> None:
        if not slot.offers(TransportLogin):
            not_offered("TransportLogin")
        endpoint = _host_of(written)
        slot.hook.transport_login(endpoint=endpoint, options=written.options)
        if endpoint.credentials is None:
            return
        wrong = endpoint.replace(credentials=endpoint.credentials.replace(password="wrong-canary"))
        with pytest.raises(Denied) as caught:
            slot.hook.transport_login(endpoint=wrong, options=written.options)
        assert "wrong-canary" not in repr((caught.value, caught.value.details))

    @clause("T-12")
    def test_search(self, slot: Slot[Any], written: Place, sample: Callable[..., SampleImage]) -> None:
        if not slot.offers(TransportSearch):
            not_offered("TransportSearch")
        written.write(sample("search"))
        path = written.reference.name.partition("/")[2].partition(":")[0]
        endpoint = _host_of(written)

        def search(term: str, limit: int) -> list[str]:
            asked = {"endpoint": endpoint, "term": term, "limit": limit, "options": written.options}
            return [one.name for one in slot.hook.transport_search(**asked)]

        assert search(path.rpartition("/")[2], 25) == [path]
        assert search("nothing-of-that-name", 25) == []
        assert search("", 0) == []

    @clause("T-16")
    def test_referrers(self, slot: Slot[Any], written: Place, sample: Callable[..., SampleImage]) -> None:
        if not slot.offers(TransportReferrers):
            not_offered("TransportReferrers")
        image = sample("subject")
        written.write(image)

        def ask(digest: Digest = image.manifest.digest, kind: str = "") -> tuple[Descriptor, ...]:
            asked = {"reference": written.reference, "digest": digest, "artifact_type": kind}
            found: tuple[Descriptor, ...] = slot.hook.transport_referrers(options=written.options, **asked)
            return found

        assert ask() == () == ask(_NOWHERE)
        config = Descriptor(media_type="application/x-config", digest=digest_of(b"{}"), size=2)
        made = [_referrer(image, config, number) for number in range(3)]
        with written.sink() as sink:
            sink.put_blob(config, io.BytesIO(b"{}"))
            for manifest in (*made, made[0]):
                sink.put_manifest(manifest)
        found = {one.digest: one for one in ask()}
        assert len(ask()) == len(made)
        assert {digest: one.size for digest, one in found.items()} == {one.digest: len(one.content) for one in made}
        kinds = [found[one.digest].artifact_type for one in made]
        assert kinds == ["application/x-kind-0", "application/x-kind-1", "application/x-config"]
        assert [found[one.digest].annotations["number"] for one in made] == ["0", "1", "2"]
        assert [one.digest for one in ask(kind="application/x-kind-1")] == [made[1].digest]
        assert ask(kind="application/x-other") == () == ask(_NOWHERE)

    @clause("T-13")
    def test_a_batch(self, slot: Slot[Any], place: Callable[[str], Place], sample: Callable[..., SampleImage]) -> None:
        if not slot.offers(TransportBatch):
            not_offered("TransportBatch")
        whole = place("batch")
        images = {"h.example/one:1": sample("batch-1"), "h.example/two:2": sample("batch-2")}
        again = "h.example/more/one:x"

        def write(*, commit: bool) -> None:
            opened = slot.hook.transport_open_batch(reference=whole.reference, options=whole.options)
            with opened as batch:
                for name, image in images.items():
                    put_blobs(batch, image)
                    batch.add(image.manifest, (name, again) if name.endswith(":1") else (name,))
                if commit:
                    batch.commit()

        write(commit=False)
        assert whole.is_absent()
        write(commit=True)
        if slot.offers(TransportTags):
            tags = slot.hook.transport_tags(reference=whole.reference, options=whole.options)
            assert set(tags) == {*images, again}
        for name, image in {**images, again: images["h.example/one:1"]}.items():
            _manifest, blobs = Place(slot.hook, f"{whole.text}:{name}", self.options).read()
            assert set(image.layers) <= set(blobs.values())

    @clause("T-14")
    def test_an_image_without_signatures_has_none(self, written: Place, sample: Callable[..., SampleImage]) -> None:
        written.write(sample("unsigned"))
        with written.source() as source:
            assert source.signatures(source.resolve().digest) == ()

    @clause("T-15")
    def test_signatures_come_back(self, slot: Slot[Any], written: Place, sample: Callable[..., SampleImage]) -> None:
        if not slot.offers(TransportSignatures):
            not_offered("TransportSignatures")
        image = sample("signed")
        written.write(image)
        notes = {signatures.SIGNATURE_KEY: "c2lnbmF0dXJl"}
        attached = signatures.write(signatures.Sigstore(payload=b'{"critical":{}}', annotations=notes))
        wanted = (b"\x90\x0d\x03one", b"\xa3\x01two", attached)
        for _ in range(2):
            slot.hook.transport_put_signatures(
                reference=written.reference, digest=image.manifest.digest, signatures=wanted, options=written.options
            )
            with written.source() as source:
                assert source.signatures(image.manifest.digest) == wanted
        written.read()


def _host_of(place: Place) -> Endpoint:
    endpoint = place.options.endpoints[-1]
    return endpoint.replace(reference=endpoint.reference.partition("/")[0])
