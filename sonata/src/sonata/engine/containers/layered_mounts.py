"""Mounts that take work on the host before the runtime can bind them: overlays, images, parts of volumes, globs."""

from __future__ import annotations

import os
import stat

from sonata.host import kernel as k
from sonata.host import mounts
from sonata.model.container import MountKind
from sonata.plan import globs
from sonata_core.errors import NotFound, ProcessRefused, UsageError
from sonata_core.lite import TYPE_CHECKING
from sonata_core.models.mount import Mount, MountPlan
from sonata_core.models.storage import LayerRef, MountOptions
from sonata_core.sdk.safepath import make_folders, open_in_root

if TYPE_CHECKING:
    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig, MountUse

_MOST_MATCHES = 10000


def settle(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """When a container is made: globs become what they match now, images are found. Raises UsageError, NotFound."""
    settled: list[MountUse] = []
    for use in config.mounts:
        if use.kind is MountKind.GLOB:
            settled += _expanded(use)
        elif use.kind is MountKind.IMAGE:
            from sonata.engine.images import lookup

            settled.append(use.replace(image_id=str(lookup.get(engine, use.source)[0].id)))
        else:
            settled.append(use)
    places = [use.target for use in settled]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice}: duplicate mount destination")
    return config.replace(mounts=tuple(settled))


def _expanded(use: MountUse) -> list[MountUse]:
    found = globs.matches(use.source, _names_in)
    if not found:
        raise UsageError(f'no file paths matching glob "{use.source}"')
    if len(found) > _MOST_MATCHES:
        raise UsageError(f"glob {use.source} matches more than {_MOST_MATCHES} paths")
    targets = [f"{use.target.rstrip('/')}/{os.path.basename(path)}" if use.target else path for path in found]
    pairs = zip(found, targets, strict=True)
    return [use.replace(kind=MountKind.BIND, source=path, target=target) for path, target in pairs]


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def place_of(paths: ContainerPaths, number: int, use: MountUse) -> str:
    """Where `make` will have what the runtime binds. Makes nothing."""
    if use.kind is MountKind.OVERLAY or use.overlay or (use.kind is MountKind.IMAGE and not use.read_only):
        return f"{paths.bundle}/overlay/{number}/merge"
    return f"{paths.bundle}/{'subpath' if use.subpath else 'image'}/{number}"


class Place:
    """Where the mounts of one start are prepared: numbered folders below the bundle, unmounted with all of it."""

    def __init__(self, engine: Engine, paths: ContainerPaths, number: int) -> None:
        self.engine, self._bundle, self._number = engine, paths.bundle, number

    def empty(self, kind: str, *, whole: bool = True) -> str:
        """A folder for a mount, or a file, with nothing mounted there."""
        path = f"{self._bundle}/{kind}/{self._number}"
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        mounts.unmount_below(self.engine.kernel, path)
        if os.path.isdir(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if whole:
            os.mkdir(path, 0o700)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return path

    def overlay_home(self) -> str:
        """Where an overlay keeps what is written, for as long as there is the container."""
        return f"{self._bundle}/overlay/{self._number}"


def make(place: Place, use: MountUse, found: str) -> None:
    """What `place_of` tells, over the content that lies at `found` (a folder; for an image its name)."""
    if use.kind is MountKind.IMAGE:
        found = _image(place, use)
    if use.subpath:
        found = _inside(place, found, use.subpath)
    if use.kind is MountKind.OVERLAY or use.overlay or (use.kind is MountKind.IMAGE and not use.read_only):
        overlay(place.engine, place.overlay_home(), (found, use.upper_dir, use.work_dir))


def link_instead(root: str, use: MountUse) -> bool:
    """`no-dereference`: a link on the host becomes the same link in the root, and nothing is mounted there.

    crun does this itself from version 1.16 on, runc never. False for what is no link. Raises ProcessRefused.
    """
    try:
        wanted = os.readlink(use.source)
    except OSError:
        return False
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        parent, name = os.path.split(use.target)
        folder = make_folders(top, parent)
        try:
            os.symlink(wanted, name, dir_fd=folder)
        except FileExistsError as error:
            if not _is_link_to(folder, name, wanted):
                text = f"{use.target} exists in the container and is not the link to {wanted} that is to be there"
                raise ProcessRefused(text, hint="choose another destination") from error
        finally:
            os.close(folder)
    finally:
        os.close(top)
    return True


def _is_link_to(folder: int, name: str, wanted: str) -> bool:
    try:
        return os.readlink(name, dir_fd=folder) == wanted
    except OSError:
        return False


def overlay(engine: Engine, home: str, layers: tuple[str, str, str]) -> None:
    """An overlay over a folder of the host: changes go below `home`, or where `upper` says. Raises ProcessRefused."""
    lower, upper, work = layers
    if not os.path.isdir(lower):
        raise ProcessRefused(f"mounting overlay over {lower}: not a directory", hint="bind a file without O")
    upper, work, merged = upper or f"{home}/upper", work or f"{home}/work", f"{home}/merge"
    for folder in (upper, work, merged):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    seen = os.stat(lower)
    os.chown(upper, seen.st_uid, seen.st_gid)
    os.chmod(upper, seen.st_mode & 0o7777)
    pairs = (("lowerdir", lower), ("upperdir", upper), ("workdir", work))
    options = tuple(f"{key}={_escaped(path)}" for key, path in pairs)
    options += ("userxattr",) * engine.facts.rootless  # the kernel grants a namespace's root no trusted.* attributes
    if not mounts.is_mounted(merged):
        mounts.make_one(
            engine.kernel, Mount(type="overlay", source="overlay", target=merged, options=options), engine.run_command
        )


def _escaped(path: str) -> str:
    """A path as overlayfs reads it: it takes colons and commas for its own."""
    return "".join(f"\\{char}" if char in "\\:," else char for char in path)


def _image(place: Place, use: MountUse) -> str:
    """An image's root, mounted read-only in the container's own folder, so that it goes with the container's mounts."""
    engine = place.engine
    image = engine.store.find_image(use.image_id)
    if image is None or image.layer is None:
        raise NotFound(f"{use.source}: image not known", name=use.source)
    layer = engine.store.layer(image.layer)
    ref = LayerRef(store=layer.store, id=layer.id)
    plan = engine.storage.hook.storage_mounts(layer=ref, options=MountOptions(read_only=True))
    folder = place.empty("image")
    if not plan.mounts:
        bind = Mount(type="bind", source=plan.root, target=folder, options=("rbind", "ro"))
        mounts.make_one(engine.kernel, bind, engine.run_command)
        return folder
    moved = tuple(_moved(mount, plan.root, folder) for mount in plan.mounts)
    mounts.make(engine.kernel, MountPlan(root=folder, mounts=moved, writable=False), engine.run_command)
    return folder


def _moved(mount: Mount, old: str, new: str) -> Mount:
    """A mount that is made below another folder; a helper's words name it too."""
    if not mount.target.startswith(old):
        return mount
    target = new + mount.target[len(old) :]
    if mount.helper is None:
        return mount.replace(target=target)
    words = tuple(target if word == mount.target else word for word in mount.helper.argv)
    return mount.replace(target=target, helper=mount.helper.replace(argv=words))


def _inside(place: Place, top: str, subpath: str) -> str:
    """Part of a volume or image, found inside it and pinned by a mount, so that nobody can exchange it afterwards."""
    root = os.open(top, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = open_in_root(root, subpath, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise NotFound(f"securejoin.OpenInRoot {subpath}: openat2 {top}/{subpath.lstrip('/')}: {text}") from error
    finally:
        os.close(root)
    try:
        whole = stat.S_ISDIR(os.fstat(handle).st_mode)
        target = place.empty("subpath", whole=whole)
        place.engine.kernel.mount(f"/proc/self/fd/{handle}", target, "", k.MS_BIND | k.MS_REC, "")
    finally:
        os.close(handle)
    return target
