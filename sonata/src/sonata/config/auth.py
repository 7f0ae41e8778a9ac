"""Credentials for a registry: from the files that Podman, Skopeo and Docker share, and from helpers.

Order and format: containers-auth.json(5). What is found is a `Credentials` value, whose `repr`
keeps the secret; no message here carries one.
"""

from __future__ import annotations

import binascii
import os

from sonata.config.values import EngineConfig
from sonata_core import json_text as json
from sonata_core.errors import ExternalFailure, NotFound, SonataError, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.image import Credentials
from sonata_core.models.process import Command, CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeGuard

    Run = Callable[[Command], CommandResult]

_LARGEST = 1 << 20
_HUB_NAMES = ("docker.io", "registry-1.docker.io")
BUILT_IN = "containers-auth.json"
_HELPER_DIRS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_HELPER_SECONDS = 60
_NOT_FOUND = "credentials not found in native keychain"


class AuthFiles:
    """Where to look: the one file given by flag or environment, else the usual ones in order."""

    __slots__ = ("helpers", "legacy", "paths", "run")

    def __init__(self, paths: Sequence[str], legacy: str, helpers: Sequence[str], run: Run) -> None:
        self.paths = tuple(paths)
        self.legacy = legacy
        self.helpers = tuple(helpers)
        self.run = run


def auth_files(config: EngineConfig, authfile: str, helpers: Sequence[str], run: Run) -> AuthFiles:
    """The files for this command. Raises UsageError where the file of an option does not exist.

    That of REGISTRY_AUTH_FILE need not be there: then nobody has logged in yet, as for Podman.
    """
    require_auth_file(authfile)
    given = authfile or config.environment.get("REGISTRY_AUTH_FILE", "")
    if given:
        return AuthFiles([given], "", helpers, run)
    home = config.places.home
    docker = config.environment.get("DOCKER_CONFIG", "") or (f"{home}/.docker" if home else "")
    paths = [login_file(config)]
    if config.places.user:
        paths.append(f"{config.places.user}/auth.json")
    if docker:
        paths.append(f"{docker}/config.json")
    return AuthFiles(paths, f"{home}/.dockercfg" if home else "", helpers, run)


def require_auth_file(authfile: str) -> None:
    """Raise UsageError where the file of an option does not exist."""
    if authfile and not os.path.exists(authfile):
        raise UsageError(
            f"credential file is not accessible: faccessat {authfile}: no such file or directory",
            hint="Log in with that --authfile first, or name another.",
        )


def login_file(config: EngineConfig) -> str:
    """The file that a login writes where none is named."""
    runtime = config.environment.get("XDG_RUNTIME_DIR", "")
    return f"{runtime}/containers/auth.json" if runtime else f"/run/containers/{config.places.uid}/auth.json"


def find_credentials(files: AuthFiles, repository: str) -> Credentials | None:
    """Credentials for `host/namespace/name`, from the most special entry that applies; None where there are none.

    A helper that fails leaves the turn to those after it. Raises its failure where they have nothing, UsageError or
    ExternalFailure, and UsageError for a malformed file.
    """
    failures: list[SonataError] = []
    for helper in files.helpers or (BUILT_IN,):
        try:
            if helper == BUILT_IN:
                found = _from_files(files, repository)
            else:
                found = _ask(helper, repository.partition("/")[0], files.run)
        except (ExternalFailure, UsageError) as error:
            failures.append(error)
            continue
        if found is not None:
            return found
    if len(failures) > 1:
        told = "\n\t* ".join(["errors looking up credentials:", *(error.message for error in failures)])
        raise type(failures[0])(told, hint=failures[0].hint)
    if failures:
        raise failures[0]
    return None


def _from_files(files: AuthFiles, repository: str) -> Credentials | None:
    for path in files.paths:
        content = read_file(path)
        found = _from_content(content, repository, files.run, path)
        if found is not None:
            return found
    if files.legacy:
        return _from_auths(read_file(files.legacy), repository, files.legacy)
    return None


def read_file(path: str) -> dict[str, Any]:
    """A file's content; empty where there is none. Raises UsageError for one that cannot be read or is malformed."""
    beginning, mend = f'reading JSON file "{path}": ', "Mend the file, or remove it and log in again."
    try:
        with open(path, "rb") as handle:
            raw = handle.read(_LARGEST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{beginning}open {path}: {(error.strerror or '').lower()}", hint=mend) from error
    try:
        if not raw.strip():
            raise ValueError("unexpected end of JSON input")
        content = json.loads(raw[:_LARGEST])
    except ValueError as error:
        where = f"line {error.lineno}: " if hasattr(error, "lineno") else ""
        cause = getattr(error, "msg", str(error))
        raise UsageError(f'{beginning}unmarshaling JSON at "{path}": {where}{cause}', hint=mend) from error
    except RecursionError as error:
        raise UsageError(f'{beginning}unmarshaling JSON at "{path}": nested too deeply', hint=mend) from error
    content = {} if content is None else content
    cause = _wrong_shape(content)
    if cause:
        raise UsageError(f'{beginning}unmarshaling JSON at "{path}": {cause}', hint=mend)
    return content


def _wrong_shape(content: object) -> str:
    """What keeps a file's content from being read as it is meant; empty for nothing."""
    if not isinstance(content, dict):
        return "want an object"
    for key in ("auths", "credHelpers"):
        table = {} if content.get(key) is None else content[key]
        if not isinstance(table, dict):
            return f"{key}: want an object"
        for name, entry in table.items():
            if key == "credHelpers" and not isinstance(entry, str):
                return f"{key}.{name}: want a string"
            if key == "auths" and not isinstance(entry, dict | None):
                return f"{key}.{name}: want an object"
            for part in ("auth", "identitytoken") if isinstance(entry, dict) else ():
                if not isinstance(entry.get(part), str | None):
                    return f"{key}.{name}.{part}: want a string"
    return ""


def _from_content(content: dict[str, Any], repository: str, run: Run, path: str) -> Credentials | None:
    host = repository.partition("/")[0]
    helper = (content.get("credHelpers") or {}).get(host)
    if helper is not None:
        return _ask(helper, host, run)
    return _from_auths(content.get("auths") or {}, repository, path)


def _from_auths(auths: Mapping[str, Any], repository: str, path: str) -> Credentials | None:
    key = repository
    while key:
        found = _decoded(auths.get(key), path, key)
        if found is not None:
            return found
        key = key.rpartition("/")[0]
    host = _hub(repository.partition("/")[0])
    for name, entry in auths.items():
        if _host_of(name) == host:
            found = _decoded(entry, path, name)
            if found is not None:
                return found
    return None


def _host_of(key: str) -> str:
    """The host that an old key such as `https://index.docker.io/v1/` means."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return _hub(key[len(scheme) :].partition("/")[0])
    return _hub(key)


def _hub(host: str) -> str:
    return "index.docker.io" if host in _HUB_NAMES else host


def _decoded(entry: object, path: str, key: str) -> Credentials | None:
    """An entry's user and password. One without a colon counts as absent, its token included."""
    if not isinstance(entry, dict) or not isinstance(entry.get("auth"), str):
        return None
    try:
        text = entry["auth"].replace("\r", "").replace("\n", "")
        plain = binascii.a2b_base64(text, strict_mode=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        told = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else "illegal base64 data"
        raise UsageError(f'{told} in the "auth" field of entry "{key}" of {path}', hint="Log in again.") from error
    user, colon, password = plain.partition(":")
    if not colon:
        return None
    token = entry.get("identitytoken")
    return Credentials(username=user, password=password.strip("\0"), identity_token=token if _is_text(token) else "")


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a string that can be sent: JSON can write halves of characters, which nothing can encode."""
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)


def _ask(helper: str, host: str, run: Run) -> Credentials | None:
    """Ask `docker-credential-HELPER get` for the host; None where it has nothing."""
    program = _trusted(helper)
    try:
        said = _told(program, "get", host.encode(), run)
    except ExternalFailure as error:
        if _NOT_FOUND in error.message:
            return None
        raise ExternalFailure(
            f"error getting credentials - {error.message}", hint=f"Ask it by hand: echo {host} | {program} get"
        ) from error
    try:
        answer = json.loads(said[:_LARGEST])
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        user = secret = None
    if not _is_text(user) or not _is_text(secret):
        raise ExternalFailure(f"credential helper {program} gave no Username and Secret for {host}")
    if user == "<token>":
        return Credentials(identity_token=secret)
    return Credentials(username=user, password=secret)


def _told(program: str, verb: str, said: bytes, run: Run) -> bytes:
    """What a helper answers. Raises ExternalFailure with what it said, as Docker's library tells it."""
    result = run(Command(argv=(program, verb), input=said, timeout=_HELPER_SECONDS))
    if result.code:
        answer = (result.stdout or result.stderr)[:500].decode(errors="replace").strip()
        raise ExternalFailure(f"err: exit status {result.code}, out: `{answer}`")
    return result.stdout


def tell_helper(helper: str, verb: str, said: bytes, run: Run) -> None:
    """Have `docker-credential-HELPER` store or erase. Raises ExternalFailure; NotFound for what it has not."""
    program = _trusted(helper)
    try:
        _told(program, verb, said, run)
    except ExternalFailure as error:
        if verb == "erase" and _NOT_FOUND in error.message:
            raise NotFound(f"not logged into {said.decode()}", name=said.decode()) from error
        doing = {"store": "storing", "erase": "erasing"}[verb]
        raise ExternalFailure(
            f"error {doing} credentials - {error.message}", hint=f"The helper is {program}."
        ) from error


def listed(helper: str, run: Run) -> tuple[str, ...]:
    """The keys that `docker-credential-HELPER list` names. Raises ExternalFailure."""
    program = _trusted(helper)
    result = run(Command(argv=(program, "list"), input=b"", timeout=_HELPER_SECONDS))
    try:
        found = json.loads(result.stdout[:_LARGEST]) if result.code == 0 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ExternalFailure(
            f"credential helper {program} lists nothing that can be read: it ended with {result.code}"
        )
    return tuple(key for key in found if key)


def _trusted(helper: str) -> str:
    """A helper's path. Only the system's own folders are searched: a PATH from elsewhere could name any program."""
    if not helper or "/" in helper or helper.startswith(".") or not (helper.isascii() and helper.isprintable()):
        raise UsageError(f"credential helper {helper!r}: want a plain name", hint="It is docker-credential-NAME.")
    for folder in _HELPER_DIRS:
        path = f"{folder}/docker-credential-{helper}"
        if os.access(path, os.X_OK):
            return path
    raise UsageError(
        f'credential helper "docker-credential-{helper}" is not in {", ".join(_HELPER_DIRS)}',
        hint="Install it, or take it from credHelpers in auth.json.",
    )
