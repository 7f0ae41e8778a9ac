"""`sonata artifact`, by the real program; expected words were recorded from Podman 5.8.6."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from both_ways import Root

A, B = "quay.io/x/a:1", "localhost/b"
HELLO = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


class Store:
    """The program on a store that has no images."""

    def __init__(self, base: Path, who: Root) -> None:
        self.base, self.who = base, who
        for name, content in (("a.txt", "hello\n"), ("b.json", '{"a":1}\n')):
            (base / name).write_text(content)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("artifact", *words)

    def argv(self, *words: str, **more: str) -> list[str]:
        """The argument list of a command in the folder of the files, with more variables."""
        self.who.adopt(self.base, but=("root", "run"))
        store = ("--root", f"{self.base}/root", "--runroot", f"{self.base}/run")
        return self.who.argv([*store, *words], cwd=str(self.base), **more)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Any command, in the folder of the files."""
        argv = self.argv(*words)
        given: dict[str, Any] = self.who.given(cwd=self.base)
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, **given)

    def out(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def refused(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 125, (words, done)
        return next(line for line in done.stderr.splitlines() if line.startswith("Error: ")).removeprefix("Error: ")

    def manifest(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out("inspect", name))["Manifest"]
        return found


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Store:
    return Store(tmp_path, who)


def test_add_and_look(store: Store) -> None:
    assert store.out("ls") == "REPOSITORY  TAG         DIGEST      CREATED     SIZE\n"
    assert not (store.base / "root/artifacts").exists()
    digest = store.out("add", A, "a.txt").strip()
    assert len(digest) == 64
    assert store.refused("add", A, "b.json") == f"{A}: artifact already exists"
    store.out("add", "--type", "text/x", "--file-type", "text/y", "--annotation", "k=v", B, "a.txt", "b.json")
    rows = store.out("ls", "--noheading").splitlines()
    assert rows[0].split()[:3] == ["quay.io/x/a", "1", digest[:12]]
    assert rows[1].split()[0] == B
    assert rows[1].split()[-1] == "14B"
    assert store.out("list", "--no-trunc", "--format", "{{.Digest}} {{.VirtualSize}}").split()[:2] == [digest, "6"]
    assert json.loads(store.out("ls", "--format", "json"))[0] == {
        "Digest": digest[:12],
        "Repository": "quay.io/x/a",
        "Size": "6B",
        "Tag": "1",
        "VirtualSize": "6",
    }
    shown = store.out("inspect", B)
    assert shown.startswith('{\n     "Manifest": {\n          "schemaVersion": 2,\n')
    found = json.loads(shown)
    assert list(found) == ["Manifest", "Name", "Digest"]
    manifest = found["Manifest"]
    assert (manifest["artifactType"], manifest["annotations"]["k"]) == ("text/x", "v")
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["text/y", "text/y"]
    assert manifest["layers"][0]["annotations"] == {"k": "v", "org.opencontainers.image.title": "a.txt"}
    told = store.out("inspect", digest[:6], "-f", "{{.Name}} {{.TotalSizeBytes}} {{(index .Manifest.Layers 0).Digest}}")
    assert told == f"{A} 6 {HELLO}\n"


def test_append_and_replace(store: Store) -> None:
    store.out("add", "--replace", A, "a.txt")
    first = store.manifest(A)
    store.out("add", "--append", "--annotation", "x=y", A, "b.json")
    second = store.manifest(A)
    assert second["annotations"] == first["annotations"]
    assert second["layers"][0] == first["layers"][0]  # type: ignore[index]
    assert second["layers"][1]["annotations"]["x"] == "y"  # type: ignore[index]
    assert store.refused("add", "-a", A, "b.json") == "b.json: file already exists in artifact"
    store.out("add", "--replace", A, "b.json")
    assert len(store.manifest(A)["layers"]) == 1  # type: ignore[arg-type]
    assert not [name for name in os.listdir(store.base / "root/artifacts/blobs/sha256") if HELLO.endswith(name)]
    assert len(store.out("ls", "-n").splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "x", "/nonexist"), "open /nonexist: no such file or directory"),
        (("add", "x", "/tmp"), "read /tmp: is a directory"),
        (("add", "BAD name", "a.txt"), "Invalid image BAD name"),
        (("add", "", "a.txt"), "artifact name cannot be empty"),
        (("add", "x", "a.txt", "a.txt"), "a.txt: file already exists in artifact"),
        (("add", "--annotation", "foo", "x", "a.txt"), 'no value given for annotation "foo"'),
        (("add", "--append", "x", "a.txt"), "x: artifact does not exist"),
        (("add", "--append", "--type", "t", "x", "a.txt"), "append option is not compatible with type option"),
        (("add", "--append", "--replace", "x", "a.txt"), "--append and --replace options cannot be used together"),
        (("add", "x"), "requires at least 2 arg(s), only received 1"),
        (("inspect", "x"), "x: artifact does not exist"),
        (("rm",), "at least one artifact name or digest must be specified"),
        (("rm", "x"), "x: artifact does not exist"),
        (("rm", "-a", "x"), "when using the --all switch, you may not pass any artifact names or digests"),
        (("extract", "x", "/tmp"), "x: artifact does not exist"),
    ],
)
def test_refusals(store: Store, words: tuple[str, ...], said: str) -> None:
    assert store.refused(*words) == said
    assert store.out("ls", "-n") == ""


def test_extract(store: Store) -> None:
    (store.base / "to").mkdir()
    store.out("add", A, "a.txt", "b.json")
    store.out("extract", A, "to")
    assert {name: (store.base / "to" / name).read_text() for name in os.listdir(store.base / "to")} == {
        "a.txt": "hello\n",
        "b.json": '{"a":1}\n',
    }
    store.out("extract", "--title", "a.txt", A, "one")
    assert (store.base / "one").read_text() == "hello\n"
    store.out("extract", "--digest", HELLO, A, "to")
    assert (store.base / "to" / HELLO.replace(":", "-")).read_text() == "hello\n"
    assert store.out("extract", "--digest", HELLO, A, "/dev/stdout") == "hello\n"
    for words, said in (
        (("--title", "no", A, "to"), 'no blob with the title "no"'),
        (("--digest", "5891b5", A, "to"), 'no blob with the digest "5891b5"'),
        (("--digest", HELLO, "--title", "a.txt", A, "to"), "cannot specify both digest and title"),
        (("--title", "a.txt", A, "/no/x"), "failed to create target file: open /no/x: no such file or directory"),
        (("--title", "a.txt", A, "new/"), "failed to create target file: open new/: is a directory"),
        (
            (A, "none"),
            'the artifact consists of several blobs and the target "none" is not a directory and neither digest or '
            "title was specified to only copy a single blob",
        ),
    ):
        assert store.refused("extract", *words) == said


def test_what_was_changed_in_the_store_is_not_handed_out(store: Store) -> None:
    store.out("add", A, "a.txt")
    blob = store.base / "root/artifacts/blobs" / HELLO.replace(":", "/")
    blob.write_text("hullo\n")
    assert "does not verify" in store.refused("extract", A, "out")
    blob.write_text("longer\n")
    assert "has 7 bytes" in store.refused("extract", A, "out")
    assert not (store.base / "out").exists()
    assert not [name for name in os.listdir(store.base) if name.startswith(".")]


def test_more_goes_where_the_output_goes(store: Store) -> None:
    store.out("add", A, "a.txt")
    with (store.base / "said").open("w+b") as said:
        said.write(b"before\n")
        said.flush()
        extract = store.argv("artifact", "extract", A, "/dev/stdout")
        for words in (extract, ["echo", "after"]):
            subprocess.run(words, stdout=said, check=True)
    assert (store.base / "said").read_text() == "before\nhello\nafter\n"


def test_links_in_the_folder_are_not_followed(store: Store) -> None:
    store.out("add", A, "a.txt")
    (store.base / "canary").write_text("canary")
    (store.base / "to").mkdir()
    (store.base / "to/a.txt").symlink_to(store.base / "canary")
    store.out("extract", A, "to")
    assert (store.base / "canary").read_text() == "canary"
    assert (store.base / "to/a.txt").read_text() == "hello\n"
    assert not (store.base / "to/a.txt").is_symlink()


def test_rm(store: Store) -> None:
    first = store.out("add", A, "a.txt").strip()
    second = store.out("add", B, "a.txt", "b.json").strip()
    assert store.refused("rm", "no", A) == "no: artifact does not exist"
    assert store.out("rm", "-i", "no", first[:8]).strip() == first
    assert store.out("extract", "--title", "a.txt", B, "/dev/stdout") == "hello\n"
    assert store.out("remove", "--all").strip() == second
    assert os.listdir(store.base / "root/artifacts/blobs/sha256") == []
    assert store.out("rm", "-a") == store.out("rm", "--ignore", "no") == ""


def test_inspect_by_type(store: Store) -> None:
    store.out("add", A, "a.txt")
    done = store.run("inspect", "--type=artifact", A)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)[0]["Name"] == A


def test_check_finds_and_mends(store: Store) -> None:
    def check(*words: str) -> subprocess.CompletedProcess[str]:
        return store.run("system", "check", *words)

    store.out("add", A, "a.txt")
    store.out("add", B, "b.json")
    blobs = store.base / "root/artifacts/blobs/sha256"
    assert (check().returncode, check().stdout) == (0, "")
    (blobs / ".new.0123").write_text("left by a killed process")
    assert "files of no artifact" in check().stdout
    assert "mended: remove them" in check("--repair").stdout
    assert not (blobs / ".new.0123").exists()
    (blobs / HELLO.partition(":")[2]).write_text("hullo\n")
    assert check("--quick").stdout == ""
    found = check()
    assert found.returncode == 125
    assert f"damaged artifact: {A}\n" in found.stdout
    assert "does not verify" in found.stdout
    assert check("--repair").returncode == 125
    assert check("--repair", "--force").returncode == 0
    assert store.out("ls", "--format", "{{.Repository}}") == f"{B}\n"
    assert sorted(os.listdir(blobs)) != []
    store.out("extract", B, "out")
    assert check().stdout == ""


def test_reset_takes_artifacts_too(store: Store) -> None:
    store.out("add", A, "a.txt")
    done = store.run("system", "reset", "-f")
    assert (done.returncode, "artifacts" in done.stderr) == (0, False), done
    assert not (store.base / "root/artifacts").exists()
