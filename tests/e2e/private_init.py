"""First process of a private host: keeps its namespaces alive, reaps orphans and serves a registry inside.

    private_init.py FOLDER

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


def main(folder: str) -> None:
    """Set the host up, say where the registry is, and wait for ever."""
    for argv in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "tmpfs", "/run"],
        ["mount", "-t", "tmpfs", "tmpfs", "/var/tmp"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(argv, check=True)
    for name in ("lock", "netns"):
        os.mkdir(f"/run/{name}")
    with FakeRegistry() as registry:
        for layers in sorted(Path(folder).glob("image-*")):
            found = [path.read_bytes() for path in sorted(layers.iterdir())]
            registry.add_image(layers.name.removeprefix("image-"), "1", found)
        Path(folder, "registry.new").write_text(registry.host)
        os.rename(f"{folder}/registry.new", f"{folder}/registry")
        reap()


def reap() -> None:
    """Take leave of every process that was left to us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1])
