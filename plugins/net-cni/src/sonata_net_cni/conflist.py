"""CNI configurations as they lie in files: read, checked, and never believed further than that.

A configuration names programs that root runs, so what is odd is refused rather than guessed at.
Source: CNI specification 1.1, section 1; libcni `conf.go`.
"""

from __future__ import annotations

import errno
import os
import stat

from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_LIMIT = 1 << 20
FILES_LIMIT = 1000
PLUGINS_LIMIT = 64
DEPTH_LIMIT = 32
VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""The versions of the specification that are spoken here, oldest first."""
ENDINGS = (".conflist", ".conf", ".json")
LIST_KEYS = {
    *("cniVersion", "cniVersions", "name", "plugins", "args"),
    *("disableCheck", "disableGC", "loadOnlyInlinedPlugins"),
}
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_NAME_LIMIT = 128


class ConfigList(Record):
    """One network: its plugins in the order in which they are run. `text` is the file's own, `path` where it lies."""

    name: str
    versions: tuple[str, ...]
    plugins: tuple[dict[str, Any], ...]
    text: str
    path: str = ""
    args: dict[str, Any] = {}
    check: bool = True
    gc: bool = True


def read_file(path: str) -> ConfigList:
    """One configuration file. Raises NotFound, and UsageError that says what is wrong with it."""
    return parse(_content(path), path, single=not path.endswith(".conflist"))


def read_folder(folder: str) -> Iterator[tuple[str, ConfigList | UsageError]]:
    """Every configuration of a folder, in the order of the files' names, or what is wrong with it.

    Of two with one name the first is the network; the second is answered with an error.
    """
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ENDINGS))
    except OSError:
        return
    seen: dict[str, str] = {}
    for name in names[:FILES_LIMIT]:
        path = f"{folder}/{name}"
        try:
            found = read_file(path)
        except NotFound:
            continue
        except UsageError as error:
            yield path, error
            continue
        if found.name in seen:
            yield path, UsageError(f"{path}: network {found.name} is defined by {seen[found.name]} already")
            continue
        seen[found.name] = path
        yield path, found


def parse(data: bytes, path: str, *, single: bool = False) -> ConfigList:
    """A configuration list, or, `single`, the configuration of one plugin as a list of one. Raises UsageError."""
    document = _document(data, path)
    plugins = [document] if single and "plugins" not in document else document.get("plugins")
    if not single or "plugins" in document:
        _refuse_unknown(document, path)
    if not isinstance(plugins, list) or not 1 <= len(plugins) <= PLUGINS_LIMIT:
        raise UsageError(f"{path}: no list of 1 to {PLUGINS_LIMIT} plugins")
    for plugin in plugins:
        _require_plugin(plugin, path)
    args = document.get("args")
    return ConfigList(
        name=network_name(document.get("name"), path),
        versions=_versions(document, path),
        plugins=tuple(plugins),
        text=data.decode(),
        path=path,
        args=args if isinstance(args, dict) else {},
        check=not _flag(document, "disableCheck", path),
        gc=not _flag(document, "disableGC", path),
    )


def network_name(value: object, path: str) -> str:
    """A network's name: letters, digits, `.`, `_` and `-`, the first no sign. Raises UsageError."""
    if not isinstance(value, str) or not is_network_name(value):
        raise UsageError(f"{path}: network name {value!r} invalid: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*")
    return value


def is_network_name(text: str) -> bool:
    """Whether a network can have that name."""
    return _is_word(text) and text[0].isalnum()


def plugin_type(value: object, path: str) -> str:
    """A plugin's type, which is the name of a program in a plugin folder and nothing else. Raises UsageError."""
    if not isinstance(value, str) or not _is_word(value) or value in (".", ".."):
        raise UsageError(
            f"{path}: invalid plugin name: {value!r}", "a plugin is named by its file's name, without a path"
        )
    return value


def version_key(version: str) -> tuple[int, ...]:
    """A version that compares as a number."""
    return tuple(int(part) for part in version.split("."))


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _NAME_LIMIT and _WORD.issuperset(text)


def _content(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise NotFound(f"CNI configuration {path}: no such file") from error
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path}: is no file")
        if status.st_mode & stat.S_IWOTH:
            raise UsageError(f"{path}: everybody may write it", f"chmod o-w {path}")
        data = os.read(handle, FILE_LIMIT + 1)
    finally:
        os.close(handle)
    if len(data) > FILE_LIMIT:
        raise UsageError(f"{path}: is larger than {FILE_LIMIT} bytes")
    return data


def _document(data: bytes, path: str) -> dict[str, Any]:
    import json

    try:
        document = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise UsageError(f"{path}: is nested deeper than {DEPTH_LIMIT} levels") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: is no JSON object")
    if _depth(document) > DEPTH_LIMIT:
        raise UsageError(f"{path}: is nested deeper than {DEPTH_LIMIT} levels")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"key {twice!r} is there twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")


def _depth(value: object) -> int:
    level, rest = 0, [value]
    while rest and level <= DEPTH_LIMIT:
        level += 1
        inner: list[object] = []
        for one in rest:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
        rest = inner
    return level


def _refuse_unknown(document: dict[str, Any], path: str) -> None:
    unknown = sorted(key for key in document if key not in LIST_KEYS and not key.startswith("_"))
    if unknown:
        raise UsageError(
            f"{path}: unknown key {unknown[0]!r} in a network configuration list",
            f"known are {', '.join(sorted(LIST_KEYS))}; what plugins read belongs into their own part",
        )
    if document.get("loadOnlyInlinedPlugins") is False:
        raise UsageError(f"{path}: loadOnlyInlinedPlugins=false is not served", "write all plugins into the list")


def _require_plugin(plugin: object, path: str) -> None:
    if not isinstance(plugin, dict):
        raise UsageError(f"{path}: a plugin's configuration is no JSON object")
    plugin_type(plugin.get("type"), path)
    for part in ("ipam", "delegate"):  # what plugins run in their turn, by the same names
        inner = plugin.get(part)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise UsageError(f"{path}: {part} of plugin {plugin['type']} is no JSON object")
        if inner.get("type"):
            plugin_type(inner["type"], path)
    capabilities = plugin.get("capabilities")
    if capabilities is not None and not isinstance(capabilities, dict):
        raise UsageError(f"{path}: capabilities of plugin {plugin['type']} are no JSON object")


def _versions(document: dict[str, Any], path: str) -> tuple[str, ...]:
    """Versions that the list may be run with, the best first. Without a word it is the oldest, as for libcni."""
    given = document.get("cniVersions")
    wanted = [document.get("cniVersion") or "0.1.0"] if given is None else given
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise UsageError(f"{path}: cniVersions is no list of versions")
    if given is not None and "cniVersion" in document:
        wanted = [*wanted, document["cniVersion"]]
    known = {one for one in wanted if one in VERSIONS}
    if not known:
        raise UsageError(f"{path}: cniVersion {', '.join(map(str, wanted))}: known are {', '.join(VERSIONS)}")
    return tuple(sorted(known, key=version_key, reverse=True))


def _flag(document: dict[str, Any], key: str, path: str) -> bool:
    """A boolean; the specification takes strings for it too."""
    value = document.get(key, False)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise UsageError(f"{path}: {key} {value!r} is neither true nor false")
    return value
