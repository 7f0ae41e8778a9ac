"""`tarball:`: the contract, and an image made of archives."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import NotFound, Unsupported, UsageError
from sonata_core.models.image import TransportOptions
from sonata_testkit.images import descriptors_of, digest_of, layer_tar
from sonata_testkit.transport import Place, TransportConformance
from sonata_transport_oci.tarball import TarballTransport


class TestTarball(TransportConformance):
    @pytest.fixture
    def backend(self, plugin_context: PluginContext) -> TarballTransport:
        return TarballTransport(plugin_context)


@pytest.fixture
def place(plugin_context: PluginContext) -> Callable[[str], Place]:
    return lambda text: Place(TarballTransport(plugin_context), text, lambda _reference: TransportOptions())


def test_an_image_of_two_archives(place: Callable[[str], Place], tmp_path: Path) -> None:
    base, more = layer_tar("base", 70_000), gzip.compress(layer_tar("more", 30))
    for name, content, when in (("base", base, 1_600_000_000 * 10**9), ("more", more, 1_700_000_000_120000000)):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, ns=(when, when))
    made = place(f"{tmp_path}/base:{tmp_path}/more")
    manifest, blobs = made.read()
    config, *layers = descriptors_of(manifest)
    assert [blobs[layer.digest] for layer in layers] == [base, more]
    assert [layer.media_type.rpartition(".")[2] for layer in layers] == ["tar", "tar+gzip"]
    described = json.loads(blobs[config.digest])
    assert described["rootfs"]["diff_ids"] == [digest_of(base), digest_of(gzip.decompress(more))]
    assert described["created"] == "2023-11-14T22:13:20.12Z"
    step = described["history"][0]
    assert (step["created"], step["comment"]) == ("2020-09-13T12:26:40Z", "imported from tarball")
    assert step["created_by"] == f"/bin/sh -c #(nop) ADD file:{digest_of(base).removeprefix('sha256:')} in /"
    assert made.resolve() == manifest
    with made.source() as source, pytest.raises(NotFound):
        source.manifest(digest_of(b""))


def test_what_is_refused(place: Callable[[str], Place], tmp_path: Path) -> None:
    (tmp_path / "xz").write_bytes(b"\xfd7zXZ\0....")
    with pytest.raises(Unsupported, match="compressed with xz"):
        place(f"{tmp_path}/xz").resolve()
    with pytest.raises(UsageError, match="standard input"):
        place("-")
