"""The grammars of `--mount`, `-v`, `--tmpfs`, `--volumes-from` and of globs, each as a table."""

from __future__ import annotations

from typing import Any

import pytest

from sonata.model.container import MountKind, MountUse
from sonata.plan import globs, mounts, volumes
from sonata_core.errors import UsageError

NO_VALUE = "must provide an argument for option"
TWICE = "mnt.Options more than once: must provide an argument for option"


def mounted(text: str) -> MountUse:
    return mounts.parse(text, "/here", "id")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("type=bind,src=/s,dst=/d", {"kind": MountKind.BIND, "source": "/s", "options": (), "read_only": False}),
        ("type=bind,dst=/d", {"source": "/d"}),
        ("type=bind,src=../s,dst=/d/../e/", {"source": "/s", "target": "/e"}),
        ("type=bind,source=/s,destination=/d,ro", {"read_only": True, "options": ("ro",)}),
        ("type=bind,src=/s,dst=/d,ro=true", {"read_only": True}),
        ("type=bind,src=/s,dst=/d,ro=FALSE", {"read_only": False, "options": ()}),
        ("type=bind,src=/s,dst=/d,rw=false", {"read_only": True}),
        ("type=bind,src=/s,dst=/d,rw", {"read_only": False, "options": ("rw",)}),
        ("type=bind,src=/s,dst=/d,bind-nonrecursive,bind-propagation=rshared", {"options": ("bind", "rshared")}),
        ("type=bind,src=/s,dst=/d,rslave,noexec,nosuid,nodev", {"options": ("rslave", "noexec", "nosuid", "nodev")}),
        ("type=bind,src=/s,dst=/d,relabel=shared", {"relabel": "z", "options": ()}),
        ("type=bind,src=/s,dst=/d,relabel=private", {"relabel": "Z"}),
        ("type=bind,src=/s,dst=/d,Z", {"relabel": "Z"}),
        ("type=bind,src=/s,dst=/d,U", {"chown": True}),
        ("type=bind,src=/s,dst=/d,chown=true", {"chown": True}),
        ("type=bind,src=/s,dst=/d,U=False", {"chown": False}),
        ("type=bind,src=/s,dst=/d,idmap", {"id_map": ""}),
        ("type=bind,src=/s,dst=/d,idmap=uids=0-1-2", {"id_map": "uids=0-1-2"}),
        ("type=bind,src=/s,dst=/d,no-dereference", {"options": ("no-dereference",)}),
        ("type=bind,src=/s,dst=/d,consistency=cached", {"options": ()}),
        ("type=volume,src=v,dst=/d,subpath=a/b", {"kind": MountKind.VOLUME, "subpath": "a/b", "anonymous": False}),
        ("type=volume,src=v,dst=/d,volume-subpath=a", {"subpath": "a"}),
        ("type=volume,src=v,dst=/d,volume-nocopy", {"copy": False}),
        ("type=volume,dst=/d", {"anonymous": True, "kind": MountKind.VOLUME}),
        ("dst=/d,src=v", {"kind": MountKind.VOLUME, "source": "v"}),
        (
            "type=volume,src=v,dst=/d,volume-opt=type=tmpfs,volume-opt=o=size=1m",
            {"volume_options": {"type": "tmpfs", "o": "size=1m"}, "options": ()},
        ),
        ("type=tmpfs,dst=/d,tmpfs-size=1m,tmpfs-mode=1777", {"options": ("size=1m", "mode=1777"), "source": "tmpfs"}),
        ("type=tmpfs,dst=/d,notmpcopyup", {"options": ("notmpcopyup",)}),
        ("type=tmpfs,dst=/d,noswap,ro", {"options": ("noswap", "ro"), "read_only": True}),
        ("type=tmpfs,dst=/d,U", {"chown": True, "kind": MountKind.TMPFS}),
        ("type=ramfs,dst=/d,noexec", {"kind": MountKind.RAMFS, "options": ("noexec",), "source": "ramfs"}),
        (
            "type=devpts,dst=/d,uid=1,gid=2,mode=600,ptmxmode=666,max=9,newinstance",
            {"options": ("uid=1", "gid=2", "mode=600", "ptmxmode=666", "max=9", "newinstance"), "source": "devpts"},
        ),
        ("type=image,src=i,dst=/d", {"kind": MountKind.IMAGE, "read_only": True, "source": "i"}),
        ("type=image,src=i,dst=/d,rw=true", {"read_only": False}),
        ("type=image,src=i,dst=/d,readwrite=false,subpath=/a", {"read_only": True, "subpath": "/a"}),
        ("type=image,src=i,dst=/d,consistency=x", {"options": ()}),
        ("type=glob,src=/s/*,dst=/d", {"kind": MountKind.GLOB, "source": "/s/*", "target": "/d"}),
        ("type=glob,src=s/*,ro", {"source": "/here/s/*", "target": "", "read_only": True}),
        ("type=artifact,src=a,dst=/d,title=t,digest=d", {"options": ("title=t", "digest=d")}),
        ('type=bind,"src=/a,b",dst=/d', {"source": "/a,b"}),
    ],
)  # fmt: skip
def test_mount_is_read(text: str, fields: dict[str, Any]) -> None:
    found = mounted(text)
    assert {name: getattr(found, name) for name in fields} == fields


_B = "type=bind,src=/s,dst=/d"
_FORMAT = "incorrect mount format: should be --mount type=<bind|glob|tmpfs|volume>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", _FORMAT),
        ('type=bind,"src=/a', _FORMAT),
        ("type", "type: invalid mount option"),
        ("type=foo,dst=/d", 'invalid filesystem type "foo"'),
        ("type=overlay,dst=/d", 'invalid filesystem type "overlay"'),
        ("type=bind,type=tmpfs,dst=/d", "type: invalid mount option"),
        ("type=bind,src=/s", "must set volume destination"),
        ("type=bind", "must set volume destination"),
        (f"{_B},", ": invalid mount option"),
        (f"{_B},foo=1", "foo: invalid mount option"),
        (f"{_B},ro,rw", f"cannot pass 'readonly', 'ro', or 'rw' {TWICE}"),
        (f"{_B},ro=maybe", 'invalid ro value "maybe": it must be true or false'),
        (f"{_B},dev,nodev", f"cannot pass 'nodev' and 'dev' {TWICE}"),
        (f"{_B},exec,exec", f"cannot pass 'noexec' and 'exec' {TWICE}"),
        (f"{_B},suid,nosuid", f"cannot pass 'nosuid' and 'suid' {TWICE}"),
        (f"{_B},dst=/e", f'cannot pass "dst" option more than once: {NO_VALUE}'),
        (f"{_B},source=/e", f'cannot pass "source" option more than once: {NO_VALUE}'),
        (f"{_B},bind-propagation", f"bind-propagation: {NO_VALUE}"),
        (f"{_B},bind-propagation=x", 'invalid value "bind-propagation=x"'),
        (f"{_B},relabel", "relabel mount option must be 'private' or 'shared': invalid mount option"),
        (f"{_B},relabel=both", "relabel mount option must be 'private' or 'shared': invalid mount option"),
        (f"{_B},relabel=shared,relabel=shared", f"cannot pass 'relabel' option more than once: {NO_VALUE}"),
        (f"{_B},U=maybe", f"'U' or 'chown' must be set to true or false, instead received \"maybe\": {NO_VALUE}"),
        (f"{_B},U,chown", f"cannot pass 'U' or 'chown' option more than once: {NO_VALUE}"),
        (f"{_B},idmap,idmap=x", "the 'idmap' option can only be set once: duplicate mount option passed"),
        (f"{_B},subpath=a", 'cannot set option "subpath" on non-volume mounts'),
        (f"{_B},tmpfs-size=1", '"tmpfs-size" option not supported for "bind" mount types'),
        (f"{_B},volume-opt=x", '"volume-opt" option not supported for "bind" mount types'),
        ("type=bind,src=,dst=/d", f"host directory cannot be empty: {NO_VALUE}"),
        ("type=bind,src,dst=/d", f"src: {NO_VALUE}"),
        ("type=bind,src=/s,dst=", "container directory cannot be empty"),
        ("type=bind,src=/s,dst=d", 'invalid container path "d", must be an absolute path'),
        ("src=v,dst=/d,bind-nonrecursive", '"bind-nonrecursive" option not supported for "volume" mount types'),
        ("type=volume,src=v,dst=/d,volume-label=a", "the --volume-label option is not presently implemented"),
        ("type=volume,src=v,dst=/d,volume-opt", "cannot parse driver opts: invalid mount option"),
        ("type=volume,src=v,dst=/d,nocopy", "nocopy: invalid mount option"),
        ("type=volume,src=v/w,dst=/d", 'creating named volume "v/w": running volume create option: names must match'),
        ("type=tmpfs,src=/s,dst=/d", '"src" option not supported for "tmpfs" mount types'),
        ("type=tmpfs,dst=/d,tmpcopyup,notmpcopyup", f"cannot pass 'tmpcopyup' and 'notmpcopyup' {TWICE}"),
        ("type=tmpfs,dst=/d,size=1m", "size: invalid mount option"),
        ("type=tmpfs,dst=/d,tmpfs-size", f"tmpfs-size: {NO_VALUE}"),
        ("type=tmpfs,dst=/d,noswap,noswap", f"cannot pass 'noswap' {TWICE}"),
        ("type=tmpfs,dst=/d,z", "the 'z' and 'Z' options are not allowed with tmpfs mounts: invalid mount option"),
        ("type=ramfs,dst=/d,tmpfs-size=1", '"tmpfs-size" option not supported for "ramfs" mount types'),
        ("type=devpts,src=x,dst=/d", "src: invalid mount option"),
        ("type=devpts,mode=600", "must set volume destination"),
        ("type=image,src=i", "must set source and destination for image volume"),
        ("type=image,src=i,dst=/d,rw", 'invalid rw value "": invalid mount option'),
        ("type=image,src=i,dst=/d,idmap", "idmap: invalid mount option"),
        ("type=image,src=i,dst=/d,ro", "ro: invalid mount option"),
        ("type=image,src=i,dst=/d,subpath=a", 'volume subpath "a" must be an absolute path'),
        ("type=glob,dst=/d", 'no file paths matching glob ""'),
        ("type=glob,dst=/d,bind-propagation=slave", '"bind-propagation" option not supported for "glob" mount types'),
        ("type=artifact,src=a", "must set source and destination for artifact volume"),
        ("type=artifact,src=a,dst=/d,ro", "ro: invalid mount option"),
    ],
)  # fmt: skip
def test_mount_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        mounted(text)
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("/s:/d", {"kind": MountKind.BIND, "options": ()}),
        ("/s:/d:O", {"kind": MountKind.OVERLAY, "overlay": False}),
        ("/s:/d:O,U", {"kind": MountKind.OVERLAY, "chown": True}),
        ("/s:/d:O,upperdir=/u,workdir=/w", {"upper_dir": "/u", "work_dir": "/w", "options": ()}),
        ("v:/d:O", {"kind": MountKind.VOLUME, "overlay": True, "source": "v"}),
        ("v:/d:O,workdir=/w,upperdir=/u", {"overlay": True, "upper_dir": "/u", "work_dir": "/w"}),
        ("v:/d:nocopy", {"copy": False, "options": ()}),
        ("v:/d:copy,ro", {"copy": True, "read_only": True}),
        ("/s:/d:cached,delegated,consistent", {"options": ()}),
        ("/s:/d:noexec,dev,suid,rshared,z", {"options": ("noexec", "dev", "suid", "rshared"), "relabel": "z"}),
        (".:/d", {"source": "/here", "kind": MountKind.BIND}),
        ("/d", {"anonymous": True, "kind": MountKind.VOLUME}),
    ],
)
def test_volume_is_read(text: str, fields: dict[str, Any]) -> None:
    found = volumes.parse(text, "/here", "id")
    assert {name: getattr(found, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/s:/d:idmap,idmap=x", "the 'idmap' option can only be set once: duplicate mount option passed"),
        ("/s:/d:upperdir=/u", 'unknown mount option "upperdir=/u": invalid mount option'),
        ("/s:/d:O,upperdir=/u", "must set both `upperdir` and `workdir`"),
        ("v:/d:O,workdir=/u", "must set both `upperdir` and `workdir`"),
        ("/s:/d:O,upperdir=u,workdir=/w", "upperdir=u, workdir=/w: the folders of an overlay are absolute paths"),
        ("/s:/d:O,ro", "can't use 'O' with other options"),
        ("v:/d:O,noexec", "can't use 'O' with other options"),
        ("/s:/d:O,z", "invalid options \"O, z\", can only specify 1 'z', 'Z', or 'O' option"),
        ("/s:/d:size=1", 'invalid option type "size=1"'),
        ("/s:/d:no-dereference,no-dereference", "invalid options"),
        ("/s:", "container directory cannot be empty"),
    ],
)
def test_volume_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        volumes.parse(text, "/here", "id")
    assert refused.value.message.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "container directory cannot be empty"),
        ("d", 'invalid container path "d", must be an absolute path'),
        ("/d:foo", 'unknown mount option "foo": invalid mount option'),
        ("/d:uid=5", 'unknown mount option "uid=5": invalid mount option'),
        ("/d:size", 'unknown mount option "size": invalid mount option'),
        ("/d:exec=1", 'unknown mount option "exec=1": invalid mount option'),
        ("/d:size=1,size=2", "only one tmpfs size can be specified: duplicate mount option passed"),
        ("/d:mode=1,mode=2", "only one tmpfs mode can be specified: duplicate mount option passed"),
        ("/d:ro,rw", "only one of 'rw' and 'ro' can be used: duplicate mount option passed"),
        ("/d:shared,private", "only one root propagation mode can be used: duplicate mount option passed"),
        ("/d:tmpcopyup,notmpcopyup", "the 'tmpcopyup' or 'notmpcopyup' option can only be set once"),
        ("/d:Z", "the 'z' and 'Z' options are not allowed with tmpfs mounts: invalid mount option"),
        ("/d:rbind", "the 'bind' and 'rbind' options are not allowed with tmpfs mounts: invalid mount option"),
    ],
)
def test_tmpfs_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        volumes.parse_tmpfs(text)
    assert refused.value.message.startswith(said)


def test_volumes_from() -> None:
    assert volumes.volumes_from("c") == ("c", ())
    assert volumes.volumes_from("c:ro,z") == ("c", ("ro", "z"))
    for text, said in (
        ("c:Z", 'invalid option "Z" specified - volumes from another container can only use z,ro,rw options'),
        ("c:ro,rw", "cannot set ro or rw options more than once"),
        ("c:z,z", "cannot set :z more than once in mount options"),
    ):
        with pytest.raises(UsageError) as refused:
            volumes.volumes_from(text)
        assert refused.value.message == said


def test_what_others_have_keeps_its_options_and_takes_the_access() -> None:
    theirs = [
        volumes.parse("/s:/a:noexec,slave", "/", "id"),
        volumes.parse("v:/b:rw", "/", "id"),
        volumes.parse("/anonymous", "/", "id"),
        volumes.parse_tmpfs("/t"),
        mounted("type=image,src=i,dst=/i"),
    ]
    found = volumes.from_others(theirs, ("ro", "z"))
    assert [(use.target, use.options, use.read_only, use.relabel, use.anonymous) for use in found] == [
        ("/a", ("ro", "noexec", "slave"), True, "z", False),
        ("/b", ("ro",), True, "z", False),
        ("/anonymous", ("ro",), True, "z", False),
    ]
    assert [use.options for use in volumes.from_others(theirs, ())][:2] == [("noexec", "slave"), ("rw",)]


TREE = {
    "/": ["a", "b"],
    "/a": ["one.txt", "two.txt", ".hidden", "x[1]", "sub"],
    "/a/sub": ["one.txt"],
    "/b": ["one.txt", "*"],
}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/a/*.txt", ["/a/one.txt", "/a/two.txt"]),
        ("/*/one.txt", ["/a/one.txt", "/b/one.txt"]),
        ("/a/*", ["/a/.hidden", "/a/one.txt", "/a/sub", "/a/two.txt", "/a/x[1]"]),
        ("/a/t?o.txt", ["/a/two.txt"]),
        ("/a/[n-p]ne.txt", ["/a/one.txt"]),
        ("/a/[^o]*.txt", ["/a/two.txt"]),
        ("/a/x\\[1]", ["/a/x[1]"]),
        ("/b/\\*", ["/b/*"]),
        ("/a/**/one.txt", ["/a/sub/one.txt"]),
        ("/a/one.txt", ["/a/one.txt"]),
        ("/a/none", []),
        ("/a/one.txt/*", []),
        ("/../a", []),
        ("/", []),
    ],
)
def test_glob(pattern: str, found: list[str]) -> None:
    assert globs.matches(pattern, lambda folder: TREE.get(folder, [])) == found


@pytest.mark.parametrize("pattern", ["/a/[", "/a/[]", "/a/[a-]", "/nothing/x\\", "/a/[-]"])
def test_glob_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"^syntax error in pattern$"):
        globs.matches(pattern, lambda folder: TREE.get(folder, []))


def test_a_star_for_each_letter_takes_no_time_to_speak_of() -> None:
    assert globs.matches("/" + "a*" * 40 + "b", lambda folder: ["a" * 200]) == []
