"""image tree and image mount, on images that are built upon each other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

from sonata_testkit.registry import FakeRegistry

pytestmark = pytest.mark.needs_root
UPON = "localhost/upon:1"


@pytest.fixture
def store(tmp_path: Path, who: Root) -> Iterator[PlainStore]:
    made = PlainStore(tmp_path, who=who)
    made.out("create", "--name", "c", IMAGE)
    (tmp_path / "file").write_text("more")
    made.out("cp", str(tmp_path / "file"), "c:/file")
    made.out("commit", "-q", "c", UPON)
    made.out("tag", UPON, "localhost/upon:two")
    made.out("rm", "c")
    yield made
    made.close()


def test_tree_names_layers_and_tags(store: PlainStore) -> None:
    lines = store.out("image", "tree", UPON).splitlines()
    image = store.out("images", "-q", UPON).split()[0]
    assert lines[0] == f"Image ID: {image}"
    assert set(lines[1].removeprefix("Tags:     [").rstrip("]").split()) == {UPON, "localhost/upon:two"}
    assert lines[3] == "Image Layers"
    assert lines[4].startswith("├── ID: ")
    assert lines[4].endswith(f"Top Layer of: [{IMAGE}]")
    assert lines[5].startswith("└── ID: ")
    assert len(lines) == 6
    assert "nosuch: image not known" in store.refused("image", "tree", "nosuch")


def test_tree_of_what_is_built_upon_it(store: PlainStore) -> None:
    own = store.out("image", "tree", IMAGE).splitlines()
    upon = store.out("image", "tree", "--whatrequires", IMAGE).splitlines()
    assert upon[:4] == own[:4]
    assert [line.endswith(f"[{IMAGE}]") for line in upon[4:]] == [True, False]
    assert "localhost/upon:two" in upon[5]
    assert len(own) == 5


def test_a_short_name_lists_all_that_are_called_so(store: PlainStore) -> None:
    store.out("tag", IMAGE, "quay.example/a/b/upon:3", "other.example/upper:1")

    def found(*words: str) -> set[str]:
        return set(store.out("images", "--format", "{{.Repository}}:{{.Tag}}", *words).split())

    both, box = {UPON, "localhost/upon:two"}, {IMAGE, "quay.example/a/b/upon:3", "other.example/upper:1"}
    # What Podman 5.8 lists: the image that is named, and each that has a name like it.
    assert found("upon") == both | box
    assert found("localhost/upon") == found("upon:two") == both
    assert found("-f", "reference=upon", "-f", "reference!=upper") == both


def test_a_short_name_with_a_digest_is_looked_for(store: PlainStore) -> None:
    digest = store.out("image", "inspect", "--format", "{{.Digest}}", UPON)
    ident = store.out("image", "inspect", "--format", "{{.Id}}", UPON)
    names = f"upon@{digest}", f"upon:1@{digest}", f"upon:nosuch@{digest}", f"localhost/upon@{digest}"
    assert store.out("image", "inspect", "--format", "{{.Id}}", *names).split() == [ident] * len(names)
    assert store.out("images", "-q", "--no-trunc", names[0]) == f"sha256:{ident}"
    assert "image not known" in store.refused("image", "inspect", f"box@{digest}")
    assert "image not known" in store.refused("image", "inspect", f"upon@sha256:{'0' * 64}")


def is_mount(store: PlainStore, path: str) -> bool:
    return path in (words[4] for words in store.who.mountinfo())


def test_mount_shows_the_files_and_unmount_takes_them_away(store: PlainStore) -> None:
    path = store.mounting("image", "mount", UPON)
    place = store.who.seen(path)
    assert (place / "file").read_text() == "more"
    with pytest.raises(OSError, match="Read-only"):
        (place / "file").write_text("less")
    ident = store.out("inspect", "--type=image", "--format={{.Id}}", UPON)
    assert store.mounting("image", "mount").split()[1] == path
    listed = json.loads(store.mounting("image", "mount", "--format=json"))
    assert [(one["id"], one["mountpoint"]) for one in listed] == [(ident, path)]
    assert set(listed[0]["Repositories"]) == {UPON, "localhost/upon:two"}
    assert store.mounting("image", "umount", UPON) == ident
    assert not is_mount(store, path)
    assert store.mounting("image", "unmount", UPON) == ""
    assert store.mounting("image", "mount") == ""
    assert 'unknown --format argument: "x"' in store.mounting_refused("image", "mount", "--format=x")


def test_mounts_are_counted_and_forced_away(store: PlainStore) -> None:
    path = store.mounting("image", "mount", UPON)
    assert store.mounting("image", "mount", UPON) == path
    store.mounting("image", "unmount", UPON)
    assert is_mount(store, path)
    store.mounting("image", "mount", UPON)
    store.mounting("image", "unmount", "--force", UPON)
    assert not is_mount(store, path)


def test_all_images_at_once_and_none_by_mistake(store: PlainStore) -> None:
    assert "nosuch: image not known" in store.mounting_refused("image", "mount", IMAGE, "nosuch")
    assert store.mounting("image", "mount") == ""
    rows = [line.split() for line in store.mounting("image", "mount", "--all").splitlines()]
    assert len(rows) == 2
    assert all(is_mount(store, path) for _, path in rows)
    assert len(store.mounting("image", "unmount", "--all").split()) == 2
    assert not any(is_mount(store, path) for _, path in rows)
    for words in (("mount", "-a", IMAGE), ("unmount", "-a", IMAGE)):
        assert "when using the --all switch" in store.mounting_refused("image", *words)
    assert "must be specified" in store.mounting_refused("image", "unmount")


def test_a_mounted_image_can_be_removed(store: PlainStore) -> None:
    path = store.mounting("image", "mount", UPON)
    store.out("rmi", "-f", UPON, "localhost/upon:two")
    assert not is_mount(store, path)
    assert store.mounting("image", "mount") == ""


def test_several_that_cannot_be_removed_are_told_as_one(store: PlainStore) -> None:
    done = store("rmi", "x", "y")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"Error: 2 errors occurred:\n\t* x: image not known\n\t* y: image not known\n"
    ident = store.out("create", "--name", "c", IMAGE)
    done = store("rmi", "x", IMAGE)
    used = "image is in use by a container: consider listing external containers and force-removing image"
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[2] == f"\t* image used by {ident}: {used}"
    store.out("rm", "c")


def test_two_images_of_one_layer_one_from_an_index(tmp_path: Path, who: Root) -> None:
    """Digests as Podman 5.8 shows them: `images` the index's, `inspect` the image's own; `history` names both."""
    oci = "application/vnd.oci.image.{}.v1+json"
    with FakeRegistry() as registry:
        store = PlainStore(tmp_path, who=who)
        tar = bytes(10240)
        layer = {"mediaType": oci.format("layer") + ".tar", **registry.add_blob("a/b", tar)}
        own = []
        for tag in ("1", "2"):
            rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
            inner = {"architecture": "amd64", "os": "linux", "config": {"User": tag}, "rootfs": rootfs, "history": [{}]}
            config = {"mediaType": oci.format("config"), **registry.add_blob("a/b", json.dumps(inner).encode())}
            document = {"schemaVersion": 2, "mediaType": oci.format("manifest"), "config": config, "layers": [layer]}
            content = json.dumps(document).encode()
            own.append({"digest": f"sha256:{sha256(content).hexdigest()}", "size": len(content)})
            registry.add_manifest("a/b", tag, oci.format("manifest"), content)
        entry = {"mediaType": oci.format("manifest"), **own[0], "platform": {"os": "linux", "architecture": "amd64"}}
        index = json.dumps({"schemaVersion": 2, "mediaType": oci.format("index"), "manifests": [entry]}).encode()
        registry.add_manifest("a/b", "all", oci.format("index"), index)
        for tag in ("all", "2"):
            store.out("pull", "-q", "--arch=amd64", "--tls-verify=false", f"{registry.host}/a/b:{tag}")
    top = f"sha256:{sha256(index).hexdigest()}"
    name = f"{registry.host}/a/b:all"
    assert store.out("images", "--format={{.Digest}}", name) == top
    assert store.out("image", "inspect", "--format={{.Digest}}", name) == own[0]["digest"]
    tags = store.out("history", "--format={{.Tags}}", f"{registry.host}/a/b:2")
    assert tags == f"[{name} {registry.host}/a/b:2]"


@pytest.mark.needs_peer("podman")
def test_podman_draws_the_same(store: PlainStore, tmp_path: Path) -> None:
    with TemporaryDirectory() as runroot:  # which Podman wants shorter than 50 characters
        podman = ["podman", "--root", f"{tmp_path}/root", "--runroot", runroot, "--storage-driver=overlay"]
        for words in (("image", "tree", UPON), ("image", "tree", "--whatrequires", IMAGE)):
            done = subprocess.run([*podman, *words], capture_output=True, text=True, check=False)
            assert done.stdout.rstrip("\n") == store.out(*words), done.stderr


def varied_image(folder: Path, config: dict[str, object], created: str, indent: int = 1) -> str:
    """An OCI layout of an image of one layer, a tar with nothing but a folder; the place to pull it from."""
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        item = tarfile.TarInfo("bin")
        item.type, item.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(item)
    docker, name = "application/vnd.docker.{}", "x"

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = sha256(data).hexdigest()
        (folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "size": len(data), "digest": f"sha256:{digest}"}

    (folder / "blobs/sha256").mkdir(parents=True)
    layer = put(buffer.getvalue(), docker.format("image.rootfs.diff.tar"))
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    document = {"architecture": "amd64", "os": "linux", "created": created, "config": config, "rootfs": rootfs}
    top = put(json.dumps(document).encode(), docker.format("container.image.v1+json"))
    kind = docker.format("distribution.manifest.v2+json")
    manifest: dict[str, object] = {"schemaVersion": 2, "mediaType": kind, "config": top, "layers": [layer]}
    manifest = put(json.dumps(manifest, indent=indent).encode(), kind)
    manifest["annotations"] = {"org.opencontainers.image.ref.name": name}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    return f"oci:{folder}:{name}"


def test_templates_of_an_image_with_a_health_check(store: PlainStore, tmp_path: Path) -> None:
    """As Podman 5.8: the name that a layout has is Docker's, a time may be before 1970, an empty map is no null."""
    health = {"Test": ["CMD", "x"], "Interval": 10**9, "StartPeriod": 3 * 10**9, "Retries": 4}
    place = varied_image(tmp_path / "o", {"Healthcheck": health, "Labels": {}}, "1960-01-02T00:00:00Z")
    ident = store.out("pull", "-q", place)
    name = "docker.io/library/x:latest"
    shown = store.out("inspect", "--format={{.HealthCheck.Test}} {{.HealthCheck.Interval}} {{.RepoTags}}", ident)
    assert shown == f"[CMD x] 1s [{name}]"
    assert store.out("inspect", "--format={{.HealthCheck.StartPeriod.Seconds}}", ident) == "3"
    # What a config does not say is nil: null in JSON, and empty for all else.
    nothing = (
        "{{json .Config.Entrypoint}} {{json .Config.Volumes}} {{json .History}} {{len .Config.Env}} {{.Config.Cmd}}"
    )
    assert store.out("inspect", f"--format={nothing}", ident) == "null null null 0 []"
    assert (
        store.out("images", "--format={{.CreatedAt}} {{.ImageSummary.ID}}", "x")
        == f"1960-01-02 00:00:00 +0000 UTC {ident}"
    )
    (listed,) = json.loads(store.out("images", "--format=json", "x"))
    assert (listed["Labels"], listed["Created"]) == ({}, -315532800)
    (told,) = json.loads("[" + store.out("images", "--format={{json .}}", "x") + "]")
    assert told["RepoTags"] == [name]
    (step, *_) = store.out("history", "--format={{json .}}", IMAGE).splitlines()
    assert "Created" not in json.loads(step)
    store.out("untag", ident)
    assert store.out("images", "--history", "--filter", f"id={ident}").endswith(name)


def test_references_are_matched_as_by_podman(store: PlainStore) -> None:
    """A star stands for no slash, the host or all the path may be left out, and what is no name fits nothing."""
    store.out("tag", UPON, "reg.example:5000/team/app:3")

    def found(pattern: str) -> int:
        return len(store.out("images", "-q", "--filter", f"reference={pattern}").split())

    wholes = ("reg.example:5000/*/*", "reg.example:5000/*/*:3", "team/app", "team/*:3", "app", "a*:?", "*/app")
    assert [found(one) for one in wholes] == [1] * len(wholes)
    assert [found(one) for one in ("reg.example:5000/*", "example:5000/team/app", "[bad", "!app", "app:4")] == [0] * 5


def test_an_index_is_told_by_its_digest_or_by_an_id(tmp_path: Path) -> None:
    """`inspect` of an id tells what the store has first, of a digest that one, of a name the image's own manifest."""
    store = PlainStore(tmp_path)
    places = [varied_image(tmp_path / one, {}, "2024-01-02T00:00:00Z", indent=len(one)) for one in ("a", "bb")]
    first, second = (store.out("pull", "-q", place) for place in places)
    assert first == second
    digests = [
        json.loads(Path(tmp_path, one, "index.json").read_text())["manifests"][0]["digest"] for one in ("a", "bb")
    ]
    name = "docker.io/library/x"
    told = [
        store.out("inspect", "--format={{.Digest}}", one) for one in (first, "x", *(f"{name}@{one}" for one in digests))
    ]
    assert told == [digests[0], digests[1], *digests]


def test_what_is_no_name_is_not_here(store: PlainStore) -> None:
    """`inspect` shows the others all the same, as Podman does."""
    for words, told in (
        (("inspect", "Upper", IMAGE), b'Error: no such object: "Upper"\n'),
        (
            ("image", "inspect", "Upper", IMAGE),
            b'Error: parsing reference "Upper": repository name must be lowercase\n',
        ),
    ):
        done = store(*words)
        assert done.returncode == 125
        assert [one["RepoTags"] for one in json.loads(done.stdout)] == [[IMAGE]]
        assert done.stderr.startswith(told)
    for command in (("inspect",), ("container", "inspect")):
        done = store(*command, "")
        assert (done.returncode, done.stdout) == (125, b"")
        assert done.stderr.startswith(b"Error: name or ID cannot be empty\n")
    name = 'could not find local image for filter "since"="a b": parsing reference "a b": invalid reference format'
    assert name in store.refused("images", "--filter=since=a b")
    assert 'template: list:1:13: executing "list" at <.Nope>' in store.refused("image", "ls", "--format={{.Nope}}")
