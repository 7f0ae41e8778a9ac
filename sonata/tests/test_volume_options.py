"""The grammar of `volume create --opt`, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from sonata.host import quota
from sonata.plan import volume_options
from sonata_core.errors import UsageError


@pytest.mark.parametrize(
    ("driver", "given", "fields"),
    [
        ("local", {}, {"options": {}, "uid": None, "size": 0}),
        ("local", {"type": "tmpfs", "device": "tmpfs"}, {"options": {"type": "tmpfs", "device": "tmpfs"}}),
        (
            "local",
            {"o": "size=2M,uid=5,gid=6,mode=700", "type": "tmpfs"},
            {
                "options": {"SIZE": "2M", "UID": "5", "GID": "6", "o": "size=2M,uid=5,gid=6,mode=700", "type": "tmpfs"},
                "uid": 5,
                "gid": 6,
                "size": 2_000_000,
            },
        ),
        ("local", {"o": "noquota"}, {"options": {"NOQUOTA": "true"}, "no_quota": True}),
        ("local", {"o": "inodes=7"}, {"inodes": 7, "options": {"INODES": "7", "o": "inodes=7"}}),
        ("local", {"size": "1k", "inodes": "3", "uid": "9"}, {"size": 1000, "inodes": 3, "uid": 9}),
        ("local", {"nocopy": ""}, {"options": {"nocopy": ""}}),
        ("image", {"image": "i"}, {"options": {"image": "i"}}),
        ("theirs", {"any": "thing", "o": "timeout=9,x"}, {"options": {"any": "thing", "o": "x"}, "timeout": 9}),
    ],
)
def test_read(driver: str, given: dict[str, str], fields: dict[str, Any]) -> None:
    found = volume_options.decide(driver, given)
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("driver", "given", "said"),
    [
        ("local", {"foo": "bar"}, "invalid mount option foo for driver 'local': invalid argument"),
        ("local", {"o": "inodes=x"}, 'cannot convert inodes x to integer: strconv.ParseUint: parsing "x": invalid'),
        ("local", {"o": "size=x"}, "cannot convert size x to integer: invalid size: 'x'"),
        ("local", {"o": "size"}, "cannot convert size  to integer: invalid size: ''"),
        ("local", {"o": "uid=x"}, 'cannot convert UID x to integer: strconv.Atoi: parsing "x": invalid syntax'),
        ("local", {"o": "uid"}, "uid option must provide a UID: invalid argument"),
        ("local", {"o": "gid"}, "gid option must provide a GID: invalid argument"),
        ("local", {"o": "uid=-1"}, "UID -1 is not between 0 and 4294967295: invalid argument"),
        ("local", {"o": "size=5M,noquota"}, "volume options size and inodes cannot be used without quota"),
        ("local", {"type": "tmpfs", "o": "inodes=5"}, "volume option inodes not supported on tmpfs filesystem"),
        ("local", {"o": "timeout=5"}, "running volume create option: Volume driver timeout can only be used with"),
        ("theirs", {"o": "timeout=-5"}, "volume timeout cannot be negative (got -5)"),
        ("theirs", {"o": "timeout"}, "timeout option must provide a valid timeout in seconds: invalid argument"),
        ("image", {}, "must provide an image name when creating a volume with the image driver: invalid argument"),
        ("image", {"image": "i", "foo": "b"}, "invalid mount option foo for driver 'image': invalid argument"),
    ],
)  # fmt: skip
def test_refused(driver: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        volume_options.decide(driver, given)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("options", "mounted"),
    [
        ({}, False),
        ({"UID": "5", "o": "uid=5"}, False),
        ({"NOQUOTA": "true"}, False),
        ({"SIZE": "5", "o": "size=5,inodes=3"}, False),
        ({"nocopy": ""}, False),
        ({"o": "nocopy"}, False),
        ({"o": "bind", "device": "/x"}, True),
        ({"type": "tmpfs"}, True),
        ({"device": "/dev/x"}, True),
        ({"o": "ro,uid=5"}, True),
    ],
)
def test_what_takes_a_mount(options: dict[str, str], mounted: bool) -> None:
    assert volume_options.needs_mount("local", options) is mounted
    assert volume_options.needs_mount("image", options)
    assert volume_options.needs_mount("theirs", options)


def test_copying_is_for_sonata_to_know_not_for_mount() -> None:
    assert volume_options.mount_words({"o": "nocopy,ro,copy"}) == ["ro"]
    assert volume_options.may_copy({"o": "ro"})
    assert not volume_options.may_copy({"o": "ro,nocopy"})
    assert not volume_options.may_copy({"nocopy": ""})


def test_pairs() -> None:
    assert volume_options.pairs(("a=b=c", "d"), "labels") == {"a": "b=c", "d": ""}
    with pytest.raises(UsageError) as refused:
        volume_options.pairs(("=b",), "labels")
    assert refused.value.message == 'unable to process labels: invalid label format: "=b"'


def test_limits_as_the_kernel_reads_them() -> None:
    """linux/dqblk_xfs.h: version, flags, field mask and id, then hard and soft limits of blocks and of inodes."""
    text = quota.limits(77, 1000, 5)
    assert len(text) == 112
    assert text[:2] == b"\x01\x02"
    assert int.from_bytes(text[2:4], "little") == 0b1111
    assert int.from_bytes(text[4:8], "little") == 77
    numbers = [int.from_bytes(text[at : at + 8], "little") for at in range(8, 40, 8)]
    assert numbers == [2, 2, 5, 5]
    assert int.from_bytes(quota.limits(1, 0, 5)[2:4], "little") == 0b0011
    assert not any(text[40:])
