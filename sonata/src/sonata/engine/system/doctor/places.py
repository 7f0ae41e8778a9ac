"""Where things are kept: space, inodes, mount flags, and whether files can be made."""

from __future__ import annotations

import os
import stat

from sonata.engine.system.doctor.finding import Finding, error, warning
from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST = 64 << 20
"""Bytes without which no image fits."""
_LITTLE = 1 << 30
_FEW_INODES = 2000
_FEW_FILES = 100
_LONGEST = 511 - len("/sonata/state.db")
"""Bytes of a graph root's name: SQLite opens no longer one."""


class Place(Record):
    """A folder, or the nearest above it that exists. `refusal`: why no file can be made there."""

    path: str
    existing: str
    free: int = -1
    inodes: int = -1
    flags: int = 0
    refusal: str = ""


def probe(path: str) -> Place:
    """Look at the file system, and try to make a file."""
    existing = path
    while not os.path.isdir(existing) and existing not in ("/", ""):
        if os.path.lexists(existing):
            return Place(path=path, existing=existing, refusal=f"{existing} is no folder")
        existing = os.path.dirname(existing)
    try:
        seen = os.statvfs(existing or "/")
    except OSError as trouble:
        return Place(path=path, existing=existing, refusal=trouble.strerror or str(trouble))
    refusal = ""
    name = f"{existing}/.sonata-doctor-{os.getpid()}"
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.unlink(name)
    except OSError as trouble:
        refusal = trouble.strerror or str(trouble)
    return Place(
        path=path,
        existing=existing,
        free=seen.f_bavail * seen.f_frsize,
        inodes=seen.f_favail if seen.f_files else -1,
        flags=seen.f_flag,
        refusal=refusal,
    )


def check_store(place: Place, *, bare: bool) -> Iterator[Finding]:
    """Where images and containers are kept. `bare`: containers run on that file system, not on an overlay above it."""
    yield from _check_writable(place, "graph-root", "images are kept")
    if len(os.fsencode(place.path)) > _LONGEST:
        yield error(
            "graph-root-long",
            "the folder for images has too long a name: the state cannot be kept there",
            f"{place.path[:40]}… has {len(os.fsencode(place.path))} bytes, and {_LONGEST} are possible",
            "name a shorter --root, or rootless_storage_path in storage.conf",
        )
    if place.flags & os.ST_NOEXEC:
        make, what = (error, "no program of an image") if bare else (warning, "no program that lies in a volume")
        yield make(
            "graph-root-noexec",
            f"{what} can be run: the file system is mounted noexec",
            f"statvfs {place.existing}: noexec",
            f"mount -o remount,exec $(findmnt -no TARGET -T {place.existing})",
        )
    for flag, name, consequence in (
        (os.ST_NODEV, "nodev", "devices in images do not work"),
        (os.ST_NOSUID, "nosuid", "sudo, su and ping in containers do not work"),
    ):
        if bare and place.flags & flag:
            yield warning(
                f"graph-root-{name}",
                f"{consequence}: the file system is mounted {name}",
                f"statvfs {place.existing}: {name}",
                f"mount -o remount,{name.removeprefix('no')} $(findmnt -no TARGET -T {place.existing})",
            )
    yield from _check_room(place)


def _check_room(place: Place) -> Iterator[Finding]:
    if 0 <= place.free < _LITTLE:
        make = error if place.free < _LEAST else warning
        yield make(
            "disk-space",
            "little space is left where images are kept",
            f"{place.existing}: {place.free >> 20} MiB free",
            "sonata system prune --all",
        )
    if 0 <= place.inodes < _FEW_INODES:
        yield error(
            "disk-inodes",
            "few inodes are left where images are kept",
            f"{place.existing}: {place.inodes} free",
            "sonata system prune --all",
        )


def check_run(place: Place) -> Iterator[Finding]:
    """Where the state of running containers is kept."""
    yield from _check_writable(place, "run-root", "the state of running containers is kept")
    if 0 <= place.free < 1 << 20:
        yield error(
            "run-root-space",
            "no space is left where the state of running containers is kept",
            f"{place.existing}: {place.free >> 10} KiB free",
            f"mount -o remount,size=64M $(findmnt -no TARGET -T {place.existing})",
        )
    if 0 <= place.inodes < _FEW_FILES:
        yield error(
            "run-root-inodes",
            "no file can be made where the state of running containers is kept",
            f"{place.existing}: {place.inodes} inodes free",
            f"mount -o remount,nr_inodes=100k $(findmnt -no TARGET -T {place.existing})",
        )


def _check_writable(place: Place, ident: str, what: str) -> Iterator[Finding]:
    if not place.refusal:
        return
    read_only = place.flags & os.ST_RDONLY
    mend = f"mount -o remount,rw $(findmnt -no TARGET -T {place.existing})" if read_only else f"ls -ld {place.existing}"
    yield error(
        f"{ident}-read-only" if read_only else f"{ident}-unwritable",
        f"nothing can be written where {what}",
        f"{place.existing}: {place.refusal}",
        mend,
    )


def check_temporary(place: Place, variable: str | None, shared: str = "/tmp") -> Iterator[Finding]:  # noqa: S108
    """Where temporary files go. `variable`: what TMPDIR says; `shared`: the folder that everybody may use."""
    if variable and not os.path.isdir(variable):
        yield warning("tmpdir", "TMPDIR names no folder", f"TMPDIR={variable}", "unset TMPDIR")
    elif place.refusal:
        yield warning(
            "tmpdir",
            "no temporary file can be made",
            f"{place.existing}: {place.refusal}",
            f"mkdir -p -m 1777 {place.path}",
        )
    try:
        mode = stat.S_IMODE(os.stat(shared).st_mode)
    except OSError as trouble:
        yield warning("tmp", f"there is no {shared}", f"stat: {trouble.strerror}", f"mkdir -m 1777 {shared}")
        return
    if mode & 0o1777 != 0o1777:
        yield warning("tmp", f"{shared} is not open to everybody", f"its mode is {mode:o}", f"chmod 1777 {shared}")
