"""Credentials kept and forgotten, in the files that Podman, Skopeo and Docker share, or with helpers.

Format: containers-auth.json(5). A file is replaced as a whole, with what it holds beside credentials left as it
is, while its folder is locked against another of us.
"""

from __future__ import annotations

import base64
import fcntl
import os

from sonata.config import auth
from sonata.config.auth import AuthFiles
from sonata_core import json_text as json
from sonata_core.errors import NotFound, UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.models.image import Credentials

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


class LoginFile(Record):
    """The file to write. `docker`: in the form that Docker's own tools read, hosts only."""

    path: str
    docker: bool = False


def split_key(text: str) -> tuple[str, str]:
    """What credentials are kept under (a host or a repository), and the host. Raises UsageError.

    Of an address only the host counts, as Podman takes it.
    """
    from sonata_core.naming import parse_name

    for scheme in ("https://", "http://"):
        if text.startswith(scheme):
            text = text[len(scheme) :].partition("/")[0]
    host = text.partition("/")[0]
    if host != text:
        name = parse_name(text)
        if name.tag or name.digest:
            raise UsageError(f'reference "{text}" contains tag or digest', hint="log in to the repository or the host")
    if not host:
        raise UsageError(f"{text!r} names no registry")
    return text, host


def keep(target: LoginFile, files: AuthFiles, key: str, credentials: Credentials) -> str:
    """Keep credentials; where they are now. Raises UsageError, ExternalFailure."""
    host = key.partition("/")[0]
    if target.docker and key != host:
        raise UsageError(f'Credentials cannot be recorded in Docker-compatible format with namespaced key "{key}"')
    helper = _helper(target, files, key)
    if helper:
        secret = {"ServerURL": key, "Username": credentials.username, "Secret": credentials.password}
        auth.tell_helper(helper, "store", json.dumps(secret).encode(), files.run)
        return f"credential helper: {helper}"

    def change(content: dict[str, Any]) -> None:
        plain = f"{credentials.username}:{credentials.password}".encode()
        _auths(content)[_entry(target, key)] = {"auth": base64.b64encode(plain).decode()}

    _change(target.path, change)
    return target.path


def forget(target: LoginFile, files: AuthFiles, key: str) -> None:
    """Forget credentials. Raises NotFound where there are none, UsageError, ExternalFailure."""
    helper = _helper(target, files, key)
    if helper:
        auth.tell_helper(helper, "erase", key.encode(), files.run)
        return

    def change(content: dict[str, Any]) -> None:
        if _auths(content).pop(_entry(target, key), None) is None:
            raise NotFound(f"not logged into {key}", name=key)

    _change(target.path, change)


def forget_all(target: LoginFile, files: AuthFiles) -> None:
    """Forget every credential of the file, and those that its helpers keep."""

    def change(content: dict[str, Any]) -> None:
        helpers = content.pop("credHelpers", None)
        for key, helper in helpers.items() if isinstance(helpers, dict) else ():
            if isinstance(helper, str):
                auth.tell_helper(helper, "erase", key.encode(), files.run)
        content["auths"] = {}

    for helper in files.helpers if not target.docker else ():
        if helper != auth.BUILT_IN:
            for key in auth.listed(helper, files.run):
                auth.tell_helper(helper, "erase", key.encode(), files.run)
    _change(target.path, change)


def _helper(target: LoginFile, files: AuthFiles, key: str) -> str:
    """The helper that keeps this key: the file's own choice, else the configuration's."""
    chosen = auth.read_file(target.path).get("credHelpers")
    if isinstance(chosen, dict) and isinstance(chosen.get(key), str):
        return str(chosen[key])
    first = files.helpers[0] if files.helpers else auth.BUILT_IN
    return "" if first == auth.BUILT_IN or target.docker else first


def _entry(target: LoginFile, key: str) -> str:
    return _DOCKER_HUB_KEY if target.docker and key == "docker.io" else key


def _auths(content: dict[str, Any]) -> dict[str, Any]:
    if content.get("auths") is None:
        content["auths"] = {}
    auths: dict[str, Any] = content["auths"]
    return auths


def _change(path: str, change: Callable[[dict[str, Any]], None]) -> None:
    from json import dumps as indented

    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        content = auth.read_file(path)
        change(content)
        _replace(path, indented(content, indent="\t").encode())
    finally:
        os.close(handle)


def _replace(path: str, data: bytes) -> None:
    """A new file in the old one's place; of a link, in the place that it leads to."""
    path = os.path.realpath(path)
    draft = f"{path}.{os.getpid()}.new"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
