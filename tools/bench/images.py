"""The images that the benchmark moves: made here, the same bytes for every program."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import make_image

_MODULES = ("os", "__future__", "encodings/__init__", "encodings/aliases", "encodings/utf_8")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Shape(NamedTuple):
    """An image: its name, and how many layers, files and bytes it has in all."""

    name: str
    layers: int
    files: int
    size: int


LARGE = Shape("large", layers=10, files=20_000, size=280 << 20)


class Blob(NamedTuple):
    """A gzipped layer: its file, the digests of both forms."""

    path: Path
    diff_id: str
    digest: str


def layers(folder: Path, shape: Shape = LARGE) -> list[Blob]:
    """The layers of an image, below a folder of its name; gzip saves about half of them.

    Another process makes them, so that this one stays small.
    """
    place = folder / shape.name
    place.mkdir()
    words = [sys.executable, __file__, str(place), *(str(one) for one in shape)]
    made = subprocess.run(words, check=True, capture_output=True, text=True)
    return [Blob(Path(path), diff, digest) for path, diff, digest in json.loads(made.stdout)]


def _make_layers(folder: Path, shape: Shape) -> None:
    found = []
    for number in range(shape.layers):
        path = folder / f"layer{number}.tar.gz"
        content = _layer(number, shape)
        packed = gzip.compress(content, 1, mtime=0)
        path.write_bytes(packed)
        found.append((str(path), _sha(content), _sha(packed)))
    print(json.dumps(found))


def _layer(number: int, shape: Shape) -> bytes:
    source = random.Random(number)
    words = [source.randbytes(8).hex().encode() for _ in range(512)]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        usual = shape.size // shape.files
        for place in range(shape.files // shape.layers):
            length = usual + source.randrange(-(usual // 2), usual // 2)
            text = b" ".join(source.choices(words, k=length // 34))
            content = text + source.randbytes(length - len(text))
            entry = tarfile.TarInfo(f"data/{number}/{place % 40}/file{place}")
            entry.size, entry.mode, entry.mtime = len(content), 0o644, 1_700_000_000
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def push(layers: list[Blob], address: str, name: str = LARGE.name) -> str:
    """Put an image of these layers into a registry; its name there."""
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
        }
    ).encode()
    _put_blob(address, name, config)
    for layer in layers:
        _put_blob(address, name, layer.path.read_bytes())
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
    _request("PUT", f"http://{address}/v2/{name}/manifests/1", json.dumps(manifest).encode(), _MANIFEST)
    return f"{address}/{name}:1"


def forget(registry: Path, repository: str) -> None:
    """Have a registry's folder know nothing of what was pushed below a name, nor of any blob that nothing else has."""
    top = registry / "docker/registry/v2"
    shutil.rmtree(top / "repositories" / repository)
    kept = {one.parent.name for one in (top / "repositories").glob("**/_layers/sha256/*/link")}
    kept |= {one.parent.name for one in (top / "repositories").glob("**/_manifests/revisions/sha256/*/link")}
    for blob in (top / "blobs/sha256").glob("*/*"):
        if blob.name not in kept:
            shutil.rmtree(blob)


def _put_blob(address: str, name: str, content: bytes) -> None:
    begun = _request("POST", f"http://{address}/v2/{name}/blobs/uploads/", b"")
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


def interpreter() -> bytes:
    """A docker-archive of `localhost/python:1`: the host's interpreter, what it is linked with, and `flow.py`."""
    shown = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "print(open('/proc/self/maps').read())"],
        capture_output=True,
        text=True,
        check=True,
    )
    mapped = {line.split()[-1] for line in shown.stdout.splitlines() if "r-xp" in line and "/" in line}
    program = os.path.realpath(sys.executable)
    packages = Path(os.__file__).parent
    files = {*mapped, program, *(f"{packages}/{one}.py" for one in _MODULES)}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("proc", "sys", "dev", "tmp", "run", "etc"):
            _add(tar, folder, kind=tarfile.DIRTYPE)
        for path in sorted(files):
            _add(tar, os.path.realpath(path).lstrip("/"), Path(path).read_bytes())
        folders = {os.path.dirname(path) for path in mapped if ".so" in path}
        links = [Path("/lib"), Path("/lib64"), *Path("/usr/lib64").glob("ld-linux*")]
        links += [one for folder in sorted(folders) for one in Path(folder).glob("lib*.so*")]
        for link in links:
            if link.is_symlink() and (link.is_dir() or str(link.resolve()) in mapped):
                _add(tar, str(link)[1:], kind=tarfile.SYMTYPE, link=str(link.resolve()))
        _add(tar, "flow.py", (Path(__file__).parent / "flow.py").read_bytes())
    return make_image.archive("localhost/python:1", out.getvalue())


def _add(  # what a tar header has
    tar: tarfile.TarFile, name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(content)
    entry.mode = 0o755
    tar.addfile(entry, io.BytesIO(content))


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    _make_layers(Path(sys.argv[1]), Shape(sys.argv[2], *(int(word) for word in sys.argv[3:])))
