"""Transcripts: commands, what they print and how they end, with what differs between runs taken out.

`python transcripts.py PODMAN [SESSION…]` records `cli/*.txt` anew from a Podman; the tests replay them with Sonata.
A transcript holds one session in a fresh store. `$ words` begins an entry, then come standard output,
`! lines` of standard error, and `= code`.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
APPLETS = ("sh", "true", "false", "cat", "echo", "sleep", "ls", "id", "env", "test")

SESSIONS = {path.stem: path.read_text() for path in sorted((HERE / "sessions").glob("*.txt"))}
"""Command lines by session. A line may begin with `< FILE`, a file of the session's folder as its input, or with
`host:`, and then is the shell's, to look at what the program has done."""

BOX, RICH = "localhost/box:1", "localhost/rich:1"
_PROFILE = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}'
FILES = {
    "env.list": "# a comment\nONE=1\nTWO=two words\n\nHOME_OF\nEMPTY=\n  LEAD=x\n",
    "bad.list": "GOOD=1\n=nothing\n",
    "labels.list": "# a comment\na=from-file\nb\n",
    "secret": "hush",
    "empty": "",
    "init": '#!/bin/sh\necho own init\nshift\nexec "$@"\n',
    "config.json": '{"Env":["PATH=/bin","FROM=file"],"Cmd":["id"]}',
    "strict.json": json.dumps({"Labels": {"io.containers.seccomp.profile": _PROFILE}}),
    "hosts": "10.9.8.7 base.example\n",
    "seccomp.json": _PROFILE,
}
"""What lies in the folder in which a session is played."""


PEOPLE = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:50::/:/bin/sh\n",
    "etc/group": "root:x:0:\nwheel:x:10:alice\nstaff:x:50:alice,bob\nalice:x:1000:\n",
    "data/seed": "seeded\n",
    "srv/": "",
}
_BOX = {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Labels": {"made": "here"}}
_RICH = {
    "Cmd": ["id"],
    "Entrypoint": ["busybox"],
    "Env": ["PATH=/bin", "COLOUR=blue", "BASE=/opt"],
    "ExposedPorts": {"8080/tcp": {}, "5353/udp": {}},
    "Healthcheck": {"Test": ["CMD-SHELL", "test -e /tmp/well"], "Interval": 300 * 10**9, "Retries": 2},
    "Labels": {"made": "richly", "keep": "image"},
    "StopSignal": "SIGUSR1",
    "User": "alice",
    "Volumes": {"/data": {}},
    "WorkingDir": "/srv",
}


def make_archive(path: Path, rich: bool = False) -> None:
    """An image `localhost/box:1` as a docker-archive: busybox and a few links to it; always the same bytes.

    The rich one, `localhost/rich:1`, has users and groups, and one of everything that an image may ask for.
    """
    layer = _layer(PEOPLE if rich else {})
    diff = sha256(layer).hexdigest()
    history = {"created": "2024-05-06T07:08:09Z", "created_by": "/bin/sh -c #(nop) ADD file", "comment": "hand-made"}
    config = {
        "architecture": "amd64",
        "config": _RICH if rich else _BOX,
        "created": "2024-05-06T07:08:09Z",
        "history": [history],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = sha256(text).hexdigest()
    manifest = [{"Config": f"{name}.json", "RepoTags": [RICH if rich else BOX], "Layers": [f"{diff}.tar"]}]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, f"{name}.json", text)
        _add(tar, f"{diff}.tar", layer)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _layer(more: dict[str, str]) -> bytes:
    made = io.BytesIO()
    folders = ("bin", "etc", "tmp", *sorted({name.rpartition("/")[0] for name in more} - {"etc"}))
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        _add(tar, "bin/busybox", Path(shutil.which("busybox") or "/bin/busybox").read_bytes(), 0o755)
        for applet in APPLETS:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
        for name, text in more.items():
            if not name.endswith("/"):
                _add(tar, name, text.encode())
    return made.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


_REPLACED = (
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[0-9a-f]{25}\b", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<id>"),
    (r"\b(Less than a second|About an? \w+|\d+ (?:second|minute|hour|day|week|month|year)s?)\b", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]* \+0000 UTC", "<moment>"),
    (r"[\d.]+ ?[kM]?B\b", "<size>"),
    (r"\b[a-z]+_[a-z]+\b", "<name>"),
    (r"(?m)^\S+\thost\.containers", "<address>\thost.containers"),
    (r"running [1-9]\d*", "running <pid>"),
    (r"\d+\.\d+m?s\b", "<time>"),
    (r"(?m) +$", ""),
    (r"  +", "  "),
    (r"--+", "--"),
)


def normalised(text: str) -> str:
    """What is different each time, or depends on it, replaced; the program's own name made one."""
    text = text.replace("podman ", "sonata ").replace("'podman", "'sonata").replace("Podman", "Sonata")
    for pattern, to in _REPLACED:
        text = re.sub(pattern, to, text)
    return text


def entry(line: str, code: int, out: str, err: str) -> str:
    """One command of a transcript."""
    told = [part for part in err.splitlines() if not part.startswith(("time=", "Warning:", "  hint:", "WARN"))]
    complaint = "".join(f"! {part}\n" for part in normalised("\n".join(told)).splitlines())
    printed = normalised(out)
    return f"$ {line}\n{printed}{'' if not printed or printed.endswith(chr(10)) else chr(10)}{complaint}= {code}\n"


def prepare(program: list[str], session: str, folder: Path) -> None:
    """Load the images that a session uses, and lay out its files, in a folder of its own below the store's."""
    for name, image in (("box", BOX), ("rich", RICH)):
        if name == "box" or image in SESSIONS[session]:
            make_archive(folder / f"{name}.tar", name == "rich")
            loaded = [*program, "load", "-q", "-i", f"{folder}/{name}.tar"]
            subprocess.run(loaded, check=True, capture_output=True)
    (folder / "here").mkdir()
    for name, text in FILES.items():
        (folder / "here" / name).write_text(text)


def play(program: list[str], session: str, folder: Path) -> list[str]:
    """Run a session's commands in its prepared folder; one entry each."""
    entries = []
    here = folder / "here"
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environ |= {"HOME_OF": "the host", "http_proxy": "http://proxy.example:3128"}
    for line in filter(None, SESSIONS[session].splitlines()):
        source, words = os.devnull, line.replace("{here}", str(here))
        if line.startswith("< "):
            _, source, words = words.split(" ", 2)
        argv = ["sh", "-c", line[5:]] if line.startswith("host:") else [*program, *shlex.split(words)]
        with (here / source).open("rb") as stdin:
            try:
                done = subprocess.run(
                    argv, capture_output=True, text=True, check=False, stdin=stdin, cwd=here, env=environ, timeout=60
                )
            except subprocess.TimeoutExpired:  # a peer that hangs is a peer that differs
                done = subprocess.CompletedProcess(argv, 124, "", "")
        said = [text.replace(str(folder), "<folder>") for text in (done.stdout, done.stderr)]
        entries.append(entry(line, done.returncode, *said))
    return entries


def record(program: list[str], sessions: list[str]) -> None:
    """Write `cli/*.txt` from what `program` does."""
    for session in sessions or SESSIONS:
        with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
            whole = [*program, "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp"]
            prepare(whole, session, Path(folder))
            (HERE / "cli" / f"{session}.txt").write_text("\n".join(play(whole, session, Path(folder))))
            subprocess.run([*whole, "rm", "-fa", "-t0"], check=False, capture_output=True)
            subprocess.run(["umount", f"{folder}/root/overlay"], check=False, capture_output=True)


if __name__ == "__main__":
    record(sys.argv[1].split(), sys.argv[2:])
