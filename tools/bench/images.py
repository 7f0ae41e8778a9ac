"""The images that the benchmark moves: made here, the same bytes for every program."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import make_image

LAYERS, FILES, SIZE = 10, 20_000, 280 << 20
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Blob(NamedTuple):
    """A gzipped layer: its file, the digests of both forms."""

    path: Path
    diff_id: str
    digest: str


def large_layers(folder: Path) -> list[Blob]:
    """Ten layers with 2,000 files each, 280 MB together, of which gzip saves about half.

    Another process makes them: a program's peak memory, as the kernel tells it, is at least that of who started it.
    """
    made = subprocess.run([sys.executable, __file__, str(folder)], check=True, capture_output=True, text=True)
    return [Blob(Path(path), diff, digest) for path, diff, digest in json.loads(made.stdout)]


def _make_layers(folder: Path) -> None:
    found = []
    for number in range(LAYERS):
        path = folder / f"layer{number}.tar.gz"
        content = _large_layer(number)
        packed = gzip.compress(content, 1, mtime=0)
        path.write_bytes(packed)
        found.append((str(path), _sha(content), _sha(packed)))
    print(json.dumps(found))


def _large_layer(number: int) -> bytes:
    source = random.Random(number)
    words = [source.randbytes(8).hex().encode() for _ in range(512)]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for place in range(FILES // LAYERS):
            length = SIZE // FILES + source.randrange(-8000, 8000)
            text = b" ".join(source.choices(words, k=length // 34))
            content = text + source.randbytes(length - len(text))
            entry = tarfile.TarInfo(f"data/{number}/{place % 40}/file{place}")
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1_700_000_000
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def push_large(layers: list[Blob], address: str) -> str:
    """Put the large image into a registry; its name."""
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
        }
    ).encode()
    _put_blob(address, config)
    for layer in layers:
        _put_blob(address, layer.path.read_bytes())
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": f"sha256:{_sha(config)}",
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": f"sha256:{layer.digest}",
                "size": layer.path.stat().st_size,
            }
            for layer in layers
        ],
    }
    _request("PUT", f"http://{address}/v2/large/manifests/1", json.dumps(manifest).encode(), _MANIFEST)
    return f"{address}/large:1"


def _put_blob(address: str, content: bytes) -> None:
    begun = _request("POST", f"http://{address}/v2/large/blobs/uploads/", b"")
    place = begun + ("&" if "?" in begun else "?") + f"digest=sha256:{_sha(content)}"
    _request("PUT", place, content, "application/octet-stream")


def _request(method: str, url: str, body: bytes, kind: str = "") -> str:
    request = urllib.request.Request(url, data=body, method=method)
    if kind:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return str(answer.headers.get("Location") or "")


def many(count: int) -> bytes:
    """A docker-archive with `count` images over one layer, `localhost/many:0` and on."""
    layer = make_image.layer()
    diff = _sha(layer)
    out = io.BytesIO()
    manifest = []
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add(tar, f"{diff}.tar", layer)
        for number in range(count):
            config = json.dumps(
                {
                    "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, ""),
                    "os": "linux",
                    "created": f"2024-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
                    "config": {"Env": ["PATH=/bin"], "Labels": {"number": str(number)}},
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
                }
            ).encode()
            _add(tar, f"{_sha(config)}.json", config)
            tags = [f"localhost/many:{number}"]
            manifest.append({"Config": f"{_sha(config)}.json", "RepoTags": tags, "Layers": [f"{diff}.tar"]})
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return out.getvalue()


def small() -> bytes:
    """A docker-archive of `localhost/small:1`, which has a shell."""
    return make_image.archive("localhost/small:1")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    _make_layers(Path(sys.argv[1]))
