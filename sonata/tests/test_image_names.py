"""Short names, platforms and the policy."""

import json

import pytest

from sonata.image import policy as image_policy
from sonata.image.manifest import Index
from sonata.image.platform import choose, host_platform, parse_platform
from sonata.image.reference import (
    archive_name,
    drop_tag_of_digest,
    is_short,
    local_candidates,
    local_name,
    short_candidates,
    split_transport,
    transport_or_name,
)
from sonata_core.errors import Denied, NotFound, UsageError
from sonata_core.models.ids import Digest
from sonata_core.models.image import Descriptor, ImageReference, Platform
from sonata_core.models.media import DOCKER_LIST, OCI_INDEX
from sonata_core.naming import parse_name

D = "sha256:" + "a" * 64


def test_a_name_may_be_that_of_a_transport() -> None:
    assert transport_or_name("docker:3") == ("", "docker:3")
    assert transport_or_name("docker://x/y:1") == ("docker", "//x/y:1")
    assert transport_or_name("oci:x") == ("oci", "x")


def test_transports_are_told_from_names() -> None:
    assert split_transport("docker://x/y:1") == ("docker", "//x/y:1")
    assert split_transport("alpine:3") == ("", "alpine:3")
    assert split_transport("localhost:5000/x") == ("", "localhost:5000/x")
    assert split_transport("foo:x", ("foo",)) == ("foo", "x")


def test_short_names() -> None:
    aliases = {"busybox": "docker.io/library/busybox"}
    search = ("quay.io", "docker.io")
    assert is_short("a/b")
    assert not is_short("a.b/c")
    assert [str(n) for n in short_candidates("busybox:1", aliases, search)] == ["docker.io/library/busybox:1"]
    assert [str(n) for n in short_candidates("x", aliases, search)] == [
        "quay.io/x:latest",
        "docker.io/library/x:latest",
    ]
    assert [str(n) for n in short_candidates("h:1/x", aliases, search)] == ["h:1/x:latest"]
    with pytest.raises(UsageError, match="did not resolve to an alias"):
        short_candidates("x", aliases, ())
    assert [str(n) for n in local_candidates("x", {}, search)] == [
        "localhost/x:latest",
        "quay.io/x:latest",
        "docker.io/library/x:latest",
    ]
    assert str(local_name("x")) == "localhost/x:latest"
    assert str(drop_tag_of_digest(parse_name("x:1@" + D))) == "docker.io/library/x@" + D
    assert archive_name({"org.opencontainers.image.ref.name": "x:1"}) == "localhost/x:1"
    assert archive_name({"org.opencontainers.image.ref.name": "a b"}) == ""


def entry(letter: str, os: str, arch: str, variant: str = "", **annotations: str) -> Descriptor:
    platform = Platform(os=os, architecture=arch, variant=variant)
    digest = Digest("sha256:" + letter * 64)
    return Descriptor(media_type="", digest=digest, size=1, platform=platform, annotations=annotations)


def index(*entries: Descriptor, kind: str = OCI_INDEX) -> Index:
    return Index(media_type=kind, manifests=entries)


ALL = index(
    entry("1", "linux", "amd64", "v2"),
    entry("2", "linux", "amd64"),
    entry("3", "linux", "arm", "v6"),
    entry("4", "linux", "arm", "v7"),
    entry("5", "linux", "arm64", "v8"),
    entry("6", "windows", "amd64"),
)


@pytest.mark.parametrize(
    ("platform", "letter"),
    [
        (host_platform("x86_64"), "2"),
        (host_platform("armv7l"), "4"),
        (host_platform("armv6l"), "3"),
        (host_platform("armv8l"), "4"),
        (host_platform("aarch64"), "5"),
        (parse_platform("linux/amd64/v2", host_platform("x86_64")), "1"),
        (parse_platform("windows", host_platform("x86_64")), "6"),
        (parse_platform("arm", host_platform("x86_64")), "4"),
    ],
)
def test_platforms_are_chosen(platform: Platform, letter: str) -> None:
    assert choose(ALL, platform).digest[7] == letter


def test_platforms_that_are_not_there() -> None:
    with pytest.raises(NotFound, match='no image found in image index for architecture "s390x"') as caught:
        choose(ALL, host_platform("s390x"))
    assert "linux/arm/v7" in str(caught.value.hint)
    bare = Descriptor(media_type="", digest=Digest(D), size=1)
    assert choose(index(bare), host_platform("x86_64")) is bare
    with pytest.raises(NotFound):
        choose(index(bare, kind=DOCKER_LIST), host_platform("x86_64"))
    with pytest.raises(UsageError):
        parse_platform("a/b/c/d", host_platform("x86_64"))


def test_zstd_is_preferred_in_an_index() -> None:
    zstd = Descriptor(
        media_type="",
        digest=Digest(D),
        size=1,
        platform=Platform(os="linux", architecture="amd64"),
        annotations={"io.github.containers.compression.zstd": "true"},
    )
    assert choose(index(entry("2", "linux", "amd64"), zstd), host_platform("x86_64")) is zstd


def policy(document: object) -> image_policy.Policy:
    return image_policy.parse_policy(json.dumps(document).encode(), "policy.json")


def docker(name: str) -> ImageReference:
    return ImageReference(transport="docker", rest="//" + name, name=name)


ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


def test_the_most_specific_scope_decides() -> None:
    found = policy(
        {
            "default": REJECT,
            "transports": {
                "docker": {"example.com/a": ACCEPT, "example.com/a/x:1": REJECT, "*.good.org": ACCEPT, "": REJECT},
                "dir": {"/ok": ACCEPT},
            },
        }
    )
    image_policy.forbid(found, docker("example.com/a/y:1"))
    image_policy.forbid(found, docker("reg.good.org:5000/y"))
    image_policy.forbid(found, ImageReference(transport="dir", rest="/ok/x", path="/ok/x"))
    for name in ("example.com/a/x:1", "example.com/ab", "good.org/y", "docker.io/library/alpine"):
        with pytest.raises(Denied, match="rejected by policy"):
            image_policy.forbid(found, docker(name))
    with pytest.raises(Denied):
        image_policy.forbid(found, ImageReference(transport="dir", rest="/okay", path="/okay"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"default": []}',
        '{"default": {}}',
        '{"default": [{"type": "x"}]}',
        '{"default": [{}]}',
        '{"default": [{"type": "reject", "keyPath": "x"}]}',
        '{"default": [{"type": "reject"}], "more": 1}',
        '{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}',
        '{"default": [{"type": "reject"}], "transports": []}',
        '{"default": [{"type": "reject"}], "transports": {"docker": {"x": []}}}',
    ],
)
def test_a_policy_is_never_guessed_at(text: str) -> None:
    with pytest.raises(UsageError, match="invalid policy"):
        image_policy.parse_policy(text.encode(), "policy.json")
