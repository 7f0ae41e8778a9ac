"""Archives compressed as a whole: whatever the input's parts, the same bytes come out, and never too many at once."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable

import pytest
import zstandard

from sonata_core.errors import Damaged
from sonata_core.sdk.outer import decompressed

PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
MOST = 16 << 20


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize("size", [1, 700, 1 << 20])
def test_two_members_in_parts_of_any_size(name: str, size: int) -> None:
    plain = random.Random(3).randbytes(2000) + bytes(50_000)
    stream = io.BytesIO(PACKS[name](plain) + PACKS[name](b"second") + bytes(600))
    assert b"".join(decompressed(name, lambda: stream.read(size))) == plain + b"second"


@pytest.mark.heavy
@pytest.mark.parametrize("name", PACKS)
def test_a_bomb_comes_out_in_small_parts(name: str) -> None:
    stream = io.BytesIO(PACKS[name](bytes(96 << 20)))
    sizes = [len(part) for part in decompressed(name, lambda: stream.read(1 << 20))]
    assert sum(sizes) == 96 << 20
    assert max(sizes) <= MOST


@pytest.mark.parametrize("name", PACKS)
def test_what_is_cut_short_is_damaged(name: str) -> None:
    whole = PACKS[name](random.Random(4).randbytes(9000))
    stream = io.BytesIO(whole[:-9])
    with pytest.raises(Damaged, match=r"cut short|damaged"):
        list(decompressed(name, lambda: stream.read(4096)))
