"""Secrets of a container: they lie in memory while it is started, and after that only where it sees them itself.

The files are in a tmpfs that the runtime binds into the container; once it has, the host's mount is detached. A spec
that holds a secret as a variable lies there too, and the bundle keeps one in which the variable is struck out.
"""

from __future__ import annotations

import json
import os

from sonata.engine import storage
from sonata.engine.secrets import store
from sonata.host import mounts
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.mount import Mount
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.engine.engine import Engine
    from sonata.engine.paths import ContainerPaths
    from sonata.model.container import ContainerConfig, SecretUse
    from sonata_core.models.process import IdMap

_ROOM = 1 << 20
"""Bytes of the tmpfs beside the secrets: folders and the spec."""
_HIDDEN = "*******"


def require(engine: Engine, uses: Iterable[SecretUse]) -> None:
    """Raises NotFound where a secret is not there, UsageError for a target outside its folder."""
    kept = store(engine)
    for use in uses:
        kept.find(use.name)
        if ".." in use.target.split("/"):
            raise UsageError(f"secret {use.name}: target {use.target} leads out of its folder")


def variables(engine: Engine, uses: Iterable[SecretUse]) -> dict[str, str]:
    """The secrets that are variables. Raises NotFound."""
    kept = store(engine)
    wanted = [use for use in uses if use.env]
    return {use.env: kept.data(kept.find(use.name)).decode(errors="surrogateescape") for use in wanted}


def variables_of_running(engine: Engine, config: ContainerConfig, pid: int) -> dict[str, str]:
    """The secrets that a running container has as variables: as it was given them, else as they are now.

    One that neither its first process nor the store has any more is left out.
    """
    known = _environment(pid)
    found = {}
    for use in config.secrets:
        if use.env in known:
            found[use.env] = known[use.env]
        elif use.env:
            try:
                found |= variables(engine, (use,))
            except NotFound:
                continue
    return found


def _environment(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            words = file.read(1 << 22).decode(errors="surrogateescape").split("\0")
    except OSError:
        return {}
    return dict(word.partition("=")[::2] for word in words if word)


def places(config: ContainerConfig, paths: ContainerPaths) -> tuple[str, dict[str, str]]:
    """Where `lay` has the files: the folder for /run/secrets (empty: none), and files for targets elsewhere."""
    folder, others = "", {}
    for number, use in enumerate(config.secrets):
        if use.target.startswith("/") and not use.env:
            others[use.target] = f"{place(paths)}/{number}"
        elif not use.env:
            folder = f"{place(paths)}/files"
    return folder, others


def lay(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> None:
    """Lay the files down. Raises NotFound where a secret is not there any more."""
    kept = store(engine)
    found = [(use, kept.data(kept.find(use.name))) for use in config.secrets]
    _mount(engine, place(paths), sum(len(data) for _, data in found))
    folder, _ = places(config, paths)
    for number, (use, data) in enumerate(found):
        if use.env:
            continue
        path = f"{place(paths)}/{number}" if use.target.startswith("/") else f"{folder}/{use.target}"
        if not use.target.startswith("/"):
            _make_folders(config, folder, use.target)
        _write(path, data, use.mode)
        _own(config, path, use.uid, use.gid)


def place(paths: ContainerPaths) -> str:
    """Where the tmpfs is mounted while the container starts."""
    return f"{paths.bundle}/secrets"


def write_spec(paths: ContainerPaths, text: bytes) -> None:
    """Keep a spec that holds secrets in memory, with a link to it where the runtime looks."""
    inner = f"{place(paths)}/config.json"
    _write(inner, text, 0o600)
    if os.path.lexists(paths.config):
        os.unlink(paths.config)
    os.symlink(inner, paths.config)


def hide(engine: Engine, config: ContainerConfig, paths: ContainerPaths) -> None:
    """After the runtime has created the container: leave nothing of its secrets on the host."""
    names = {use.env for use in config.secrets if use.env}
    if names:
        with open(paths.config, encoding="utf-8", errors="surrogateescape") as file:
            spec: dict[str, Any] = json.load(file)
        words = spec["process"]["env"]
        spec["process"]["env"] = [
            f"{word.partition('=')[0]}={_HIDDEN}" if word.partition("=")[0] in names else word for word in words
        ]
        os.unlink(paths.config)
        _write(paths.config, json.dumps(spec, separators=(",", ":")).encode(errors="surrogateescape"), 0o600)
    storage.unmount(engine, place(paths))


def shown(engine: Engine, config: ContainerConfig) -> tuple[list[dict[str, Any]], list[str]]:
    """For `inspect`: the secrets that are files, and the variables with nothing of their value."""
    kept = store(engine)

    def ident(name: str) -> str:
        try:
            return kept.find(name).id
        except NotFound:
            return ""

    files = [
        {"Name": use.name, "ID": ident(use.name), "UID": use.uid, "GID": use.gid, "Mode": use.mode}
        for use in config.secrets
        if not use.env
    ]
    return files, [f"{use.env}={_HIDDEN}" for use in config.secrets if use.env]


def _mount(engine: Engine, target: str, size: int) -> None:
    os.makedirs(target, mode=0o700, exist_ok=True)
    storage.unmount(engine, target)
    options = ("noexec", "nosuid", "nodev", "mode=0711", f"size={2 * size + _ROOM}")
    mounts.make_one(
        engine.kernel, Mount(type="tmpfs", source="secrets", target=target, options=options), engine.run_command
    )


def _make_folders(config: ContainerConfig, folder: str, target: str) -> None:
    at = folder
    for part in ("", *target.split("/")[:-1]):
        at = f"{at}/{part}" if part else at
        if not os.path.isdir(at):
            os.mkdir(at, 0o755)
            _own(config, at, 0, 0)


def _write(path: str, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_whole(handle, data, path)
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def _own(config: ContainerConfig, path: str, uid: int, gid: int) -> None:
    mapping = config.id_mapping
    if mapping is not None:
        uid, gid = _on_host(mapping.uids, uid), _on_host(mapping.gids, gid)
    try:
        os.chown(path, uid, gid)
    except OSError as error:
        raise UsageError(
            f"potentially insufficient UIDs or GIDs available in user namespace (requested {uid}:{gid} for {path}): "
            'Check /etc/subuid and /etc/subgid if configured locally and run "sonata system migrate": '
            f"lchown {path}: {(error.strerror or '').lower()}"
        ) from error


def _on_host(ranges: tuple[IdMap, ...], ident: int) -> int:
    for one in ranges:
        if one.container_id <= ident < one.container_id + one.size:
            return one.host_id + ident - one.container_id
    raise UsageError(f"id {ident} of a secret is not in the container's user namespace")
