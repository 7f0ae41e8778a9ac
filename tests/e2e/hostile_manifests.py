"""Documents of images that are made to hurt: each a name and a function that spoils a sound OCI layout."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image."
MANIFEST, INDEX, CONFIG, LAYER = (
    f"{OCI}manifest.v1+json",
    f"{OCI}index.v1+json",
    f"{OCI}config.v1+json",
    f"{OCI}layer.v1.tar+gzip",
)


class Layout:
    """A folder with an OCI layout. Documents are put in as they are given, sound or not."""

    def __init__(self, folder: Path, layer: bytes) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.layer = self.put(gzip.compress(layer, 1, mtime=0), LAYER)
        self.config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created_by": "x"}],
        }

    def put(self, content: bytes, media_type: str) -> dict[str, Any]:
        """A descriptor of what is stored."""
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def document(self, value: Any, media_type: str) -> dict[str, Any]:
        return self.put(json.dumps(value).encode(), media_type)

    def manifest(self, **changes: Any) -> dict[str, Any]:
        """A manifest's fields, some of them changed."""
        config = self.document(self.config, CONFIG)
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [self.layer], **changes}

    def finish(self, *descriptors: Any) -> None:
        """What the layout offers; the first under the name `x`."""
        first, *rest = descriptors
        if isinstance(first, dict):
            first = {**first, "annotations": {"org.opencontainers.image.ref.name": "x"}}
        value = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [first, *rest]}
        (self.folder / "index.json").write_text(json.dumps(value))


Spoil = Callable[[Layout], None]

DIGESTS = (
    "sha256:../../../../etc/passwd",
    "sha256:" + "a" * 63,
    "sha256:" + "A" * 64,
    "sha256:" + "g" * 64,
    "md5:" + "a" * 32,
    "sha512:" + "a" * 128,
    "/etc/passwd",
    "",
    "sha256:",
    "sha256:" + "a" * 64 + "/../x",
    "sha256:" + "a" * 64 + "\n",
)
VALUES: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {}, [[]], [None], 1 << 70)


def _whole(text: bytes) -> Spoil:
    return lambda layout: layout.finish(layout.put(text, MANIFEST))


def _fields(**changes: Any) -> Spoil:
    return lambda layout: layout.finish(layout.document(layout.manifest(**changes), MANIFEST))


def _texts() -> Iterator[tuple[str, Spoil]]:
    texts = {
        "empty": b"",
        "null": b"null",
        "list": b"[]",
        "number": b"1",
        "deep lists": b"[" * 200_000,
        "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "not UTF-8": b'{"a": "\xff\xfe"}',
        "byte order mark": b"\xef\xbb\xbf{}",
        "UTF-16": "{}".encode("utf-16"),
        "NaN": b'{"schemaVersion": NaN}',
        "a number of 10000 digits": b'{"schemaVersion": ' + b"9" * 10_000 + b"}",
        "surrogates": rb'{"mediaType": "\ud800"}',
        "the same key twice": b'{"schemaVersion": 2, "schemaVersion": 1, "layers": [], "layers": [1]}',
        "HTML": b"<!doctype html><title>login</title>",
        "5 MB": b'{"x": "' + b"x" * (5 << 20) + b'"}',
    }
    for label, text in texts.items():
        yield f"manifest: {label}", _whole(text)


def _descriptors() -> Iterator[tuple[str, Spoil]]:
    for number, digest in enumerate(DIGESTS):
        bad = {"mediaType": LAYER, "digest": digest, "size": 10}
        yield f"layer's digest {number}", _fields(layers=[bad])
        yield f"config's digest {number}", _fields(config={**bad, "mediaType": CONFIG})
        yield f"subject's digest {number}", _fields(subject={**bad, "mediaType": MANIFEST})
        yield f"index's digest {number}", lambda layout, bad=bad: layout.finish({**bad, "mediaType": MANIFEST})  # type: ignore[misc]
    for number, value in enumerate(VALUES):
        for field in ("layers", "config", "mediaType", "schemaVersion", "annotations"):
            yield f"{field} is value {number}", _fields(**{field: value})
    for size in (-1, 0, 1, 1 << 40, 1 << 63, 1.5, "10", None):
        yield (
            f"layer's size {size}",
            lambda layout, size=size: layout.finish(  # type: ignore[misc]
                layout.document(layout.manifest(layers=[{**layout.layer, "size": size}]), MANIFEST)
            ),
        )


def _layers(*layers: dict[str, Any]) -> Spoil:
    """A manifest of these layers, each the sound one with some fields changed."""
    return lambda layout: layout.finish(
        layout.document(layout.manifest(layers=[{**layout.layer, **changes} for changes in layers]), MANIFEST)
    )


def _confusions() -> Iterator[tuple[str, Spoil]]:
    yield "layers and manifests", _fields(manifests=[])
    yield "says it is an index", _fields(mediaType=INDEX)
    yield "says it is Docker's", _fields(mediaType="application/vnd.docker.distribution.manifest.v2+json")
    yield "schema 1", _fields(schemaVersion=1, fsLayers=[], history=[])
    yield "100000 layers", _layers(*[{}] * 100_000)
    yield "layer from an address", _layers({"urls": ["http://127.0.0.1:1/x", "file:///etc"]})
    for kind in ("nondistributable.v1.tar", "v1.tar+zstd", "v1.tar", "v1.tar+gzip+encrypted", "v1.nonsense"):
        yield f"layer said to be {kind}", _layers({"mediaType": f"{OCI}layer.{kind}"})
    yield "index within index, 60 deep", _nested
    yield "index of itself", _of_itself
    yield (
        "index of 20000",
        lambda layout: layout.finish(
            layout.document(_index(*[{**layout.layer, "mediaType": MANIFEST}] * 20_000), INDEX)
        ),
    )


def _index(*manifests: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


def _nested(layout: Layout) -> None:
    inner = layout.document(layout.manifest(), MANIFEST)
    for _ in range(60):
        inner = layout.document(_index(inner), INDEX)
    layout.finish(inner)


def _of_itself(layout: Layout) -> None:
    own = {"mediaType": INDEX, "digest": "sha256:" + "a" * 64, "size": 200}
    text = json.dumps(_index(own))
    (layout.folder / "blobs/sha256" / ("a" * 64)).write_text(text)
    layout.finish({**own, "size": len(text)})


def _config(**changes: Any) -> Spoil:
    def spoil(layout: Layout) -> None:
        layout.config.update(changes)
        layout.finish(layout.document(layout.manifest(), MANIFEST))

    return spoil


def _configs() -> Iterator[tuple[str, Spoil]]:
    for number, value in enumerate(VALUES):
        for field in ("rootfs", "config", "history", "architecture", "created"):
            yield f"config's {field} is value {number}", _config(**{field: value})
    other = "sha256:" + "0" * 64
    for label, rootfs in {
        "none": {"type": "layers", "diff_ids": []},
        "another": {"type": "layers", "diff_ids": [other]},
        "too many": {"type": "layers", "diff_ids": [other] * 9},
        "bad": {"type": "layers", "diff_ids": ["sha256:../x"]},
        "of another type": {"type": "x", "diff_ids": [other]},
    }.items():
        yield f"diff ids: {label}", _config(rootfs=rootfs)
    for field, value in {
        "Env": ["A", "=x", "A=\nB", "x" * 200_000 + "=1"],
        "Cmd": "sh -c x",
        "Entrypoint": [1],
        "ExposedPorts": {"99999999/x": {}, "-1": {}},
        "Volumes": {"../x": {}, "": {}, "/\n": {}},
        "Labels": {"a": 1, "\x1b[2J": "\x1b[2J"},
        "WorkingDir": "../../..",
        "User": "root:root:root",
        "StopSignal": "SIGNOTHING",
        "Healthcheck": {"Test": ["CMD"], "Interval": -5},
    }.items():
        yield f"config's {field}", _config(config={field: value})


TITLES = ("../made", "/made", "..", ".", "a/b", "a\0b", "\x1b[2J", "-rf", "x" * 5000, "\ud800", "\n", "a", " ")
"""Names that an artifact gives its files."""


def _titles() -> Iterator[tuple[str, Spoil]]:
    for number, title in enumerate(TITLES):
        yield f"title {number}", _layers({"annotations": {"org.opencontainers.image.title": title}})
    yield "the same title twice", _layers(*[{"annotations": {"org.opencontainers.image.title": "a"}}] * 2)
    for number, value in enumerate(VALUES):
        yield f"title is value {number}", _layers({"annotations": {"org.opencontainers.image.title": value}})
        yield f"layer's annotations are value {number}", _layers({"annotations": value})


def corpus() -> dict[str, Spoil]:
    """All of them, by name."""
    return {
        name: spoil for family in (_texts, _descriptors, _confusions, _configs, _titles) for name, spoil in family()
    }  # fmt: skip
