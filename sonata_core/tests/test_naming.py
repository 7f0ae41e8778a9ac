"""The grammar of names and digests."""

import pytest

from sonata_core.errors import Damaged, UsageError
from sonata_core.naming import check_digest, has_domain, parse_name, split_name

D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("alpine", "docker.io/library/alpine", "alpine"),
        ("alpine:3.19", "docker.io/library/alpine:3.19", "alpine:3.19"),
        ("user/name", "docker.io/user/name", "user/name"),
        ("index.docker.io/library/x", "docker.io/library/x", "x"),
        ("docker.io/x", "docker.io/library/x", "x"),
        ("localhost/x", "localhost/x", "localhost/x"),
        ("localhost:5000/a/b:t", "localhost:5000/a/b:t", "localhost:5000/a/b:t"),
        ("quay.io/a/b@" + D, "quay.io/a/b@" + D, "quay.io/a/b@" + D),
        ("a__b/c.d-e--f:T_1.x", "docker.io/a__b/c.d-e--f:T_1.x", "a__b/c.d-e--f:T_1.x"),
        ("x:1@" + D, "docker.io/library/x:1@" + D, "x:1@" + D),
        ("REG.example.COM/x", "REG.example.COM/x", "REG.example.COM/x"),
        ("127.0.0.1:1/x", "127.0.0.1:1/x", "127.0.0.1:1/x"),
    ],
)
def test_names_are_normalised(text: str, full: str, familiar: str) -> None:
    name = parse_name(text)
    assert str(name) == full
    assert name.familiar == familiar
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "a" * 64,
        "Upper",
        "docker.io/Upper/x",
        "a//b",
        "/a",
        "a/",
        "-a",
        "a-",
        "a..b",
        "a___b",
        "a._b",
        "x:",
        "x:-t",
        "x:" + "t" * 129,
        "x@sha256:abc",
        "x@sha256:" + "A" * 64,
        "x@" + D + "x",
        "host.:1/x",
        "host:port/x",
        "-h.io/x",
        "h.io/" + "a" * 255,
        "a b",
        "a\nb",
        "ä",
        "x:t\n",
        "../x",
        "a/../b",
        "[::1]:5000/x",
        "user:pass@host/x",
        "http://x/y",
        "a:b:c",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid reference format"):
        parse_name(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "A" * 64,
        "sha256:../../etc/passwd",
        "md5:" + "a" * 32,
        "sha512:" + "a" * 64,
        "sha256:" + "a" * 63 + "/",
        "sha256:" + "a" * 64 + "\n",
        "sha256:" + "٣" * 64,
    ],
)
def test_digests_are_checked(text: object) -> None:
    with pytest.raises(Damaged, match="invalid checksum digest format"):
        check_digest(text)


def test_good_digests() -> None:
    assert check_digest(D) == D
    assert check_digest("sha512:" + "0" * 128)


def test_parts() -> None:
    assert split_name("h:5/x:1@" + D) == ("h:5/x", "1", D)
    assert has_domain("h:5/x")
    assert not has_domain("h/x")
    assert parse_name("x").with_default_tag().tag == "latest"
    assert parse_name("x@" + D).with_default_tag().tag == ""
