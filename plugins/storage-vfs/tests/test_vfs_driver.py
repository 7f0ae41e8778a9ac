"""The vfs driver: whole copies."""

import os
import stat
from pathlib import Path

import pytest

from sonata_core.context import PluginContext
from sonata_core.errors import AlreadyExists, NotFound
from sonata_core.models.host import HostFacts
from sonata_core.models.ids import LayerId
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import LayerOptions, LayerRef, MountOptions, StoreRoot
from sonata_storage_vfs.plugin import VfsStorage

A, B = ("a" * 64, "b" * 64)


class Quiet:
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


@pytest.fixture
def root(tmp_path: Path) -> StoreRoot:
    return StoreRoot(path=str(tmp_path / "graph"), run=str(tmp_path / "run"))


@pytest.fixture
def driver(root: StoreRoot) -> VfsStorage:
    facts = HostFacts(uid=0, gid=0, rootless=False, kernel="6.1", machine="x86_64", boot_id="", cgroup_version=2)
    return VfsStorage(
        PluginContext(
            name="vfs",
            root=root.path,
            run=root.run,
            cache=root.path,
            config={},
            facts=facts,
            run_command=lambda command: pytest.fail("no program is needed"),
            find_program=lambda name: None,
            log=Quiet(),
            stores=(root,),
        )
    )


def ref(root: StoreRoot, layer: str) -> LayerRef:
    return LayerRef(store=root.path, id=LayerId(layer))


def test_a_child_is_a_copy(driver: VfsStorage, root: StoreRoot) -> None:
    base = Path(driver.storage_create(ref(root, A), None, LayerOptions(), None).path)
    assert base == Path(root.path) / "vfs" / "dir" / A
    assert base.stat().st_mode & 0o777 == 0o555
    (base / "file").write_bytes(b"x" * 70_000)
    os.link(base / "file", base / "again")
    (base / "folder").mkdir(mode=0o750)
    (base / "folder" / "deep").write_text("deep")
    (base / "link").symlink_to("/etc/passwd")
    os.setxattr(base / "file", "user.tag", b"value")
    os.mkfifo(base / "pipe")
    os.mknod(base / "sock", stat.S_IFSOCK | 0o600)
    with (base / "sparse").open("wb") as file:
        file.truncate(50_000_000)
        file.seek(25_000_000)
        file.write(b"middle")
    os.chmod(base / "file", 0o4755)
    os.utime(base / "file", ns=(1_000_000_001, 2_000_000_002))
    os.utime(base / "folder", ns=(3_000_000_003, 4_000_000_004))
    copy = Path(driver.storage_create(ref(root, B), ref(root, A), LayerOptions(writable=True), None).path)
    for name in ("file", "again", "folder", "folder/deep", "link", "pipe", "sock", "sparse", "."):
        old, new = (base / name).lstat(), (copy / name).lstat()
        assert (old.st_mode, old.st_uid, old.st_gid, old.st_mtime_ns) == (
            new.st_mode,
            new.st_uid,
            new.st_gid,
            new.st_mtime_ns,
        ), name
    assert (copy / "file").read_bytes() == (base / "file").read_bytes()
    assert (copy / "file").stat().st_ino == (copy / "again").stat().st_ino != (base / "file").stat().st_ino
    assert os.getxattr(copy / "file", "user.tag") == b"value"
    assert os.readlink(copy / "link") == "/etc/passwd"
    assert (copy / "sparse").read_bytes() == (base / "sparse").read_bytes()
    assert (copy / "sparse").stat().st_blocks < 1000
    (copy / "file").write_text("changed")
    assert (base / "file").read_bytes()[:1] == b"x"


def test_verbs(driver: VfsStorage, root: StoreRoot) -> None:
    assert driver.storage_stage(LayerOptions()) is None
    driver.storage_create(ref(root, A), None, LayerOptions(), None)
    with pytest.raises(AlreadyExists):
        driver.storage_create(ref(root, A), None, LayerOptions(), None)
    plan = driver.storage_mounts(ref(root, A), MountOptions())
    assert (plan.root, plan.mounts, plan.writable) == (f"{root.path}/vfs/dir/{A}", (), True)
    assert not driver.storage_mounts(ref(root, A), MountOptions(read_only=True)).writable
    assert driver.storage_list() == (A,)
    assert driver.storage_usage(ref(root, A)).inodes == 1
    driver.storage_remove(ref(root, A))
    driver.storage_remove(ref(root, A))
    with pytest.raises(NotFound):
        driver.storage_contents(ref(root, A))


@pytest.mark.needs_root
def test_owners_are_shifted_for_a_mapped_container(driver: VfsStorage, root: StoreRoot) -> None:
    base = Path(driver.storage_create(ref(root, A), None, LayerOptions(), None).path)
    (base / "f").write_text("x")
    os.chown(base / "f", 5, 6)
    os.chmod(base / "f", 0o4755)
    maps = (IdMap(container_id=0, host_id=100000, size=1000),)
    options = LayerOptions(writable=True, id_mapping=IdMapping(uids=maps, gids=maps))
    copy = Path(driver.storage_create(ref(root, B), ref(root, A), options, None).path)
    assert ((copy / "f").stat().st_uid, (copy / "f").stat().st_gid) == (100005, 100006)
    assert (copy / "f").stat().st_mode & 0o7777 == 0o4755
    assert copy.stat().st_uid == 100000
