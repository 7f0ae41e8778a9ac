"""User namespaces of containers: ranges of the host, what is drawn from them, and a root that their root reaches."""

from __future__ import annotations

import os
import stat

from sonata.engine import storage
from sonata.engine.paths import store_tag
from sonata.host import mounts
from sonata.model.container import MountKind, NamespaceKind
from sonata.plan import usermode, userns_options
from sonata.plan import userns as plan
from sonata.state import containers as rows
from sonata_core.errors import Denied, NotFound
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.mount import Mount
from sonata_core.models.process import IdMapping
from sonata_core.models.storage import MountOptions
from sonata_core.sdk.locks import lock_file
from sonata_core.sdk.safepath import read_in_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.materials import RuntimeFiles
    from sonata.model.request import RunRequest
    from sonata.store.records import ImageRecord
    from sonata_core.models.ids import LayerId
    from sonata_core.sdk.locks import FileLock

_LIMIT = 8 << 20
_SUB_LIMIT = 4 << 20


def materials(request: RunRequest) -> dict[str, Any]:
    """What the planner needs to know of the host's ranges, or of a namespace that is named by its path."""
    if request.userns.startswith("ns:/"):
        from sonata.host.userns import maps_of

        return {"user_namespace": maps_of(request.userns[3:])}
    names = {name for name in (request.subuidname, request.subgidname) if name}
    return {
        "sub_uids": _sub_text("/etc/subuid"),
        "sub_gids": _sub_text("/etc/subgid"),
        "sub_owners": {name: _owners(name) for name in names},
    }


def _sub_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_SUB_LIMIT)
    except OSError:
        return ""


def _owners(name: str) -> tuple[str, ...]:
    """How a user's lines in /etc/subuid begin: with the name, or with the number."""
    import pwd

    try:
        return name, str(pwd.getpwnam(name).pw_uid)
    except KeyError:
        return (name,)


def claim(engine: Engine, config: ContainerConfig, image: ImageRecord | None) -> tuple[FileLock, ContainerConfig]:
    """Draw the maps of an automatic namespace. Until the lock is closed, nobody else draws from the store's ranges.

    Close it once the maps are written down. Raises UsageError where there are not enough ids.
    """
    held = lock_file(os.path.join(engine.config.storage.graph_root, "userns.lock"))
    try:
        return held, config.replace(id_mapping=drawn(engine, config, image))
    except BaseException:
        held.close()
        raise


def drawn(
    engine: Engine, config: ContainerConfig, image: ImageRecord | None, read: Callable[[str], bytes] | None = None
) -> IdMapping:
    """The maps that nobody has now. `read` gives files of the root filesystem; without it the image is mounted."""
    settings = engine.config.storage
    options = userns_options.auto_options(usermode.options(config.namespaces.user), engine.facts.id_mapping)
    if not options.size and engine.config.containers.userns_size:
        options = options.replace(size=engine.config.containers.userns_size)
    highest = -1
    if not options.size:
        highest = max(_highest(engine, config, image, read), *_numbers(config.process.user))
    size = plan.size_for(options, highest, settings.auto_userns_min, settings.auto_userns_max)
    return plan.automatic(size, _pool(engine), _used(engine), options)


def _pool(engine: Engine) -> IdMapping:
    """What maps are drawn from, as `host_id`: all of the namespace but its root; for root, one user's lines."""
    within = usermode.subordinate(engine.facts)
    if within is not None:
        return within
    owners = _owners(engine.config.storage.auto_userns_user)
    return IdMapping(
        uids=plan.sub_ids(_sub_text("/etc/subuid"), owners), gids=plan.sub_ids(_sub_text("/etc/subgid"), owners)
    )


def _numbers(user: str) -> tuple[int, ...]:
    """The ids in a `--user` that names numbers."""
    return (-1, *(int(part) for part in user.split(":") if part.isascii() and part.isdigit() and len(part) < 11))


def _used(engine: Engine) -> Iterable[IdMapping]:
    """Maps of every container in the store, ours and other engines', and of ours that have none of its layers."""
    found = [record.id_mapping for record in engine.store.containers()]
    found += [row.config.id_mapping for row in rows.listed(engine.database)]
    # Who keeps the host's ids draws from nobody's range.
    return [one for one in found if one is not None and one != plan.identity()]


def _highest(
    engine: Engine, config: ContainerConfig, image: ImageRecord | None, read: Callable[[str], bytes] | None
) -> int:
    """The largest id in the image's layers and in its passwd and group files, or in those that are bound over them."""
    over = {use.target: use.source for use in config.mounts if use.kind is MountKind.BIND}
    ids = [] if image is None else _layer_ids(engine, image.layer)
    if read is not None:
        found = read("etc/passwd"), read("etc/group")
    elif image is None:
        found = _account_files(config.rootfs)
    elif image.layer is None:
        found = b"", b""
    else:
        with storage.MountedLayer(engine, image.layer, MountOptions(read_only=True)) as root:
            found = _account_files(root)
    passwd, group = (
        _bound(over[path]) if path in over else text
        for path, text in zip(("/etc/passwd", "/etc/group"), found, strict=True)
    )
    return plan.highest_id(ids, passwd, group)


def _layer_ids(engine: Engine, layer: LayerId | None) -> list[int]:
    """The owners that the records of a layer and those below it name."""
    layers, found = engine.store.layers(), []
    while layer is not None and layer in layers:
        record = layers[layer]
        found += [*record.data.get("uidset", ()), *record.data.get("gidset", ())]
        layer = record.parent
    return found


def _account_files(root: str) -> tuple[bytes, bytes]:
    top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _inside(top, "etc/passwd"), _inside(top, "etc/group")
    finally:
        os.close(top)


def _inside(top: int, path: str) -> bytes:
    try:
        return read_in_root(top, path, _LIMIT)
    except OSError:
        return b""


def _bound(path: str) -> bytes:
    import stat

    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(handle, _LIMIT) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)


def host_ids(config: ContainerConfig, uid: int, gid: int) -> tuple[int, int]:
    """A user and group of the container as the host knows them. Raises NotFound for one that is not mapped."""
    mapping = config.id_mapping
    if mapping is None:
        return uid, gid
    found = plan.on_host(mapping.uids, uid), plan.on_host(mapping.gids, gid)
    for which, given, host in (("UID", uid, found[0]), ("GID", gid, found[1])):
        if host is None:
            raise NotFound(
                f"container {config.id[:12]}: {which} {given} is not mapped in its user namespace",
                hint="give the namespace more ids: --userns auto:size=65536, or --uidmap and --gidmap",
            )
    return found[0] or 0, found[1] or 0


def own_files(config: ContainerConfig, files: RuntimeFiles) -> None:
    """Give the container's root the files that were made for it."""
    uid, gid = host_ids(config, 0, 0)
    joined = config.namespaces.network.kind in (NamespaceKind.CONTAINER, NamespaceKind.POD)
    mine = [files.hostname, files.containerenv, files.passwd, files.group]
    if not joined:
        mine += [files.hosts, files.resolv_conf]
    for path in mine:
        if path:
            os.chown(path, uid, gid, follow_symlinks=False)


def entry(engine: Engine, config: ContainerConfig, root: str) -> str:
    """Where the container's own root finds its root filesystem: the runtime enters it as that user.

    The root itself, or a second place where folders on the way are closed to it, as a graph root of mode 0700 is.
    """
    mapping = config.id_mapping
    uid = plan.on_host(mapping.uids, 0) if mapping else None
    gid = plan.on_host(mapping.gids, 0) if mapping else None
    return root if _open_to(root, uid, gid) else f"{_home(engine, config.id)}/root"


def open_way(engine: Engine, config: ContainerConfig, root: str) -> None:
    """Bind the root filesystem to where `entry` says, below a folder that its root's group alone may enter."""
    _, gid = host_ids(config, 0, 0)
    target = entry(engine, config, root)
    home = os.path.dirname(target)
    _make_roots(engine.config.paths.roots_dir)
    os.makedirs(target, 0o755, exist_ok=True)
    # To be gone through by its group, and changed by root alone: who could put a link here would choose what is mounted
    # over.
    os.chown(home, 0, gid)
    os.chmod(home, 0o710)  # noqa: S103 - its group is the container's root
    storage.unmount(engine, target)
    bound = Mount(type="bind", source=root, target=target, options=("rbind", "rslave"))
    mounts.make_one(engine.kernel, bound, engine.run_command)


def _make_roots(folder: str) -> None:
    """A folder of ours. Raises Denied where somebody else was there first."""
    os.makedirs(folder, 0o711, exist_ok=True)
    seen = os.lstat(folder)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
        raise Denied(f"{folder} is not this user's own folder", hint=f"remove {folder}")
    os.chmod(folder, 0o711)  # noqa: S103 - whatever the umask; what lies in it is closed


def _open_to(path: str, uid: int | None, gid: int | None) -> bool:
    while True:
        try:
            seen = os.stat(path)
            owner, group, mode = seen.st_uid, seen.st_gid, seen.st_mode
        except FileNotFoundError:
            # Before it is made, for nobody but us.
            owner, group, mode = os.geteuid(), os.getegid(), 0o700
        except OSError:
            return False
        bit = 0o100 if owner == uid else 0o010 if group == gid else 0o001
        if not mode & bit:
            return False
        if path in ("/", ""):
            return True
        path = os.path.dirname(path)


def _home(engine: Engine, container: str) -> str:
    """The store's tag comes first, so that a lost one is known as ours."""
    return f"{engine.config.paths.roots_dir}/{store_tag(engine.config.storage.graph_root)}-{container}"


def lost(engine: Engine, known: set[str]) -> list[str]:
    """Containers of this store that are no more, and whose root filesystems still show in their second place."""
    start = f"{store_tag(engine.config.storage.graph_root)}-"
    try:
        names = os.listdir(engine.config.paths.roots_dir)
    except OSError:
        return []
    return [name[len(start) :] for name in names if name.startswith(start) and name[len(start) :] not in known]


def let_go(engine: Engine, container: str) -> None:
    """Take away what `open_way` made for a container, by its id. Idempotent."""
    home = _home(engine, container)
    if not os.path.isdir(home):
        return
    storage.unmount(engine, f"{home}/root")
    for folder in (f"{home}/root", home):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            continue
