"""Images made of containers: `commit`, `export`, `import`, read by the program itself and by skopeo."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = [
    pytest.mark.needs_root,
    pytest.mark.skipif(not shutil.which("conmon"), reason="needs conmon"),
]
WORK = (
    "echo hi >/tmp/hi; busybox rm /bin/env; busybox mkdir -m 700 /d; busybox ln /tmp/hi /d/hard; busybox chown 7:8 /d"
)


@pytest.fixture(params=["overlay", "vfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, request.param, who=who)
    yield made
    made.close()


def worked(store: PlainStore, *options: str) -> None:
    store.out("run", "--name", "w", "--network", "none", *options, IMAGE, "sh", "-c", WORK)


def config_of(store: PlainStore, image: str) -> Any:
    return json.loads(store.out("image", "inspect", image))[0]


def names(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: one for one in tar}


def test_a_commit_holds_what_the_container_did(store: PlainStore) -> None:
    worked(store)
    ident = store.out("commit", "w", "made")
    assert store.out("images", "-q", "--no-trunc", "made") == f"sha256:{ident}"
    script = "cat /tmp/hi /d/hard; test -e /bin/env || echo none; ls -ldn /d"
    said = store.out("run", "--rm", "--network", "none", "made", "sh", "-c", script).splitlines()
    assert said[:3] == ["hi", "hi", "none"]
    assert said[3].split()[:4] == ["drwx------", "2", "7", "8"]
    found = config_of(store, "made")
    assert found["RootFS"]["Layers"][0] == config_of(store, IMAGE)["RootFS"]["Layers"][0]
    assert len(found["RootFS"]["Layers"]) == 2
    assert [one.get("comment") for one in found["History"]] == ["hand-made", f"FROM {IMAGE}"]
    assert store.out("commit", "-q", "w", "made") != ident  # a new moment, a new image
    assert store.out("system", "check") == ""


def test_peers_read_a_commit(store: PlainStore, tmp_path: Path) -> None:
    if not shutil.which("skopeo"):
        pytest.skip("needs skopeo")
    worked(store)
    store.out("commit", "-f", "docker", "-m", "the message", "w", "made")
    driver = store.program[-1]
    where = f"containers-storage:[{driver}@{tmp_path}/root+{tmp_path}/run]localhost/made:latest"
    seen = subprocess.run(["skopeo", "inspect", "--config", where], capture_output=True, check=False)
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)["comment" if "comment" in json.loads(seen.stdout) else "os"]
    copied = subprocess.run(["skopeo", "copy", "-q", where, f"dir:{tmp_path}/out"], capture_output=True, check=False)
    subprocess.run(["umount", f"{tmp_path}/root/overlay"], capture_output=True, check=False)  # skopeo leaves it
    assert copied.returncode == 0, copied.stderr
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    layer = (tmp_path / "out" / manifest["layers"][1]["digest"].partition(":")[2]).read_bytes()
    members = names(layer)
    assert members["bin/.wh.env"].size == 0
    assert members["tmp/hi"].islnk() or members["d/hard"].islnk()


CHANGES = (
    *('CMD ["a","b"]', "ENTRYPOINT /x y", 'ENV A=b C="d e"', "ENV X y z", "EXPOSE 80 90/udp", 'LABEL k=v q="w e"'),
    *("ONBUILD RUN foo", "STOPSIGNAL SIGINT", "USER u:g", "VOLUME /v1 /v2", 'VOLUME ["/v3"]', "WORKDIR /w"),
)


def test_changes_are_podmans(store: PlainStore) -> None:
    options = ("--hostname", "hh", "--expose", "99", "-v", "named:/n", "-v", "/anon", "--tmpfs", "/tf", "-l", "z=1")
    store.out("create", "--name", "c", *options, IMAGE)
    given = [word for change in CHANGES for word in ("-c", change)]
    store.out("commit", "-f", "docker", "-a", "ME", *given, "c", "made")
    found = config_of(store, "made")
    inner = found["Config"]
    assert (inner["Cmd"], inner["Entrypoint"]) == (["a", "b"], ["/bin/sh", "-c", "/x y"])
    assert inner["Env"][-3:] == ["A=b", "C=d e", "X=y z"]
    assert inner["Env"][0].startswith("PATH=") or "PATH=/bin" in inner["Env"]
    assert inner["ExposedPorts"] == {"80/tcp": {}, "90/udp": {}, "99/tcp": {}}
    assert inner["Labels"] == {"k": "v", "made": "here", "q": "w e", "z": "1"}
    assert (inner["StopSignal"], inner["User"]) == ("SIGINT", "u:g")
    written = next(store.base.glob(f"root/*-images/{found['Id']}/=c2hh*"))
    assert json.loads(written.read_bytes())["config"]["OnBuild"] == ["RUN foo"]
    assert inner["Volumes"] == {"/anon": {}, "/v1": {}, "/v2": {}, "/v3": {}}
    assert (inner["WorkingDir"], found["Author"]) == ("/w", "ME")
    store.out("commit", "-c", 'ENTRYPOINT ["/x"]', "--include-volumes", "c", "other")
    inner = config_of(store, "other")["Config"]
    assert inner["Entrypoint"] == ["/x"]
    assert not inner.get("Cmd")  # an entry point's own command goes with it
    assert sorted(inner["Volumes"]) == ["/anon", "/n", "/tf"]


@pytest.mark.rootful("control groups of version 1 are root's alone")
def test_commit_of_a_running_container_squashed_and_paused(store: PlainStore, tmp_path: Path) -> None:
    store.sleeper("up")
    store.out("exec", "up", "sh", "-c", "echo 1 >/tmp/one")
    store.out("commit", "--pause", "--squash", "--iidfile", f"{tmp_path}/iid", "up", "flat")
    assert store.out("inspect", "up", "--format", "{{.State.Status}}") == "running"
    assert len(config_of(store, "flat")["RootFS"]["Layers"]) == 1
    assert len((tmp_path / "iid").read_text()) == 64
    assert store.out("run", "--rm", "--network", "none", "--entrypoint", "cat", "flat", "/tmp/one") == "1"


def test_what_commit_says_beside_the_id(store: PlainStore) -> None:
    store.out("create", "--name", "c", IMAGE)
    told = store("commit", "c", "made").stderr.decode()
    digests = [one.removeprefix("sha256:") for one in config_of(store, "made")["RootFS"]["Layers"]]
    copied = [f"Copying blob sha256:{digest}" for digest in digests]
    config = f"Copying config sha256:{config_of(store, 'made')['Id']}"
    end = "Writing manifest to image destination"
    assert told.splitlines() == ["Getting image source signatures", *copied, config, end]
    assert store("commit", "-q", "c", "made").stderr == b""
    shell = ("-c", 'SHELL ["/bin/x", "-c"]', "c", "shelled")
    left_out = store("commit", "-q", *shell)
    assert b"SHELL is not supported for OCI image format and will be ignored" in left_out.stderr
    assert store("commit", "-q", "-f", "docker", *shell).stderr == b""
    ident = config_of(store, "shelled")["Id"]
    written = next(store.base.glob(f"root/*-images/{ident}/=c2hh*"))
    assert json.loads(written.read_bytes())["config"]["Shell"] == ["/bin/x", "-c"]


def test_refusals_are_podmans(store: PlainStore) -> None:
    store.out("create", "--name", "c", IMAGE)
    assert "messages are only compatible with the docker image format" in store.refused("commit", "-m", "x", "c")
    assert 'unrecognized image format "foo"' in store.refused("commit", "-f", "foo", "c")
    assert "invalid reference format" in store.refused("commit", "c", "BAD Name")
    assert "FOO" in store.refused("commit", "-c", "FOO x", "c")
    assert "Invalid signal: NOPE" in store.refused("commit", "-c", "STOPSIGNAL NOPE", "c")
    assert "SHELL requires the arguments to be in JSON form" in store.refused("commit", "-c", "SHELL x", "c")
    assert "--config: open /nosuch: no such file or directory" in store.refused("commit", "--config=/nosuch", "c")
    assert "no such container" in store.refused("export", "nosuch")
    assert 'error opening "/nosuch": open /nosuch: no such file or directory' in store.refused("import", "/nosuch")
    assert "invalid instruction FOO" in store.refused("import", "-c", "FOO x", "/dev/null")
    told = store.refused("import", "-c", 'HEALTHCHECK CMD ["x"]', "/dev/null")
    assert r'invalid change "HEALTHCHECK CMD [\"x\"]" - invalid instruction HEALTHCHECK' in told
    assert "must be formatted as KEY VALUE" in store.refused("import", "-c", "CMD", "/dev/null")


def test_export_and_import(store: PlainStore, tmp_path: Path) -> None:
    worked(store)
    whole = store.raw("export", "w")
    members = names(whole)
    assert "bin/env" not in members
    assert (members["d"].uid, members["d"].gid, members["d"].mode) == (7, 8, 0o700)
    assert members["bin/sh"].linkname == "busybox"
    assert "." not in members
    store.out("export", "-o", f"{tmp_path}/w.tar", "w")
    assert names((tmp_path / "w.tar").read_bytes()).keys() == members.keys()
    ident = store.out(
        "import", "-m", "the message", "-c", "CMD cat /tmp/hi", "-c", "ENV A=b", "-", "again", stdin=whole
    )
    assert ident == store.out("images", "-q", "--no-trunc", "again")
    assert store.out("run", "--rm", "--network", "none", "-e", "PATH=/bin", "again") == "hi"
    found = config_of(store, "again")
    assert found["Config"]["Cmd"] == ["/bin/sh", "-c", "cat /tmp/hi"]
    assert found["History"][0]["comment"] == "the message"
    subprocess.run(["gzip", "-k", f"{tmp_path}/w.tar"], check=True)
    store.out("import", "--arch", "arm64", "--variant", "v8", f"{tmp_path}/w.tar.gz", "packed")
    packed = config_of(store, "packed")
    assert packed["Architecture"] == "arm64"
    assert packed["RootFS"]["Layers"] == found["RootFS"]["Layers"]  # the same tar, uncompressed
    assert store.out("system", "check") == ""


def test_a_config_file_adds_to_what_the_container_has(store: PlainStore) -> None:
    store.out("create", "--name=c", "--network=none", "-e", "Q=1", "-e", "R=2", "-l", "base=1", IMAGE, "true")
    path = store.base / "over.json"
    path.write_text('{"Cmd": ["x"], "Env": ["R=3", "E=1"], "Labels": {"c": "d"}, "User": "9"}')
    store.out("commit", "-q", "--config", str(path), "c", "localhost/over:1")
    inner = config_of(store, "localhost/over:1")["Config"]
    assert (inner["Cmd"], inner["User"]) == (["x"], "9")
    assert {"Q=1", "R=3", "E=1"} <= set(inner["Env"])
    assert "R=2" not in inner["Env"]
    assert (inner["Labels"]["base"], inner["Labels"]["c"]) == ("1", "d")


def test_one_time_for_everything_gives_the_same_image(store: PlainStore) -> None:
    when = "--source-date-epoch=1700000000"
    made = []
    for name in ("one", "two"):
        store.out("create", "--name", name, "--network=none", IMAGE, "true")
        (store.base / "file").write_text("same")
        store.out("cp", str(store.base / "file"), f"{name}:/tmp/file")
        store.out("cp", str(store.base / "file"), f"{name}:/file")
        for form in ("oci", "docker"):
            made.append(store.out("commit", "-q", when, "-f", form, name, f"localhost/{name}:{form}"))
    assert made[:2] == made[2:]
    assert config_of(store, "localhost/two:oci")["Created"] == "2023-11-14T22:13:20Z"
    told = subprocess.run(
        [*store.program_with(SOURCE_DATE_EPOCH="1700000000"), "commit", "-q", "-f", "oci", "one", "localhost/told:1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == made[0]
    whole = store.raw("export", "one")
    ids = {store.out("import", "-q", when, "-", f"localhost/again:{number}", stdin=whole) for number in range(2)}
    assert len(ids) == 1
