"""Write a small image from the host's static busybox as a docker-archive: a web server with one page.

python3 tools/make_image.py OUT.tar [NAME]
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

BUSYBOX = "/bin/busybox"
APPLETS = (
    "sh",
    "httpd",
    "cat",
    "echo",
    "ls",
    "ps",
    "sleep",
    "true",
    "wget",
    "hostname",
    "id",
    "env",
    "mount",
    "touch",
    "rm",
)
PAGE = b"<!doctype html>\n<title>sonata</title>\n<p>A page from a container.\n"
SERVE = "echo serving on port 80; exec httpd -f -v -p 80 -h /www"


def layer() -> bytes:
    """The one layer, as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("bin", "etc", "www", "proc", "sys", "dev", "tmp", "run"):
            _add(tar, name, kind=tarfile.DIRTYPE, mode=0o1777 if name == "tmp" else 0o755)
        _add(tar, "bin/busybox", Path(BUSYBOX).read_bytes(), mode=0o755)
        for applet in APPLETS:
            _add(tar, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        _add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        _add(tar, "etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        _add(tar, "www/index.html", PAGE)
    return out.getvalue()


def _add(  # what a tar header has
    tar: tarfile.TarFile,
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    link: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
    tar.addfile(entry, io.BytesIO(content))


def archive(name: str, content: bytes = b"") -> bytes:
    """The whole docker-archive; of another layer than the usual one, if that is given."""
    content = content or layer()
    digest = hashlib.sha256(content).hexdigest()
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(_machine(), _machine()),
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {
            "Cmd": ["sh", "-c", SERVE],
            "Env": ["PATH=/bin"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGKILL",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "tools/make_image.py"}],
    }
    text = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        _add(tar, config_name, text)
        _add(tar, f"{digest}.tar", content)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return out.getvalue()


def _machine() -> str:
    import os

    return os.uname().machine


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_bytes(archive(sys.argv[2] if len(sys.argv) > 2 else "localhost/web:1"))
