"""Looking up what a request only names: files, device nodes, other containers."""

from __future__ import annotations

import os
import stat
import time

from sonata.model.container import Device
from sonata.model.materials import Materials
from sonata.plan import names
from sonata.plan.volumes import volumes_from
from sonata.state import containers as rows
from sonata.store.names import new_id
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig
    from sonata.model.request import RunRequest

_FILE_LIMIT = 16 << 20


def gather(engine: Engine, request: RunRequest) -> Materials:
    """Identity, and the contents of what the request names. Raises UsageError, NotFound."""
    ident = new_id()
    driver, graph = engine.driver, engine.config.storage.graph_root
    return Materials(
        id=ident,
        name=request.name or names.unused(_random, lambda name: bool(rows.name_owner(engine.database, name))),
        created=_now(),
        env_files=tuple(_read(path, f'parsing file "{path}"') for path in request.env_file),
        label_files=tuple(_read(path, "unable to process labels") for path in request.label_file),
        devices=_devices(request),
        containers=_containers(engine, request),
        **_user_namespace(request),
        blkio_weight=bool(request.blkio_weight or request.blkio_weight_device) and _weighs(engine, request),
        cgroup_delegated=_delegated(engine) if engine.facts.cgroup_version == 2 else "",
        oom_score_adj=-1000 if request.oom_score_adj is None else _own_score(),
        log_path=f"{graph}/{driver}-containers/{ident}/userdata/ctr.log",
    )


def _delegated(engine: Engine) -> str:
    from sonata.engine.rootless import delegated_group

    return delegated_group(engine)


def _weighs(engine: Engine, request: RunRequest) -> bool:
    """Whether groups have a weight, and those of BFQ an effect on the devices that are named."""
    if engine.facts.cgroup_version == 2:
        return True  # the runtime says so where the kernel has no such file
    if os.path.exists("/sys/fs/cgroup/blkio/blkio.weight"):
        return True
    from sonata.engine.containers import block_weight

    paths = [text.rpartition(":")[0] for text in request.blkio_weight_device]
    known = [os.stat(path).st_rdev for path in paths if os.path.exists(path)]
    return block_weight.is_only_bfqs(1) and all(map(block_weight.is_scheduled, known))


def _own_score() -> int:
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        return int(file.read())


def _random(bound: int) -> int:
    return int.from_bytes(os.urandom(8), "little") % bound


def _now() -> str:
    whole, rest = divmod(time.time_ns(), 10**9)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{rest:09}".rstrip("0").rstrip(".") + "Z"


def _read(path: str, doing: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{doing}: open {path}: {(error.strerror or '').lower()}") from error
    if len(content) > _FILE_LIMIT:
        raise UsageError(f"{path} is larger than {_FILE_LIMIT >> 20} MiB")
    return content.decode(errors="surrogateescape")


def _devices(request: RunRequest) -> dict[str, tuple[Device, ...]]:
    found = {}
    for text in request.device:
        path = text.partition(":")[0]
        if path.startswith("/") and path not in found:
            found[path] = nodes_at(path)
    for text in _rated(request):
        path = text.rpartition(":")[0]
        if path.startswith("/dev/") and path not in found and os.path.lexists(path):
            found[path] = nodes_at(path)
    return found


def _user_namespace(request: RunRequest) -> dict[str, Any]:
    """What options of the user namespace name: ranges of /etc/subuid, a namespace by its path."""
    if not (request.subuidname or request.subgidname or request.userns.startswith("ns:/")):
        return {}
    from sonata.engine.containers import userns

    return userns.materials(request)


def _rated(request: RunRequest) -> Iterable[str]:
    return (
        *request.blkio_weight_device,
        *request.device_read_bps,
        *request.device_read_iops,
        *request.device_write_bps,
        *request.device_write_iops,
    )


def nodes_at(path: str) -> tuple[Device, ...]:
    """The device node at a path, or every node below a folder. Raises UsageError."""
    try:
        seen = os.stat(path)
    except OSError as error:
        raise UsageError(f"stat {path}: {(error.strerror or '').lower()}") from error
    if not stat.S_ISDIR(seen.st_mode):
        node = _node(path, seen)
        if node is None:
            raise UsageError(f"{path}: not a device node")
        return (node,)
    found: list[Device] = []
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in ("pts", "shm", "mqueue"))
        for name in sorted(files):
            inner = f"{folder}/{name}"
            node = _node(inner, os.lstat(inner))
            if node is not None:
                found.append(node)
    return tuple(found)


def _node(path: str, seen: os.stat_result) -> Device | None:
    kind = "c" if stat.S_ISCHR(seen.st_mode) else "b" if stat.S_ISBLK(seen.st_mode) else ""
    if not kind:
        return None
    return Device(
        source=path,
        path=path,
        type=kind,
        major=os.major(seen.st_rdev),
        minor=os.minor(seen.st_rdev),
        mode=stat.S_IMODE(seen.st_mode),
        uid=seen.st_uid,
        gid=seen.st_gid,
    )


def _containers(engine: Engine, request: RunRequest) -> dict[str, ContainerConfig]:
    """Configurations of the containers that options name: namespaces to join, volumes to share, requirements."""
    named = [volumes_from(text)[0] for text in request.volumes_from]
    required = [text for entry in request.requires for text in entry.split(",") if text]
    joins = [("ipc", request.ipc), ("pid", request.pid), ("uts", request.uts), ("user", request.userns)]
    joins += [("cgroup", request.cgroupns), *(("net", text) for text in request.network or ())]
    shares = {text.removeprefix("container:"): kind for kind, text in joins if text.startswith("container:")}
    found = {}
    for name in dict.fromkeys((*named, *required, *shares, request.inherits)):
        if not name:
            continue
        try:
            found[name] = rows.find(engine.database, name).config
        except NotFound as error:
            if name in required:
                told = f'"{name}" is not a valid container, cannot be used as a dependency: '
                raise NotFound(told + error.message, name=name) from error
            told = f"looking up container to share {shares[name]} namespace with: " if name in shares else ""
            told = f'looking up container "{name}" for volumes-from: ' if name in named else told
            raise NotFound(told + error.message, hint="`sonata ps -a` lists containers", name=name) from error
    return found
