"""Forty varied images: Sonata, Podman, Buildah and Skopeo tell the same of each, whoever of them pulled it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from plain_store import PlainStore
from varied_images import CONFIGS, write_images

pytestmark = [pytest.mark.needs_root, pytest.mark.slow, pytest.mark.needs_peer("podman", "buildah", "skopeo")]
TOLD = ("Id", "RepoDigests", "Size", "VirtualSize", "Digest", "Created", "CreatedAt", "Names", "History", "Dangling")


class Both:
    """A store that Sonata pulled forty images into, and one that Skopeo copied them to."""

    def __init__(self, folder: Path) -> None:
        self.ours = object.__new__(PlainStore)
        self.ours = PlainStore(folder)
        self.theirs = folder / "t"
        for number, (place, _) in enumerate(write_images(folder / "i")):
            ident = self.ours.out("pull", "-q", f"dir:{place}")
            self.ours.out("tag", ident, f"localhost/image:{number}", f"example.com/other/image:{number}")
            name = f"containers-storage:[overlay@{self.theirs}+{folder}/tr]localhost/image:{number}"
            subprocess.run(["skopeo", "copy", "-q", f"dir:{place}", name], check=True)

    def peer(self, program: str, *words: str) -> Any:
        """What a peer tells of our store, as JSON."""
        where = [
            "--root",
            f"{self.ours.base}/root",
            "--runroot",
            f"{self.ours.base}/run",
            "--storage-driver",
            "overlay",
        ]
        extra = ["--cgroup-manager", "cgroupfs"] if program == "podman" else []
        done = subprocess.run([program, *where, *extra, *words], check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    # Podman takes no run root of more than 50 letters.
    with TemporaryDirectory() as folder:
        try:
            yield Both(Path(folder))
        finally:
            for root in ("root", "t"):
                subprocess.run(["umount", "-q", f"{folder}/{root}/overlay"], check=False)


def records(root: Path | str, kind: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(Path(root, f"overlay-{kind}/{kind}.json").read_text())
    return {row["id"]: {key: value for key, value in row.items() if key != "created"} for row in rows}


def test_there_are_forty(both: Both) -> None:
    assert len(CONFIGS) == 40
    assert len(records(both.theirs, "images")) == 40


def test_records_are_those_that_skopeo_writes(both: Both) -> None:
    ours, theirs = (records(root, "images") for root in (f"{both.ours.base}/root", both.theirs))
    for ident, row in theirs.items():
        mine = ours[ident]
        for gone in ("names", "names-history"):
            mine.pop(gone)
            row.pop(gone)
        # Skopeo of Debian 12 notes that there are no signatures; newer ones note nothing.
        assert mine.pop("metadata") == "{}"
        row.pop("metadata")
        for key in ("big-data-names", "big-data-sizes", "big-data-digests"):
            known = [name for name in row[key] if not name.startswith("signature")]
            row[key] = known if key.endswith("names") else {name: row[key][name] for name in known}
        assert mine == row
    ours, theirs = (records(root, "layers") for root in (f"{both.ours.base}/root", both.theirs))
    assert {ident: ours[ident] for ident in theirs} == theirs


def test_lists_are_those_of_podman(both: Both) -> None:
    ours = json.loads(both.ours.out("images", "-a", "--format", "json"))
    theirs = both.peer("podman", "images", "-a", "--format", "json")
    told = [{(one["Id"], key): one.get(key) or None for key in TOLD} for found in (ours, theirs) for one in found]
    assert len(ours) == len(theirs)
    half = len(ours)
    order = [sorted(part, key=str) for part in (told[:half], told[half:])]
    assert order[0] == order[1]
    assert {one["Id"]: one["ParentId"] for one in ours} == {one["Id"]: one["ParentId"] for one in theirs}


def test_inspections_are_those_of_podman(both: Both) -> None:
    for ident in records(both.theirs, "images"):
        (ours,), (theirs,) = (
            json.loads(both.ours.out("image", "inspect", ident)),
            both.peer("podman", "image", "inspect", ident),
        )
        for found in (ours, theirs):
            # Of an image without layers Podman names folders that are not there; its lists of digests are in any order.
            found.pop("GraphDriver")
            found["RepoDigests"] = sorted(found["RepoDigests"])
        assert ours == theirs


def test_steps_are_those_of_podman(both: Both) -> None:
    for ident in records(both.theirs, "images"):
        ours = json.loads(both.ours.out("history", "--format", "json", ident))
        theirs = both.peer("podman", "history", "--format", "json", ident)
        assert [(one["size"], one["CreatedBy"]) for one in ours] == [(one["size"], one["CreatedBy"]) for one in theirs]


def test_buildah_and_skopeo_agree(both: Both) -> None:
    listed = {
        one["id"].removeprefix("sha256:"): one for one in both.peer("buildah", "images", "-a", "--no-trunc", "--json")
    }
    ours = {one["Id"]: one for one in json.loads(both.ours.out("images", "-a", "--format", "json"))}
    for ident in records(both.theirs, "images"):
        assert sorted(listed[ident]["names"]) == sorted(ours[ident]["Names"])
        assert listed[ident]["digest"] == ours[ident]["Digest"]
        name = f"containers-storage:[overlay@{both.ours.base}/root+{both.ours.base}/run]@{ident}"
        shown = subprocess.run(["skopeo", "inspect", name], check=True, capture_output=True)
        (mine,) = json.loads(both.ours.out("image", "inspect", ident))
        theirs = json.loads(shown.stdout)
        assert theirs["Digest"] == mine["Digest"]
        assert (theirs["Labels"] or {}) == (mine["Labels"] or {})
        assert theirs["Architecture"] == mine["Architecture"]
        assert (theirs["Env"] or []) == mine["Config"].get("Env", [])


NAME = "reg.example/team/app"
ACCEPTED = (True, False, False, True, False)
"""Whether images are accepted that need nothing, are rejected, lack a signature, have the right one, have another's."""


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[Path]]]:
    """A policy with a rule for each of the forty, and the forty, two fifths of them signed."""
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    gpg = ("gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback")
    for who in ("alice", "bob"):
        subprocess.run([*gpg, "--quick-gen-key", f"{who}@example.com", "rsa2048", "sign", "0"], check=True)
    key = subprocess.run([*gpg, "--export", "alice@example.com"], check=True, capture_output=True).stdout
    (tmp_path / "alice.gpg").write_bytes(key)
    signed = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": f"{tmp_path}/alice.gpg"}
    signed["signedIdentity"] = {"type": "exactRepository", "dockerRepository": NAME}  # type: ignore[assignment]
    rules: dict[str, Any] = {}
    places = [place for place, _ in write_images(tmp_path / "i")]
    for number, place in enumerate(places):
        rules[str(place)] = [[{"type": "insecureAcceptAnything"}], [{"type": "reject"}], [signed]][min(number % 5, 2)]
        if number % 5 > 2:
            who = f"{'alice' if number % 5 == 3 else 'bob'}@example.com"
            words = ("standalone-sign", f"{place}/manifest.json", f"{NAME}:1", who, "-o", f"{place}/signature-1")
            subprocess.run(["skopeo", *words], check=True, capture_output=True)
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "reject"}], "transports": {"dir": rules}}))
    yield policy, places
    subprocess.run(["gpgconf", "--kill", "all"], check=False, capture_output=True)


def test_all_trust_the_same(both: Both, judged: tuple[Path, list[Path]], tmp_path: Path) -> None:
    policy, places = judged
    base = both.ours.base
    podman = [
        "podman",
        f"--root={base}/pr",
        f"--runroot={base}/prr",
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
    ]
    verdicts = []
    for number, place in enumerate(places):
        asked = (
            [*both.ours.program, "pull", "-q", f"--signature-policy={policy}", f"dir:{place}"],
            [
                *both.ours.program,
                "image",
                "copy",
                "-q",
                f"--policy={policy}",
                f"dir:{place}",
                f"dir:{tmp_path}/o{number}",
            ],
            ["skopeo", f"--policy={policy}", "copy", "-q", f"dir:{place}", f"dir:{tmp_path}/t{number}"],
            [*podman, "pull", "-q", f"--signature-policy={policy}", f"dir:{place}"],
        )
        verdicts.append([subprocess.run(words, check=False, capture_output=True).returncode == 0 for words in asked])
    assert verdicts == [[ACCEPTED[number % 5]] * 4 for number in range(40)]
    for number in range(0, 40, 5):
        ours, theirs = (
            {one.name: one.read_bytes() for one in Path(tmp_path, f"{side}{number + 3}").iterdir()} for side in "ot"
        )
        assert ours == theirs, "with their signatures"
