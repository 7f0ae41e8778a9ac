"""The overlay driver's folder, and what it says to mount, tried with the kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import AlreadyExists, Damaged, InUse, NotFound, SonataError
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import LayerId
from sonata_core.models.mount import MountPlan
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import Change, ChangeKind, LayerOptions, LayerRef, MountOptions, StoreRoot
from sonata_storage_overlay.plugin import OverlayStorage

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
needs_root = pytest.mark.needs_root


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


def context(*roots: StoreRoot, rootless: bool = False, config: dict[str, str] | None = None) -> PluginContext:
    facts = HostFacts(
        uid=0, gid=0, rootless=rootless, kernel=os.uname().release, machine="x86_64", boot_id="", cgroup_version=2
    )
    path = roots[0].path
    return PluginContext(
        name="overlay",
        root=path,
        run=roots[0].run,
        cache=path,
        config=config or {},
        facts=facts,
        run_command=lambda command: pytest.fail("no program is needed"),
        find_program=lambda name: None,
        log=Quiet(),
        stores=roots,
    )


@pytest.fixture
def root(tmp_path: Path) -> StoreRoot:
    return StoreRoot(path=str(tmp_path / "graph"), run=str(tmp_path / "run"))


@pytest.fixture
def driver(root: StoreRoot) -> OverlayStorage:
    return OverlayStorage(context(root))


def ref(root: StoreRoot, layer: str) -> LayerRef:
    return LayerRef(store=root.path, id=LayerId(layer))


def make(driver: OverlayStorage, root: StoreRoot, layer: str, parent: str | None = None) -> Path:
    above = ref(root, parent) if parent else None
    target = driver.storage_create(ref(root, layer), above, LayerOptions(), None)
    return Path(target.path)


def mount(plan: MountPlan) -> None:
    for one in plan.mounts:
        options = ",".join(one.options)
        subprocess.run(["mount", "-t", one.type, "-o", options, one.source, one.target], check=True)


def test_layout_is_what_peers_read(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    make(driver, root, C, B)
    home = Path(root.path) / "overlay"
    links = {layer: (home / layer / "link").read_text() for layer in (A, B, C)}
    assert all(len(link) == 26 and set(link) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for link in links.values())
    assert os.readlink(home / "l" / links[A]) == f"../{A}/diff"
    assert not (home / A / "lower").exists()
    assert (home / A / "empty").is_dir()
    assert (home / C / "lower").read_text() == f"l/{links[B]}:l/{links[A]}"
    assert (home / C / "lower-layers").read_text() == f"{B}:{A}"
    assert {path.name for path in (home / C).iterdir()} == {"diff", "link", "lower", "lower-layers", "merged", "work"}
    modes = {name: oct((home / C / name).stat().st_mode & 0o777) for name in ("diff", "link", "lower", "work")}
    assert modes == {"diff": "0o555", "link": "0o644", "lower": "0o644", "work": "0o700"}


def test_child_takes_mode_and_owner_of_its_parent(driver: OverlayStorage, root: StoreRoot) -> None:
    diff = make(driver, root, A)
    diff.chmod(0o751)
    assert make(driver, root, B, A).stat().st_mode & 0o7777 == 0o751


@pytest.mark.parametrize("text", ["", "l/nothing", None])
def test_what_older_peers_read_is_mended(driver: OverlayStorage, root: StoreRoot, text: str | None) -> None:
    """Podman 4 goes by `lower`: where it lacks layers, containers lack files."""
    for layer, parent in ((A, None), (B, A), (C, B)):
        make(driver, root, layer, *([parent] if parent else []))
    path = Path(root.path) / "overlay" / C / "lower"
    right = path.read_text()
    for wrong in (text, right.partition(":")[0]):
        path.unlink()
        if wrong is not None:
            path.write_text(wrong)
        assert [(one.what, one.layer) for one in driver.storage_check(repair=False)] == [
            ("layer with a wrong `lower`", C)
        ]
        driver.storage_check(repair=True)
        assert path.read_text() == right
    assert driver.storage_check(repair=False) == ()


def test_a_parent_without_lower_layers_is_read_through_its_links(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    home = Path(root.path) / "overlay"
    (home / B / "lower-layers").unlink()
    make(driver, root, C, B)
    assert (home / C / "lower-layers").read_text() == f"{B}:{A}"
    (home / C / "lower-layers").unlink()
    assert driver.storage_info(ref(root, C)).parent == B


def test_staged_content_is_put_in_place(driver: OverlayStorage, root: StoreRoot) -> None:
    staged = driver.storage_stage(LayerOptions())
    assert staged is not None
    (Path(staged.path) / "file").write_text("x")
    temporary = Path(staged.path).parent
    # A second driver, as another process would be, leaves a living stage alone.
    other = OverlayStorage(context(root))
    second = other.storage_stage(LayerOptions())
    assert second is not None
    assert temporary.is_dir()
    driver.storage_create(ref(root, A), None, LayerOptions(), staged)
    driver.storage_unstage(staged)
    other.storage_unstage(second)
    other.storage_unstage(second)
    diff = Path(root.path) / "overlay" / A / "diff"
    assert (diff / "file").read_text() == "x"
    assert diff.stat().st_mode & 0o777 == 0o555
    assert list((Path(root.path) / "overlay" / "tempdirs").iterdir()) == []


def test_a_stage_whose_owner_died_is_found_and_reaped(driver: OverlayStorage, root: StoreRoot) -> None:
    dead = Path(root.path) / "overlay" / "tempdirs"
    script = (
        "import os, sys; from sonata_core.sdk.stages import Stage; s = Stage(sys.argv[1]);"
        "open(s.path + '/x', 'w').close(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(dead)], check=False)
    assert len(list(dead.iterdir())) == 2
    assert [one.what for one in driver.storage_check(repair=False)] == ["stale staging folder"]
    assert len(list(dead.iterdir())) == 2
    driver.storage_check(repair=True)
    assert list(dead.iterdir()) == []


def test_key_is_used_once(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    with pytest.raises(AlreadyExists):
        make(driver, root, A)


def test_remove(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    with pytest.raises(InUse, match=B):
        driver.storage_remove(ref(root, A))
    for layer in (B, A, A):
        driver.storage_remove(ref(root, layer))
    assert list((Path(root.path) / "overlay" / "l").iterdir()) == []
    assert driver.storage_list() == ()
    with pytest.raises(NotFound):
        driver.storage_contents(ref(root, A))


def test_a_containers_layer_is_guarded_once_it_has_a_child(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    driver.storage_create(ref(root, B), ref(root, A), LayerOptions(writable=True), None)
    make(driver, root, C, B)
    with pytest.raises(InUse, match=C):
        driver.storage_remove(ref(root, B))
    driver.storage_remove(ref(root, C))
    driver.storage_remove(ref(root, B))


@pytest.mark.parametrize("missing", ["diff", "link", "lower", "work", "l"])
def test_remove_works_on_the_half_made(driver: OverlayStorage, root: StoreRoot, missing: str) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    home = Path(root.path) / "overlay"
    path = home / B / missing
    if missing == "l":
        (home / "l" / (home / B / "link").read_text()).unlink()
    elif path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    driver.storage_remove(ref(root, B))
    assert not (home / B).exists()
    driver.storage_check(repair=True)
    assert len(list((home / "l").iterdir())) == 1


def test_a_lost_parent_is_named(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    subprocess.run(["rm", "-r", f"{root.path}/overlay/{A}"], check=True)
    with pytest.raises(Damaged, match=A):
        driver.storage_mounts(ref(root, B), MountOptions())
    assert [one.what for one in driver.storage_check(repair=False)] == ["broken link"]


def test_a_lost_link_is_mended_under_its_old_name(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    home = Path(root.path) / "overlay"
    link = (home / A / "link").read_text()
    (home / A / "link").write_text("")
    found = driver.storage_check(repair=True)
    assert [(one.what, one.layer) for one in found] == [("layer without its link", A)]
    assert (home / A / "link").read_text() == link
    assert driver.storage_check(repair=False) == ()


def test_mount_options(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    home = f"{root.path}/overlay"
    plan = driver.storage_mounts(ref(root, B), MountOptions(volatile=True, extra=("nodev",)))
    assert plan.root == f"{home}/{B}/merged"
    assert plan.mounts[0].options == (
        "nodev",
        f"lowerdir={home}/{A}/diff",
        f"upperdir={home}/{B}/diff",
        f"workdir={home}/{B}/work",
        "volatile",
    )
    assert driver.storage_mounts(ref(root, B), MountOptions(volatile=True, extra=("nodev",))) == plan
    seen = driver.storage_mounts(ref(root, B), MountOptions(read_only=True))
    assert seen.mounts[0].options == ("ro", f"lowerdir={home}/{B}/diff:{home}/{A}/diff")
    assert not seen.writable


def test_rootless_and_configured_options(root: StoreRoot) -> None:
    driver = OverlayStorage(context(root, rootless=True, config={"mountopt": "nodev,metacopy=on"}))
    make(driver, root, A)
    options = driver.storage_mounts(ref(root, A), MountOptions()).mounts[0].options
    assert options[0] == "nodev"
    assert options[-1] == "userxattr"
    assert "metacopy=on" not in options


def test_options_without_effect_are_refused(root: StoreRoot) -> None:
    for config, said in (
        ({"size": "10m"}, "size"),
        ({"inodes": "5"}, "inodes"),
        ({"use_composefs": "true"}, "overlay: use_composefs=true is not supported"),
        ({"bogus": "1"}, r'configure storage: unknown option "bogus" \("overlay.bogus=1"\)'),
    ):
        with pytest.raises(SonataError, match=said):
            OverlayStorage(context(root, config=config))
    OverlayStorage(context(root, config={"use_composefs": "false", "size": "", "skip_mount_home": "true"}))


def test_diff1_is_searched_after_diff(driver: OverlayStorage, root: StoreRoot) -> None:
    make(driver, root, A)
    make(driver, root, B, A)
    home = f"{root.path}/overlay"
    os.mkdir(f"{home}/{A}/diff1")
    os.mkdir(f"{home}/{B}/diff1")
    options = driver.storage_mounts(ref(root, B), MountOptions()).mounts[0].options
    assert options[0] == f"lowerdir={home}/{B}/diff1:{home}/{A}/diff:{home}/{A}/diff1"


def test_a_long_chain_uses_short_names(driver: OverlayStorage, root: StoreRoot) -> None:
    parent = None
    for number in range(128):
        layer = f"{number:064x}"
        make(driver, root, layer, parent)
        parent = layer
    assert parent is not None
    options = driver.storage_mounts(ref(root, parent), MountOptions()).mounts[0].options
    paths = options[0].removeprefix("lowerdir=").split(":")
    assert len(paths) == 127
    assert paths[0].startswith(f"{root.path}/overlay/l/")


def test_mapped_lowers(driver: OverlayStorage, root: StoreRoot) -> None:
    mapping = IdMapping(
        uids=(IdMap(container_id=0, host_id=100000, size=65536),), gids=(IdMap(container_id=0, host_id=200000, size=9),)
    )
    make(driver, root, A)
    make(driver, root, B, A)
    plan = driver.storage_mounts(ref(root, B), MountOptions(id_mapping=mapping))
    bind, overlay = plan.mounts
    folder = f"{root.path}/overlay/{B}"
    assert (bind.type, bind.source, bind.target) == ("bind", f"{root.path}/overlay", f"{folder}/mapped/0")
    assert bind.transient
    assert bind.id_mapping == mapping
    assert overlay.options[0] == f"lowerdir={folder}/mapped/0/{A}/diff"


def test_layers_of_a_read_only_store(tmp_path: Path, root: StoreRoot) -> None:
    foreign = StoreRoot(path=str(tmp_path / "foreign"), run=str(tmp_path / "foreign-run"))
    make(OverlayStorage(context(foreign)), foreign, A)
    both = OverlayStorage(context(root, foreign.replace(read_only=True)))
    both.storage_create(ref(root, B), ref(foreign, A), LayerOptions(writable=True), None)
    options = both.storage_mounts(ref(root, B), MountOptions()).mounts[0].options
    assert options[0] == f"lowerdir={foreign.path}/overlay/{A}/diff"
    seen = both.storage_mounts(ref(foreign, A), MountOptions())
    assert seen.root == f"{root.run}/overlay/{A}/merged"
    assert not seen.writable
    assert both.storage_list() == (B,)


@needs_root
def test_child_sees_parent_and_not_the_reverse(driver: OverlayStorage, root: StoreRoot) -> None:
    base = make(driver, root, A)
    (base / "old").write_text("old")
    (base / "gone").write_text("gone")
    make(driver, root, B, A)
    plan = driver.storage_mounts(ref(root, B), MountOptions())
    mount(plan)
    try:
        merged = Path(plan.root)
        assert (merged / "old").read_text() == "old"
        (merged / "gone").unlink()
        (merged / "new").write_text("new")
        (merged / "old").write_text("changed")
    finally:
        subprocess.run(["umount", plan.root], check=True)
    assert sorted(path.name for path in base.iterdir()) == ["gone", "old"]
    changes = driver.storage_changes(ref(root, B), ref(root, A))
    assert changes == (
        Change(path="/gone", kind=ChangeKind.DELETED),
        Change(path="/new", kind=ChangeKind.ADDED),
        Change(path="/old", kind=ChangeKind.MODIFIED),
    )


@needs_root
def test_a_base_layer_is_mounted_alone_both_ways(driver: OverlayStorage, root: StoreRoot) -> None:
    (make(driver, root, A) / "file").write_text("x")
    for options in (MountOptions(), MountOptions(read_only=True), MountOptions(volatile=True), MountOptions()):
        plan = driver.storage_mounts(ref(root, A), options)
        mount(plan)
        try:
            assert (Path(plan.root) / "file").read_text() == "x"
        finally:
            subprocess.run(["umount", plan.root], check=True)


@needs_root
def test_opaque_folders_hide_and_count_as_deletions(driver: OverlayStorage, root: StoreRoot) -> None:
    base = make(driver, root, A)
    (base / "d").mkdir()
    (base / "d" / "hidden").write_text("x")
    top = make(driver, root, B, A)
    (top / "d").mkdir()
    os.setxattr(top / "d", "trusted.overlay.opaque", b"y")
    (top / "d" / "shown").write_text("y")
    changes = [(one.path, one.kind.value) for one in driver.storage_changes(ref(root, B), ref(root, A))]
    assert ("/d/hidden", "deleted") in changes
    assert ("/d/shown", "added") in changes


def test_usage_is_the_layers_own(driver: OverlayStorage, root: StoreRoot) -> None:
    (make(driver, root, A) / "big").write_bytes(b"x" * 100_000)
    small = make(driver, root, B, A)
    (small / "one").write_bytes(b"x" * 5000)
    os.link(small / "one", small / "two")
    usage = driver.storage_usage(ref(root, B))
    assert usage.inodes == 2
    assert 5000 <= usage.bytes <= 20_000


def test_facts(driver: OverlayStorage) -> None:
    facts = driver.storage_facts()
    assert facts.format == "overlay-trusted"
    assert facts.max_layers == 500
    assert driver.plugin_info().contract == "storage/1.1"
