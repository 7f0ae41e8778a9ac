"""Keys, signatures and an image for tests of trust: GnuPG's own keys, made anew in a home of their own."""

from __future__ import annotations

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

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from trust_table import Pair, Signed

from sonata.image.signatures import payload
from sonata_core.models.ids import Digest
from sonata_core.models.image import ManifestBytes
from sonata_core.models.media import OCI_CONFIG, OCI_MANIFEST
from sonata_core.sdk import signatures as stored

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PEOPLE = ("alice", "bob", "carol", "dave")
LONG_AGO = "20200101T000000"


def digest_of(content: bytes) -> Digest:
    """By SHA-256."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


class Image:
    """A small image: `blobs` by digest, and the manifest."""

    def __init__(self, seed: str = "image") -> None:
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as made:
            info = tarfile.TarInfo("seed")
            info.size = len(seed)
            made.addfile(info, io.BytesIO(seed.encode()))
        layer = gzip.compress(tar.getvalue(), mtime=0)
        rootfs = {"type": "layers", "diff_ids": [digest_of(tar.getvalue())]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
        self.blobs = {digest_of(one): one for one in (config, layer)}
        described = [
            {"mediaType": kind, "digest": digest_of(one), "size": len(one)}
            for kind, one in ((OCI_CONFIG, config), (LAYER, layer))
        ]
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described[0], "layers": described[1:]}
        content = json.dumps(document).encode()
        self.manifest = ManifestBytes(media_type=OCI_MANIFEST, digest=digest_of(content), content=content)

    def as_folder(self, folder: Path) -> None:
        """For the transport `dir`."""
        folder.mkdir(parents=True)
        (folder / "version").write_text("Directory Transport Version: 1.1\n")
        (folder / "manifest.json").write_bytes(self.manifest.content)
        for digest, content in self.blobs.items():
            (folder / digest.partition(":")[2]).write_bytes(content)

    def as_layout(self, folder: Path, name: str) -> None:
        """For the transport `oci`."""
        blobs = folder / "blobs/sha256"
        blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        for digest, content in {**self.blobs, self.manifest.digest: self.manifest.content}.items():
            (blobs / digest.partition(":")[2]).write_bytes(content)
        entry = {
            "mediaType": OCI_MANIFEST,
            "digest": self.manifest.digest,
            "size": len(self.manifest.content),
            "annotations": {"org.opencontainers.image.ref.name": name},
        }
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


class Keys:
    """Alice and Bob; Carol, whose key has expired; Dave, who revoked his; and two key pairs for sigstore."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "h"
        self.home.mkdir(mode=0o700, parents=True)
        for who in PEOPLE:
            old = ("--faked-system-time", f"{LONG_AGO}!") if who == "carol" else ()
            self.gpg(
                *old, "--quick-gen-key", f"{who.title()} <{who}@example.com>", "ed25519", "sign", "1y" if old else "0"
            )
        self.pairs = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("first", "second")}
        for name, pair in self.pairs.items():
            kind = serialization.PublicFormat.SubjectPublicKeyInfo
            (folder / f"{name}.pub").write_bytes(pair.public_key().public_bytes(serialization.Encoding.PEM, kind))

    def revoke(self) -> None:
        """After Dave has signed what he signs. Then the public keys are written out."""
        found = self.gpg("--with-colons", "--list-keys", "dave@example.com").decode().splitlines()
        fingerprint = next(line for line in found if line.startswith("fpr")).split(":")[9]
        text = (self.home / f"openpgp-revocs.d/{fingerprint}.rev").read_text()
        self.gpg("--import", given=text.replace(":-----BEGIN", "-----BEGIN").encode())
        for who in PEOPLE:
            (self.folder / f"{who}.gpg").write_bytes(self.gpg("--export", f"{who}@example.com"))

    def gpg(self, *words: str, given: bytes = b"") -> bytes:
        """What gpg writes. It must go well."""
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--no-tty", "--passphrase", "", *words]
        done = subprocess.run(argv, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def close(self) -> None:
        """End gpg's agent."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, capture_output=True)

    def sign(self, spec: Signed, names: dict[str, str], image: Image) -> bytes:
        """A signature in its stored form."""
        digest = image.manifest.digest if spec.digest == "own" else digest_of(b"another")
        kind = payload.SIMPLE if spec.by == "gpg" else payload.COSIGN
        content = hurt_payload(payload.make(digest, fill(spec.name, names), kind, "test", 1), spec.hurt)
        if spec.by == "gpg":
            old = ("--faked-system-time", f"{LONG_AGO}!") if spec.key == "carol" else ()
            message = self.gpg(
                *old, "--local-user", f"{spec.key}@example.com", "--sign", "--output", "-", given=content
            )
            return hurt_bytes(message, spec.hurt)
        raw = self.pairs[spec.key].sign(content, ec.ECDSA(hashes.SHA256()))
        if spec.hurt == "flip":
            content = content.replace(b'"creator":"test"', b'"creator":"Test"')
        notes = {stored.SIGNATURE_KEY: base64.b64encode(raw).decode()}
        return stored.write(stored.Sigstore(payload=content, annotations=notes))

    def names(self, place: Path, host: str, image: Image) -> dict[str, str]:
        """What stands for what in the table."""
        files = {who: f"{self.folder}/{who}.gpg" for who in PEOPLE}
        files |= {name: f"{self.folder}/{name}.pub" for name in self.pairs}
        data = base64.b64encode((self.folder / "alice.gpg").read_bytes()) if os.path.exists(files["alice"]) else b""
        more = {"alice_data": data.decode(), "place": str(place), "host": host, "digest": image.manifest.digest}
        return {**files, **more}


def hurt_payload(content: bytes, hurt: str) -> bytes:
    """A payload that says something else than it should, and is then signed."""
    if hurt == "member":
        return content.replace(b'"type":', b'"more":1,"type":')
    if hurt == "double":
        return content.replace(b'"type":', b'"type":"x","type":')
    return content.replace(b"atomic container", b"atomic kitchen") if hurt == "type" else content


def hurt_bytes(message: bytes, hurt: str) -> bytes:
    """A message that was damaged after it was signed."""
    if hurt == "flip":
        return message[:-10] + bytes([message[-10] ^ 1]) + message[-9:]
    return message[: len(message) // 2] if hurt == "cut" else message


def fill(value: Any, names: dict[str, str]) -> Any:
    """A text, or all texts of a document, with their names filled in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {fill(key, names): fill(one, names) for key, one in value.items()}
    return [fill(one, names) for one in value] if isinstance(value, list) else value


def policy_of(pair: Pair, names: dict[str, str]) -> bytes:
    """The policy of a pair as a file has it."""
    return json.dumps(fill(pair.policy, names)).encode()
