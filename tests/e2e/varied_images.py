"""Forty images, no two alike, as folders of the `dir:` transport: what configs and manifests of the wild have."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image.{}.v1+json"
DOCKER = "application/vnd.docker.{}"
WHEN = "2024-03-04T05:06:07.123456789Z"


def _sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


_CAPABILITY = "\x01\x00\x00\x02\x00\x04" + "\x00" * 14
_SHAPES: list[tuple[str, dict[str, Any]]] = [
    # What the layers of some images have beside plain files.
    ("x", {"pax_headers": {"SCHILY.xattr.security.capability": _CAPABILITY}, "mode": 0o4755}),
    ("x", {"pax_headers": {"SCHILY.xattr.user.a": "b"}}),
    (".wh.nothing", {}),
    ("d2/.wh..wh..opq", {}),
    ("null", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),
    ("fifo", {"type": tarfile.FIFOTYPE}),
    ("link", {"type": tarfile.SYMTYPE, "linkname": "z" * 200}),
    ("p" * 90 + "/" + "q" * 200, {}),
    ("\udcff\udcfe", {}),
    ("üñí", {"uid": 2_097_151, "gid": 4_294_967_294, "uname": "u"}),
    ("./a/../b", {"mtime": 1_700_000_000.123456}),
    ("/top", {"mtime": -5}),
]


def _shape(number: int) -> tarfile.TarInfo:
    """One of the shapes: images have layers from ten on that no other has."""
    name, given = _SHAPES[number % len(_SHAPES)]
    item = tarfile.TarInfo(name)
    for key, value in given.items():
        setattr(item, key, value)
    return item


def _tar(number: int) -> bytes:
    out = io.BytesIO()
    if number == 10 + 38:
        return bytes(1024)
    form = tarfile.GNU_FORMAT if number % len(_SHAPES) == 8 else tarfile.PAX_FORMAT
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as tar:
        if number >= 10:
            tar.addfile(_shape(number))
        folder = tarfile.TarInfo(f"d{number}")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for size in (0, 10 * number + 1, 700):
            item = tarfile.TarInfo(f"d{number}/f{size}")
            item.size, item.mode = size, 0o644
            tar.addfile(item, io.BytesIO(bytes([number + 65]) * size))
    return out.getvalue()


_EMPTY = [{"created": WHEN, "created_by": "ENV A=b", "empty_layer": True}]

CONFIGS: list[dict[str, Any]] = [
    # What goes into `config`; keys with a dot before them go beside it.
    {},
    {"Env": ["PATH=/bin", "A=b", "A=c", "EMPTY=", "NOTHING"]},
    {"Cmd": ["sh", "-c", "echo <a> & 'b' \"c\""]},
    {"Cmd": None, "Entrypoint": None},
    {"Cmd": [], "Entrypoint": ["/bin/x"]},
    {"Entrypoint": ["/bin/x", ""], "WorkingDir": "/w/"},
    {"Labels": {"b": "2", "a": "1", "ü": "ß 漢", "e": ""}},
    {"Labels": {}},
    {"Labels": None},
    {"Labels": {"json": '{"a": "<b>"}', "line": "a\nb\ttab"}},
    {"User": "1000:1000"},
    {"User": "name", "StopSignal": "SIGINT"},
    {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8080": {}}},
    {"ExposedPorts": {}},
    {"Volumes": {"/v": {}, "/b": {}}},
    {"Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30000000000, "Timeout": 5000000000, "Retries": 3}},
    {"Healthcheck": {"Test": ["NONE"]}},
    {"OnBuild": ["RUN x"], "Shell": ["/bin/bash", "-c"]},
    {"ArgsEscaped": True, "Cmd": ["x"]},
    {"Hostname": "h", "Domainname": "d", "Image": "sha256:abc", "AttachStdin": False, "Tty": True},
    {"StopTimeout": 7},
    {".author": "A <a@b.c>"},
    {".comment": "said", ".docker_version": "24.0.7", ".container": "c" * 64},
    {".created": "0001-01-01T00:00:00Z"},
    {".created": "1970-01-01T00:00:00Z"},
    {".created": "2024-03-04T05:06:07+02:00"},
    {".created": "2024-03-04T05:06:07.1Z"},
    {".created": None},
    {".variant": "v8", ".architecture": "arm64"},
    {".os": "windows", ".os.version": "10.0.1", ".os.features": ["win32k"]},
    {".history": []},
    {".history": None},
    {".history": [{"created": WHEN, "created_by": "ADD <x> & y", "author": "me", "comment": "first"}]},
    {".container_config": {"Cmd": ["old"]}, ".id": "e" * 64, ".parent": "sha256:" + "a" * 64},
    {".unknown": {"a": [1, 2.5, None]}, "Unknown": "x"},
    {".annotations": {"org.opencontainers.image.title": "t", "z": "1", "a": "2"}},
    {"MacAddress": "02:42:ac:11:00:02", "NetworkDisabled": True},
    {"Env": None, "Volumes": None},
    {".history": [*_EMPTY, {"created": WHEN, "created_by": "COPY"}, *_EMPTY]},
    {".no_layers": True},
]


def write_images(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Each image's folder, and whether its manifest is Docker's. Layers are shared: one is in a third of the images."""
    for number, given in enumerate(CONFIGS):
        docker = number % 3 == 1
        place = folder / f"image{number:02}"
        place.mkdir(parents=True)
        layers = [] if given.get(".no_layers") else [number % 3, 10 + number][: 1 + number % 2]
        _write(place, given, [_tar(one) for one in layers], docker=docker, packed=number % 4 != 2)
        yield place, docker


def _write(place: Path, given: dict[str, Any], tars: list[bytes], *, docker: bool, packed: bool) -> None:
    def put(data: bytes) -> dict[str, object]:
        (place / _sha(data)[7:]).write_bytes(data)
        return {"size": len(data), "digest": _sha(data)}

    config: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "created": WHEN,
        "config": {key: value for key, value in given.items() if not key.startswith(".")},
        "rootfs": {"type": "layers", "diff_ids": [_sha(tar) for tar in tars]},
        "history": [{"created": WHEN, "created_by": f"ADD {len(tar)}"} for tar in tars],
    }
    beside = {key[1:]: value for key, value in given.items() if key.startswith(".")}
    notes = beside.pop("annotations", None)
    beside.pop("no_layers", None)
    if beside.get("history"):
        steps = [step for step in beside["history"] if not step.get("empty_layer")]
        missing = [{"created": WHEN, "created_by": "more"}] * (len(tars) - len(steps))
        beside["history"] = [*beside["history"], *missing]
    config.update(beside)
    config = {key: value for key, value in config.items() if value is not None}
    kind = DOCKER.format("image.rootfs.diff.tar.gzip") if docker else OCI.format("layer").replace("+json", ".tar")
    if docker:
        packed = True
    blobs = [gzip.compress(tar, 6, mtime=0) if packed else tar for tar in tars]
    media = kind if docker or not packed else f"{OCI.format('layer').removesuffix('+json')}.tar+gzip"
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER.format("distribution.manifest.v2+json") if docker else OCI.format("manifest"),
        "config": {
            "mediaType": DOCKER.format("container.image.v1+json") if docker else OCI.format("config"),
            **put(json.dumps(config).encode()),
        },
        "layers": [
            {"mediaType": media if packed else f"{OCI.format('layer').removesuffix('+json')}.tar", **put(blob)}
            for blob in blobs
        ],
    }
    if notes is not None and not docker:
        document["annotations"] = notes
    (place / "manifest.json").write_text(json.dumps(document, indent=3))
    (place / "version").write_text("Directory Transport Version: 1.1\n")
