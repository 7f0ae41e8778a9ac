"""Lists of images as values: the very bytes that Podman 5.8 wrote for the same steps, and what is no list."""

import pytest

from sonata.cli.complete import candidates
from sonata.image.index import Entry, ImageList, best_type, parse_list, view, write_list
from sonata_core.errors import Damaged, NotFound
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, Platform
from sonata_core.models.media import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST

ARM = Digest("sha256:5c9d17b72779d60b90936ac180b15730b59c83b82465a214ab3d84a981b401ca")
AMD = Digest("sha256:59c0174c33deef66977b7cf738ac39722be9e484c57dc3508f5b7feec1fe958e")
FEATURED = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{"mediaType":'
    b'"application/vnd.oci.image.manifest.v1+json","size":400,"digest":"sha256:5c9d17b72779d60b90936ac180b15730b59c83b8246'
    b'5a214ab3d84a981b401ca","platform":{"architecture":"arm64","os":"linux","os.version":"11","variant":"v8","features":'
    b'["f1","f2"]}}]}'
)
"""`manifest add --features f1,f2 --os-version 11`."""
NOTED = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.'
    b'oci.image.manifest.v1+json","digest":"sha256:5c9d17b72779d60b90936ac180b15730b59c83b82465a214ab3d84a981b401ca","size"'
    b':400,"annotations":{"k2":"v2"},"platform":{"architecture":"arm64","os":"windows","os.version":"1.2","variant":"q"}},'
    b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:59c0174c33deef66977b7cf738ac39722be9e484c57'
    b'dc3508f5b7feec1fe958e","size":400,"annotations":{"k":"v"},"platform":{"architecture":"amd64","os":"linux"}}],"subject"'
    b':{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:59c0174c33deef66977b7cf738ac39722be9e484c57'
    b'dc3508f5b7feec1fe958e","size":400},"annotations":{"ii":"jj"}}'
)
"""The same list after an annotated image, `manifest annotate`, `--index --annotation` and `--index --subject`."""


def item(digest: Digest, platform: Platform | None, **more: object) -> Descriptor:
    return Descriptor(media_type=OCI_MANIFEST, digest=digest, size=400, platform=platform).replace(**more)


def featured() -> ImageList:
    platform = Platform(os="linux", architecture="arm64", variant="v8", os_version="11")
    return ImageList().with_entry(Entry(descriptor=item(ARM, platform), features=("f1", "f2")))


def noted() -> ImageList:
    arm = Platform(os="windows", architecture="arm64", variant="q", os_version="1.2")
    made = ImageList(subject=item(AMD, None), annotations={"ii": "jj"})
    made = made.with_entry(Entry(descriptor=item(ARM, arm, annotations={"k2": "v2"})))
    amd = item(AMD, Platform(os="linux", architecture="amd64"), annotations={"k": "v"})
    return made.with_entry(Entry(descriptor=amd))


@pytest.mark.parametrize(("images", "content"), [(featured(), FEATURED), (noted(), NOTED)])
def test_bytes_are_podmans_and_come_back(images: ImageList, content: bytes) -> None:
    assert write_list(images).content == content
    assert parse_list(content) == images


def test_the_form_that_loses_nothing() -> None:
    assert best_type(ImageList()) == DOCKER_LIST
    plain = ImageList().with_entry(Entry(descriptor=item(ARM, None)))
    assert best_type(plain) == OCI_INDEX
    assert best_type(featured()) == DOCKER_LIST
    assert best_type(featured().replace(annotations={"a": "b"})) == OCI_INDEX
    assert best_type(ImageList(artifact_type="t/t")) == OCI_INDEX
    forced = write_list(noted(), DOCKER_LIST)
    assert (forced.media_type, b"annotations" in forced.content, b"subject" in forced.content) == (
        DOCKER_LIST,
        False,
        False,
    )


def test_entries_are_replaced_and_taken_out() -> None:
    images = noted()
    again = images.with_entry(images.entry(ARM))
    assert [one.digest for one in again.entries or ()] == [AMD, ARM]
    moved = images.changed(images.entry(ARM).described(size=7))
    assert [one.descriptor.size for one in moved.entries or ()] == [7, 400]
    empty = images.without(ARM).without(AMD)
    assert empty.entries == ()
    assert b'"manifests":[]' in write_list(empty).content
    assert b'"manifests":null' in write_list(ImageList()).content
    for ask in (empty.entry, empty.without):
        with pytest.raises(NotFound):
            ask(ARM)


def test_an_artifact_has_no_platform_there_and_an_empty_one_to_see() -> None:
    images = ImageList().with_entry(Entry(descriptor=item(ARM, Platform(os="", architecture=""), artifact_type="t/t")))
    assert b"platform" not in write_list(images).content
    shown = view(images, files={ARM: ("/a/file",)})["manifests"]
    assert isinstance(shown, list)
    assert list(shown[0]) == ["mediaType", "size", "digest", "platform", "artifactType", "files"]
    assert shown[0]["platform"] == {"architecture": "", "os": ""}


HEAD = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":'
ENTRY = b'{"mediaType":"x","size":1,"digest":"sha256:' + b"0" * 64 + b'"'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"schemaVersion":3}',
        b'{"schemaVersion":2,"config":{},"layers":[]}',
        HEAD + b'"x"}',
        HEAD + b"[1]}",
        HEAD + b'[{"mediaType":"x","size":-1,"digest":"sha256:' + b"0" * 64 + b'"}]}',
        HEAD + b'[{"mediaType":"x","size":1,"digest":"../../../etc/passwd"}]}',
        HEAD + b"[" + ENTRY + b',"platform":[]}]}',
        HEAD + b"[" + ENTRY + b',"platform":{"os":1}}]}',
        HEAD + b"[" + ENTRY + b',"platform":{"features":"x"}}]}',
        HEAD + b"[" + ENTRY + b',"annotations":{"a":1}}]}',
        HEAD + b"[" + ENTRY + b',"data":[]}]}',
        HEAD + b'[],"subject":3}',
        HEAD + b'[],"layers":[]}',
        HEAD + b'[],"Manifests":[]}',
        HEAD + b"[" * 5000 + b"]" * 5000 + b"}",
        HEAD + b"[" + b",".join([ENTRY + b"}"] * 50_000) + b"]}",
    ],
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(Damaged):
        parse_list(content)


@pytest.mark.parametrize("verb", ["add", "annotate", "create", "exists", "inspect", "push", "remove", "rm"])
def test_lists_are_completed_as_images(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonata.cli.objects.names", lambda kind: [f"a-name-of-{kind}"])
    assert candidates(["manifest", verb], "")[0] == [("a-name-of-images", "")]
