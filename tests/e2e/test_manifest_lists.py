"""manifest create, add, annotate, remove, inspect, exists and rm: what the store holds, byte for byte as Podman's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from sonata_testkit.debian_registry import DebianRegistry, installed
from sonata_testkit.registry import FakeRegistry

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from list_world import ARM, IMAGE, PLAIN, ListStore

pytestmark = pytest.mark.needs_root
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
NOWHERE = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[ListStore]:
    made = ListStore(tmp_path_factory.mktemp("lists"), who=who)
    yield made
    made.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[FakeRegistry]:
    """A registry with an index of two images, one of them of this platform."""
    with FakeRegistry() as made:
        entries = []
        for name in ("amd64", "s390x"):
            image = made.add_image("box", name, [b"layer"], architecture=name)
            size = len(made.manifests["box"][image["digest"]][1])
            entry = {"mediaType": image["mediaType"], "digest": image["digest"], "size": size}
            entries.append({**entry, "platform": {"architecture": name, "os": "linux"}})
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": {"of": "all"}}
        made.add_manifest("box", "all", OCI_INDEX, json.dumps(index).encode())
        yield made


def names_of(store: ListStore) -> list[str]:
    return store.out("images", "--format", "{{.Repository}}").splitlines()


def test_an_empty_list_is_podmans_to_the_byte(store: ListStore) -> None:
    ident = store.out("manifest", "create", "empty")
    row = store.record("empty")
    assert row["id"] == ident
    assert "layer" not in row
    assert row["big-data-names"] == ["manifest", "instances.json", "artifacts.json"]
    empty = f'{{"schemaVersion":2,"mediaType":"{DOCKER_LIST}","manifests":null}}'
    assert store.item("empty", "manifest").decode() == empty
    assert row["digest"] == f"sha256:{sha256(empty.encode()).hexdigest()}"
    assert (store.item("empty", "instances.json"), store.item("empty", "artifacts.json")) == (b"{}", b"{}")
    shown = ["{", '    "schemaVersion": 2,', f'    "mediaType": "{DOCKER_LIST}",', '    "manifests": null', "}"]
    assert store.out("manifest", "inspect", "empty").split("\n") == shown
    assert "no image found in manifest list" in store.refused("image", "inspect", "empty")


def test_create_takes_images_and_annotations(store: ListStore) -> None:
    ident = store.out("manifest", "create", "--annotation", "of=<me>", "--annotation=a=b", "made", IMAGE, ARM)
    own, arm = store.digest(IMAGE), store.digest(ARM)
    shown = store.shown("made")
    assert [one["digest"] for one in shown["manifests"]] == [own, arm]
    assert shown["manifests"][1]["platform"] == {"architecture": "arm64", "os": "linux", "variant": "v8"}
    assert shown["annotations"] == {"a": "b", "of": "<me>"}
    content = store.item("made", "manifest").decode()
    assert content.startswith(f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":')
    assert content.endswith('}],"annotations":{"a":"b","of":"\\u003cme\\u003e"}}')
    where = json.loads(store.item("made", "instances.json"))
    assert where[""] == ident
    assert where[arm] == f"containers-storage:[overlay@{store.base}/root+{store.base}/run]@{store.arm_id}"
    assert "expected --annotation" in store.refused("manifest", "create", "--annotation", "nothing", "other")


def test_create_insists_on_a_new_name_unless_it_amends(store: ListStore) -> None:
    ident = store.out("manifest", "create", "once", ARM)
    said = store.refused("manifest", "create", "once", IMAGE)
    assert f'image name "localhost/once:latest" is already associated with image "{ident}"' in said
    assert store.platforms("once") == ["arm64"]
    assert store.out("manifest", "create", "--amend", "--annotation=x=y", "once", IMAGE) == ident
    assert store.out("manifest", "create", "-a", "once", ARM) == ident
    assert store.platforms("once") == ["amd64", "arm64"]  # what is added again goes to the end
    assert "is already associated with image" in store.refused("manifest", "create", "--amend", IMAGE)
    assert "repository name must be lowercase" in store.refused("manifest", "create", "UPPER")


def test_what_is_added_comes_from_anywhere(store: ListStore, registry: FakeRegistry, tmp_path: Path) -> None:
    store.out("save", "-q", "--format=oci-dir", "-o", f"{tmp_path}/layout", ARM)
    store.out("manifest", "create", PLAIN, "any", f"docker://{registry.host}/box:s390x")
    store.out("manifest", "add", "any", f"oci:{tmp_path}/layout")
    store.out("manifest", "add", "any", f"containers-storage:{IMAGE}")
    assert store.platforms("any") == ["s390x", "arm64", "amd64"]
    where = [value for key, value in json.loads(store.item("any", "instances.json")).items() if key]
    assert f"docker://{registry.host}/box:s390x" in where
    assert f"oci:{tmp_path}/layout" in where
    assert f"containers-storage:[overlay@{store.base}/root+{store.base}/run]{IMAGE}" in where
    said = store.refused("manifest", "add", "any", "localhost/nosuch")
    assert "locating image to add to manifest list" in said
    assert "localhost/nosuch: image not known" in said
    assert "image is not a manifest list" in store.refused("manifest", "add", IMAGE, ARM)
    assert "nolist: image not known" in store.refused("manifest", "add", "nolist", ARM)


def test_of_a_list_one_image_is_added_or_all(store: ListStore, registry: FakeRegistry) -> None:
    whole = f"{registry.host}/box:all"
    store.out("manifest", "create", "one")
    store.out("manifest", "add", "--insecure", "one", whole)
    assert store.platforms("one") == ["amd64"]
    store.out("manifest", "add", PLAIN, "--all", "one", whole)
    assert store.platforms("one") == ["amd64", "s390x"]
    store.out("manifest", "create", "--insecure", "--all", "every", whole)
    assert store.platforms("every") == ["amd64", "s390x"]
    assert "may not be used with" in store.refused("manifest", "add", PLAIN, "--insecure", "one", whole)


def test_registries_are_spoken_to_as_asked(store: ListStore, tmp_path: Path) -> None:
    with FakeRegistry(auth="basic") as registry:
        registry.add_image("box", "1", [b"layer"])
        image = f"docker://{registry.host}/box:1"
        store.out("manifest", "create", "asked")
        assert "authentication required" in store.refused("manifest", "add", PLAIN, "asked", image)
        assert "HTTP" in store.refused("manifest", "add", "--tls-verify", "--creds=user:secret", "asked", image)
        store.out("manifest", "add", PLAIN, "--creds=user:secret", "asked", image)
        file = tmp_path / "auth.json"
        store.out("login", f"--authfile={file}", PLAIN, "-u", "user", "-p", "secret", registry.host)
        store.out("manifest", "remove", "asked", store.shown("asked")["manifests"][0]["digest"])
        store.out("manifest", "add", PLAIN, f"--authfile={file}", "asked", image)
        assert store.platforms("asked") == ["amd64"]
        seen = store.refused("manifest", "inspect", PLAIN, f"--authfile={file}", f"{registry.host}/box:1")
        assert "single image" in seen or "Treating single images" in seen


@pytest.mark.skipif(not installed(), reason="docker-registry is not installed")
def test_certificates_from_a_folder(store: ListStore, tmp_path: Path) -> None:
    with DebianRegistry(tmp_path / "registry", tls=True) as registry:
        folder = tmp_path / "certs"
        folder.mkdir()
        (folder / "ca.crt").symlink_to(registry.ca)
        certs = f"--cert-dir={folder}"
        store.out("push", "-q", certs, ARM, f"{registry.host}/arm:1")
        store.out("manifest", "create", "certain")
        image = f"docker://{registry.host}/arm:1"
        assert "certificate" in store.refused("manifest", "add", "certain", image)
        store.out("manifest", "add", certs, "certain", image)
        assert store.platforms("certain") == ["arm64"]


def test_add_describes_the_instance(store: ListStore) -> None:
    store.out("manifest", "create", "described")
    store.out("manifest", "add", "--os=windows", "--os-version=10.0", "--features=f1,f2", "described", IMAGE)
    features = {"architecture": "amd64", "os": "windows", "os.version": "10.0", "features": ["f1", "f2"]}
    assert store.shown("described")["manifests"][0]["platform"] == features
    assert store.shown("described")["mediaType"] == DOCKER_LIST  # the one form that has features
    more = ("--annotation=k=v", "--annotation=a=b", "--arch=arm", "--variant=v7")
    store.out("manifest", "add", *more, "described", ARM)
    shown = store.shown("described")
    assert shown["mediaType"] == OCI_INDEX
    assert shown["manifests"][1]["platform"] == {"architecture": "arm", "os": "linux", "variant": "v7"}
    assert list(shown["manifests"][1]["annotations"].items()) == [("a", "b"), ("k", "v")]


def test_annotate_changes_one_instance(store: ListStore) -> None:
    store.out("manifest", "create", "noted", IMAGE, ARM)
    arm = store.digest(ARM)
    store.out("manifest", "annotate", "--annotation=k=v", "--os-version=3", "--os-features=a,b", "noted", arm)
    store.out("manifest", "annotate", "--annotation=k2=v2", "noted", ARM)
    other, entry = store.shown("noted")["manifests"]
    assert entry["annotations"] == {"k": "v", "k2": "v2"}
    platform = {"architecture": "arm64", "os": "linux", "os.version": "3", "os.features": ["a", "b"], "variant": "v8"}
    assert entry["platform"] == platform
    assert "annotations" not in other
    store.out("manifest", "annotate", "--arch=arm", "--os=freebsd", "noted", arm)  # takes the variant away
    assert store.shown("noted")["manifests"][1]["platform"]["architecture"] == "arm"
    assert "variant" not in store.shown("noted")["manifests"][1]["platform"]
    store.out("manifest", "annotate", "--variant=v6", "noted", arm)
    assert store.shown("noted")["manifests"][1]["platform"]["variant"] == "v6"
    assert "was found in list" in store.refused("manifest", "annotate", "--arch=x", "noted", NOWHERE)
    assert "expected an instance digest" in store.refused("manifest", "annotate", "--arch=x", "noted")
    store.out("manifest", "create", "featured", ARM)
    store.out("manifest", "annotate", "--features=one", "featured", ARM)
    assert store.shown("featured")["manifests"][0]["platform"]["features"] == ["one"]


def test_annotate_changes_the_index(store: ListStore) -> None:
    store.out("manifest", "create", "whole", ARM)
    store.out("manifest", "annotate", "--index", "--annotation=i=1", "whole")
    store.out("manifest", "annotate", "--index", "--annotation=j=2", "--subject", IMAGE, "whole")
    shown = store.shown("whole")
    assert shown["annotations"] == {"i": "1", "j": "2"}
    assert shown["subject"]["digest"] == store.digest(IMAGE)
    refused = store.refused("manifest", "annotate", "--index", "--arch=x", "whole")
    assert "setting architecture on an item in a manifest list requires an instance digest" in refused
    assert "did not expect image" in store.refused("manifest", "annotate", "--index", "whole", ARM)
    assert "requires no instance digest" in store.refused("manifest", "annotate", "--subject", ARM, "whole", ARM)


def test_remove_takes_an_instance_out(store: ListStore) -> None:
    ident = store.out("manifest", "create", "less", IMAGE, ARM)
    own = store.digest(IMAGE)
    assert store.out("manifest", "remove", "less", own) == ident
    assert store.platforms("less") == ["arm64"]
    assert own not in json.loads(store.item("less", "instances.json"))
    assert "found in manifest list: file does not exist" in store.refused("manifest", "remove", "less", own)
    assert "unsupported digest algorithm" in store.refused("manifest", "remove", "less", "a:b")
    assert "removing from manifest list nolist: nolist: image not" in store.refused("manifest", "remove", "nolist", own)
    assert 'no value given for annotation "x"' in store.refused("manifest", "add", "--annotation=x", "less", IMAGE)
    assert "invalid checksum digest length" in store.refused("manifest", "remove", "less", "sha256:12")
    store.out("manifest", "remove", "less", store.digest(ARM))
    assert store.item("less", "manifest").endswith(b'list.v2+json","manifests":[]}')


def test_exists_answers_by_its_code(store: ListStore) -> None:
    store.out("manifest", "create", "there")
    assert store("manifest", "exists", "there").returncode == 0
    assert store("manifest", "exists", "nolist").returncode == 1
    assert store("manifest", "exists", IMAGE).returncode == 125


def test_rm_removes_lists_and_no_images(store: ListStore) -> None:
    one, two = (store.out("manifest", "create", name, ARM) for name in ("gone1", "gone2"))
    done = store("manifest", "rm", "gone1", "nolist", "gone2")
    names = ["Untagged: localhost/gone1:latest", "Untagged: localhost/gone2:latest"]
    assert done.stdout.decode().splitlines() == [*names, f"Deleted: {one}", f"Deleted: {two}"]
    assert (done.returncode, done.stderr) == (1, b"Error: nolist: image not known\n")
    assert store("manifest", "rm", "--ignore", "nolist").returncode == 0
    assert "image is not a manifest list" in store.refused("manifest", "rm", "-i", ARM)
    assert store.digest(ARM)


def test_inspect_asks_the_registry(store: ListStore, registry: FakeRegistry) -> None:
    shown: dict[str, Any] = json.loads(store.raw("manifest", "inspect", PLAIN, f"{registry.host}/box:all"))
    assert [one["platform"]["architecture"] for one in shown["manifests"]] == ["amd64", "s390x"]
    assert shown["annotations"] == {"of": "all"}
    again = store.raw("manifest", "inspect", "-v", "--insecure", f"{registry.host}/box:all")
    assert json.loads(again) == shown
    said = store.refused("manifest", "inspect", PLAIN, f"{registry.host}/box:nosuch")
    assert f'reading image "docker://{registry.host}/box:nosuch"' in said
    done = store("manifest", "inspect", PLAIN, f"{registry.host}/box:amd64")
    assert b"single image" in done.stderr


def test_a_list_stands_for_its_image_of_this_platform(store: ListStore) -> None:
    ident = store.out("manifest", "create", "stands", ARM, IMAGE)
    own = store.out("image", "inspect", "-f", "{{.Id}}", IMAGE)
    assert store.out("image", "inspect", "-f", "{{.Id}}", "stands") == own
    assert store.out("run", "--rm", "--network=none", "stands", "echo", "well") == "well"
    store.out("create", "--name=of-list", "stands")
    assert store.out("inspect", "-f", "{{.Image}} {{.ImageName}}", "of-list") == f"{own} localhost/stands:latest"
    store.out("rm", "of-list")
    assert store.out("history", "-q", "--no-trunc", "stands").splitlines()[0] == own
    assert store.out("image", "tree", "stands").startswith(f"Image ID: {own[:12]}")
    assert store("image", "exists", "stands").returncode == 0
    store.out("tag", "stands", "stands:two")
    assert store.out("images", "-q", "--no-trunc", "stands:two") == f"sha256:{ident}"
    store.out("untag", "stands:two", "stands:two")
    assert "stands" in names_of(store)[0]
    store.out("manifest", "create", "foreign", ARM)
    said = store.refused("create", "--pull=never", "foreign")
    assert "foreign: image not known" in said
    created = store.out("create", "--pull=never", "--platform=linux/arm64", "--name=forced", "foreign")
    assert store.out("inspect", "-f", "{{.Image}}", created) == store.arm_id
    store.out("rm", "forced")


def test_lists_are_listed_found_kept_and_removed(store: ListStore, tmp_path: Path, who: Root) -> None:
    own = ListStore(tmp_path, who=who)
    ident = own.out("manifest", "create", "kept", ARM)
    own.out("untag", ARM)
    assert own.out("images", "-q", "--no-trunc", "-f", "manifest=true") == f"sha256:{ident}"
    assert own.out("images", "-q", "--no-trunc", "-f", "dangling=true") == ""
    assert own.out("image", "prune", "-f") == ""  # an image of a list is not dangling
    row = json.loads(own.raw("images", "--format=json", "kept"))[0]
    assert (row["Names"], row["Labels"], row["Size"]) == (["localhost/kept:latest"], None, int(row["VirtualSize"]))
    assert own.out("system", "check") == ""
    assert own.out("rmi", "kept").splitlines() == ["Untagged: localhost/kept:latest", f"Deleted: {ident}"]
    assert own.out("image", "prune", "-f") == own.arm_id
    ident = own.out("manifest", "create", "stands", IMAGE)
    image = own.out("images", "-q", "--no-trunc", IMAGE)[7:]
    own.out("tag", IMAGE, "twin")
    for words in (("stands",), ("-f", "stands"), ("-f", "localhost/stands:latest")):
        assert "Error: localhost/stands:latest: tag not known" in own.refused("rmi", *words)
    assert f"Error: localhost/{ident}:latest: tag not known" in own.refused("rmi", ident)
    assert "by digest with more than one tag" in own.refused("rmi", f"sha256:{ident}")
    own.out("untag", "twin", "twin")
    assert own.out("rmi", "stands").splitlines() == [f"Untagged: {IMAGE}", f"Deleted: {image}"]
    assert own.out("rmi", "stands").splitlines() == ["Untagged: localhost/stands:latest", f"Deleted: {ident}"]
    own.close()


def test_many_writers_lose_nothing(store: ListStore) -> None:
    store.out("manifest", "create", "busy")
    layouts = []
    for number in range(4):
        store.out("import", "-q", f"--message={number}", f"{store.base}/tree.tar", f"localhost/part:{number}")
        layouts.append(f"localhost/part:{number}")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: store("manifest", "add", "busy", name).returncode, layouts))
    assert done == [0, 0, 0, 0]
    assert {one["digest"] for one in store.shown("busy")["manifests"]} == {store.digest(name) for name in layouts}
    with ThreadPoolExecutor(3) as pool:
        codes = sorted(pool.map(lambda _: store("manifest", "create", "first").returncode, range(3)))
    assert codes == [0, 125, 125]


@pytest.mark.rootful("the other engine is root's")
@pytest.mark.needs_peer("podman", "buildah")
def test_peers_work_on_our_lists_and_we_on_theirs(store: ListStore) -> None:
    store.out("manifest", "create", "shared", ARM)
    with TemporaryDirectory() as runtime:
        where = ["--root", f"{store.base}/root", "--runroot", f"{store.base}/run", "--storage-driver", "overlay"]

        def peer(program: str, *words: str) -> str:
            done = subprocess.run(
                [program, *where, *words],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": runtime, "HOME": "/root"},
            )
            assert done.returncode == 0, (words, done.stderr)
            return done.stdout.strip()

        theirs = json.loads(peer("podman", "manifest", "inspect", "shared"))
        assert [one["digest"] for one in theirs["manifests"]] == [store.digest(ARM)]
        peer("buildah", "manifest", "add", "shared", f"containers-storage:{IMAGE}")
        assert store.platforms("shared") == ["arm64", "amd64"]
        peer("podman", "manifest", "create", "peers", f"containers-storage:{ARM}")
        store.out("manifest", "create", "ours", f"containers-storage:{ARM}")
        assert store.item("peers", "manifest") == store.item("ours", "manifest")
        store.out("manifest", "annotate", "--index", "--annotation=by=us", "peers")
        store.out("manifest", "add", "peers", IMAGE)
        assert len(json.loads(peer("buildah", "manifest", "inspect", "peers"))["manifests"]) == 2
        peer("podman", "manifest", "rm", "ours")
        assert store("manifest", "exists", "ours").returncode == 1
