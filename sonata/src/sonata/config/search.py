"""Which configuration files there are, in the order in which they are read.

The rules are those of containers.conf(5): the first main file found; then drop-in files in the
order of their names, where a name present in several folders counts once, from the folder that
goes first; then the file named by `…_OVERRIDE`. A variable that names the main file switches
drop-ins off. No file need exist.
"""

from __future__ import annotations

import os
import stat

from sonata.config.values import Places
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Found:
    """Files to read in order, and all paths whose change could change the answer."""

    __slots__ = ("files", "watched")

    def __init__(self, files: tuple[str, ...], watched: tuple[str, ...]) -> None:
        self.files = files
        self.watched = watched


def places_of(environ: Mapping[str, str], uid: int) -> Places:
    """Where this user's configuration lies, from the environment."""
    home = environ.get("HOME", "") or _home_of(uid)
    config = environ.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
    runtime_dir = _runtime_dir(environ, uid)
    if uid == 0:
        cache = "/var/cache"
    else:
        # Never in a folder that others can write to: they could be there first.
        cache = environ.get("XDG_CACHE_HOME", "") or (f"{home}/.cache" if home else f"{runtime_dir}/sonata-cache")
    return Places(
        uid=uid,
        home=home,
        user=f"{config}/containers" if config.startswith("/") else "",
        data=environ.get("XDG_DATA_HOME", ""),
        cache=cache,
        runtime_dir=runtime_dir,
    )


def _home_of(uid: int) -> str:
    """The home of an ordinary user by passwd(5), for commands without HOME, such as a service's."""
    if not uid:
        return ""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def _runtime_dir(environ: Mapping[str, str], uid: int) -> str:
    given = environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/"):
        return given
    if uid == 0:
        return "/run"
    usual = f"/run/user/{uid}"
    return usual if os.path.isdir(usual) else f"{environ.get('TMPDIR') or '/tmp'}/storage-run-{uid}"  # noqa: S108


def search(
    places: Places, name: str, environ: Mapping[str, str], variable: str, modules: tuple[str, ...] = ()
) -> Found:
    """The files of `name` (such as `storage.conf`), `modules` after the others, but for the one that goes last.

    Raises UsageError where `variable` names an absent file, or a module is not there.
    """
    override = environ.get(f"{variable}_OVERRIDE", "")
    main = environ.get(variable, "")
    if main:
        files, watched = [_required(main, variable)], [main]
    else:
        files, watched = _usual(places, name)
    for module in modules:
        files.append(find_module(places, name, module))
        watched.append(files[-1])
    if override:
        files.append(_required(override, f"{variable}_OVERRIDE"))
        watched.append(override)
    return Found(tuple(files), tuple(watched))


def find_module(places: Places, name: str, module: str) -> str:
    """The path of a module: absolute, or below `NAME.modules` in the user's folder, /etc or /usr/share. UsageError."""
    paths = [f"{folder}/{name}.modules/{module}" for folder in _main_folders(places)]
    paths = [module] if module.startswith("/") else paths
    for path in paths:
        if _readable(path, places):
            return path
    missing = [f"faccessat {path}: no such file or directory" for path in paths]
    told = missing[0] if len(missing) == 1 else "\n\t* ".join([f"{len(missing)} errors occurred:", *missing])
    raise UsageError(f'could not resolve module "{module}": {told}')


def search_plain(places: Places, name: str) -> str:
    """The first existing file `name` in the places, or an empty string."""
    for folder in _main_folders(places):
        if _readable(f"{folder}/{name}", places):
            return f"{folder}/{name}"
    return ""


def _main_folders(places: Places) -> list[str]:
    return [folder for folder in (places.user, places.etc, places.usr) if folder]


def _usual(places: Places, name: str) -> tuple[list[str], list[str]]:
    watched = [f"{folder}/{name}" for folder in _main_folders(places)]
    files = [path for path in watched if _readable(path, places)][:1]
    chosen: dict[str, str] = {}
    for folder in _drop_in_folders(places, name):
        watched.append(folder)
        for entry in _entries(folder, places):
            path = f"{folder}/{entry}"
            if entry.endswith(".conf") and _readable(path, places):
                chosen[entry] = path
    drop_ins = [chosen[entry] for entry in sorted(chosen)]
    return files + drop_ins, watched + drop_ins


def _drop_in_folders(places: Places, name: str) -> list[str]:
    """From the one that goes last to the one that goes first."""
    base = name.removesuffix(".conf")
    kind = "rootful" if places.uid == 0 else "rootless"
    folders = []
    for top in (places.usr, places.etc):
        folders += [f"{top}/{name}.d", f"{top}/{base}.{kind}.conf.d"]
        if places.uid:
            folders.append(f"{top}/{base}.{kind}.conf.d/{places.uid}")
    if places.user:
        folders.append(f"{places.user}/{name}.d")
    return folders


def _entries(folder: str, places: Places) -> list[str]:
    try:
        return os.listdir(folder)
    except PermissionError as error:
        if _is_users(folder, places) and _is_at_home(places):
            raise UsageError(f"open {folder}: {error.strerror}", hint="Make the folder readable.") from error
        return []
    except OSError:
        return []


def _readable(path: str, places: Places) -> bool:
    """Whether it is a file that this user may be bidden by: nobody takes orders from another user's home.

    One in the user's own home that he may not look at counts: whoever opens it will say so.
    """
    mine = _is_users(path, places)
    try:
        seen = os.stat(path)
    except PermissionError:
        return mine and _is_at_home(places)
    except OSError:
        return False
    if stat.S_ISDIR(seen.st_mode):
        return False
    return not mine or seen.st_uid in {0, places.uid} or (places.uid != 0 and _is_at_home(places))


def _is_users(path: str, places: Places) -> bool:
    return bool(places.user) and path.startswith(places.user + "/")


def _is_at_home(places: Places) -> bool:
    """Whether the user's settings lie in his own home: what root put there for him is nobody's in his namespace."""
    if not places.home or not places.user.startswith(places.home + "/"):
        return False
    try:
        return os.stat(places.home).st_uid in {os.geteuid(), places.uid}
    except OSError:
        return False


def _required(path: str, variable: str) -> str:
    if not os.path.exists(path):
        raise UsageError(
            f"{variable}: stat {path}: no such file or directory", hint=f"Unset {variable}, or make that file."
        )
    return path
