"""The compiled code of the modules that commands import, in one file: a start without a search.

Python finds and reads some two hundred small files for `run`. Here their code lies behind one index, each
entry with time and size of the source that it was compiled from, which are compared at every import: a
changed module is never served. The folder is private (0700) and, as the file, must be our own, since
what lies in it is run. Whatever is wrong with it, Python imports as ever.

Layout: the magic, the length of the index (8 bytes, little endian), the index (marshal), the code.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, ExtensionFileLoader, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import Any

    # kind, source, compiled file, its time in nanoseconds, its size, where the code lies, its length
    Entry = tuple[str, str, str, int, int, int, int]

MAGIC = b"sonata code 1\n" + MAGIC_NUMBER
MODULE, PACKAGE, EXTENSION = "m", "p", "x"
_LIMIT = 32 << 20
_PYC_HEADER = 16


class Finder:
    """Serves modules from the memo; `missed` are those that Python had to look for."""

    def __init__(self, path: str, handle: int, index: dict[str, Entry], start: int) -> None:
        self.path = path
        self.handle = handle
        self.index = index
        self.start = start
        self.missed: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """importlib's question: how to load a module, or None for another finder to answer."""
        entry = self.index.get(name)
        if entry is None or not _same(entry):
            self.missed.append(name)
            return None
        kind, source, compiled = entry[:3]
        if kind == EXTENSION:
            spec = ModuleSpec(name, ExtensionFileLoader(name, source), origin=source)
            spec.has_location = True
            return spec
        spec = ModuleSpec(name, _Loader(name, source, self), origin=source, is_package=kind == PACKAGE)
        spec.has_location = True
        spec.cached = compiled
        if kind == PACKAGE:
            spec.submodule_search_locations = [os.path.dirname(source)]
        return spec

    def code(self, name: str) -> bytes:
        """A module's compiled code."""
        entry = self.index[name]
        return os.pread(self.handle, entry[6], self.start + entry[5])


class _Loader(SourceFileLoader):
    """As Python's own, with the code from the memo."""

    def __init__(self, name: str, path: str, memo: Finder) -> None:
        super().__init__(name, path)
        self._memo = memo

    def get_code(self, fullname: str) -> CodeType | None:
        try:
            code: CodeType = marshal.loads(self._memo.code(fullname))  # noqa: S302 - as .pyc files are
        except (ValueError, EOFError, TypeError, OSError):
            return super().get_code(fullname)
        return code


def install(here: str) -> None:
    """Let imports be served from the memo of the installation in the folder `here`. Never raises OSError."""
    path = _path(here)
    handle, start = -1, 0
    index: dict[str, Entry] = {}
    try:
        handle, index, start = _opened(path)
    except (OSError, ValueError, EOFError, TypeError):
        # None yet, or none to believe: the next one is made at the end of this command.
        pass
    # After the finders of built-in and frozen modules, before the one that searches folders.
    sys.meta_path.insert(2, Finder(path, handle, index, start))


def _path(here: str) -> str:
    if os.geteuid() == 0:
        cache = "/var/cache"
    else:
        home = os.environ.get("HOME", "")
        cache = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    if not cache.startswith("/"):
        return ""
    name = here.replace("/", "%")[-150:]
    return f"{cache}/sonata/code/{sys.implementation.cache_tag}-{sys.flags.optimize}{name}"


def _opened(path: str) -> tuple[int, dict[str, Entry], int]:
    """Descriptor, index and start of the code. Raises OSError or ValueError for a memo that is not to be believed."""
    folder = os.lstat(os.path.dirname(path))
    if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid() or folder.st_mode & 0o077:
        raise ValueError(path)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        seen = os.fstat(handle)
        if seen.st_uid != os.geteuid() or seen.st_mode & 0o022 or not stat.S_ISREG(seen.st_mode):
            raise ValueError(path)
        head = os.pread(handle, 1 << 17, 0)
        body = len(MAGIC) + 8
        length = int.from_bytes(head[len(MAGIC) : body], "little")
        if not head.startswith(MAGIC) or body + length > seen.st_size:
            raise ValueError(path)
        if body + length > len(head):
            head = os.pread(handle, body + length, 0)
        return handle, marshal.loads(memoryview(head)[body : body + length]), body + length  # noqa: S302 - our own
    except BaseException:
        os.close(handle)
        raise


def _same(entry: Entry) -> bool:
    try:
        seen = os.stat(entry[1])
    except OSError:
        return False
    return seen.st_mtime_ns == entry[3] and seen.st_size == entry[4]


def keep() -> None:
    """Take what this command had to look for into the memo, for the next one. Trouble is passed over."""
    finder = next((one for one in sys.meta_path if isinstance(one, Finder)), None)
    if finder is None or not finder.missed or not finder.path or "stevedore" in sys.modules:
        # With stevedore the command looked for plugins, which it does once: not a start to speed up.
        return
    try:
        found = {name: pair for name in finder.missed if (pair := _compiled(name)) is not None}
        if found:
            _write(finder, found)
    except (OSError, ValueError):
        return


def _compiled(name: str) -> tuple[Entry, bytes] | None:
    """A loaded module as the memo has it, if its compiled file is that of its source."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    source = getattr(spec, "origin", None)
    if spec is None or not source or not source.startswith("/"):
        return None
    seen = os.stat(source)
    if type(spec.loader) is ExtensionFileLoader:
        return (EXTENSION, source, "", seen.st_mtime_ns, seen.st_size, 0, 0), b""
    if type(spec.loader) is not SourceFileLoader or not spec.cached:
        return None
    with open(spec.cached, "rb") as file:
        raw = file.read()
    head = MAGIC_NUMBER + bytes(4) + _word(int(seen.st_mtime)) + _word(seen.st_size)
    if raw[:_PYC_HEADER] != head:
        return None
    kind = MODULE if spec.submodule_search_locations is None else PACKAGE
    return (kind, source, spec.cached, seen.st_mtime_ns, seen.st_size, 0, 0), raw[_PYC_HEADER:]


def _word(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def _write(finder: Finder, found: dict[str, tuple[Entry, bytes]]) -> None:
    for name, entry in finder.index.items():
        if name not in found and _same(entry):
            found[name] = (entry, finder.code(name))
    index: dict[str, Entry] = {}
    code = bytearray()
    for name, (entry, content) in found.items():
        index[name] = (*entry[:5], len(code), len(content))
        code += content
    if len(code) > _LIMIT:
        return
    head = marshal.dumps(index)
    os.makedirs(os.path.dirname(finder.path), mode=0o700, exist_ok=True)
    temporary = f"{finder.path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            for part in (MAGIC + len(head).to_bytes(8, "little"), head, code):
                _write_all(handle, part)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, finder.path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(handle: int, data: bytes | bytearray) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
