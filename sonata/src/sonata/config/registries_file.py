"""Reading registries.conf (version 2), its drop-in files and the alias file; writing the latter."""

from __future__ import annotations

import os

from sonata.config.parse import complain, read_toml
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.folders import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODES = ("disabled", "permissive", "enforcing")
_RESTRICTIONS = ("all", "digest-only", "tag-only")


class _File:
    """One file's content, with what complaints need."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.content, self.text = read_toml(path)

    def take(self, table: dict[str, Any], where: str, key: str, default: Any) -> Any:
        """A value of the default's type. Raises UsageError."""
        value = table.get(key, default)
        if type(value) is not type(default):
            kind = {str: "a string", bool: "true or false", list: "a list of strings", dict: "a table"}[type(default)]
            raise self.complain(where, key, f"want {kind}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise self.complain(where, key, "want a list of strings")
        return value

    def complain(self, where: str, key: str, cause: str) -> UsageError:
        return complain(self.path, self.text, where, key, cause)


def read_registries(files: Iterable[str], alias_file: str) -> dict[str, Any]:
    """Everything that the files say, later ones over earlier ones, as JSON can hold it."""
    search: list[str] | None = None
    result: dict[str, Any] = {"mode": "permissive", "helpers": ["containers-auth.json"], "aliases": {}, "origins": {}}
    tables: dict[str, dict[str, Any]] = {}
    for path in files:
        file = _File(path)
        if "registries" in file.content:
            raise file.complain("registries", "", "version 1 of registries.conf is no longer supported")
        if "unqualified-search-registries" in file.content:
            search = [
                _location(file, "", item) for item in file.take(file.content, "", "unqualified-search-registries", [])
            ]
            result["origins"][""] = path
        _scalars(file, result)
        _take_aliases(file, result)
        for table in _tables(file, file.content, "registry"):
            registry = _registry(file, table)
            tables[registry["prefix"]] = registry
    _agree(tables.values())
    if os.path.exists(alias_file):
        _take_aliases(_File(alias_file), result)
    # A Docker user expects `alpine` to be Docker Hub's; whoever writes a list, even an empty one, decides.
    result["search"] = ["docker.io"] if search is None else search
    result["registries"] = list(tables.values())
    return result


def _scalars(file: _File, result: dict[str, Any]) -> None:
    if "short-name-mode" in file.content:
        result["mode"] = file.take(file.content, "", "short-name-mode", "")
        if result["mode"] not in _MODES:
            raise file.complain("", "short-name-mode", f"want one of {', '.join(_MODES)}")
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
            raise file.complain("aliases", short, "want a name with its registry, or an empty string")
        if "@" in short or ":" in short or (full and ("@" in full or ":" in full.rpartition("/")[2])):
            raise file.complain("aliases", short, "want names without tag and digest")
        aliases[short] = full
    return aliases


def _tables(file: _File, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise file.complain("", key, f"want tables [[{key}]]")
    return found


def _location(file: _File, where: str, text: str) -> str:
    if "://" in text:
        raise file.complain(where, "location", f'"{text}" must not have a scheme such as https://')
    return text.rstrip("/")


def _registry(file: _File, table: dict[str, Any]) -> dict[str, Any]:
    location = _location(file, "registry", file.take(table, "registry", "location", ""))
    prefix = _location(file, "registry", file.take(table, "registry", "prefix", "")) or location
    if not prefix:
        raise file.complain("registry", "location", "want a location or a prefix")
    wildcard = prefix.startswith("*.")
    if wildcard and any(sign in prefix for sign in "/:@"):
        raise file.complain("registry", "prefix", f'wildcard "{prefix}" stands for hosts: no / : @ in it')
    if not location and not wildcard:
        raise file.complain("registry", "prefix", f'"{prefix}" needs a location')
    digest_only = file.take(table, "registry", "mirror-by-digest-only", False)
    mirrors = [_mirror(file, mirror, digest_only) for mirror in _tables(file, table, "mirror")]
    return {
        "prefix": prefix,
        "location": location,
        "insecure": file.take(table, "registry", "insecure", False),
        "blocked": file.take(table, "registry", "blocked", False),
        "mirrors": mirrors,
    }


def _mirror(file: _File, table: dict[str, Any], digest_only: bool) -> list[Any]:
    where = "registry.mirror"
    location = _location(file, where, file.take(table, where, "location", ""))
    if not location:
        raise file.complain(where, "location", "want a location")
    restriction = file.take(table, where, "pull-from-mirror", "")
    if restriction and digest_only:
        raise file.complain(where, "pull-from-mirror", "cannot be set together with mirror-by-digest-only")
    restriction = restriction or ("digest-only" if digest_only else "all")
    if restriction not in _RESTRICTIONS:
        raise file.complain(where, "pull-from-mirror", f"want one of {', '.join(_RESTRICTIONS)}")
    return [location, file.take(table, where, "insecure", False), restriction]


def _agree(registries: Iterable[dict[str, Any]]) -> None:
    """One location may not be secure in one table and insecure in another."""
    seen: dict[str, tuple[bool, bool]] = {}
    for registry in registries:
        how = (registry["insecure"], registry["blocked"])
        location = registry["location"]
        if location and seen.setdefault(location, how) != how:
            raise UsageError(
                f"registry '{location}' is defined multiple times with conflicting 'insecure' or 'blocked' setting",
                hint="Make its tables in registries.conf agree.",
            )


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
