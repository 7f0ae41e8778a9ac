"""Debian's `docker-registry`, run on a loopback port for end-to-end tests: plain, with TLS, with a password."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


def installed() -> bool:
    """Whether this host has `docker-registry`."""
    return shutil.which("docker-registry") is not None


class DebianRegistry:
    """A real registry. `host` is its host and port; with TLS, `ca` is the certificate of its authority.

    With `clients`, only those are let in who show `client.cert`, whose key is `client.key` beside it.
    """

    def __init__(
        self, folder: Path, *, tls: bool = False, user: str = "", password: str = "", clients: bool = False
    ) -> None:
        self.folder = folder
        self.tls = tls
        self.clients = clients
        self.user = user
        self.password = password
        self.ca = folder / "ca.crt"
        self.host = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            if self._start():
                return self
        raise RuntimeError(f"docker-registry does not start: {(self.folder / 'log').read_text()[-2000:]}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> bool:
        port = _free_port()
        self.host = f"localhost:{port}"
        config = self.folder / "config.yml"
        config.write_text(self._config(port))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(config)],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
            )
        for _ in range(200):
            if self._process.poll() is not None:
                return False
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return True
            time.sleep(0.05)
        return False

    def _config(self, port: int) -> str:
        text = (
            "version: 0.1\nlog: {level: warn}\n"
            f"storage:\n  filesystem: {{rootdirectory: {self.folder}/data}}\n  delete: {{enabled: true}}\n"
            f"http:\n  addr: 127.0.0.1:{port}\n  secret: not-one\n"
        )
        if self.tls:
            self._make_certificate()
            more = f", clientcas: [{self.ca}]" if self.clients else ""
            text += f"  tls: {{certificate: {self.ca}, key: {self.folder}/tls.key{more}}}\n"
        if self.user:
            (self.folder / "htpasswd").write_text(f"{self.user}:{_bcrypt(self.password)}\n")
            text += f"auth:\n  htpasswd: {{realm: here, path: {self.folder}/htpasswd}}\n"
        return text

    def _make_certificate(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
             "-keyout", str(self.folder / "tls.key"), "-out", str(self.ca)],
            check=True,
            capture_output=True,
        )  # fmt: skip
        if self.clients:
            self._make_client()

    def _make_client(self) -> None:
        folder = self.folder
        for words in (
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=client",
             "-keyout", f"{folder}/client.key", "-out", f"{folder}/client.csr"],
            ["x509", "-req", "-in", f"{folder}/client.csr", "-CA", str(self.ca), "-CAkey", f"{folder}/tls.key",
             "-set_serial", "2", "-days", "2", "-out", f"{folder}/client.cert"],
        ):  # fmt: skip
            subprocess.run(["openssl", *words], check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bcrypt(password: str) -> str:
    """The only hash that the registry takes; libxcrypt has it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    found = library.crypt(password.encode(), b"$2b$04$abcdefghijklmnopqrstuu")
    return bytes(found).decode()
