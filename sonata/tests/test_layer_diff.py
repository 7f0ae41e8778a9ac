"""Tars made of folders and of changes: read back by the real tar, and unpacked to the same again."""

import io
import os
import socket
import stat
import subprocess
import tarfile

import pytest
from layer_corpus import member, tar_bytes

from sonata.image.layers.apply import apply_layer
from sonata.image.layers.compress import Pieces
from sonata.image.layers.diff import changes_tar, tree_tar
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import Change, ChangeKind, LayerFormat, UnpackTarget

pytestmark = pytest.mark.needs_root


def fill(root):
    root.mkdir()
    (root / "d").mkdir(mode=0o711)
    (root / "d" / ("l" * 120)).mkdir()
    (root / "d" / ("l" * 120) / ("m" * 120)).write_bytes(b"long name")
    (root / "d/file").write_bytes(os.urandom(1_500_000))
    os.chown(root / "d/file", 3_000_000, 70000)
    os.chmod(root / "d/file", 0o6711)
    os.link(root / "d/file", root / "d/zlink")
    os.symlink("/" + "t" * 150, root / "sym")
    os.symlink("file", root / "d/short")
    (root / "täst").write_bytes(b"utf8")
    open(os.fsencode(root) + b"/\xff\xfe", "wb").close()
    os.mkfifo(root / "fifo")
    os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(root / "d/file", "user.mine", b"\0binary\n")
    os.setxattr(root / "d/file", "security.capability", b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0")
    os.setxattr(root / "d", "user.overlay.opaque", b"y")
    socket.socket(socket.AF_UNIX).bind(str(root / "socket"))
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (1000, 1000), follow_symlinks=False)
    os.utime(root, (1000, 1000))


def listing(root):
    found = {}
    for path in sorted([root, *root.rglob("*")], key=lambda p: os.fsencode(str(p))):
        seen = path.lstat()
        extra = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else seen.st_rdev
        names = [n for n in os.listxattr(path, follow_symlinks=False) if ".overlay." not in n]
        attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        found[str(path.relative_to(root))] = (
            seen.st_mode, seen.st_uid, seen.st_gid, seen.st_nlink, seen.st_mtime_ns, extra, attributes,
        )  # fmt: skip
    return found


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_tree_comes_back(tmp_path):
    fill(tmp_path / "a")
    (tmp_path / "b").mkdir()
    apply_layer(Pieces(tree_tar(str(tmp_path / "a"))), UnpackTarget(path=str(tmp_path / "b"), format=LayerFormat.PLAIN))
    (tmp_path / "a/socket").unlink()
    os.utime(tmp_path / "a", (1000, 1000))
    assert listing(tmp_path / "b") == listing(tmp_path / "a")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_real_tar_reads_it(tmp_path):
    fill(tmp_path / "a")
    data = b"".join(tree_tar(str(tmp_path / "a")))
    (tmp_path / "c").mkdir()
    command = ["tar", "-C", tmp_path / "c", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    (tmp_path / "a/socket").unlink()
    os.utime(tmp_path / "a", (1000, 1000))
    assert listing(tmp_path / "c") == listing(tmp_path / "a")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
    assert names[0] == "."
    assert names == sorted(
        names, key=lambda name: [os.fsencode(part) for part in name.split("/")] if name != "." else []
    )


def test_a_layer_comes_back_with_its_whiteouts(tmp_path):
    data = tar_bytes(
        member("d", tarfile.DIRTYPE), member("d/.wh..wh..opq"), member("d/new", data=b"1"), member("e/.wh.gone", uid=5)
    )
    (tmp_path / "a").mkdir()
    target = UnpackTarget(path=str(tmp_path / "a"), format=LayerFormat.OVERLAY_TRUSTED)
    apply_layer(io.BytesIO(data), target)
    out = b"".join(tree_tar(target.path, target.format))
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        found = {item.name: item for item in archive}
    assert list(found) == [".", "d", "d/.wh..wh..opq", "d/new", "e", "e/.wh.gone"]
    assert (found["e/.wh.gone"].mode, found["e/.wh.gone"].uid, found["e/.wh.gone"].size) == (0, 5, 0)
    assert found["d"].pax_headers == {}
    out = b"".join(tree_tar(target.path, target.format, below=lambda path: path != "/d"))
    assert b".wh..wh..opq" not in out


def test_changes(tmp_path):
    (tmp_path / "r/d").mkdir(parents=True)
    (tmp_path / "r/d/f").write_bytes(b"content")
    changes = (
        Change(path="/z", kind=ChangeKind.DELETED),
        Change(path="/d/f", kind=ChangeKind.MODIFIED),
        Change(path="/d", kind=ChangeKind.MODIFIED),
        Change(path="/d/old", kind=ChangeKind.DELETED),
        Change(path="/d/vanished", kind=ChangeKind.ADDED),
        Change(path="/../../etc/passwd", kind=ChangeKind.ADDED),
    )
    out = b"".join(changes_tar(str(tmp_path / "r"), changes, mtime=77))
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        assert [(item.name, item.mtime) for item in archive] == [(n, 77) for n in ("d", "d/f", "d/.wh.old", ".wh.z")]


def test_links_are_not_followed(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/f").write_bytes(b"secret")
    (tmp_path / "r").mkdir()
    (tmp_path / "r/l").symlink_to(tmp_path / "secret")
    with tarfile.open(fileobj=io.BytesIO(b"".join(tree_tar(str(tmp_path / "r"))))) as archive:
        assert archive.getnames() == [".", "l"]
    (tmp_path / "secret/d").mkdir()
    (tmp_path / "secret/d/f").touch()
    hostile = tuple(Change(path=path, kind=ChangeKind.ADDED) for path in ("/l/f", "/l/d", "/l/d/f"))
    assert b"".join(changes_tar(str(tmp_path / "r"), hostile)) == bytes(1024)


def test_owners_are_shifted_back(tmp_path):
    maps = (IdMap(container_id=0, host_id=100000, size=10),)
    mapping = IdMapping(uids=maps, gids=maps)
    (tmp_path / "r").mkdir()
    os.chown(tmp_path / "r", 100000, 100003)
    with tarfile.open(fileobj=io.BytesIO(b"".join(tree_tar(str(tmp_path / "r"), mapping=mapping)))) as archive:
        assert [(item.uid, item.gid) for item in archive] == [(0, 3)]
    (tmp_path / "r/f").touch()
    with tarfile.open(fileobj=io.BytesIO(b"".join(tree_tar(str(tmp_path / "r"), mapping=mapping)))) as archive:
        assert [(item.name, item.uid, item.gid) for item in archive][1:] == [("f", 65534, 65534)]
