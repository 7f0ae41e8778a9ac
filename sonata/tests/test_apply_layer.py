"""Layers unpacked: what comes out, what is refused, and that nothing outside is touched."""

import gzip
import hashlib
import io
import json
import os
import random
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layer_corpus import cases, header, member, pax, tar_bytes

from sonata.image import limits
from sonata.image.layers import tarsplit
from sonata.image.layers.agree import Rules, layer_differences
from sonata.image.layers.apply import apply_layer
from sonata.image.layers.members import read_members
from sonata.image.limits import Limits
from sonata_core.errors import Damaged, SonataError
from sonata_core.models.process import IdMap, IdMapping
from sonata_core.models.storage import LayerFormat, UnpackTarget

needs_root = pytest.mark.needs_root
FORMATS = [LayerFormat.PLAIN, LayerFormat.OVERLAY_TRUSTED, LayerFormat.OVERLAY_USER, LayerFormat.OVERLAY_FUSE]


def unpack(data, where, kind=LayerFormat.OVERLAY_TRUSTED, split=True, **options):
    where.mkdir(exist_ok=True)
    record = io.BytesIO() if split else None
    target = UnpackTarget(path=str(where), format=kind)
    applied = apply_layer(io.BytesIO(data), target, tarsplit=record, **options)
    assert applied.diff_digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert applied.diff_size == len(data)
    return applied, record.getvalue() if record else b""


def again(record, *folders):
    fds = tuple(os.open(folder, os.O_RDONLY) for folder in folders)
    try:
        with tarsplit.InFolders(fds) as find:
            return b"".join(tarsplit.reassemble(io.BytesIO(record), find))
    finally:
        for fd in fds:
            os.close(fd)


def state_of(folder):
    """Everything beside the layer's own folder: nothing may be new, gone or different."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name != "root":
            seen = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(seen.st_mode) else b""
            found[path.name] = (seen.st_mode, seen.st_ino, seen.st_nlink, seen.st_mtime_ns, content)
    return found


@needs_root
@pytest.mark.parametrize("kind", FORMATS)
def test_hostile_corpus(tmp_path, kind):
    """No case reaches outside, whatever it is; and each is refused or taken as its rule says."""
    outside = tmp_path / "out"
    wrong = []
    count = 0
    for name, data, must in cases(str(outside)):
        count += 1
        outside.mkdir()
        (outside / "canary").write_bytes(b"canary")
        before = state_of(outside)
        try:
            _, record = unpack(data, outside / "root", kind)
            outcome = "accept"
            if again(record, outside / "root") != data:
                wrong.append(f"{name}: does not come back")
        except SonataError:
            outcome = "refuse"
        if must not in (outcome, "either"):
            wrong.append(f"{name}: {outcome}")
        if state_of(outside) != before:
            wrong.append(f"{name}: touched what is outside")
        subprocess.run(["rm", "-rf", str(outside)], check=True)
    assert not wrong
    assert count >= 60


@needs_root
def test_no_overlay_attribute_gets_in(tmp_path):
    names = ("trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.opaque")
    extra = {f"SCHILY.xattr.{name}": "y" for name in names} | {"SCHILY.xattr.user.mine": "v"}
    unpack(tar_bytes(member("d", tarfile.DIRTYPE, pax=extra)), tmp_path / "r")
    assert os.listxattr(tmp_path / "r/d") == ["user.mine"]


@needs_root
def test_what_a_layer_holds(tmp_path):
    capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    records = pax([(b"SCHILY.xattr.security.capability", capability), (b"path", b"cap")])
    data = (
        records
        + header()
        + tar_bytes(
            member("d", tarfile.DIRTYPE, mode=0o1777, mtime=1000.5, uid=5, gid=6),
            member("d/su", data=b"x" * 700000, mode=0o6755, uid=1000, gid=2000, mtime=1234.25),
            member("d/hard", tarfile.LNKTYPE, link="d/su", mode=0o6755, uid=1000, gid=2000, mtime=1234.25),
            member("d/sym", tarfile.SYMTYPE, link="/anywhere/..", uid=7, gid=7, mtime=77),
            member("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
            member("pipe", tarfile.FIFOTYPE, mode=0o600),
            member("implicit/parent/file", data=b"1", uid=9, gid=9),
        )
    )
    applied, record = unpack(data, tmp_path / "r")
    root = tmp_path / "r"
    assert applied.uids == (0, 5, 7, 9, 1000)
    assert applied.gids == (0, 6, 7, 9, 2000)
    su = (root / "d/su").lstat()
    assert (su.st_mode, su.st_uid, su.st_gid, su.st_nlink) == (stat.S_IFREG | 0o6755, 1000, 2000, 2)
    assert su.st_mtime_ns == 1234250000000
    assert (root / "d").stat().st_mtime_ns == 1000500000000
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o1777
    assert os.readlink(root / "d/sym") == "/anywhere/.."
    assert (root / "d/sym").lstat().st_uid == 7
    assert (root / "d/sym").lstat().st_mtime == 77
    null = (root / "null").lstat()
    assert (null.st_mode, null.st_rdev) == (stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    assert os.getxattr(root / "cap", "security.capability") == capability
    assert (root / "implicit").stat().st_uid == 0
    assert again(record, root) == data


@needs_root
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_are_the_layers_whatever_the_umask(tmp_path, umask):
    """Also where a folder hands its group down to what is made in it."""
    modes = (0o000, 0o400, 0o644, 0o666, 0o755, 0o777, 0o1777, 0o2755, 0o4755, 0o6711)
    owners = ((0, 0), (0, 7), (5, 0), (5, 7))
    names = {f"p/{mode:o}-{uid}-{gid}": (mode, uid, gid) for mode in modes for uid, gid in owners}
    parent = member("p", tarfile.DIRTYPE, mode=0o2775, gid=9)
    files = [member(name, mode=mode, uid=uid, gid=gid) for name, (mode, uid, gid) in names.items()]
    before = os.umask(umask)
    try:
        unpack(tar_bytes(parent, *files), tmp_path / "r")
    finally:
        os.umask(before)
    seen = {name: (tmp_path / "r" / name).stat() for name in names}
    assert {name: (stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid) for name, one in seen.items()} == names


@needs_root
def test_owners_are_shifted(tmp_path):
    mapping = IdMapping(
        uids=(IdMap(container_id=0, host_id=100000, size=10),), gids=(IdMap(container_id=0, host_id=200000, size=10),)
    )
    unpack(tar_bytes(member("p/f", uid=1, gid=2)), tmp_path / "r", mapping=mapping)
    assert ((tmp_path / "r/p/f").stat().st_uid, (tmp_path / "r/p/f").stat().st_gid) == (100001, 200002)
    assert (tmp_path / "r/p").stat().st_uid == 100000
    with pytest.raises(Damaged, match="UID 10 cannot be mapped"):
        unpack(tar_bytes(member("f", uid=10)), tmp_path / "r2", mapping=mapping)


@needs_root
@pytest.mark.parametrize(("kind", "attribute"), [("overlay-trusted", "trusted"), ("overlay-user", "user")])
def test_whiteouts_for_overlayfs(tmp_path, kind, attribute):
    data = tar_bytes(
        member("d", tarfile.DIRTYPE), member("d/.wh..wh..opq"), member("d/.wh.gone", uid=4), member("e/.wh.x")
    )
    applied, record = unpack(data, tmp_path / "r", LayerFormat(kind))
    gone = (tmp_path / "r/d/gone").lstat()
    assert (gone.st_mode, gone.st_rdev, gone.st_uid) == (stat.S_IFCHR, 0, 4)
    assert os.getxattr(tmp_path / "r/d", f"{attribute}.overlay.opaque") == b"y"
    assert (tmp_path / "r/e/x").is_char_device()
    assert applied.uids == (0,)
    assert again(record, tmp_path / "r") == data


@needs_root
def test_whiteouts_stay_for_fuse(tmp_path):
    unpack(tar_bytes(member("d/.wh.gone"), member("d/.wh..wh..opq")), tmp_path / "r", LayerFormat.OVERLAY_FUSE)
    assert sorted(os.listdir(tmp_path / "r/d")) == [".wh..wh..opq", ".wh.gone"]


@needs_root
def test_whiteouts_delete_in_a_merged_tree(tmp_path):
    root = tmp_path / "r"
    below = tar_bytes(
        member("a/b/c", data=b"1"),
        member("keep", data=b"1"),
        member("o/old", data=b"1"),
        member("o/sub/old", data=b"1"),
    )
    unpack(below, root, LayerFormat.PLAIN)
    above = tar_bytes(
        member("./", tarfile.DIRTYPE, mode=0o700),
        member(".wh.a"),
        member("o/new", data=b"2"),
        member("o/sub", tarfile.DIRTYPE),
        member("o/.wh..wh..opq"),
        member("keep/now-a-folder", data=b"2"),
        form=tarfile.GNU_FORMAT,
    )
    with pytest.raises(Damaged):
        unpack(above, root, LayerFormat.PLAIN)  # a file is no parent
    unpack(
        tar_bytes(
            member(".wh.a"),
            member("o/new"),
            member("o/sub/n"),
            member("o/sub", tarfile.DIRTYPE),
            member("o/.wh..wh..opq"),
        ),
        root,
        LayerFormat.PLAIN,
    )
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*")) == ["keep", "o", "o/new", "o/sub", "o/sub/n"]
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


@needs_root
def test_things_are_replaced(tmp_path):
    root = tmp_path / "r"
    unpack(
        tar_bytes(
            member("f", data=b"1"), member("d/x", data=b"1"), member("d2/keep"), member("s", tarfile.SYMTYPE, link="f")
        ),
        root,
    )
    unpack(
        tar_bytes(
            member("f/now", data=b"2")[:0] or member("f", tarfile.DIRTYPE),
            member("d", data=b"2"),
            member("d2", tarfile.DIRTYPE, mode=0o700),
            member("s", data=b"3"),
        ),
        root,
    )
    assert (root / "f").is_dir()
    assert (root / "d").read_bytes() == b"2"
    assert (root / "d2/keep").exists()
    assert not (root / "s").is_symlink()


@needs_root
@pytest.mark.parametrize("way", ["--format=gnu", "--format=pax", "--format=ustar", "--format=v7", "--format=oldgnu"])
@pytest.mark.parametrize(
    "sparse", [[], ["--sparse"], ["--sparse", "--sparse-version=0.0"], ["--sparse", "--sparse-version=0.1"]]
)
def test_the_same_tar_comes_back(tmp_path, way, sparse):
    """Archives of the real tar program."""
    if sparse and way in ("--format=ustar", "--format=v7"):
        pytest.skip("these formats have no sparse files")
    source = tmp_path / "source"
    (source / "dir" / ("n" * 60)).mkdir(parents=True)
    (source / "dir/f").write_bytes(os.urandom(100_000))
    (source / "dir/empty").touch()
    os.link(source / "dir/f", source / "dir/link")
    os.symlink("dir/f", source / "sym")
    if way not in ("--format=ustar", "--format=v7"):
        (source / "dir" / ("n" * 60) / ("m" * 120)).write_bytes(b"long")
        (source / "täst").write_bytes(b"utf8")
        Path(os.fsdecode(bytes(source) + b"/\xff\xfe")).write_bytes(b"raw")
    with open(source / "holes", "wb") as file:
        for at in range(0, 40 << 20, 4 << 20):
            file.seek(at)
            file.write(b"data" * 300)
        file.truncate(50 << 20)
    data = subprocess.run(["tar", way, *sparse, "-C", source, "-cf", "-", "."], check=True, capture_output=True).stdout
    _, record = unpack(data, tmp_path / "r")
    assert again(record, tmp_path / "r") == data
    assert not subprocess.run(["diff", "-r", source, tmp_path / "r"], check=False, capture_output=True).stdout
    if sparse:
        assert (tmp_path / "r/holes").stat().st_blocks * 512 < 20 << 20
        assert len(data) < 2 << 20


def test_tar_split_of_the_reference_example(tmp_path):
    """The worked example of the format: ustar, three members (Podman 6 reference data)."""
    data = tar_bytes(
        member("d/", tarfile.DIRTYPE),
        member("d/hi.txt", data=b"hello\n"),
        member("d/empty"),
        form=tarfile.USTAR_FORMAT,
    )
    _, record = unpack(data, tmp_path / "r", LayerFormat.OVERLAY_USER, rootless=True)
    lines = [json.loads(line) for line in gzip.decompress(record).splitlines()]
    assert [line["position"] for line in lines] == list(range(len(lines)))
    assert [(line["type"], line.get("name")) for line in lines[:6]] == [
        (2, None), (1, "d/"), (2, None), (1, "d/hi.txt"), (2, None), (1, "d/empty"),
    ]  # fmt: skip
    assert lines[3]["size"] == 6
    assert lines[3]["payload"] == "YUw+7uLYEAA="
    assert lines[1]["payload"] is None
    assert sum(len(line["payload"] or "") for line in lines if line["type"] == 2) > 512


def test_a_changed_file_is_noticed(tmp_path):
    data = tar_bytes(member("f", data=b"hello"))
    _, record = unpack(data, tmp_path / "r", LayerFormat.OVERLAY_USER, rootless=True)
    for content in (b"hellO", b"hell", b"hello!"):
        (tmp_path / "r/f").write_bytes(content)
        with pytest.raises(Damaged, match="changed"):
            again(record, tmp_path / "r")
    (tmp_path / "r/f").unlink()
    with pytest.raises(Damaged, match="missing"):
        again(record, tmp_path / "r")
    (tmp_path / "other").write_bytes(b"hello")
    (tmp_path / "r/f").symlink_to("../other")
    with pytest.raises(Damaged):
        again(record, tmp_path / "r")


def test_damaged_tar_split_is_noticed(tmp_path):
    data = tar_bytes(member("f", data=b"hello"))
    _, record = unpack(data, tmp_path / "r", LayerFormat.OVERLAY_USER, rootless=True)
    plain = gzip.decompress(record)
    bad = [
        record[:-20],
        b"nonsense",
        gzip.compress(plain[:-1]),
        gzip.compress(plain.replace(b'"position":1', b'"position":7')),
    ]
    bad += [gzip.compress(b"{}\n"), gzip.compress(b"[1]\n"), gzip.compress(b'{"type":2,"payload":"!","position":0}\n')]
    for broken in bad:
        with pytest.raises(Damaged):
            again(broken, tmp_path / "r")


def test_limits(tmp_path):
    data = tar_bytes(member("a", data=b"x" * 5000), member("b"))
    with pytest.raises(Damaged, match="more than the 4000 bytes"):
        unpack(data, tmp_path / "r", LayerFormat.OVERLAY_USER, rootless=True, limits=Limits(size=4000))
    with pytest.raises(Damaged, match="more than 1 files"):
        unpack(data, tmp_path / "r2", LayerFormat.OVERLAY_USER, rootless=True, limits=Limits(entries=1))


def test_the_bound_of_the_ratio(tmp_path, monkeypatch):
    assert Limits(ratio=10).of_blob(1000).size == limits.EASY
    assert Limits(ratio=10).of_blob(1 << 30).size == 10 << 30
    assert Limits(ratio=10, size=5).of_blob(1 << 30).size == 5
    assert Limits(ratio=10).of_blob(-1).size is Limits().of_blob(1000).size is None
    monkeypatch.setattr(limits, "EASY", 20_000)
    data = tar_bytes(member("a", data=b"x" * 50_000))
    unpack(data, tmp_path / "r", LayerFormat.OVERLAY_USER, rootless=True, limits=Limits(ratio=50).of_blob(2_000))
    with pytest.raises(Damaged, match="more than the 40000 bytes"):
        unpack(data, tmp_path / "r2", LayerFormat.OVERLAY_USER, rootless=True, limits=Limits(ratio=20).of_blob(2_000))


def test_a_failing_stream_is_passed_on(tmp_path):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise Damaged("the stream broke")

    (tmp_path / "r").mkdir()
    with pytest.raises(Damaged, match="the stream broke"):
        apply_layer(Broken(), UnpackTarget(path=str(tmp_path / "r"), format=LayerFormat.PLAIN))


@needs_root
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1 << 30),
    cuts=st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=4)), max_size=6),
)
def test_any_bytes_are_unpacked_or_refused(tmp_path, seed, cuts):
    """Mutated archives: an error of ours or a success, and in a success the same tar comes back."""
    chosen = random.Random(seed)
    corpus = list(cases(str(tmp_path / "out")))
    data = bytearray(chosen.choice([c for c in corpus if len(c[1]) < 100_000])[1] or b"\0")
    for at, piece in cuts:
        data[at % len(data) : at % len(data) + len(piece)] = piece
    outside = Path(tempfile.mkdtemp(dir=tmp_path))
    (outside / "canary").write_bytes(b"canary")
    before = state_of(outside)
    try:
        _, record = unpack(bytes(data), outside / "root")
        assert again(record, outside / "root") == bytes(data)
    except SonataError:
        pass
    assert state_of(outside) == before
    subprocess.run(["rm", "-rf", str(outside)], check=True)


ONE_ID = """
import io, sys
from sonata.image.layers.apply import apply_layer
from sonata_core.models.storage import LayerFormat, UnpackTarget
target = UnpackTarget(path=sys.argv[1], format=LayerFormat(sys.argv[2]))
apply_layer(sys.stdin.buffer, target, rootless=True, any_owner=sys.argv[3] == "yes")
"""


@pytest.mark.parametrize("kind", [LayerFormat.PLAIN, LayerFormat.OVERLAY_USER])
def test_owners_that_there_are_not_are_borne_where_asked(tmp_path, kind):
    """storage.conf's ignore_chown_errors, in a user namespace that knows one id."""
    members = [member("./", b"5", uid=7), member("d", b"5", uid=7, gid=8), member("d/f", b"0", b"x", uid=42)]
    data = tar_bytes(*members, member("d/l", b"2", link="f", uid=9))
    for asked, code in (("no", 1), ("yes", 0)):
        where = tmp_path / asked
        where.mkdir()
        words = ["unshare", "-Ur", sys.executable, "-c", ONE_ID, str(where), str(kind), asked]
        ended = subprocess.run(words, input=data, capture_output=True, check=False)
        if b"unshare failed" in ended.stderr:
            pytest.skip("no user namespaces here")
        assert ended.returncode == code, ended.stderr
        if asked == "no":
            assert b"potentially insufficient UIDs or GIDs available in user namespace" in ended.stderr
    assert {path.lstat().st_uid for path in (where / "d", where / "d/f", where / "d/l")} == {os.getuid()}
    assert (where / "d/f").read_bytes() == b"x"


def told_of(where, kind, *layers, **more):
    """What is told of a layer's folder; `layers` are the tar-split data and tars of those in it, from the base up."""
    found = []
    for number, (record, data) in enumerate(layers):
        path = where.parent / f"{where.name}.{number}.tar-split"
        path.write_bytes(record)
        found.append(read_members(str(path), (str(where),)))
        assert (found[-1].digest, found[-1].size) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    rules = Rules(kind=kind, nodes=True, **more)
    return layer_differences(str(where), found[-1], found[:-1], rules)


@needs_root
@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_unpacked_agrees_with_its_tar(tmp_path, kind):
    """Whatever a layer may hold, `system check` finds nothing wrong in it right after it was unpacked."""
    members = [
        member("lib", tarfile.SYMTYPE, link="usr/lib"),
        member("usr/lib", tarfile.DIRTYPE, mode=0o2711, uid=3, mtime=7),
        member("lib/through-a-link", data=b"x", mode=0o4755),
        member("not/named/file", data=b"y"),
        member("a", data=b"first"),
        member("b", tarfile.LNKTYPE, link="a", mode=0o600, uid=7),
        member("d", tarfile.DIRTYPE),
        member("d/inner", data=b"z"),
        member("opaque", tarfile.DIRTYPE),
        member("opaque/.wh..wh..opq"),
        member(".wh.gone"),
        member(".wh..wh.plnk", tarfile.DIRTYPE),
        member("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("cap", data=b"c", pax={"SCHILY.xattr.user.one": "1"}),
    ]
    data = tar_bytes(*members)
    _, record = unpack(data, tmp_path / "root", kind)
    assert told_of(tmp_path / "root", kind, (record, data)) == []
    for name, more, _ in cases(str(tmp_path / "out")):
        where = tmp_path / f"case-{name}".replace("/", "_")
        try:
            _, record = unpack(more, where, kind)
            assert told_of(where, kind, (record, more)) == [], name
        except SonataError:
            continue
        finally:
            subprocess.run(["rm", "-rf", where], check=True)  # folders too deep for Python


@needs_root
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("chmod 700 file", "/file has the mode 0700 instead of 0644"),
        ("chmod 700 dir", "/dir has the mode 0700 instead of 0755"),
        ("chown 5:6 file", "/file belongs to 5:6 instead of 0:0"),
        ("chown -h 5 link", "/link belongs to 5:0 instead of 0:0"),
        ("touch -d @9 file", "/file has the time 9 instead of 0"),
        ("touch dir/more; touch -d @0 dir", "/dir/more comes from no layer"),
        ("rm empty", "/empty is missing"),
        ("rm -r dir", "/dir is missing"),
        ("rm link; ln -s else link", "/link leads elsewhere than to file"),
        ("rm link; echo x > link", "/link is a file instead of a symbolic link"),
        ("rm hard; cp -p file hard", "/hard is no hard link to /file"),
        ("rm null; mknod null c 1 5", "/null is device 1:5 instead of 1:3"),
        ("rm gone; touch gone", "/gone is not deleted"),
        ("rm gone", "/gone is missing"),
        ("setfattr -n user.one -v 2 file", "/file has another attribute user.one"),
        ("setfattr -x user.one file", "/file has another attribute user.one"),
        ("mkfifo fifo", "/fifo comes from no layer"),
        ("truncate -s 20000 sparse; touch -d @0 sparse", "/sparse has 20000 bytes instead of 10000"),
        ("printf y | dd of=sparse conv=notrunc; touch -d @0 sparse", "/sparse has another content than its layer "),
    ],
)
def test_what_differs_from_its_tar_is_told(tmp_path, command, told, kind):
    if "gone" in command and kind not in (LayerFormat.OVERLAY_TRUSTED, LayerFormat.OVERLAY_USER):
        pytest.skip("there whiteouts are none")
    sparse = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "10000"}
    data = tar_bytes(
        member("dir", tarfile.DIRTYPE),
        member("file", data=b"x", pax={"SCHILY.xattr.user.one": "1"}),
        member("hard", tarfile.LNKTYPE, link="file"),
        member("link", tarfile.SYMTYPE, link="file"),
        member("empty"),
        member("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("sparse", data=b"x", pax=sparse),
        member(".wh.gone"),
    )
    _, record = unpack(data, tmp_path / "root", kind)
    if "setfattr" in command:
        key, value = "user.one", b"2"
        path = tmp_path / "root/file"
        os.removexattr(path, key) if "-x" in command else os.setxattr(path, key, value)
    else:
        subprocess.run(["sh", "-ec", f"{command} 2>&1"], cwd=tmp_path / "root", check=True)
    assert told_of(tmp_path / "root", kind, (record, data))[0].startswith(told)


BASE = (
    member("bin", tarfile.DIRTYPE),
    member("bin/tool", data=b"tool", mode=0o755),
    member("lib", tarfile.SYMTYPE, link="bin"),
    member("etc", tarfile.DIRTYPE),
    member("etc/conf", data=b"conf"),
    member("etc/more", data=b"more"),
    member("old", tarfile.DIRTYPE),
    member("old/thing", data=b"old"),
    member("was", tarfile.DIRTYPE),
    member("was/inside", data=b"x"),
)
UPPER = (
    member("lib/tool", data=b"other"),
    member("etc/.wh.conf"),
    member("old/.wh..wh..opq"),
    member("old/new", data=b"new"),
    member("was", data=b"now a file"),
    member("bin", tarfile.DIRTYPE, mode=0o700),
    member("more", tarfile.LNKTYPE, link="etc/more"),
)


@needs_root
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("true", ""),
        ("printf MORE > etc/more; touch -d @0 etc/more", "/etc/more has another content than its layer has brought"),
        ("printf x >> etc/more; touch -d @0 etc/more", "/etc/more has 5 bytes instead of 4"),
        ("rm etc/more", "/etc/more is missing"),
        ("touch etc/conf", "/etc/conf comes from no layer"),
        ("touch old/thing", "/old/thing comes from no layer"),
        ("chmod 755 bin", "/bin has the mode 0755 instead of 0700"),
        ("chown 5 etc", "/etc belongs to 5:0 instead of 0:0"),
    ],
)
def test_a_merged_tree_is_compared_with_all_its_layers(tmp_path, command, told):
    where = tmp_path / "root"
    layers = [tar_bytes(*BASE), tar_bytes(*UPPER)]
    folders = [tmp_path / "base", where]
    # As the driver makes them: the upper layer's folder is a copy of the base's.
    _, below = unpack(layers[0], folders[0], LayerFormat.PLAIN)
    subprocess.run(["cp", "-a", folders[0], where], check=True)
    _, above = unpack(layers[1], where, LayerFormat.PLAIN)
    subprocess.run(["sh", "-ec", command], cwd=where, check=True)
    found = []
    for folder, record in zip(folders, (below, above), strict=True):
        path = tmp_path / f"{folder.name}.tar-split"
        path.write_bytes(record)
        found.append(read_members(str(path), (str(folder),)))
    said = layer_differences(str(where), found[1], found[:1], Rules(kind=LayerFormat.PLAIN, nodes=True))
    assert said[:1] == ([told] if told else [])


@needs_root
@pytest.mark.parametrize("kind", [LayerFormat.OVERLAY_TRUSTED, LayerFormat.OVERLAY_USER])
def test_an_opaque_folder_is_compared(tmp_path, kind):
    data = tar_bytes(member("a", tarfile.DIRTYPE), member("b/.wh..wh..opq"), member("c", tarfile.DIRTYPE))
    _, record = unpack(data, tmp_path / "root", kind)
    mark = "trusted.overlay.opaque" if kind is LayerFormat.OVERLAY_TRUSTED else "user.overlay.opaque"
    os.removexattr(tmp_path / "root/b", mark)
    os.setxattr(tmp_path / "root/c", mark, b"y")
    told = told_of(tmp_path / "root", kind, (record, data))
    assert told == ["/b shows what lower layers have in it", "/c hides what lower layers have in it"]
