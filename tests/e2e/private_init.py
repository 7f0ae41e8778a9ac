"""First process of a private host: keeps its namespaces alive, reaps orphans and serves a registry inside.

    private_init.py FOLDER [UID NAME FIRST [lan]]

With UID, an ordinary user of that number and name can live here too: its home, subordinate ids from FIRST on, the
devices it needs; with `lan`, an address and a default route.
Layers of the image it offers are the files FOLDER/layer-*; the registry's address is written to FOLDER/registry.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sonata_testkit.registry import FakeRegistry


def main(folder: str, uid: str = "", name: str = "", first: str = "", lan: str = "") -> None:
    """Set the host up, say where the registry is, and wait for ever."""
    for argv in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "tmpfs", "/run"],
        ["mount", "-t", "tmpfs", "tmpfs", "/var/tmp"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(argv, check=True)
    for below in ("lock", "netns"):
        os.mkdir(f"/run/{below}")
    if uid:
        admit(int(uid), name, int(first), Path(folder))
    if lan:
        settle()
    with FakeRegistry() as registry:
        for layers in sorted(Path(folder).glob("image-*")):
            found = [path.read_bytes() for path in sorted(layers.iterdir())]
            registry.add_image(layers.name.removeprefix("image-"), "1", found)
        Path(folder, "registry.new").write_text(registry.host)
        os.rename(f"{folder}/registry.new", f"{folder}/registry")
        reap()


def settle() -> None:
    """An address, and a way to everywhere that leads nowhere."""
    for words in (
        ["ip", "link", "add", "lan0", "type", "bridge"],
        ["ip", "addr", "add", "198.51.100.1/24", "dev", "lan0"],
        ["ip", "link", "set", "lan0", "up"],
        ["ip", "route", "add", "default", "via", "198.51.100.254"],
    ):
        subprocess.run(words, check=True)


def admit(uid: int, name: str, first: int, folder: Path) -> None:
    """Make this a host on which an ordinary user can run containers; the machine's own files stay as they are."""
    open_ways([Path(path) for path in (*sys.path, os.path.dirname(sys.executable), str(folder)) if os.path.isdir(path)])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/home"], check=True)
    for place in (f"/home/{name}", f"/run/user/{uid}"):
        os.makedirs(place)
        os.chmod(place, 0o700)
        os.chown(place, uid, uid)
    layer("/etc")
    for file, line in (
        ("passwd", f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh"),
        ("group", f"{name}:x:{uid}:"),
        ("subuid", f"{name}:{first}:65536"),
        ("subgid", f"{name}:{first}:65536"),
    ):
        with open(f"/etc/{file}", "a", encoding="utf-8") as found:
            found.write(line + "\n")
    for device, number in (("/dev/net/tun", (10, 200)), ("/dev/fuse", (10, 229))):
        if os.path.exists(device):
            made = f"/run/{os.path.basename(device)}"
            os.mknod(made, 0o666 | 0o020000, os.makedev(*number))
            os.chmod(made, 0o666)
            subprocess.run(["mount", "--bind", made, device], check=True)


def layer(folder: str) -> None:
    """A layer of our own over a folder, to be written to."""
    for name in ("upper", "work"):
        os.makedirs(f"/run/layer/{name}")
    options = f"lowerdir={folder},upperdir=/run/layer/upper,workdir=/run/layer/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder], check=True)


def open_ways(paths: list[Path]) -> None:
    """Let others through to these: a folder above one that is root's alone is replaced by one that holds just them."""
    closed: dict[Path, list[Path]] = {}
    for path in paths:
        above = next((one for one in reversed(path.parents) if os.stat(one).st_mode & 0o005 != 0o005), None)
        if above is not None:
            closed.setdefault(above, []).append(path)
    for above, below in closed.items():
        kept = {path: f"/run/way-{number}" for number, path in enumerate(below)}
        for path, place in kept.items():
            os.mkdir(place)
            subprocess.run(["mount", "--rbind", str(path), place], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(above)], check=True)
        for path, place in kept.items():
            path.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--move", place, str(path)], check=True)
            os.rmdir(place)


def reap() -> None:
    """Take leave of every process that was left to us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
