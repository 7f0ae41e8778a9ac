"""The compiled code of the modules that commands import, in one file: a start without a search.

Python finds and reads some two hundred small files for `run`. Here their code lies behind one index, each
entry with time and size of the source that it was compiled from, which are compared at every import: a
changed module is never served. The order in which a command's modules came to their ends is noted too: the
next time they are run in that order, without importlib's many steps for each.

The folder is private (0700) and, as the file, must be our own, since what lies in it is run. Whatever is
wrong with it, Python imports as ever.

Layout: the magic, the length of the index (8 bytes, little endian), index and orders (marshal), the code.
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
    Orders = dict[str, tuple[str, ...]]

MAGIC = b"sonata code 2\n" + MAGIC_NUMBER
MODULE, PACKAGE, EXTENSION = "m", "p", "x"
_LIMIT = 32 << 20
_COMMANDS = 64
_FLAGS = (
    "--debug",
    "-D",
    "--help",
    "-h",
    "--noout",
    "--remote",
    "-r",
    "--syslog",
    "--transient-store",
    "--version",
    "-v",
)
"""Global options that take no word with them: what follows one is not its value."""
_GROUPS = (
    *("artifact", "container", "generate", "healthcheck", "image", "manifest", "network", "plugin", "pod", "secret"),
    *("system", "volume"),
)
_RARE = ("ssl", "tomllib", "subprocess", "logging", "traceback")
"""Where one of these was needed, the command did more than most of its kind."""
_FAR = ("pull", "push", "login", "search", "image pull", "image push")
"""Commands that speak to registries, most of them by TLS."""
_PYC_HEADER = 16


class Finder:
    """Serves modules from the memo; `missed` are those that Python had to look for, `done` those served, in order."""

    def __init__(self, path: str, handle: int = -1, start: int = 0) -> None:
        self.path = path
        self.handle = handle
        self.start = start
        self.index: dict[str, Entry] = {}
        self.orders: Orders = {}
        self.missed: list[str] = []
        self.done: list[str] = []
        self.command = ""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """importlib's question: how to load a module, or None for another finder to answer."""
        entry = self.index.get(name)
        if entry is None or not _same(entry):
            self.missed.append(name)
            return None
        return self.spec(name, entry)

    def spec(self, name: str, entry: Entry) -> ModuleSpec:
        """How to load a module that has not changed."""
        kind, source, compiled = entry[:3]
        if kind == EXTENSION:
            spec = ModuleSpec(name, ExtensionFileLoader(name, source), origin=source)
            spec.has_location = True
            return spec
        spec = ModuleSpec(name, _Loader(name, source, self), origin=source, is_package=kind == PACKAGE)
        spec.has_location = True
        spec.cached = compiled
        if kind == PACKAGE:
            spec.submodule_search_locations = [source.rpartition("/")[0]]
        return spec

    def run(self, command: str) -> None:
        """Import what a command imported the last time, as far as it has not changed."""
        self.command = command
        modules, make = sys.modules, type(sys)
        for name in self.orders.get(command, ()):
            entry = self.index.get(name)
            if name in modules or entry is None:
                continue
            above, _, short = name.rpartition(".")
            if above and above not in modules:
                # A package that imports its own modules, such as `re`: they come when it is run.
                continue
            if not _same(entry):
                # A module that was changed may import others now: from here on everything takes its ordinary way.
                return
            module = modules[name] = make(name)
            _dress(module.__dict__, entry, self.spec(name, entry))
            try:
                exec(marshal.loads(self.code(name)), module.__dict__)  # noqa: S102, S302 - what import does
            except Exception:
                # Whoever needs it imports it, and meets what is wrong with it.
                modules.pop(name, None)
                return
            if above:
                setattr(modules[above], short, modules[name])
            self.done.append(name)

    def code(self, name: str) -> bytes:
        """A module's compiled code."""
        entry = self.index[name]
        return os.pread(self.handle, entry[6], self.start + entry[5])


class _Loader(SourceFileLoader):
    """As Python's own, with the code from the memo."""

    def __init__(self, name: str, path: str, memo: Finder) -> None:
        super().__init__(name, path)
        self._memo = memo

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._memo.done.append(module.__name__)

    def get_code(self, fullname: str) -> CodeType | None:
        try:
            code: CodeType = marshal.loads(self._memo.code(fullname))  # noqa: S302 - as .pyc files are
        except (ValueError, EOFError, TypeError, OSError):
            return super().get_code(fullname)
        return code


def install(here: str) -> None:
    """Let imports be served from the memo of the installation in the folder `here`. Never raises OSError."""
    path = _path(here)
    try:
        finder = _opened(path)
    except (OSError, ValueError, EOFError, TypeError):
        # None yet, or none to believe: the next one is made at the end of this command.
        finder = Finder(path)
    # After the finders of built-in and frozen modules, before the one that searches folders.
    sys.meta_path.insert(2, finder)
    finder.run(_command(sys.argv))


def _dress(space: dict[str, Any], entry: Entry, spec: ModuleSpec) -> None:
    """What a module knows of itself."""
    space["__spec__"], space["__loader__"] = spec, spec.loader
    space["__file__"], space["__cached__"] = entry[1:3]
    space["__package__"] = spec.parent
    if entry[0] == PACKAGE:
        space["__path__"] = spec.submodule_search_locations


def _command(words: list[str]) -> str:
    """What tells commands apart well enough to know what they import: the first word, or two where that is a group."""
    at = 1
    while at < len(words) and words[at].startswith("-"):
        at += 1 if "=" in words[at] or words[at] in _FLAGS else 2
    kept = words[at : at + 2]
    if not kept or not kept[0].isalpha():
        return ""
    return " ".join(kept) if kept[0] in _GROUPS and kept[-1].isalpha() else kept[0]


def _path(here: str) -> str:
    if os.geteuid() == 0 and not os.environ.get("_CONTAINERS_USERNS_CONFIGURED"):
        cache = "/var/cache"
    else:
        home = os.environ.get("HOME", "")
        cache = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    if not cache.startswith("/"):
        return ""
    name = here.replace("/", "%")[-150:]
    return f"{cache}/sonata/code/{sys.implementation.cache_tag}-{sys.flags.optimize}{name}"


def _opened(path: str) -> Finder:
    """A finder for what is in the memo. Raises OSError or ValueError for one that is not to be believed."""
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
        finder = Finder(path, handle, body + length)
        finder.index, finder.orders = marshal.loads(memoryview(head)[body : body + length])  # noqa: S302 - our own
        return finder
    except BaseException:
        os.close(handle)
        raise


def _same(entry: Entry) -> bool:
    try:
        seen = os.stat(entry[1])
    except OSError:
        return False
    return seen.st_mtime_ns == entry[3] and seen.st_size == entry[4]


def keep(code: int = 0) -> None:
    """Take what this command had to look for into the memo, for the next one. Trouble is passed over.

    `code`: how it ended; what a failed command imported is not what most of its kind need.
    """
    finder = next((one for one in sys.meta_path if isinstance(one, Finder)), None)
    if finder is None or not finder.path or "stevedore" in sys.modules:
        # With stevedore the command looked for plugins, which it does once: not a start to speed up.
        return
    try:
        found = {name: pair for name in finder.missed if (pair := _compiled(name)) is not None}
        if not finder.index.keys().isdisjoint(found):
            # Another version: its commands import other modules.
            finder.orders.clear()
        if found or (not code and _note_order(finder)):
            _write(finder, found)
    except (OSError, ValueError):
        return


def _note_order(finder: Finder) -> bool:
    """Note what a command imported, once all of it came from the memo. True: there is something to keep."""
    known = finder.orders.get(finder.command, ())
    if len(finder.done) == len(known) or len(finder.orders) >= _COMMANDS:
        return False
    if any(name in sys.modules for name in _RARE if name != "ssl" or finder.command not in _FAR):
        return False
    changed = any(name not in finder.index for name in known)
    if known and not changed:
        # One with other options imported more: it is not what most of them need.
        return False
    finder.orders[finder.command] = tuple(finder.done)
    return True


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
    head = marshal.dumps((index, finder.orders))
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
