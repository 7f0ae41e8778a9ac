"""A real Docker daemon for tests: processes, mounts and folders of its own, on a socket and, with `tls`, a port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

BEGIN = 'mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec dockerd "$@"'
"""With a /run of its own, which others of this machine do not see."""
QUIET = ("--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false", "--log-level=error")


def missing() -> str:
    """What is lacking for it here; empty if nothing."""
    return "" if shutil.which("dockerd") and shutil.which("docker") else "needs dockerd and docker (docker.io)"


class Dockerd:
    """`with Dockerd() as docker: docker("images")`. `host` is what DOCKER_HOST says of it."""

    def __init__(self, *options: str) -> None:
        self._options = options

    def __enter__(self) -> Self:
        self.folder = tempfile.mkdtemp(prefix="dockerd-", dir="/tmp")  # short enough for a socket's name
        self.host = f"unix://{self.folder}/s"
        places = [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/pid"]
        words = ["unshare", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "sh", "-c", BEGIN, "dockerd"]
        with Path(self.folder, "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*words, *QUIET, *places, "-H", self.host, *self._options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            told = Path(self.folder, "log").read_text()[-2000:]
            assert self._process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as made:
            try:
                made.connect(f"{self.folder}/s")
            except OSError:
                return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, *words: str) -> str:
        """What `docker WORDS` prints."""
        environ = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": self.folder}
        done = subprocess.run(["docker", *words], env=environ, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (words, done.stderr.decode())
        return done.stdout.decode().strip()

    def id_of(self, name: str) -> str:
        """The image's ID, as Sonata shows it."""
        return self("image", "inspect", "--format", "{{.Id}}", name).removeprefix("sha256:")
