"""registries.d: where signatures of a registry's images lie (containers-registries.d(5))."""

import os
from collections.abc import Iterable, Mapping

from sonata.config.values import Places
from sonata_core.errors import UsageError
from sonata_core.naming import shown
from sonata_core.record import Record

_LARGEST = 1 << 20
_HINT = "containers-registries.d(5) says what such a file holds"
_TEXTS = ("lookaside", "lookaside-staging", "sigstore", "sigstore-staging")


class Namespace(Record):
    """What is said of one namespace. Empty, and None, where nothing is."""

    lookaside: str = ""
    staging: str = ""
    attachments: bool | None = None


class RegistriesD(Record):
    """All files of the folder together."""

    folder: str = ""
    default: Namespace | None = None
    docker: Mapping[str, Namespace] = {}

    def resolve(self, scopes: Iterable[str]) -> Namespace:
        """What holds for a name whose scopes these are, most specific first: of each setting the first that is said.

        `staging` is where to write: the lookaside where no other place is said beside it.
        """
        said = [self.docker[scope] for scope in scopes if scope in self.docker]
        said += [self.default] if self.default is not None else []
        return Namespace(
            lookaside=next((one.lookaside for one in said if one.lookaside), ""),
            staging=next((one.staging or one.lookaside for one in said if one.staging or one.lookaside), ""),
            attachments=next((one.attachments for one in said if one.attachments is not None), False),
        )


def folder_of(places: Places) -> str:
    """The folder that is read: the user's own if there is one, else the system's.

    Root takes no orders from another user's home: what is said here names files that root would write.
    """
    own = f"{places.user}/registries.d"
    try:
        mine = bool(places.user) and os.path.isdir(own) and os.stat(own).st_uid in {0, places.uid}
    except OSError:
        mine = False
    return own if mine else f"{places.etc}/registries.d"


def load_registries_d(folder: str) -> RegistriesD:
    """Read every `.yaml` file. Raises UsageError for a malformed file, and for what two files say."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".yaml"))
    except (FileNotFoundError, NotADirectoryError):
        return RegistriesD(folder=folder)
    except OSError as error:
        raise UsageError(f"open {folder}: {error.strerror}", hint=_HINT) from error
    default: Namespace | None = None
    docker: dict[str, Namespace] = {}
    origin: dict[str, str] = {}
    for name in names:
        path = f"{folder}/{name}"
        document = _read(path)
        if document.get("default-docker") is not None:
            _once(origin, '"default-docker"', path)
            default = _namespace(document["default-docker"], path, "default-docker")
        for scope, value in _object(document.get("docker"), path, "docker").items():
            _once(origin, f'"docker" namespace {shown(scope)}', path)
            docker[scope] = _namespace(value, path, scope)
    return RegistriesD(folder=folder, default=default, docker=docker)


def _once(origin: dict[str, str], what: str, path: str) -> None:
    if what in origin:
        raise UsageError(
            f'Error parsing signature storage configuration: {what} defined both in "{origin[what]}" and "{path}"',
            hint=_HINT,
        )
    origin[what] = path


def _read(path: str) -> dict[str, object]:
    from sonata.config import yaml_text

    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
        document = yaml_text.loads(content.decode("utf-8"))
    except OSError as error:
        raise UsageError(f"open {path}: {error.strerror}", hint=_HINT) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"parsing {path}: {error}", hint=_HINT) from error
    return _object(document, path, "the file")


def _object(value: object, path: str, what: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"parsing {path}: {shown(what)} is not a map", hint=_HINT)
    return value


def _namespace(value: object, path: str, what: str) -> Namespace:
    found = _object(value, path, what)
    texts = {name: found.get(name) or "" for name in _TEXTS}
    attachments = found.get("use-sigstore-attachments")
    if not all(isinstance(one, str) for one in texts.values()) or not isinstance(attachments, bool | None):
        raise UsageError(f"parsing {path}: a setting of {shown(what)} is of another type than it should", hint=_HINT)
    return Namespace(
        lookaside=str(texts["lookaside"] or texts["sigstore"]),
        staging=str(texts["lookaside-staging"] or texts["sigstore-staging"]),
        attachments=attachments,
    )
