"""Every pair of image and policy gets the verdict that Skopeo gave; the long check asks Skopeo again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_table import NAMES, TABLE, Pair, Signed
from trust_world import Image, Keys, fill, policy_of

from sonata.engine.images.trust import resolved
from sonata.host.commands import run
from sonata.image import policy as rules
from sonata.image.signatures.gpg import KeyRing
from sonata.image.signatures.verdict import Judge, Subject
from sonata_core.errors import Damaged, Denied, UsageError
from sonata_core.models.image import Endpoint, ImageReference, TransportOptions
from sonata_core.sdk.local_reference import parse_local
from sonata_testkit.debian_registry import DebianRegistry
from sonata_transport_dir.plugin import DirTransport
from sonata_transport_registry.plugin import RegistryTransport

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg")
SIGNATURES = {spec for pair in TABLE for spec in pair.signatures}


class Made(dict[Signed, bytes]):
    """Signatures; those of keys that are not revoked may be made later."""

    def __init__(self, world: World, names: dict[str, str]) -> None:
        super().__init__()
        self._world = world
        self._names = names

    def __missing__(self, spec: Signed) -> bytes:
        self[spec] = self._world.keys.sign(spec, self._names, self._world.image)
        return self[spec]


class World:
    """Keys, an image in every kind of place, and every signature of the table, made once."""

    def __init__(self, folder: Path, host: str) -> None:
        self.image = Image()
        self.host = host
        self.place = folder / "p"
        self.image.as_folder(self.place / "image")
        self.image.as_layout(self.place / "layout", "box")
        (self.place / "link").symlink_to(self.place / "image")
        self.keys = Keys(folder / "k")
        early = self.keys.names(self.place, host, self.image)
        self.made = Made(self, early)
        for spec in SIGNATURES:
            self.made[spec] = self.keys.sign(spec, early, self.image)
        self.keys.revoke()
        self.names = self.keys.names(self.place, host, self.image)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with DebianRegistry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("w"), "localhost:5000")
    yield made
    made.keys.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, registry: DebianRegistry) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("w"), registry.host)
    yield made
    made.keys.close()


def parsed(text: str) -> ImageReference:
    """What a transport makes of a reference; none of their methods of parsing looks at the plugin's world."""
    scheme, _, rest = text.partition(":")
    if scheme == "oci":
        return parse_local(scheme, rest)
    kind = {"docker": RegistryTransport, "dir": DirTransport}[scheme]
    found: ImageReference = kind.transport_parse(object(), rest)  # type: ignore[arg-type]
    return found


def judge(world: World, pair: Pair) -> None:
    """As `engine.images.trust` does. Raises Denied, UsageError."""
    policy = rules.parse_policy(policy_of(pair, world.names), "policy.json")
    reference = resolved(parsed(fill(pair.source, world.names)))
    rules.forbid(policy, reference)
    found = tuple(world.made[spec] for spec in pair.signatures)
    judge = Judge(lambda: KeyRing(run, shutil.which("gpg")))
    subject = Subject(reference=reference, manifest=world.image.manifest)
    judge.require(rules.requirements_for(policy, reference), subject, lambda: found)


@pytest.mark.parametrize(
    "pair", [*TABLE, *(pytest.param(pair, marks=pytest.mark.slow) for pair in NAMES)], ids=lambda pair: pair.id
)
def test_the_recorded_verdict(world: World, pair: Pair) -> None:
    if pair.accepted:
        judge(world, pair)
        return
    with pytest.raises((Denied, UsageError)) as caught:
        judge(world, pair)
    assert "Source image rejected" in str(caught.value) or "invalid policy" in str(caught.value)


def test_a_policy_without_gpg_accepts_nothing_that_is_to_be_signed(world: World) -> None:
    pair = next(one for one in TABLE if one.id == "signed")
    policy = rules.parse_policy(policy_of(pair, world.names), "policy.json")
    reference = parsed(fill(pair.source, world.names))
    subject = Subject(reference=reference, manifest=world.image.manifest)
    with pytest.raises(Exception, match="gpg is not installed"):
        Judge(lambda: KeyRing(run, None)).require(
            rules.requirements_for(policy, reference), subject, lambda: (world.made[pair.signatures[0]],)
        )


def verify(message: bytes, *keys: bytes) -> bytes:
    with KeyRing(run, shutil.which("gpg")) as ring:
        ring.add(keys)
        return ring.verify(message)[0]


@pytest.mark.heavy
def test_messages_that_are_not_one_signed_payload(world: World) -> None:
    """A bomb, two messages in one, what is only encrypted or only plain, and text beside what was signed."""
    alice = (world.keys.folder / "alice.gpg").read_bytes()
    sign = ("--local-user", "alice@example.com", "--output", "-", "--sign")
    good = world.keys.gpg(*sign, given=b"{}")
    assert verify(good, alice) == b"{}"
    plain = world.keys.gpg("--store", "--output", "-", given=b"[]")
    twice = world.keys.gpg("--local-user", "bob@example.com", *sign, given=b"{}")
    bomb = world.keys.gpg("-z", "9", *sign, given=bytes(64 << 20))
    assert len(bomb) < 1 << 18
    clear = world.keys.gpg("--local-user", "alice@example.com", "--output", "-", "--clearsign", given=b"{}")
    detached = world.keys.gpg("--local-user", "alice@example.com", "--output", "-", "--detach-sign", given=b"{}")
    for message in (b"", b"\x90", plain, plain + good, twice, bomb, detached, clear[:-40]):
        with pytest.raises(Damaged, match="Invalid GPG signature"):
            verify(message, alice)
    assert verify(good + plain, alice) == b"{}", "what follows is not looked at"


@pytest.mark.heavy
@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, 200), change=st.binary(min_size=1, max_size=4))
def test_a_damaged_message_is_never_accepted(world: World, at: int, change: bytes) -> None:
    pair = next(one for one in TABLE if one.id == "signed")
    good = world.made[pair.signatures[0]]
    at %= len(good)
    hurt = good[:at] + change + good[at + len(change) :]
    alice = (world.keys.folder / "alice.gpg").read_bytes()
    try:
        content = verify(hurt, alice)
    except Damaged:
        return
    assert content == verify(good, alice), "what was signed is another"


SKOPEO = os.environ.get("SONATA_SKOPEO", "skopeo").split()
"""The Skopeo to ask; another one than the host's by this variable."""


def _version() -> tuple[int, int]:
    words = subprocess.run([*SKOPEO, "--version"], capture_output=True, text=True, check=True).stdout.split()
    major, minor, *_ = words[2].split(".")
    return int(major), int(minor)


@pytest.mark.slow
@pytest.mark.needs_root
@pytest.mark.needs_peer("skopeo", "docker-registry")
def test_skopeo_gives_the_recorded_verdicts(live: World, tmp_path: Path, plugin_context: object) -> None:
    told = Skopeo(live, tmp_path, RegistryTransport(plugin_context))  # type: ignore[arg-type]
    have = _version()
    asked = [pair for pair in (*TABLE, *NAMES) if pair.since <= have]
    assert len(asked) >= 50
    different = [(pair.id, pair.accepted) for pair in asked if told.accepts(pair) != pair.accepted]
    assert different == []


class Skopeo:
    """Copies each image from where it lies, with its signatures beside it, as its policy says."""

    def __init__(self, world: World, folder: Path, registry: RegistryTransport) -> None:
        self.world = world
        self.folder = folder
        self.registry = registry
        beside = f"{folder}/beside"
        (folder / "registries.d").mkdir()
        (folder / "registries.d/a.yaml").write_text(
            f"default-docker:\n  lookaside: file://{beside}\n  use-sigstore-attachments: true\n"
        )
        place = f"{world.host}/team/app:1"
        self.endpoint = Endpoint(
            reference=place, insecure=True, lookaside=f"file://{beside}/team/app", attachments=True
        )
        self._skopeo("copy", "--dest-tls-verify=false", f"dir:{world.place}/image", f"docker://{place}")

    def _skopeo(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*SKOPEO, *words], capture_output=True, text=True, check=False)

    def accepts(self, pair: Pair) -> bool:
        """Whether the copy goes well."""
        self._lay(pair)
        policy = self.folder / "policy.json"
        policy.write_bytes(policy_of(pair, self.world.names))
        target = self.folder / "out"
        shutil.rmtree(target, ignore_errors=True)
        source = fill(pair.source, self.world.names)
        rest = ("copy", "--remove-signatures", "--src-tls-verify=false", source, f"dir:{target}")
        done = self._skopeo("--policy", str(policy), "--registries.d", f"{self.folder}/registries.d", *rest)
        return done.returncode == 0

    def _lay(self, pair: Pair) -> None:
        """The pair's signatures where they belong, those of the pair before gone."""
        shutil.rmtree(self.folder / "beside", ignore_errors=True)
        for old in (self.world.place / "image").glob("signature-*"):
            old.unlink()
        made = tuple(self.world.made[spec] for spec in pair.signatures)
        if pair.source.startswith("dir:"):
            for number, one in enumerate(made, 1):
                (self.world.place / f"image/signature-{number}").write_bytes(one)
            return
        self._forget_attachments()
        if made:
            options = TransportOptions(endpoints=(self.endpoint,))
            reference = parsed(f"docker://{self.endpoint.reference}")
            digest = self.world.image.manifest.digest
            self.registry.transport_put_signatures(reference, digest, made, options)

    def _forget_attachments(self) -> None:
        hexadecimal = self.world.image.manifest.digest.partition(":")[2]
        place = f"docker://{self.world.host}/team/app:sha256-{hexadecimal}.sig"
        self._skopeo("delete", "--tls-verify=false", place)
