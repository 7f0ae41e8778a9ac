"""Taking a container out of aardvark-dns's files. The format is netavark's `src/dns/aardvark.rs`."""

from __future__ import annotations

import fcntl
import os

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal


def remove(folder: str, network: str, container: str) -> bool:
    """Drop the container's line, the file with the last one, and tell the server.

    False if something is not as netavark would have left it: nothing was changed then.
    """
    path = os.path.join(folder, "aardvark-dns", network)
    if not os.path.exists(path):
        return True
    lock = os.open(os.path.join(folder, "aardvark.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o700)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(path, encoding="utf-8") as file:
            lines = file.read(16 << 20).splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.split(" ", 1)[0] != container]
        if len(kept) == len(lines) - 1:
            return True
        if any(line.strip() for line in kept):
            _rewrite(path, "".join([lines[0], *kept]))
        else:
            os.unlink(path)
        return _tell(os.path.join(folder, "aardvark-dns", "aardvark.pid"))
    except (OSError, ValueError, IndexError):
        return False
    finally:
        os.close(lock)


def _rewrite(path: str, content: str) -> None:
    # In place as netavark does: the server reads only when told, and a draft beside it would be a network to it.
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def _tell(pid_file: str) -> bool:
    try:
        with open(pid_file, encoding="ascii") as file:
            pid = int(file.read(32).strip())
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            if file.read().strip() != "aardvark-dns":
                return True
        os.kill(pid, signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError):
        return True  # the server is gone: it will read the files when it starts
    return True
