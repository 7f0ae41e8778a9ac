"""Reading registries.conf (version 2), its drop-in files and the alias file; writing the latter."""

from __future__ import annotations

import os

from sonata.config.parse import line_of, read_toml
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import has_domain, is_domain, is_path
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODES = ("disabled", "permissive", "enforcing")
_RESTRICTIONS = ("all", "digest-only", "tag-only")


class _File:
    """One file's content, with what complaints need."""

    def __init__(self, path: str) -> None:
        self.path = path
        drop_in = ".conf.d" in os.path.dirname(path)
        self._beginning = f'loading {"drop-in " if drop_in else ""}registries configuration "{path}": '
        try:
            self.content, self.text = read_toml(path)
        except UsageError as error:
            cause = error.message.removeprefix(f"{path}:")
            told = cause if cause == error.message else f"toml: line {cause}"
            raise UsageError(f"{self._beginning}{told}", hint=error.hint) from error

    def take(self, table: dict[str, Any], where: str, key: str, default: Any) -> Any:
        """A value of the default's type. Raises UsageError."""
        value = table.get(key, default)
        if type(value) is not type(default):
            kind = {str: "a string", bool: "true or false", list: "a list of strings", dict: "a table"}[type(default)]
            raise self.complain(where, key, f"{key}: want {kind}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise self.complain(where, key, f"{key}: want a list of strings")
        return value

    def complain(self, where: str, key: str, cause: str) -> UsageError:
        """The error for a value that makes no sense, in the words of containers/image; the hint names the line."""
        line = line_of(self.text, where, key)
        return UsageError(f"{self._beginning}{cause}", hint=f"line {line} of {self.path}; registries.conf(5)")


def read_registries(files: Iterable[str], alias_file: str) -> dict[str, Any]:
    """Everything that the files say, later ones over earlier ones, as JSON can hold it."""
    search: list[str] | None = None
    result: dict[str, Any] = {"mode": "permissive", "helpers": ["containers-auth.json"], "aliases": {}, "origins": {}}
    tables: dict[str, dict[str, Any]] = {}
    for path in files:
        file = _File(path)
        if "registries" in file.content:
            raise file.complain("registries", "", "version 1 of registries.conf is no longer supported")
        tables.update(_registries(file))
        if "unqualified-search-registries" in file.content:
            search = _search(file)
            result["origins"][""] = path
        _scalars(file, result)
        _take_aliases(file, result)
    if os.path.exists(alias_file):
        _take_aliases(_File(alias_file), result)
    # A Docker user expects `alpine` to be Docker Hub's; whoever writes a list, even an empty one, decides.
    result["search"] = ["docker.io"] if search is None else search
    result["registries"] = list(tables.values())
    return result


def _registries(file: _File) -> dict[str, dict[str, Any]]:
    """The tables of one file by their prefixes; of two with one prefix the first counts."""
    tables: dict[str, dict[str, Any]] = {}
    seen: dict[str, dict[str, Any]] = {}
    for table in _tables(file, file.content, "registry"):
        registry = _registry(file, table)
        tables.setdefault(registry["prefix"], registry)
        location = registry["location"]
        first = seen.setdefault(location, registry) if location else registry
        for key in ("insecure", "blocked"):
            if first[key] != registry[key]:
                cause = f"registry '{location}' is defined multiple times with conflicting '{key}' setting"
                raise file.complain("registry", "location", cause)
    return tables


def _search(file: _File) -> list[str]:
    key = "unqualified-search-registries"
    found = []
    for item in file.take(file.content, "", key, []):
        host = _location(file, key, item)
        if not is_domain(host):
            raise file.complain("", key, f'Invalid unqualified-search-registries entry "{host}"')
        found.append(host)
    return found


def _scalars(file: _File, result: dict[str, Any]) -> None:
    mode = file.take(file.content, "", "short-name-mode", "")
    if mode and mode not in _MODES:
        raise file.complain("", "short-name-mode", f'invalid short-name mode: "{mode}"')
    result["mode"] = mode or result["mode"]
    if "credential-helpers" in file.content:
        result["helpers"] = file.take(file.content, "", "credential-helpers", [])


def _take_aliases(file: _File, result: dict[str, Any]) -> None:
    found = _aliases(file)
    result["aliases"].update(found)
    result["origins"].update(dict.fromkeys(found, file.path))


def _aliases(file: _File) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for short, full in file.take(file.content, "", "aliases", {}).items():
        if not isinstance(full, str):
            raise file.complain("aliases", short, f"aliases.{short}: want a name with its registry, or an empty string")
        cause = _wrong_short(short) or (_wrong_full(full) if full else "")
        if cause:
            raise file.complain("aliases", short, f"validating short-name aliases: {cause}")
        aliases[short] = full
    return aliases


def _wrong_short(name: str) -> str:
    """What is wrong with a short name; empty for nothing."""
    beyond, told = _beyond(name), f'invalid short name "{name}"'
    if beyond:
        return f"{told}: must not contain {beyond}"
    if has_domain(name):
        return f"{told}: must not contain registry"
    if name != name.lower():
        return f'cannot parse short name: "{name}": repository name must be lowercase'
    return "" if is_path(name) else f'cannot parse short name: "{name}": invalid reference format'


def _wrong_full(name: str) -> str:
    """What is wrong with the name that a short one stands for; empty for nothing."""
    beyond, told = _beyond(name), f'invalid alias "{name}"'
    if beyond:
        return f"{told}: must not contain {beyond}"
    domain, _, path = name.partition("/")
    if not has_domain(name):
        return f"{told}: must contain registry and repository"
    return "" if is_domain(domain) and is_path(path) else f'parsing alias "{name}": invalid reference format'


def _beyond(name: str) -> str:
    """What a name has that a repository's has not."""
    if "@" in name:
        return "digest"
    return "tag" if ":" in name.rpartition("/")[2] else ""


def _tables(file: _File, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise file.complain("", key, f"{key}: want tables [[{key}]]")
    return found


def _location(file: _File, where: str, text: str) -> str:
    if "://" in text:
        raise file.complain(where, "location", f"invalid location '{text}': URI schemes are not supported")
    return text.rstrip("/")


def _registry(file: _File, table: dict[str, Any]) -> dict[str, Any]:
    location = _location(file, "registry", file.take(table, "registry", "location", ""))
    prefix = _location(file, "registry", file.take(table, "registry", "prefix", "")) or location
    wildcard = prefix.startswith("*.")
    if wildcard and any(sign in prefix for sign in "/:@"):
        cause = f'Wildcarded prefix should be in the format: *.example.com. Current prefix "{prefix}" is incorrectly'
        raise file.complain("registry", "prefix", f"{cause} formatted")
    if not location and not wildcard:
        cause = "invalid condition: location is unset and prefix is not in the format: *.example.com"
        raise file.complain("registry", "prefix" if prefix else "location", cause)
    digest_only = file.take(table, "registry", "mirror-by-digest-only", False)
    return {
        "prefix": prefix,
        "location": location,
        "insecure": file.take(table, "registry", "insecure", False),
        "blocked": file.take(table, "registry", "blocked", False),
        "mirrors": [_mirror(file, mirror, digest_only, prefix) for mirror in _tables(file, table, "mirror")],
    }


def _mirror(file: _File, table: dict[str, Any], digest_only: bool, prefix: str) -> list[Any]:
    where = "registry.mirror"
    location = _location(file, where, file.take(table, where, "location", ""))
    if not location:
        raise file.complain(where, "location", "invalid condition: mirror location is unset")
    restriction = file.take(table, where, "pull-from-mirror", "")
    if restriction and digest_only:
        settings = f'mirror-by-digest-only for the registry ("{prefix}") and pull-from-mirror for per-mirror'
        cause = f'cannot set mirror usage {settings} ("{location}") at the same time'
        raise file.complain(where, "pull-from-mirror", cause)
    restriction = restriction or ("digest-only" if digest_only else "all")
    if restriction not in _RESTRICTIONS:
        cause = f'unsupported pull-from-mirror value "{restriction}" for mirror "{location}"'
        raise file.complain(where, "pull-from-mirror", cause)
    return [location, file.take(table, where, "insecure", False), restriction]


def record_alias(alias_file: str, short: str, full: str) -> None:
    """Remember what a short name turned out to be, after a successful pull. Raises OSError."""
    import fcntl

    os.makedirs(os.path.dirname(alias_file), exist_ok=True)
    lock = os.open(f"{alias_file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        aliases = _aliases(_File(alias_file)) if os.path.exists(alias_file) else {}
        aliases[short] = full
        lines = ["[aliases]"] + [f'  "{name}" = "{value}"' for name, value in sorted(aliases.items())]
        temporary = f"{alias_file}.{os.getpid()}.tmp"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            write_whole(handle, ("\n".join(lines) + "\n").encode(), temporary)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, alias_file)
    finally:
        os.close(lock)
