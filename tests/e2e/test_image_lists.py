"""`images`, `history`, `rmi` and `image prune` on images built upon each other: what Podman 5.8 prints for the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_ways import Root
from plain_store import IMAGE, PlainStore

pytestmark = pytest.mark.needs_root
NAMES = "{{.Repository}}:{{.Tag}}"


def copy_of(made: PlainStore, base: Path) -> PlainStore:
    """The same store in another place."""
    base.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{made.base}/root", f"{base}/root"], check=True)
    return made.at(base)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory, who: Root) -> Iterator[tuple[PlainStore, dict[str, str]]]:
    """box ← mid (no name) ← top ← left (no name), and top ← twin; box has three names. Nothing changes it."""
    store = PlainStore(tmp_path_factory.mktemp("f"), who=who)
    store.out("tag", IMAGE, "localhost/other:x", "docker.io/library/box:latest")
    ids = {"box": store.out("images", "-q", "--no-trunc", IMAGE).removeprefix("sha256:")}
    below = IMAGE
    for name in ("mid", "top", "left", "twin"):
        store.out("create", "--name", "c", below)
        store.out("commit", "-q", "-c", f"LABEL made={name}", "c", name)
        store.out("rm", "c")
        ids[name] = store.out("inspect", "--type=image", "--format={{.Id}}", name)
        below = "top" if name in ("top", "left") else name
    store.out("untag", "mid")
    store.out("untag", "left")
    yield store, ids
    store.close()


@pytest.fixture
def store(family: tuple[PlainStore, dict[str, str]], tmp_path: Path) -> Iterator[PlainStore]:
    made = copy_of(family[0], tmp_path / "s")
    yield made
    made.close()


@pytest.fixture
def ids(family: tuple[PlainStore, dict[str, str]]) -> dict[str, str]:
    return family[1]


def listed(store: PlainStore, *words: str) -> list[str]:
    return store.out("images", "--no-trunc", "-q", *words).replace("sha256:", "").split()


def names(store: PlainStore, *words: str) -> list[str]:
    return store.out("images", "--format", NAMES, *words).splitlines()


def test_intermediate_images_are_shown_with_all_only(
    family: tuple[PlainStore, dict[str, str]], ids: dict[str, str]
) -> None:
    store = family[0]
    assert set(listed(store)) == {ids[name] for name in ("box", "top", "left", "twin")}
    assert set(listed(store, "--all")) == set(ids.values())
    assert listed(store, "--filter", "dangling=true") == [ids["left"]]
    assert listed(store, "--filter", "intermediate=true") == [ids["mid"]]
    assert ids["mid"] not in listed(store, "--filter", f"id={ids['mid']}")
    parents = {one["Id"]: one["ParentId"] for one in json.loads(store.out("images", "-a", "--format", "json"))}
    kin = {"box": "", "mid": ids["box"], "top": ids["mid"], "left": ids["top"], "twin": ids["top"]}
    assert parents == {ids[name]: parent for name, parent in kin.items()}


def test_order_is_as_asked_for(family: tuple[PlainStore, dict[str, str]], ids: dict[str, str]) -> None:
    store = family[0]
    assert listed(store, "-a", "--sort", "id") == sorted(ids.values())
    by_repository = ["<none>:<none>", "docker.io/library/box:latest", "localhost/box:1", "localhost/other:x"]
    assert names(store, "--sort", "repository")[:4] == by_repository
    assert [name.rpartition(":")[2] for name in names(store, "--sort=tag")] == ["1", "<none>", *["latest"] * 3, "x"]
    sizes = [one["Size"] for one in json.loads(store.out("images", "-a", "--sort=size", "--format=json"))]
    assert sizes == sorted(sizes)
    assert listed(store)[-1] == ids["box"]
    assert listed(store, "--sort=created") == listed(store)


def test_names_that_an_image_had(store: PlainStore, ids: dict[str, str]) -> None:
    words = ("images", "-a", "--history", "--format", "{{.ID}} {{.History}}", "--no-trunc")
    shown = dict(line.removeprefix("sha256:").split(" ", 1) for line in store.out(*words).splitlines())
    assert shown[ids["mid"]] == "localhost/mid:latest"
    assert shown[ids["box"]] == "localhost/box:1, localhost/other:x, docker.io/library/box:latest"
    assert "HISTORY" in store.out("images", "--history").splitlines()[0]


def test_one_whole_name_is_shown_alone(family: tuple[PlainStore, dict[str, str]]) -> None:
    store = family[0]
    whole = ["docker.io/library/box:latest", "localhost/other:x", IMAGE]
    assert names(store, IMAGE) == [IMAGE]
    assert names(store, "box:1") == whole
    assert names(store, "-f", f"reference={IMAGE}", "-f", "reference=other:x") == whole
    digest = store.out("inspect", "--type=image", "--format={{.Digest}}", IMAGE)
    assert names(store, f"localhost/box@{digest}") == [IMAGE]
    both = names(store, "-f", "reference=top", "-f", "reference=twin")
    assert sorted(both) == ["localhost/top:latest", "localhost/twin:latest"]


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        (("dangling=maybe",), 'non-boolean value "dangling" for maybe filter: strconv.ParseBool: parsing "maybe"'),
        (("dangling=1", "dangling=0"), 'specifying "dangling" filter more than once with different values is not'),
        (("containers=x",), 'unsupported value "x" for containers filter'),
        (("digest=a063",), 'invalid value "a063" for digest filter'),
        (("since=nosuch",), 'could not find local image for filter "since"="nosuch": nosuch: image not known'),
    ],
)
def test_filters_that_make_no_sense(
    family: tuple[PlainStore, dict[str, str]], filters: tuple[str, ...], told: str
) -> None:
    assert told in family[0].refused("images", *(f"-f={text}" for text in filters))


def test_history(family: tuple[PlainStore, dict[str, str]], ids: dict[str, str]) -> None:
    store = family[0]
    assert store.out("history", "-q", "--no-trunc", "top").split() == [ids["top"], ids["mid"], ids["box"]]
    assert store.out("history", "-q", "top").split() == [ids[name][:12] for name in ("top", "mid", "box")]
    steps = json.loads(store.out("history", "--format=json", "top"))
    assert [(step["id"], step.get("tags")) for step in steps[:2]] == [
        (ids["top"], ["localhost/top:latest"]),
        (ids["mid"], None),
    ]
    assert all(step.get("comment", "none") for step in steps)  # an empty one is left out
    assert "ago" in store.out("history", "--format", "{{.Created}}", "top")
    assert store.out("history", "--human=false", "--format", "{{.Created}}", IMAGE) == "2024-05-06T07:08:09Z"
    wide = store.out("history", "--no-trunc", "top").splitlines()
    assert [line.split()[0] for line in wide] == ["ID", ids["top"], ids["mid"], ids["box"]]
    assert "nosuch: image not known" in store.refused("history", "nosuch")


def test_an_image_that_others_are_built_upon_goes_and_is_not_told(store: PlainStore, ids: dict[str, str]) -> None:
    done = store.out("rmi", "top").splitlines()
    # Nothing else was built upon the intermediate one; what is built upon the removed one keeps its layers.
    assert done == ["Untagged: localhost/top:latest", f"Deleted: {ids['mid']}"]
    assert set(listed(store, "-a")) == {ids[name] for name in ("box", "left", "twin")}
    assert store.out("rmi", ids["left"][:12]) == f"Deleted: {ids['left']}"
    assert store.out("rmi", "twin").splitlines() == ["Untagged: localhost/twin:latest", f"Deleted: {ids['twin']}"]
    assert listed(store, "-a") == [ids["box"]]


def test_all_names_first_then_all_ids(store: PlainStore, ids: dict[str, str]) -> None:
    done = store("rmi", ids["left"], "nosuch", "twin", "top")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[0] == "Error: nosuch: image not known"
    assert done.stdout.decode().splitlines() == [
        "Untagged: localhost/twin:latest",
        "Untagged: localhost/top:latest",
        *(f"Deleted: {ids[name]}" for name in ("left", "twin", "top", "mid")),
    ]


def test_no_prune_leaves_what_it_was_built_upon(store: PlainStore, ids: dict[str, str]) -> None:
    store.out("rmi", "--no-prune", ids["left"], "twin", "top")
    assert set(listed(store, "-a")) == {ids["mid"], ids["box"]}


def test_unknown_names_are_no_error_if_one_says_so(store: PlainStore, ids: dict[str, str]) -> None:
    assert store("rmi", "nosuch").returncode == 1
    for option in ("--ignore", "--force"):
        assert store.out("rmi", option, "nosuch") == ""
    assert store.out("rmi", "--ignore", "nosuch", "twin").endswith(ids["twin"])


def test_by_id_several_names_need_force(store: PlainStore, ids: dict[str, str]) -> None:
    shown = f"[docker.io/library/box:latest localhost/other:x {IMAGE}]): please force removal"
    for text, kind in ((ids["box"][:12], "ID"), (f"sha256:{ids['box']}", "digest")):
        done = store("rmi", text)
        assert done.returncode == 125
        assert f'"{ids["box"]}" by {kind} with more than one tag ({shown}' in done.stderr.decode()
    assert store.out("rmi", "localhost/other:x") == "Untagged: localhost/other:x"
    # Its layers are still needed by the others, so that only its names are told of.
    untagged = [f"Untagged: {name}" for name in ("docker.io/library/box:latest", IMAGE)]
    assert store.out("rmi", "--force", ids["box"][:12]).splitlines() == untagged
    assert ids["box"] not in listed(store, "-a")


def test_all_images_but_those_in_use(store: PlainStore, ids: dict[str, str]) -> None:
    container = store.out("create", "top")
    done = store("rmi", "--all")
    assert done.returncode == 2
    used = f"Error: image used by {container}: image is in use by a container: "
    assert used + "consider listing external containers and force-removing image" in done.stderr.decode()
    assert listed(store, "-a") == [ids["top"]]
    assert store.out("rmi", "--all", "--force").splitlines()[0] == "Untagged: localhost/top:latest"
    assert listed(store, "-a") == []
    assert store.out("ps", "-aq") == ""
    assert set(os.listdir(store.base / "root/overlay")) <= {"l", "tempdirs"}


@pytest.mark.rootful("the other engine is root's")
@pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")
def test_containers_of_others(store: PlainStore, ids: dict[str, str]) -> None:
    argv = ["buildah", "--root", f"{store.base}/root", "--runroot", f"{store.base}/run", "--storage-driver", "overlay"]
    subprocess.run([*argv, "from", "--name", "theirs", "--pull-never", "twin"], check=True, capture_output=True)
    shown = store.out("ps", "-a", "--external", "--no-trunc", "--format", "{{.ID}} {{.Image}} {{.Names}} {{.Status}}")
    ident, *rest = shown.split()
    assert rest == ["localhost/twin:latest", "theirs", "Storage"]
    assert store.out("ps", "-aq") == ""
    assert "image is in use by a container: consider listing external containers" in store.refused("rmi", "twin")
    assert names(store, "-f", "containers=true") == ["localhost/twin:latest"]
    assert store.out("rm", "theirs") == "theirs"
    subprocess.run([*argv, "from", "--name", "more", "--pull-never", "twin"], check=True, capture_output=True)
    assert store.out("rmi", "--force", "twin").splitlines()[-1] == f"Deleted: {ids['twin']}"
    left = subprocess.run([*argv, "containers", "-q"], check=True, capture_output=True)
    assert ident not in left.stdout.decode()
    assert left.stdout == b""


def test_prune_goes_on_until_nothing_is_left_over(store: PlainStore, ids: dict[str, str]) -> None:
    assert store.out("image", "prune", "--force", "--filter", "label=made=twin") == ""
    assert store.out("image", "prune", "--force") == ids["left"]
    done = store.out("image", "prune", "--force", "--all", "--filter", "label=made").split()
    assert set(done) == {ids[name] for name in ("mid", "top", "twin", "box")}


@pytest.mark.rootful("the other engine is root's")
def test_the_build_cache_goes_if_it_is_ones_own(
    store: PlainStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    cache = tmp_path / f"buildah-cache-{os.geteuid()}"
    (cache / "key").mkdir(parents=True)
    (cache / "key/file").write_text("kept by --mount=type=cache")
    store.out("image", "prune", "--force")
    assert cache.exists()
    store.out("image", "prune", "--force", "--build-cache")
    assert not cache.exists()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cache.symlink_to(elsewhere)
    assert "is no folder of this user's" in store.refused("image", "prune", "--force", "--build-cache")
    assert elsewhere.exists()


def test_inspect_and_diff_as_json_and_through_templates(
    family: tuple[PlainStore, dict[str, str]], ids: dict[str, str]
) -> None:
    store = family[0]
    (shown,) = json.loads(store.out("image", "inspect", IMAGE))
    assert shown["Id"] == ids["box"]
    assert shown["RepoTags"] == ["docker.io/library/box:latest", "localhost/other:x", IMAGE]
    assert [name.partition("@")[0] for name in shown["RepoDigests"]] == sorted(
        ["docker.io/library/box", "localhost/box", "localhost/other"]
    )
    assert store.out("image", "inspect", "--format", "{{.Id}} {{.Os}}", IMAGE) == f"{ids['box']} linux"
    several = json.loads(store.out("image", "inspect", "top", IMAGE))
    assert [one["Id"] for one in several] == [ids["top"], ids["box"]]
    assert "nosuch: image not known" in store.refused("image", "inspect", "nosuch")
    changes = json.loads(store.out("image", "diff", "--format", "json", IMAGE))
    assert "/bin/busybox" in changes["added"]
    assert "only supported value for '--format' is 'json'" in store.refused("image", "diff", "--format", "x", IMAGE)


def test_templates_know_every_member_of_an_image(store: PlainStore, tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    options = ("--change=USER 1000:5", "--change=EXPOSE 80", "--change=WORKDIR /w", "--change=LABEL k=v")
    store.out("import", "-q", *options, f"{tmp_path}/empty.tar", "localhost/told:1")

    def told(form: str, name: str = "localhost/told:1") -> str:
        return store.out("image", "inspect", "-f", form, name)

    assert told("{{.Config.User}} {{.Config.WorkingDir}} {{.Config.ExposedPorts}}") == "1000:5 /w map[80/tcp:{}]"
    assert told("{{.Config}}", IMAGE) == "{ map[] [PATH=/bin] [] [/bin/sh] map[]  map[made:here]  false}"
    bare = "{{.Config.User}}|{{.Config.Entrypoint}}|{{.Config.Volumes}}|{{.Config.StopSignal}}|{{.HealthCheck}}"
    assert told(bare, IMAGE) == "|[]|map[]||<nil>"
    assert told("{{range .History}}{{.CreatedBy}}|{{.Author}}|{{.EmptyLayer}}{{end}}", IMAGE).endswith("|false")
    assert json.loads(told("{{json .}}", IMAGE))["Id"] == told("{{.Id}}", IMAGE)
    assert told('{{index .Config.Labels "k"}}') == "v"
