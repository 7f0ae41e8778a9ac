"""The light hashes are the ordinary ones, and stay light."""

import hashlib
import subprocess
import sys

from sonata_core.sdk import hashes


def test_digests_are_hashlibs() -> None:
    for data in (b"", b"podman", bytes(range(256)) * 9):
        assert hashes.sha256_hex(data) == hashlib.sha256(data).hexdigest()
        assert hashes.sha512_hex(data) == hashlib.sha512(data).hexdigest()


def test_openssl_is_not_loaded() -> None:
    script = "import sys; import sonata_core.sdk.hashes; print('_hashlib' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert said.strip() == "False"
