"""A store in a private folder, and small images to put into it."""

import base64
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from sonata.store.names import layer_id, new_id
from sonata.store.place import Place
from sonata.store.records import ContainerRecord, ImageRecord, NewContainer, NewImage, NewLayer
from sonata.store.store import Store
from sonata_core.context import PluginContext
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import ContainerId, Digest, ImageId, LayerId
from sonata_core.models.storage import StoreRoot
from sonata_storage_overlay.plugin import OverlayStorage
from sonata_storage_vfs.plugin import VfsStorage

BUSYBOX = "/bin/busybox"


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def open_store(
    top: Path, driver: str = "overlay", *, images: Path | None = None, extra: tuple[Path, ...] = ()
) -> Store:
    place = Place(
        graph=str(top / "graph"),
        run=str(top / "run"),
        driver=driver,
        image_root=str(images) if images else "",
        additional=tuple(str(path) for path in extra),
    )
    roots = [StoreRoot(path=root, run=place.run, read_only=root in place.additional) for root in place.roots]
    facts = HostFacts(
        uid=0, gid=0, rootless=False, kernel=os.uname().release, machine="x86_64", boot_id="", cgroup_version=2
    )
    context = PluginContext(
        name=driver,
        root=place.graph,
        run=place.run,
        cache=place.graph,
        config={},
        facts=facts,
        run_command=lambda command: None,  # type: ignore[arg-type,return-value]
        find_program=lambda name: None,
        log=Quiet(),
        stores=tuple(roots),
    )
    plugin = (OverlayStorage if driver == "overlay" else VfsStorage)(context)
    return Store(place, lambda: plugin)


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.mtime = 1_600_000_000
            if name.endswith("/"):
                item.type, item.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(item)
                continue
            item.size, item.mode = len(data), 0o755
            tar.addfile(item, io.BytesIO(data))
    return out.getvalue()


def digest_of(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def put_layer(store: Store, files: dict[str, bytes], parent: LayerId | None) -> LayerId:
    """Stage, unpack, put: as a pull does, with a tar-split of one piece."""
    tar = tar_of(files)
    diff = digest_of(tar)
    stage = store.stage()
    try:
        entry = {"type": 2, "payload": base64.b64encode(tar).decode(), "position": 0}
        Path(stage.tar_split).write_bytes(gzip.compress(json.dumps(entry).encode() + b"\n"))
        new = NewLayer(
            id=layer_id(parent, diff),
            parent=parent,
            diff_digest=diff,
            diff_size=len(tar),
            compressed_digest=diff,
            compressed_size=len(tar),
            uids=(0,),
            gids=(0,),
            tar_split=stage.tar_split,
        )

        def unpack(target: Any) -> NewLayer:
            with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
                opened.extractall(target.path, numeric_owner=True)
            return new

        if stage.target is not None:
            unpack(stage.target)
        return store.put_layer(new, stage, unpack).id
    finally:
        stage.close()


def put_image(store: Store, name: str, layers: list[dict[str, bytes]], mark: str = "", **more: object) -> ImageRecord:
    parent: LayerId | None = None
    blobs = []
    for files in layers:
        blobs.append(tar_of(files))
        parent = put_layer(store, files, parent)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2024-01-02T03:04:05.5Z",
            "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Labels": {"mark": mark}, **more},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(blob) for blob in blobs]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest_of(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": digest_of(blob),
                    "size": len(blob),
                }
                for blob in blobs
            ],
        }
    ).encode()
    digest = digest_of(manifest)
    return store.put_image(
        NewImage(
            id=ImageId(digest_of(config)[7:]),
            layer=parent,
            names=(name,),
            digest=digest,
            created="2024-01-02T03:04:05.5Z",
            metadata="{}",
            big_data=(
                (digest_of(config), config),
                (f"manifest-{digest}", manifest),
                ("manifest", manifest),
            ),
        )
    )


def busybox_layers() -> list[dict[str, bytes]]:
    program = Path(BUSYBOX).read_bytes()
    base = {"bin/": b"", "bin/busybox": program, "bin/sh": program, "bin/cat": program, "etc/": b"", "tmp/": b""}
    return [base, {"etc/": b"", "etc/hello": b"hello from below\n"}]


def new_container(store: Store, image: ImageRecord, name: str, *, volatile: bool = False) -> ContainerRecord:
    return store.create_container(
        NewContainer(
            id=ContainerId(new_id()),
            name=name,
            image=image.id,
            image_layer=image.layer,
            metadata=json.dumps({"image-name": image.names[0], "image-id": image.id, "name": name, "created-at": 1}),
            volatile=volatile,
        )
    )


def run(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done
