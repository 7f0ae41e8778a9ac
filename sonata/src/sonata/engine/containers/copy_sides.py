"""The two ends of a copy: roots in which a path is resolved, so that nobody's links lead outside."""

from __future__ import annotations

import os
import stat
from errno import EACCES, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR

from sonata.engine.containers import inside, present
from sonata.engine.containers.export import Root
from sonata.host import process
from sonata.model.container import MountKind
from sonata.state import containers as rows
from sonata.state import objects
from sonata_core.errors import Conflict, Denied, NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.safepath import open_in_root, open_parent

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.engine.volumes.mounting import Mounted
    from sonata.state.rows import ContainerRow
    from sonata_core.models.process import IdMapping

_ABSENT = (ENOENT, ENOTDIR, ELOOP, EINVAL, ENAMETOOLONG)
_MOST_LINKS = 40
_FOLDER = os.O_PATH | os.O_DIRECTORY


class Found:
    """What lies at a path: an entry `name` of the open folder `parent`; an empty name is that folder itself."""

    def __init__(self, parent: int, name: bytes) -> None:
        self.parent = parent
        self.name = name
        self.is_folder = stat.S_ISDIR(os.stat(name or b".", dir_fd=parent, follow_symlinks=False).st_mode)

    def open_folder(self) -> int:
        """A descriptor of the folder that was found; whoever has swapped it for a link meanwhile gets an error."""
        return os.open(self.name or b".", _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.parent)

    def close(self) -> None:
        """Let go of it."""
        os.close(self.parent)


def find(root: int, path: str) -> Found | None:
    """What lies at a path within a root, links followed there; None for nothing. Raises Denied; OSError for more."""
    here = os.fsencode(path)
    try:
        for _ in range(_MOST_LINKS):
            if os.path.basename(here.rstrip(b"/")) in (b"", b".", b".."):
                return Found(open_in_root(root, here, _FOLDER), b"")
            parent, name = open_parent(root, here)
            try:
                seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISLNK(seen.st_mode):
                    return Found(os.dup(parent), name)
                link = os.readlink(name, dir_fd=parent)
            finally:
                os.close(parent)
            here = os.path.join(os.path.dirname(here.rstrip(b"/")), link)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        if error.errno == EACCES:
            raise Denied(f"{path}: permission denied") from error
        raise
    return None


_OUTSIDE = (MountKind.BIND, MountKind.VOLUME, MountKind.OVERLAY)


class Side:
    """`with side:` one end of a copy. `owner` is whom files belong to that come here, as the container counts."""

    where = "on the host"
    mapping: IdMapping | None = None

    def __init__(self) -> None:
        self.owner = (os.getuid(), os.getgid())

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def absolute(self, path: str) -> str:
        """The path from the root; a trailing `/` or `/.` stays."""
        return os.path.join(self.base(), path)

    def base(self) -> str:
        """Where relative paths begin."""
        return os.getcwd()

    def shortened(self, path: str) -> str:
        """The path of a source as it may be meant where nothing lies at it."""
        return path

    def reason(self, given: str) -> str:
        """Why nothing is found."""
        path = self.absolute(given)
        above = path[:-2] if path.endswith("/.") else path
        return f"stat {path}: not a directory" if os.path.exists(above.rstrip("/")) else "no such file or directory"

    def no_folder(self, given: str) -> SonataError:
        """For a target that is called a folder and is none."""
        return NotFound(f'"{given}" could not be found {self.where}: {self.reason(given)}', name=given)

    def find(self, path: str) -> Found | None:
        """What lies there."""
        root = os.open("/", _FOLDER | os.O_CLOEXEC)
        try:
            return find(root, path)
        finally:
            os.close(root)


class ContainerSide(Side):
    """A container: as its processes see it while it runs, else its root filesystem and its volumes."""

    def __init__(self, engine: Engine, name: str) -> None:
        try:
            self._row = present.corrected(engine, rows.find(engine.database, name))
        except NotFound as error:
            raise NotFound(f'container "{name}" does not exist', name=name) from error
        self._engine = engine
        self._root: Root | None = None
        self._handle = -1
        self._places: dict[str, str] = {}
        self._held: list[Mounted] = []
        self.where = f"on container {name}"
        self.mapping = self._row.config.id_mapping

    def __enter__(self) -> ContainerSide:
        config = self._row.config
        with Root(self._engine, self._row) as path:  # users are looked up where the image's own files are
            handle = os.open(path, _FOLDER | os.O_CLOEXEC)
            try:
                who = inside.identity(config, handle)
            finally:
                os.close(handle)
        self.owner = (who.uid, who.gid)
        if self._row.state.pid:
            self._handle = _live_root(self._row)
        else:
            self._root = Root(self._engine, self._row)
            self._handle = os.open(self._root.__enter__(), _FOLDER | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        for held in self._held:
            held.__exit__()
        if self._root is not None:
            self._root.__exit__(None, None, None)

    def base(self) -> str:
        """The container's working directory."""
        return self._row.config.process.cwd

    def shortened(self, path: str) -> str:
        """Without `/` and `/.` at its end, and without `..`."""
        return os.path.normpath(path)

    def reason(self, given: str) -> str:
        """What Podman says of all of them."""
        return "no such file or directory"

    def no_folder(self, given: str) -> SonataError:
        """For a target that is called a folder and is none."""
        path = os.path.normpath(self.absolute(given))
        return UsageError(f"copying to container: copier: put: {path} ({path}): exists but is not a directory")

    def find(self, path: str) -> Found | None:
        """What lies there, for a stopped container also in its volumes and bound folders."""
        outside = None if self._root is None else self._mounted_at(path)
        if outside is None:
            return find(self._handle, path)
        source, rest = outside
        try:
            root = os.open(source, _FOLDER | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return find(root, rest)
        finally:
            os.close(root)

    def _mounted_at(self, path: str) -> tuple[str, str] | None:
        """The host's folder behind the mount that a path lies in, and the rest of the path."""
        clean = os.path.normpath(path)
        best: tuple[str, str] | None = None
        length = 0
        self.mapping = self._row.config.id_mapping
        for use in self._row.config.mounts:
            target = os.path.normpath(use.target)
            inner = clean == target or clean.startswith(target.rstrip("/") + "/")
            if not inner or len(target) < length or use.kind not in _OUTSIDE:
                continue
            if use.kind is MountKind.OVERLAY or use.overlay:
                raise Conflict(
                    f"{use.target} of container {self._row.config.id} is an overlay, which is there while it runs",
                    hint=f"sonata start {self._row.config.name}",
                )
            length, rest = len(target), clean[len(target) :] or "/"
            # With `idmap` the container's ids are those on the disk.
            self.mapping = None if use.id_map == "" else self._row.config.id_mapping
            if use.kind is MountKind.VOLUME:
                best = (self._volume(use.source), f"/{use.subpath}{rest}" if use.subpath else rest)
            else:
                best = (use.source, rest) if os.path.isdir(use.source) else os.path.split(use.source)
        return best

    def _volume(self, name: str) -> str:
        """The folder of a volume, mounted until the copy is done if that takes a mount."""
        from sonata.engine.volumes.mounting import Mounted

        if name not in self._places:
            held = Mounted(self._engine, objects.find_volume(self._engine.database, name))
            self._places[name] = held.__enter__()
            self._held.append(held)
        return self._places[name]


def _live_root(row: ContainerRow) -> int:
    """The root that a container's first process has. Raises Conflict if it ended meanwhile."""
    try:
        handle = os.open(f"/proc/{row.state.pid}/root", _FOLDER | os.O_CLOEXEC)
    except OSError as error:
        raise Conflict(f"container {row.config.id} has ended meanwhile", hint="try again") from error
    if process.alive(row.state.pid, row.state.pid_start):
        return handle
    os.close(handle)
    raise Conflict(f"container {row.config.id} has ended meanwhile", hint="try again")
