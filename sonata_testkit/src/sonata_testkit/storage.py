"""The suite of the storage group. Contract: docs/contract/storage.md."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from sonata_core.errors import AlreadyExists, Conflict, Denied, InUse, NotFound
from sonata_core.groups import STORAGE
from sonata_core.hookspecs.storage import StorageChanges, StorageCheck, StorageWithdraw
from sonata_core.models.ids import LayerId
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import (
    Change,
    ChangeKind,
    LayerFormat,
    LayerOptions,
    LayerRef,
    MountOptions,
    StorageFacts,
    StoreRoot,
    UnpackTarget,
)
from sonata_testkit.clauses import clause, not_offered
from sonata_testkit.faults import crash_at, crash_everywhere
from sonata_testkit.layouts import LAYOUTS
from sonata_testkit.mounting import Mounted
from sonata_testkit.plugin import PluginConformance
from sonata_testkit.trees import LayerWriter, disk_use, seen
from sonata_testkit.world import files

if TYPE_CHECKING:
    from sonata_core.context import PluginContext
    from sonata_core.slot import Slot

A, B, C, D = (LayerId(letter * 64) for letter in "abcd")
_SHIFT = IdMapping(
    uids=(IdMap(container_id=0, host_id=100000, size=65536),),
    gids=(IdMap(container_id=0, host_id=200000, size=65536),),
)
needs_root = pytest.mark.needs_root


class Layers:
    """Short words for what the tests do with a driver in one store."""

    def __init__(self, hook: Any, store: str) -> None:
        self.hook, self.store = hook, store

    def ref(self, layer: LayerId) -> LayerRef:
        return LayerRef(store=self.store, id=layer)

    def create(self, layer: LayerId, parent: LayerId | None = None, **options: Any) -> LayerWriter:
        target = self.hook.storage_create(
            layer=self.ref(layer),
            parent=None if parent is None else self.ref(parent),
            options=LayerOptions(**options),
            staged=None,
        )
        assert os.path.isdir(target.path)
        return LayerWriter(target)

    def mounted(self, layer: LayerId, **options: Any) -> Mounted:
        return Mounted(self.hook.storage_mounts(layer=self.ref(layer), options=MountOptions(**options)))

    def seen(self, layer: LayerId, **options: Any) -> dict[str, bytes]:
        with self.mounted(layer, read_only=True, **options) as view:
            return dict(seen(view.root))

    def remove(self, layer: LayerId) -> None:
        self.hook.storage_remove(layer=self.ref(layer))


class StorageConformance(PluginConformance):
    """Inherit, and give `backend(self, plugin_context)`: the driver, for the store in `plugin_context.stores`."""

    group = STORAGE

    @pytest.fixture
    def layers(self, hook: Any, plugin_context: PluginContext) -> Layers:
        return Layers(hook, plugin_context.stores[0].path)

    @pytest.fixture
    def facts(self, hook: Any) -> StorageFacts:
        found: StorageFacts = hook.storage_facts()
        return found

    def again(self, backend: Any, context: PluginContext) -> Any:
        """The driver as another process has it: nothing remembered but what is on disk."""
        from sonata_core.border import Border
        from sonata_core.slot import seat

        return seat(self.group, "again", type(backend)(context), Border(self.group.name, context.log)).hook

    @needs_root
    @clause("S-01")
    def test_child_sees_parent(self, layers: Layers) -> None:
        layers.create(A).file("etc/name", b"parent")
        layers.create(B, A).file("own", b"child")
        assert layers.seen(B) == {"etc/name": b"parent", "own": b"child"}

    @needs_root
    @clause("S-02")
    def test_parent_never_sees_child(self, layers: Layers) -> None:
        first = layers.create(A)
        first.file("kept", b"1")
        first.file("changed", b"1")
        first.file("deleted", b"1")
        layers.create(B, A, writable=True)
        with layers.mounted(B) as view:
            with open(f"{view.root}/changed", "ab") as file:
                file.write(b"2")
            os.unlink(f"{view.root}/deleted")
            os.mkdir(f"{view.root}/new")
        assert layers.seen(A) == {"kept": b"1", "changed": b"1", "deleted": b"1"}
        assert layers.seen(B) == {"kept": b"1", "changed": b"12"}

    @needs_root
    @clause("S-02")
    def test_siblings_do_not_see_each_other(self, layers: Layers) -> None:
        layers.create(A).file("base", b"1")
        for layer in (B, C):
            layers.create(layer, A, writable=True)
        with layers.mounted(B) as one, layers.mounted(C) as other:
            with open(f"{one.root}/base", "ab") as file:
                file.write(b"2")
            assert dict(seen(other.root)) == {"base": b"1"}

    @clause("S-03")
    def test_key_reuse(self, layers: Layers) -> None:
        layers.create(A).file("first", b"1")
        with pytest.raises(AlreadyExists):
            layers.create(A)
        contents = layers.hook.storage_contents(layer=layers.ref(A))
        assert dict(seen(contents[0].path)) == {"first": b"1"}, "the layer that was there has changed"

    @clause("S-04")
    def test_layout_is_the_peers(self, slot: Slot[Any], layers: Layers) -> None:
        check = LAYOUTS.get(slot.info().name)
        if check is None:
            not_offered("no driver of containers/storage has this name")
        layers.create(A).file("a", b"1")
        layers.create(B, A).file("b", b"2")
        layers.create(C, B, writable=True)
        check(layers.store, [A, B, C])

    @needs_root
    @clause("S-05")
    def test_a_parent_in_use_stays(self, layers: Layers) -> None:
        layers.create(A).file("base", b"1")
        layers.create(B, A, writable=True)
        try:
            layers.remove(A)
        except InUse:
            assert A in layers.hook.storage_list(), "it said InUse and removed the layer"
        assert layers.seen(B) == {"base": b"1"}, "the child lost what it has of its parent"
        layers.remove(B)
        layers.remove(A)
        assert layers.hook.storage_list() == ()

    @needs_root
    @clause("S-06")
    def test_deleted_replaced_and_opaque_across_three_layers(self, layers: Layers) -> None:
        first = layers.create(A)
        for name in ("gone", "back", "folder/a", "folder/b", "hidden/a", "hidden/deep/b", "kind/x"):
            first.file(name, b"1")
        second = layers.create(B, A)
        second.delete("gone")
        second.delete("back")
        second.delete("folder/a")
        second.opaque("hidden")
        second.file("hidden/new", b"2")
        second.delete("kind")
        third = layers.create(C, B)
        third.file("back", b"3")
        third.file("kind", b"3")
        third.folder("hidden")
        third.file("hidden/a", b"3")
        assert layers.seen(B) == {"folder/b": b"1", "hidden/new": b"2"}
        assert layers.seen(C) == {
            "folder/b": b"1", "back": b"3", "kind": b"3", "hidden/new": b"2", "hidden/a": b"3",
        }  # fmt: skip
        whole = layers.seen(A)
        assert len(whole) == 7

    @needs_root
    @clause("S-06")
    def test_contents_are_the_layers_own(self, layers: Layers, facts: StorageFacts) -> None:
        layers.create(A).file("base", b"1")
        layers.create(B, A).file("own", b"2")
        contents = layers.hook.storage_contents(layer=layers.ref(B))
        assert contents
        assert all(isinstance(each, UnpackTarget) and each.format is facts.format for each in contents)
        found = {name for each in contents for name in seen(each.path)}
        assert found == ({"base", "own"} if facts.format is LayerFormat.PLAIN else {"own"})

    @needs_root
    @clause("S-07")
    def test_metadata_survives(self, layers: Layers) -> None:
        first = layers.create(A)
        first.file("owned", b"x", 0o4750)
        os.chown(first.path("owned"), 1234, 4321)
        os.chmod(first.path("owned"), 0o4750)
        first.folder("sticky", 0o1777)
        first.file("capable", b"x")
        capability = b"\x01\x00\x00\x02\x00\x04\x00\x00" + bytes(12)
        os.setxattr(first.path("capable"), "security.capability", capability)
        os.setxattr(first.path("capable"), "trusted.kit", b"1")
        os.link(first.path("capable"), first.path("linked"))
        os.symlink("../nowhere", first.path("dangling"))
        os.mkfifo(first.path("pipe"))
        os.mknod(first.path("null"), 0o020666, os.makedev(1, 3))
        with open(first.path("sparse"), "wb") as file:
            file.truncate(64 << 20)
        os.utime(first.path("owned"), ns=(0, 1_234_567_891_000_000_000))
        layers.create(B, A)
        with layers.mounted(B, read_only=True) as view:
            owned = os.lstat(f"{view.root}/owned")
            assert (owned.st_uid, owned.st_gid, owned.st_mode & 0o7777) == (1234, 4321, 0o4750)
            assert owned.st_mtime_ns == 1_234_567_891_000_000_000
            assert os.lstat(f"{view.root}/sticky").st_mode & 0o7777 == 0o1777
            assert os.getxattr(f"{view.root}/capable", "security.capability") == capability
            assert os.getxattr(f"{view.root}/capable", "trusted.kit") == b"1"
            links = [os.lstat(f"{view.root}/{name}") for name in ("capable", "linked")]
            assert links[0].st_ino == links[1].st_ino
            assert links[0].st_nlink == 2
            assert os.readlink(f"{view.root}/dangling") == "../nowhere"
            assert os.lstat(f"{view.root}/pipe").st_mode == 0o010000 | (os.lstat(first.path("pipe")).st_mode & 0o7777)
            assert os.lstat(f"{view.root}/null").st_rdev == os.makedev(1, 3)
            sparse = os.lstat(f"{view.root}/sparse")
            assert sparse.st_size == 64 << 20
            assert sparse.st_blocks * 512 < 1 << 20, "a sparse file was filled"

    @needs_root
    @clause("S-08")
    def test_128_layers(self, layers: Layers, facts: StorageFacts) -> None:
        count = min(128, facts.max_layers)
        chain = [LayerId(f"{number:064x}") for number in range(count)]
        for number, layer in enumerate(chain):
            layers.create(layer, chain[number - 1] if number else None).file(f"f{number}", b"%d" % number)
        top = LayerId("f" * 64)
        layers.create(top, chain[-1], writable=True)
        assert layers.seen(top) == {f"f{number}": b"%d" % number for number in range(count)}
        with layers.mounted(top) as view:
            os.unlink(f"{view.root}/f0")
            assert len(seen(view.root)) == count - 1

    @clause("S-09")
    def test_usage_is_what_removing_would_free(self, layers: Layers, facts: StorageFacts) -> None:
        layers.create(A).file("large", os.urandom(4 << 20))
        layers.create(B, A).file("small", os.urandom(100_000))
        usage = layers.hook.storage_usage(layer=layers.ref(B))
        contents = layers.hook.storage_contents(layer=layers.ref(B))
        used = sum(disk_use(each.path) for each in contents)
        assert abs(usage.bytes - used) <= 65536
        assert usage.inodes >= 1
        if facts.format is not LayerFormat.PLAIN:
            assert usage.bytes < 1 << 20, "the parent's bytes are in it"

    @clause("S-10")
    def test_mounts_are_equal_after_a_restart(
        self, layers: Layers, backend: Any, plugin_context: PluginContext
    ) -> None:
        layers.create(A).file("a", b"1")
        layers.create(B, A, writable=True)
        options = MountOptions()
        plan = layers.hook.storage_mounts(layer=layers.ref(B), options=options)
        other = self.again(backend, plugin_context)
        assert other.storage_mounts(layer=layers.ref(B), options=options) == plan
        assert layers.hook.storage_mounts(layer=layers.ref(B), options=options) == plan
        assert plan.writable
        assert os.path.isabs(plan.root)
        assert all(os.path.isabs(mount.target) for mount in plan.mounts)
        assert not layers.hook.storage_mounts(layer=layers.ref(B), options=MountOptions(read_only=True)).writable

    @needs_root
    @clause("S-10")
    def test_what_was_written_is_there_after_a_restart(
        self, layers: Layers, backend: Any, plugin_context: PluginContext
    ) -> None:
        layers.create(A).file("a", b"1")
        layers.create(B, A, writable=True)
        with layers.mounted(B, volatile=True) as view, open(f"{view.root}/b", "wb") as file:
            file.write(b"2")
        other = Layers(self.again(backend, plugin_context), layers.store)
        with other.mounted(B, volatile=True) as view:
            assert dict(seen(view.root)) == {"a": b"1", "b": b"2"}

    @needs_root
    @clause("S-11")
    def test_shifted_owners(self, layers: Layers, facts: StorageFacts) -> None:
        first = layers.create(A)
        first.file("zero", b"1")
        first.file("one", b"1")
        os.chown(first.path("one"), 1, 2)
        layers.create(B, A, writable=True, id_mapping=_SHIFT)
        with layers.mounted(B, id_mapping=_SHIFT if facts.id_mapping else None) as view:
            owners = {name: os.lstat(f"{view.root}/{name}") for name in ("zero", "one", "")}
            assert (owners["zero"].st_uid, owners["zero"].st_gid) == (100000, 200000)
            assert (owners["one"].st_uid, owners["one"].st_gid) == (100001, 200002)
            assert owners[""].st_uid == 100000
            with open(f"{view.root}/one", "ab") as file:
                file.write(b"2")
            assert os.lstat(f"{view.root}/one").st_uid == 100001
        assert os.lstat(first.path("one")).st_uid == 1, "the image's layer has changed"
        assert layers.seen(A)["one"] == b"1"

    @clause("S-12")
    def test_crash_while_creating(self, layers: Layers, backend: Any, plugin_context: PluginContext) -> None:
        layers.create(A).file("base", b"1")
        layers.create(C, A)
        layers.remove(C)
        before = _files(plugin_context)
        parent = layers.ref(A)

        def prepare() -> Any:
            hook = self.again(backend, plugin_context)
            options = LayerOptions(writable=True)
            return lambda: hook.storage_create(layer=layers.ref(B), parent=parent, options=options, staged=None)

        def judge(step: int) -> None:
            hook = self.again(backend, plugin_context)
            for _ in range(2):
                hook.storage_remove(layer=layers.ref(B))
            assert _files(plugin_context) == before, f"a crash after {step - 1} steps left something"
            assert B not in hook.storage_list()

        assert crash_everywhere(prepare, judge) > 0
        layers.remove(B)
        layers.create(B, A)

    @clause("S-12")
    def test_crash_while_putting_a_stage_in_place(
        self, layers: Layers, backend: Any, plugin_context: PluginContext
    ) -> None:
        _stage(layers.hook)
        layers.create(C)
        layers.remove(C)
        before = _files(plugin_context)

        def prepare() -> Any:
            hook = self.again(backend, plugin_context)

            def work() -> None:
                staged = hook.storage_stage(options=LayerOptions())
                LayerWriter(staged).file("own", b"1")
                hook.storage_create(layer=layers.ref(B), parent=None, options=LayerOptions(), staged=staged)
                hook.storage_unstage(staged=staged)

            return work

        def judge(step: int) -> None:
            hook = self.again(backend, plugin_context)
            for _ in range(2):
                hook.storage_remove(layer=layers.ref(B))
            _stage(hook)  # the next user of the store clears away the stages of the dead
            assert _files(plugin_context) == before, f"a crash after {step - 1} steps left something"

        assert crash_everywhere(prepare, judge) > 0

    @clause("S-12")
    def test_crash_while_removing(self, layers: Layers, backend: Any, plugin_context: PluginContext) -> None:
        layers.create(A)
        layers.create(C, A)
        layers.remove(C)
        before = _files(plugin_context)

        def prepare() -> Any:
            hook = self.again(backend, plugin_context)
            Layers(hook, layers.store).create(B, A, writable=True).file("own/deep", b"1")
            return lambda: hook.storage_remove(layer=layers.ref(B))

        def judge(step: int) -> None:
            hook = self.again(backend, plugin_context)
            for _ in range(2):
                hook.storage_remove(layer=layers.ref(B))
            assert _files(plugin_context) == before, f"a crash after {step - 1} steps left something"

        assert crash_everywhere(prepare, judge) > 0

    @clause("S-12")
    def test_removing_what_is_not_there(self, layers: Layers) -> None:
        layers.remove(D)
        layers.create(D)
        layers.remove(D)
        layers.remove(D)
        assert D not in layers.hook.storage_list()

    @clause("S-13")
    def test_facts(self, facts: StorageFacts, layers: Layers) -> None:
        assert isinstance(facts.format, LayerFormat)
        assert facts.max_layers >= 1
        assert layers.create(A).target.format is facts.format

    @clause("S-14")
    def test_stage(self, layers: Layers, facts: StorageFacts) -> None:
        one, two = _stage_or_skip(layers.hook), _stage_or_skip(layers.hook)
        assert one.path != two.path
        assert one.format is facts.format
        assert layers.hook.storage_list() == ()
        assert _is_private(one.path, layers.store), "a stage can be entered by other users"
        LayerWriter(one).file("own", b"1")
        target = layers.hook.storage_create(layer=layers.ref(A), parent=None, options=LayerOptions(), staged=one)
        assert dict(seen(target.path)) == {"own": b"1"}
        assert os.lstat(target.path).st_mode & 0o777 == 0o555, "a first layer's folder is 0555, as peers make it"
        for staged in (one, one, two, two):
            layers.hook.storage_unstage(staged=staged)
        assert not os.path.exists(two.path)
        assert dict(seen(target.path)) == {"own": b"1"}, "giving a stage up took what was put in place"

    @clause("S-15")
    def test_info_and_list(self, layers: Layers, facts: StorageFacts) -> None:
        layers.create(A)
        layers.create(B, A)
        assert set(layers.hook.storage_list()) == {A, B}
        info = layers.hook.storage_info(layer=layers.ref(B))
        assert info.id == B
        assert info.parent in ((A,) if facts.format is not LayerFormat.PLAIN else (A, None))
        assert [each.path for each in layers.hook.storage_contents(layer=layers.ref(B))] == list(info.paths)

    @clause("S-15")
    def test_what_is_unknown_is_not_found(self, layers: Layers) -> None:
        for call in (layers.hook.storage_info, layers.hook.storage_contents, layers.hook.storage_usage):
            with pytest.raises(NotFound):
                call(layer=layers.ref(D))
        with pytest.raises(NotFound):
            layers.hook.storage_mounts(layer=layers.ref(D), options=MountOptions())
        with pytest.raises(NotFound):
            layers.create(B, D)
        assert B not in layers.hook.storage_list()

    @needs_root
    @clause("S-16")
    def test_changes(self, slot: Slot[Any], layers: Layers) -> None:
        if not slot.offers(StorageChanges):
            not_offered("StorageChanges")
        first = layers.create(A)
        for name in ("kept", "changed", "deleted", "folder/a", "folder/b"):
            first.file(name, b"1")
        layers.create(B, A, writable=True)
        with layers.mounted(B) as view:
            with open(f"{view.root}/changed", "ab") as file:
                file.write(b"2")
            os.unlink(f"{view.root}/deleted")
            os.unlink(f"{view.root}/folder/a")
            with open(f"{view.root}/new", "wb") as file:
                file.write(b"3")
        found = layers.hook.storage_changes(layer=layers.ref(B), parent=layers.ref(A))
        assert found == tuple(sorted(found, key=lambda change: change.path))
        wanted = {("/changed", ChangeKind.MODIFIED), ("/deleted", ChangeKind.DELETED), ("/new", ChangeKind.ADDED)}
        wanted.add(("/folder/a", ChangeKind.DELETED))
        assert {_pair(change) for change in found} - {("/folder", ChangeKind.MODIFIED)} == wanted

    @clause("S-17")
    def test_check_finds_what_a_crash_left(
        self, slot: Slot[Any], layers: Layers, backend: Any, plugin_context: PluginContext
    ) -> None:
        if not slot.offers(StorageCheck):
            not_offered("StorageCheck")
        layers.create(A)
        assert layers.hook.storage_check(repair=False) == ()
        _stage(layers.hook)

        def work() -> None:
            hook = self.again(backend, plugin_context)
            LayerWriter(_stage_or_skip(hook)).file("own", b"1")
            os.kill(os.getpid(), 9)

        assert crash_at(1_000_000, work)
        hook = self.again(backend, plugin_context)
        found = hook.storage_check(repair=False)
        assert found
        assert all(os.path.lexists(each.path) and each.what and each.evidence and each.repair for each in found)
        assert hook.storage_check(repair=True)
        assert hook.storage_check(repair=False) == ()
        assert hook.storage_list() == (A,)

    @needs_root
    @clause("S-18")
    def test_a_read_only_store_beside(self, layers: Layers, backend: Any, plugin_context: PluginContext) -> None:
        layers.create(A).file("base", b"1")
        below = plugin_context.stores[0].replace(read_only=True)
        own = StoreRoot(path=f"{below.path}-own", run=f"{below.run}-own")
        before = files(below.path)
        hook = self.again(backend, plugin_context.replace(stores=(own, below)))
        child = LayerRef(store=own.path, id=B)
        with pytest.raises((Denied, Conflict)):
            hook.storage_create(layer=layers.ref(C), parent=None, options=LayerOptions(), staged=None)
        with pytest.raises((Denied, Conflict)):
            hook.storage_remove(layer=layers.ref(A))
        hook.storage_create(layer=child, parent=layers.ref(A), options=LayerOptions(writable=True), staged=None)
        assert hook.storage_list() == (B,)
        with Mounted(hook.storage_mounts(layer=child, options=MountOptions())) as view:
            assert dict(seen(view.root)) == {"base": b"1"}
            os.unlink(f"{view.root}/base")
        with Mounted(hook.storage_mounts(layer=layers.ref(A), options=MountOptions())) as view:
            assert dict(seen(view.root)) == {"base": b"1"}
        assert files(below.path) == before, "something was written to the read-only store"

    @clause("S-19")
    def test_a_layer_goes_at_once(self, slot: Slot[Any], layers: Layers) -> None:
        if not slot.offers(StorageWithdraw):
            not_offered("StorageWithdraw")
        layers.create(A).file("own", b"1" * 100_000)
        layers.create(B, A, writable=True)
        assert layers.hook.storage_withdraw(layer=layers.ref(D)) is None, "there is nothing to be put aside"
        staged = layers.hook.storage_withdraw(layer=layers.ref(B))
        assert staged is not None
        assert layers.hook.storage_list() == (A,)
        other = layers.hook.storage_withdraw(layer=layers.ref(A))
        assert layers.hook.storage_list() == ()
        assert _is_private(other.path, layers.store), "what is deleted can be entered by other users"
        layers.create(A).file("new", b"2")
        for one in (staged, other, other):
            layers.hook.storage_unstage(staged=one)
            assert not os.path.exists(one.path)
        assert layers.seen(A) == {"new": b"2"}

    @clause("S-19")
    def test_a_parent_is_not_put_aside(self, slot: Slot[Any], layers: Layers) -> None:
        if not slot.offers(StorageWithdraw):
            not_offered("StorageWithdraw")
        layers.create(A).file("base", b"1")
        layers.create(B, A)
        try:
            staged = layers.hook.storage_withdraw(layer=layers.ref(A))
        except InUse:
            assert set(layers.hook.storage_list()) == {A, B}
        else:
            layers.hook.storage_unstage(staged=staged)
            assert layers.hook.storage_list() == (B,)
        assert layers.seen(B) == {"base": b"1"}

    @clause("S-19")
    def test_crash_while_a_layer_goes(
        self, slot: Slot[Any], layers: Layers, backend: Any, plugin_context: PluginContext
    ) -> None:
        if not slot.offers(StorageWithdraw):
            not_offered("StorageWithdraw")
        layers.create(A)
        layers.create(C, A)
        layers.hook.storage_unstage(staged=layers.hook.storage_withdraw(layer=layers.ref(C)))
        before = _files(plugin_context)

        def prepare() -> Any:
            hook = self.again(backend, plugin_context)
            Layers(hook, layers.store).create(B, A, writable=True).file("own/deep", b"1")
            return lambda: hook.storage_unstage(staged=hook.storage_withdraw(layer=layers.ref(B)))

        def judge(step: int) -> None:
            hook = self.again(backend, plugin_context)
            for _ in range(2):
                hook.storage_remove(layer=layers.ref(B))
            staged = hook.storage_stage(options=LayerOptions())  # the next user of the store clears away
            if staged is not None:
                hook.storage_unstage(staged=staged)
            assert _files(plugin_context) == before, f"a crash after {step - 1} steps left something"
            assert B not in hook.storage_list()

        assert crash_everywhere(prepare, judge) > 0


def _pair(change: Change) -> tuple[str, ChangeKind]:
    return change.path, change.kind


def _files(context: PluginContext) -> list[str]:
    """What lies in the store, without names that are drawn by lot."""
    return sorted(files(context.stores[0].path))


def _stage(hook: Any) -> None:
    """Stage and give up, so that the driver makes its folders and clears away stages of the dead."""
    hook.storage_unstage(staged=_stage_or_skip(hook))


def _stage_or_skip(hook: Any) -> UnpackTarget:
    staged: UnpackTarget | None = hook.storage_stage(options=LayerOptions())
    if staged is None:
        not_offered("staging: this driver unpacks over the parent's copy")
    return staged


def _is_private(path: str, store: str) -> bool:
    """Whether some folder on the way, within the store, is closed to others."""
    while len(path) >= len(store):
        if not os.lstat(path).st_mode & 0o007:
            return True
        path = os.path.dirname(path)
    return False
