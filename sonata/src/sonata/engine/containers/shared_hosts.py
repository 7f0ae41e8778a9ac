"""Names of containers in the hosts file of the one whose network they share, and changes of such files in place."""

from __future__ import annotations

import fcntl
import os

from sonata.engine.paths import ContainerPaths
from sonata.plan.files import parse_hosts
from sonata.state import containers as rows
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata.engine.engine import Engine
    from sonata.model.container import ContainerConfig

_LIMIT = 1 << 20
_LOCAL = "127.0.0.1"


def announce(path: str, names: tuple[str, ...]) -> None:
    """Have the names stand for the loopback in the file, those that it does not know."""

    def added(text: str) -> str:
        known = {name for _, line in parse_hosts(text) for name in line}
        missing = [name for name in dict.fromkeys(names) if name and name not in known]
        return f"{text}{_LOCAL}\t{' '.join(missing)}\n" if missing else text

    change(path, added)


def withdraw(engine: Engine, config: ContainerConfig) -> None:
    """Take the names of a container that has ended out of the file that it shared. Absent is success."""
    try:
        holder = rows.get(engine.database, config.namespaces.network.value).config
    except NotFound:
        return
    own = {config.name, config.hostname or config.id[:12]}

    def kept(line: str) -> bool:
        address, tab, names = line.rstrip("\n").partition("\t")
        words = names.split(" ")
        return not (tab and address == _LOCAL and config.name in words and own.issuperset(words))

    path = f"{ContainerPaths(engine, holder.backends.storage, holder.id).run_dir}/hosts"
    change(path, lambda text: "".join(line for line in text.splitlines(keepends=True) if kept(line)))


def change(path: str, new: Callable[[str], str]) -> None:
    """Change the file in place, so that every container that has it mounted sees it. Absent is success."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = os.pread(handle, _LIMIT, 0).decode(errors="surrogateescape")
        changed = new(text)
        if changed != text:
            data = changed.encode(errors="surrogateescape")
            os.pwrite(handle, data, 0)
            os.ftruncate(handle, len(data))
    finally:
        os.close(handle)
