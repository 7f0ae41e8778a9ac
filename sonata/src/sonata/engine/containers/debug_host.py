"""Tools for `debug` where no image is named: the host's own programs and libraries, read-only.

Of the host's files there is no more than they need: nothing of /etc but what the loader and terminals read, no home, no
state. Processes of the container may see those through /proc, and they are for everybody's eyes on the host too.
"""

from __future__ import annotations

import os

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata.engine.engine import Engine

_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FILES = ("etc/alternatives", "etc/ld.so.cache", "etc/terminfo")
_OWN = ("etc", "proc", "sys", "dev", "run", "tmp")
_LAID = ("etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv")


def tools(engine: Engine) -> dict[str, Any]:
    """What `run` is asked for: a root of its own, in which the host's folders of programs are bound."""
    root = f"{engine.config.paths.run_dir}/debug-tools"
    mounts = []
    # Every place is made here: root of a user namespace may make none.
    for name in _OWN:
        os.makedirs(f"{root}/{name}", mode=0o755, exist_ok=True)
    os.chmod(f"{root}/tmp", 0o1777)  # noqa: S103, S108 - as everywhere
    for name in _LAID:
        _touch(f"{root}/{name}")
    for name in (*_FOLDERS, *_FILES):
        if os.path.islink(f"/{name}"):
            _link(os.readlink(f"/{name}"), f"{root}/{name}")
        elif os.path.exists(f"/{name}"):
            if os.path.isdir(f"/{name}"):
                os.makedirs(f"{root}/{name}", mode=0o755, exist_ok=True)
            else:
                _touch(f"{root}/{name}")
            mounts.append(f"type=bind,source=/{name},target=/{name},readonly")
    # What the helper writes beside is its own, and goes with it.
    return {"image": f"{root}:O", "rootfs": True, "mount": tuple(mounts)}


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))


def _link(text: str, path: str) -> None:
    try:
        os.symlink(text, path)
    except FileExistsError:
        return
