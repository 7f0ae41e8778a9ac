"""Sigstore signatures: key pairs as Skopeo makes them, logs and authorities, and what may be wrong with them."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sonata.image.signatures import cosign_key, sigstore
from sonata_core.errors import Damaged, Denied, SonataError, UsageError
from sonata_core.sdk.signatures import BUNDLE_KEY, CERTIFICATE_KEY, CHAIN_KEY, SIGNATURE_KEY, Sigstore

PRIVATE = b"""\
-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJSejBVV0h0SHpscnRRTk1UbmZPUVczbUJoTVVCYWlZ
Nm1TU1FpVStTblVZPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiIrVjVsYnRNbTV4azFRVUR5TzRSUGhXcFhCV3RkZURaZiJ9LCJj
aXBoZXJ0ZXh0IjoiM1QrMHNmV1czMDRwL28vREg4RGR5dFlMekpjbjM4SUVHUTNT
TWRqdkwrSndKekFZS1VsSlhoSDdUbFhxM2tsaVNMZWRwdytEZHp4UzNUenRGWERj
enNQWXYyUy9vbjVLUzJVQU5kWEJZL253djJYZEJBVjc5UG1Mb3RlazNFZ1hBOVp1
NTl3aEVXM2RJSFdTdklLS2VaZ2psL2IxVDZjcm5ESUNhY054RHU4dTY5N1RqdmdB
M0ZCVldBbkp1bVl3Ti9FVXBlZXhhQWRlaEE9PSJ9
-----END ENCRYPTED COSIGN PRIVATE KEY-----
"""
"""Made by `skopeo generate-sigstore-key` 1.22 with the passphrase `pass word`."""
PUBLIC = b"""\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5saNaAtsAStIk7D9VI3LrdHS8fjJ
ztdGRzQjbSulxRx9WbO+CYfsrVoRKw9TNN8ZXkbbv2fhhKig+ies6xeJBw==
-----END PUBLIC KEY-----
"""
PAYLOAD = b'{"critical":{}}'
ISSUER = "https://login.example"
EMAIL = "me@example.com"
NOON = datetime.datetime(2024, 6, 1, 12, tzinfo=datetime.UTC)
PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


def test_a_key_that_skopeo_made() -> None:
    key = sigstore.public_key(PUBLIC)
    made = cosign_key.sign(PRIVATE, b"pass word", PAYLOAD)
    assert sigstore.holds(key, made, PAYLOAD)
    assert not sigstore.holds(key, made, PAYLOAD + b" ")
    with pytest.raises(Denied, match="decryption failed"):
        cosign_key.sign(PRIVATE, b"password", PAYLOAD)


@pytest.mark.heavy
def test_keys_that_are_none() -> None:
    label = b"ENCRYPTED COSIGN PRIVATE KEY"
    document = json.loads(base64.b64decode(b"".join(PRIVATE.splitlines()[1:-1])))

    def pem(value: object) -> bytes:
        return b"-----BEGIN %s-----\n%s\n-----END %s-----" % (
            label,
            base64.b64encode(json.dumps(value).encode()),
            label,
        )

    assert cosign_key.decrypt(pem(document), b"pass word")
    bad: list[Any] = [
        [],
        {**document, "kdf": {"name": "argon"}},
        {**document, "kdf": {**document["kdf"], "params": {"N": 2**40, "r": 8, "p": 1}}},
        {**document, "kdf": {**document["kdf"], "params": {"N": 3, "r": 8, "p": 1}}},
        {**document, "kdf": {**document["kdf"], "params": {"N": -1, "r": 8, "p": 1}}},
        {**document, "cipher": {"name": "aes", "nonce": ""}},
        {**document, "cipher": {**document["cipher"], "nonce": "QQ=="}},
        {**document, "ciphertext": 1},
    ]
    for one in bad:
        with pytest.raises(UsageError, match="reading private key"):
            cosign_key.decrypt(pem(one), b"pass word")
    for text in (b"", PUBLIC, pem(document)[:-40], b"-----BEGIN %s-----\n!\n-----END %s-----" % (label, label)):
        with pytest.raises(UsageError, match="reading private key"):
            cosign_key.decrypt(text, b"")
    with pytest.raises(Denied):
        cosign_key.decrypt(pem({**document, "ciphertext": "QQ=="}), b"pass word")


def test_a_box_of_nacl() -> None:
    """The vector of NaCl's own tests (tests/box.c): secretbox of 131 bytes."""
    key = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
    nonce = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
    box = bytes.fromhex(
        "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a"
        "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae"
        "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5"
    )
    plain = bytes.fromhex(
        "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129"
        "6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde"
        "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
    )
    assert cosign_key.open_box(key, nonce, box) == plain
    assert cosign_key.open_box(key, nonce, box[:-1] + b"\0") is None


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_kinds_of_keys(kind: str) -> None:
    key: Any
    if kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP384R1())
        made = key.sign(PAYLOAD, ec.ECDSA(hashes.SHA256()))
    elif kind == "rsa":
        from cryptography.hazmat.primitives.asymmetric import padding

        key = rsa.generate_private_key(65537, 2048)
        made = key.sign(PAYLOAD, padding.PKCS1v15(), hashes.SHA256())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
        made = key.sign(PAYLOAD)
    pem = key.public_key().public_bytes(PEM, SPKI)
    signature = Sigstore(payload=PAYLOAD, annotations={SIGNATURE_KEY: base64.b64encode(made).decode()})
    assert sigstore.verify(signature, sigstore.Trusted(keys=(PUBLIC, pem))) == PAYLOAD
    with pytest.raises(Damaged, match="verification failed"):
        sigstore.verify(signature, sigstore.Trusted(keys=(PUBLIC,)))
    with pytest.raises(Damaged, match="missing"):
        sigstore.verify(signature.replace(annotations={}), sigstore.Trusted(keys=(pem,)))
    with pytest.raises(Damaged, match="base64"):
        sigstore.verify(signature.replace(annotations={SIGNATURE_KEY: "?"}), sigstore.Trusted(keys=(pem,)))
    with pytest.raises(UsageError, match="parsing public key"):
        sigstore.verify(signature, sigstore.Trusted(keys=(b"no key",)))


class Authority:
    """A certificate authority, a log, and a person with a short-lived certificate."""

    def __init__(self) -> None:
        self.root_key, self.middle_key, self.key, self.log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))
        self.root = self.authority("root", self.root_key, "root", self.root_key)
        self.middle = self.authority("middle", self.middle_key, "root", self.root_key)

    def builder(self, name: str, key: Any, issuer: str) -> x509.CertificateBuilder:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOON - datetime.timedelta(minutes=5))
            .not_valid_after(NOON + datetime.timedelta(minutes=5))
        )

    def authority(self, name: str, key: Any, issuer: str, signer: Any, **basic: Any) -> x509.Certificate:
        made = self.builder(name, key, issuer).add_extension(
            x509.BasicConstraints(ca=basic.get("ca", True), path_length=basic.get("path")), critical=True
        )
        return made.sign(signer, hashes.SHA256())

    def leaf(
        self, *, email: str = EMAIL, issuer: str = ISSUER, der: str = "", code: bool = True, odd: bool = False
    ) -> bytes:
        usage = ExtendedKeyUsageOID.CODE_SIGNING if code else ExtendedKeyUsageOID.SERVER_AUTH
        made = self.builder("leaf", self.key, "middle").add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        made = made.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), critical=True)
        for number, value in ((1, issuer.encode()), (8, b"\x0c" + bytes([len(der)]) + der.encode())):
            if value.strip(b"\x0c\0"):
                oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
                made = made.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        if odd:
            made = made.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"x"), critical=True)
        return made.sign(self.middle_key, hashes.SHA256()).public_bytes(PEM)

    def trusted(self, **changes: Any) -> sigstore.Trusted:
        given = {"fulcio": (self.root.public_bytes(PEM), ISSUER, EMAIL), **changes}
        return sigstore.Trusted(rekor=(self.log.public_key().public_bytes(PEM, SPKI),), **given)

    def signature(self, leaf: bytes, *, chain: bool = True, entry: Any = None, at: int = 0, **log: Any) -> Sigstore:
        made = self.key.sign(PAYLOAD, ec.ECDSA(hashes.SHA256()))
        notes = {SIGNATURE_KEY: base64.b64encode(made).decode(), CERTIFICATE_KEY: leaf.decode()}
        if chain:
            notes[CHAIN_KEY] = (self.middle.public_bytes(PEM) + self.root.public_bytes(PEM)).decode()
        body = entry or self.entry(leaf, made)
        notes[BUNDLE_KEY] = self.bundle(body, at or int(NOON.timestamp()), **log)
        return Sigstore(payload=PAYLOAD, annotations=notes)

    def entry(self, key: bytes, made: bytes, content: bytes = PAYLOAD) -> Any:
        data = {"hash": {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}}
        shown = {"content": base64.b64encode(made).decode(), "publicKey": {"content": base64.b64encode(key).decode()}}
        return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {"data": data, "signature": shown}}

    def bundle(self, body: Any, at: int, *, signer: Any = None, lie: bool = False) -> str:
        text = base64.b64encode(json.dumps(body).encode()).decode()
        promised = {"body": text, "integratedTime": at, "logIndex": 7, "logID": "c0"}
        canonical = json.dumps(promised, sort_keys=True, separators=(",", ":")).encode()
        stamp = (signer or self.log).sign(canonical, ec.ECDSA(hashes.SHA256()))
        if lie:
            promised["integratedTime"] = at + 1
        return json.dumps({"SignedEntryTimestamp": base64.b64encode(stamp).decode(), "Payload": promised})


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def test_a_person_whom_the_authority_knows(authority: Authority) -> None:
    for leaf in (authority.leaf(), authority.leaf(der=ISSUER), authority.leaf(issuer="", der=ISSUER)):
        assert sigstore.verify(authority.signature(leaf), authority.trusted()) == PAYLOAD


def test_whom_the_authority_does_not_know(authority: Authority) -> None:
    a, good = authority, authority.leaf()
    other = Authority()
    past = int(NOON.timestamp()) - 3600
    made = base64.b64decode(a.signature(good).annotations[SIGNATURE_KEY])
    cases = {
        "e-mail": (a.signature(a.leaf(email="you@example.com")), a.trusted()),
        "issuer": (a.signature(a.leaf(issuer="https://evil.example")), a.trusted()),
        "no issuer": (a.signature(a.leaf(issuer="")), a.trusted()),
        "two issuers": (a.signature(a.leaf(der="https://evil.example")), a.trusted()),
        "purpose": (a.signature(a.leaf(code=False)), a.trusted()),
        "critical": (a.signature(a.leaf(odd=True)), a.trusted()),
        "no chain": (a.signature(good, chain=False), a.trusted()),
        "another root": (a.signature(good), a.trusted(fulcio=(other.root.public_bytes(PEM), ISSUER, EMAIL))),
        "too early": (a.signature(good, at=past), a.trusted()),
        "too late": (a.signature(good, at=past + 7200), a.trusted()),
        "another log": (a.signature(good, signer=other.log), a.trusted()),
        "a lie about the time": (a.signature(good, lie=True), a.trusted()),
        "an entry for another signature": (a.signature(good, entry=a.entry(good, made + b"x")), a.trusted()),
        "another key in the log": (a.signature(good, entry=a.entry(a.leaf(), made)), a.trusted()),
        "another kind of entry": (a.signature(good, entry={"apiVersion": "0.0.1", "kind": "intoto"}), a.trusted()),
        "an empty entry": (a.signature(good, entry={"apiVersion": "0.0.1", "kind": "hashedrekord"}), a.trusted()),
        "two certificates": (a.signature(good + a.leaf()), a.trusted()),
        "no certificate": (a.signature(b"x"), a.trusted()),
    }
    for what, (signature, trusted) in cases.items():
        with pytest.raises(SonataError):
            pytest.fail(f"accepted: {what}: {sigstore.verify(signature, trusted)!r}")
    for missing in (BUNDLE_KEY, CERTIFICATE_KEY):
        signature = a.signature(good)
        notes = {key: text for key, text in signature.annotations.items() if key != missing}
        with pytest.raises(Damaged, match="missing"):
            sigstore.verify(signature.replace(annotations=notes), a.trusted())


def test_an_authority_that_may_not_issue(authority: Authority) -> None:
    a = Authority()
    a.middle = a.authority("middle", a.middle_key, "root", a.root_key, ca=False)
    with pytest.raises(Damaged, match="unknown authority"):
        sigstore.verify(a.signature(a.leaf()), a.trusted())
    a.middle = a.authority("middle", a.middle_key, "root", a.root_key)
    a.root = a.authority("root", a.root_key, "root", a.root_key, path=0)
    with pytest.raises(Damaged, match="unknown authority"):
        sigstore.verify(a.signature(a.leaf()), a.trusted())


def test_a_key_pair_that_the_log_has_seen(authority: Authority) -> None:
    a = authority
    pem = a.key.public_key().public_bytes(PEM, SPKI)
    log = (a.log.public_key().public_bytes(PEM, SPKI),)
    made = a.key.sign(PAYLOAD, ec.ECDSA(hashes.SHA256()))
    notes = {SIGNATURE_KEY: base64.b64encode(made).decode(), BUNDLE_KEY: a.bundle(a.entry(pem, made), 1)}
    signature = Sigstore(payload=PAYLOAD, annotations=notes)
    trusted = sigstore.Trusted(keys=(pem,), rekor=log)
    assert sigstore.verify(signature, trusted) == PAYLOAD
    assert sigstore.verify(signature, sigstore.Trusted(keys=(PUBLIC, pem), rekor=log)) == PAYLOAD
    for body in (a.entry(PUBLIC, made), a.entry(pem, made + b"x"), a.entry(pem, made, b"other")):
        with pytest.raises(Damaged, match="does not match"):
            sigstore.verify(signature.replace(annotations={**notes, BUNDLE_KEY: a.bundle(body, 1)}), trusted)
    with pytest.raises(Damaged):
        sigstore.verify(signature.replace(payload=PAYLOAD + b" "), trusted)


def test_an_ordinary_authority(authority: Authority) -> None:
    """Its certificates are judged by now: those of the test have long expired."""
    a = authority
    roots = a.root.public_bytes(PEM)
    with pytest.raises(Damaged, match="not valid at that time"):
        sigstore.verify(a.signature(a.leaf()), sigstore.Trusted(pki=(roots, b"", EMAIL, "")))


def test_an_ordinary_authority_that_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_trust_sigstore.NOON", datetime.datetime.now(datetime.UTC))
    a = Authority()
    roots, middle = a.root.public_bytes(PEM), a.middle.public_bytes(PEM)
    signature = a.signature(a.leaf(), chain=False)
    assert sigstore.verify(signature, sigstore.Trusted(pki=(roots, middle, EMAIL, ""))) == PAYLOAD
    for pki in ((roots, b"", EMAIL, ""), (roots, middle, "x@y", ""), (roots, middle, "", "h.example")):
        with pytest.raises(Damaged):
            sigstore.verify(signature, sigstore.Trusted(pki=pki))
