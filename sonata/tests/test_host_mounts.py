"""Mounts and namespaces: the logic by a recording kernel, unprivileged; then the real thing."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from sonata.host import commands, mounts, netns
from sonata.host import kernel as k
from sonata.host.linux import LinuxKernel
from sonata_core.errors import CommandFailed, Denied, ExternalFailure, HostLacks, NotFound
from sonata_core.models.mount import Mount, MountPlan
from sonata_core.models.process import Command, CommandResult, IdMap, IdMapping
from sonata_testkit.fakes.kernel import RecordingKernel

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def never(command: Command) -> CommandResult:
    raise AssertionError(command)


def overlay(count: int, folder: str = "/layers") -> Mount:
    lower = ":".join(f"{folder}/{number}" for number in range(count))
    return Mount(
        type="overlay",
        source="overlay",
        target="/merged",
        options=(f"lowerdir={lower}", "upperdir=/up", "workdir=/work", "nodev", "volatile"),
    )


def test_short_data_is_one_call() -> None:
    kernel = RecordingKernel()
    mounts.make(kernel, MountPlan(root="/merged", mounts=(overlay(2),)), never)
    data = "lowerdir=/layers/0:/layers/1,upperdir=/up,workdir=/work,volatile"
    assert kernel.calls == [("mount", "overlay", "/merged", "overlay", k.MS_NODEV, data)]


def test_data_beyond_a_page_goes_piece_by_piece() -> None:
    kernel = RecordingKernel()
    mounts.make(kernel, MountPlan(root="/merged", mounts=(overlay(500),)), never)
    lower = [call[2] for call in kernel.named("fsconfig_string") if call[1] == "lowerdir+"]
    assert lower == [f"/layers/{number}" for number in range(500)]
    assert kernel.named("fsconfig_flag") == [(1001, "volatile")]
    assert kernel.named("fsmount") == [(1001, k.MOUNT_ATTR_NODEV)]
    assert kernel.mounted == ["/merged"]
    assert kernel.open_descriptors == set()


def test_names_too_long_for_the_kernel_go_through_descriptors() -> None:
    kernel = RecordingKernel()
    mounts.make(kernel, MountPlan(root="/merged", mounts=(overlay(20, "/" + "x" * 300),)), never)
    lower = [str(call[2]) for call in kernel.named("fsconfig_string") if call[1] == "lowerdir+"]
    assert len(lower) == 20
    assert all(name.startswith("/proc/self/fd/") for name in lower)
    assert kernel.open_descriptors == set()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL])
def test_an_older_kernel_gets_short_names(number: int) -> None:
    kernel = RecordingKernel()
    kernel.fail("fsopen" if number == errno.ENOSYS else "fsconfig_string", number, 2 if number == errno.EINVAL else 1)
    mounts.make(kernel, MountPlan(root="/merged", mounts=(overlay(200, "/" + "y" * 40),)), never)
    ((_, _, _, _, data),) = kernel.named("mount")
    assert str(data).startswith("lowerdir=/proc/self/fd/")
    assert len(str(data)) < 4096
    assert kernel.open_descriptors == set()


def test_too_many_layers_for_an_older_kernel() -> None:
    kernel = RecordingKernel()
    kernel.fail("fsopen", errno.ENOSYS)
    with pytest.raises(HostLacks, match="400 layers"):
        mounts.make(kernel, MountPlan(root="/merged", mounts=(overlay(400),)), never)
    assert kernel.open_descriptors == set()


def test_quoted_folders() -> None:
    assert mounts.split_lower(r"/a\:b:/c\\d:/e") == ["/a:b", "/c\\d", "/e"]


def test_bind_flags_need_a_second_call() -> None:
    kernel = RecordingKernel()
    mount = Mount(type="bind", source="/src", target="/dst", options=("rbind", "ro", "nosuid", "rprivate"))
    mounts.make_one(kernel, mount, never)
    assert [call[3] for call in kernel.named("mount")] == [
        k.MS_BIND | k.MS_REC,
        k.MS_REMOUNT | k.MS_BIND | k.MS_RDONLY | k.MS_NOSUID,
        k.MS_PRIVATE | k.MS_REC,
    ]


def plan_of(*targets: str, transient: str = "") -> MountPlan:
    return MountPlan(
        root="/m",
        mounts=tuple(
            Mount(type="tmpfs", source="tmpfs", target=target, transient=target == transient) for target in targets
        ),
    )


def test_transient_mounts_go_once_the_root_is_there() -> None:
    kernel = RecordingKernel()
    mounts.make(kernel, plan_of("/t", "/m", transient="/t"), never)
    assert kernel.mounted == ["/m"]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_all_or_nothing(at: int) -> None:
    kernel = RecordingKernel()
    kernel.fail("mount", errno.ENOSPC, at)
    with pytest.raises(ExternalFailure, match="mounting tmpfs from tmpfs at"):
        mounts.make(kernel, plan_of("/a", "/b", "/c"), never)
    assert kernel.mounted == []


def test_unmake_twice_and_half_made() -> None:
    kernel = RecordingKernel()
    plan = plan_of("/a", "/b")
    mounts.make(kernel, plan, never)
    mounts.unmake(kernel, plan)
    mounts.unmake(kernel, plan)
    assert kernel.mounted == []
    assert kernel.named("umount")[0] == ("/b", k.MNT_DETACH | k.UMOUNT_NOFOLLOW)


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EPERM, Denied), (errno.ENODEV, HostLacks), (errno.EIO, ExternalFailure)]
)
def test_the_class_says_what_to_do(number: int, kind: type[Exception]) -> None:
    kernel = RecordingKernel()
    kernel.fail("mount", number)
    with pytest.raises(kind):
        mounts.make_one(kernel, overlay(1), never)


def test_a_helper_mounts() -> None:
    ran: list[Command] = []

    def run(command: Command) -> CommandResult:
        ran.append(command)
        return CommandResult(code=len(ran) - 1, stdout=b"", stderr=b"no fuse here\n")

    mount = Mount(type="fuse-overlayfs", source="", target="/m", helper=Command(argv=("/bin/fuse",)))
    mounts.make_one(RecordingKernel(), mount, run)
    assert [command.argv for command in ran] == [("/bin/fuse",)]
    with pytest.raises(CommandFailed, match="/bin/fuse exits with 1: no fuse here"):
        mounts.make_one(RecordingKernel(), mount, run)


def test_mountinfo() -> None:
    line = rb"36 35 98:0 /mnt1 /mnt\0402\134x rw,noatime master:1 - ext3 /dev/root\040a rw,errors=continue"
    info = mounts.parse_mountinfo(line)
    assert (info.target, info.source, info.fstype) == ("/mnt 2\\x", "/dev/root a", "ext3")
    assert (info.options, info.super_options) == ("rw,noatime", "rw,errors=continue")


def test_the_table_is_read() -> None:
    assert mounts.mounted_at("/proc") is not None
    assert mounts.is_mounted("/proc")
    assert not mounts.is_mounted("/proc/self")
    assert not mounts.is_mounted("/no/such")


def test_netns_is_pinned_and_let_go(tmp_path: Any) -> None:
    kernel = RecordingKernel()
    path = netns.new_path(folder=str(tmp_path / "netns"))
    netns.create(kernel, path)
    assert kernel.mounted == [str(tmp_path / "netns"), path]
    assert kernel.named("unshare") == [(0x40000000,)]
    netns.remove(kernel, path)
    netns.remove(kernel, path)
    assert not os.path.exists(path)


@pytest.mark.parametrize("name", ["unshare", "mount"])
def test_a_failed_netns_leaves_no_file(tmp_path: Any, name: str) -> None:
    kernel = RecordingKernel()
    kernel.fail(name, errno.EPERM, at=1 if name == "unshare" else 3)
    with pytest.raises(Denied):
        netns.create(kernel, netns.new_path(folder=str(tmp_path / "netns")))
    assert os.listdir(tmp_path / "netns") == []


def test_pin_of_a_process_that_is_gone(tmp_path: Any) -> None:
    with pytest.raises(NotFound):
        netns.pin(RecordingKernel(), 2**22 + 1, str(tmp_path / "x"))


@root
@pytest.mark.needs_root
class TestReal:
    @pytest.mark.parametrize("name", ["plain", "a b", "tab\there", "back\\slash", "\\040", "line\nbreak", "ü#x"])
    def test_mounts_of_any_name_are_found(self, tmp_path: Any, name: str) -> None:
        kernel, target = LinuxKernel(), str(tmp_path / name)
        for place in (target, f"{target}/in side", f"{target} beside"):
            os.makedirs(place, exist_ok=True)
            kernel.mount("tmpfs", place, "tmpfs", 0, "")
        try:
            found = mounts.mounted_at(target)
            assert found is not None
            assert (found.target, found.fstype) == (target, "tmpfs")
            assert [one.target for one in mounts.mounts_below(target)] == [target, f"{target}/in side"]
            assert mounts.mounted_at(target[:-1]) is None
            assert mounts.unmount_below(kernel, target) == 2
            assert mounts.mounts_below(target) == ()
        finally:
            mounts.unmount_below(kernel, str(tmp_path))

    def test_overlay_with_many_layers(self, tmp_path: Any) -> None:
        for number in range(300):
            (tmp_path / ("x" * 30) / f"l{number}").mkdir(parents=True)
            (tmp_path / ("x" * 30) / f"l{number}" / f"f{number}").write_text("")
        for name in ("up", "work", "merged"):
            (tmp_path / name).mkdir()
        lower = ":".join(f"{tmp_path}/{'x' * 30}/l{number}" for number in range(300))
        options = (f"lowerdir={lower}", f"upperdir={tmp_path}/up", f"workdir={tmp_path}/work")
        mount = Mount(type="overlay", source="overlay", target=f"{tmp_path}/merged", options=options)
        plan = MountPlan(root=mount.target, mounts=(mount,))
        kernel = LinuxKernel()
        mounts.make(kernel, plan, never)
        try:
            assert len(os.listdir(tmp_path / "merged")) == 300
            assert mounts.is_mounted(mount.target)
        finally:
            mounts.unmake(kernel, plan)
        mounts.unmake(kernel, plan)
        assert os.listdir(tmp_path / "merged") == []

    def test_mapped_owners(self, tmp_path: Any) -> None:
        source, target = tmp_path / "src", tmp_path / "dst"
        source.mkdir()
        target.mkdir()
        (source / "file").write_text("")
        mapping = IdMapping(
            uids=(IdMap(container_id=0, host_id=100000, size=65536),),
            gids=(IdMap(container_id=0, host_id=200000, size=65536),),
        )
        mount = Mount(type="bind", source=str(source), target=str(target), options=("ro",), id_mapping=mapping)
        kernel = LinuxKernel()
        mounts.make_one(kernel, mount, never)
        try:
            status = os.stat(target / "file")
            assert (status.st_uid, status.st_gid) == (100000, 200000)
            with pytest.raises(OSError, match="Read-only"):
                (target / "new").write_text("")
        finally:
            assert mounts.unmount_below(kernel, str(tmp_path)) == 1

    def test_errors_carry_the_kernels_words(self, tmp_path: Any) -> None:
        options = ("lowerdir=" + ":".join("/no/such/folder" for _ in range(400)),)
        mount = Mount(type="overlay", source="overlay", target=str(tmp_path), options=options)
        with pytest.raises(ExternalFailure, match=f"mounting overlay from overlay at {tmp_path}"):
            mounts.make_one(LinuxKernel(), mount, never)

    def test_netns_is_another_and_outlives_its_thread(self, tmp_path: Any) -> None:
        kernel = LinuxKernel()
        path = netns.new_path("/run/netns")
        netns.create(kernel, path)
        try:
            assert netns.exists(path)
            inside = commands.run(Command(argv=("/bin/readlink", "/proc/self/ns/net"), netns=path)).stdout.strip()
            assert inside.startswith(b"net:[")
            assert inside.decode() != os.readlink("/proc/self/ns/net")
            assert os.readlink("/proc/thread-self/ns/net") == os.readlink("/proc/self/ns/net")
        finally:
            netns.remove(kernel, path)
        assert not netns.exists(path)
