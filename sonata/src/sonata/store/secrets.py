"""Secrets as containers/common keeps them: `secrets/secrets.json` names them, a driver holds the data.

The file driver's data is a file beside it. Both files are of mode 0600 and are replaced whole, each under its lock, so
that Podman and Sonata can share them.
"""

import json
import os

from sonata.store.names import parse_time
from sonata.store.table import write_file
from sonata_core.errors import AlreadyExists, Damaged, NotFound, Unsupported, UsageError
from sonata_core.lite import TYPE_CHECKING, Any, Mapping, Protocol
from sonata_core.record import Record
from sonata_core.sdk.folders import make_private
from sonata_core.sdk.locks import FileLock, lock_file

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SIZE = 512000
_ID_LENGTH = 25
_NAME_LIMIT = 253


class Secret(Record):
    """What is known of a secret, without its data. Times as they are written: RFC 3339."""

    id: str
    name: str
    labels: Mapping[str, str] = {}
    created: str = ""
    updated: str = ""
    driver: str = "file"
    options: Mapping[str, str] = {}

    @property
    def created_ns(self) -> int:
        """Nanoseconds since 1970."""
        return parse_time(self.created)

    @property
    def updated_ns(self) -> int:
        """Nanoseconds since 1970."""
        return parse_time(self.updated)


class SecretDriver(Protocol):
    """What holds the data of secrets, by their ids."""

    def lookup(self, ident: str) -> bytes:
        """The data. Raises NotFound."""

    def keep(self, ident: str, data: bytes) -> None:
        """Hold the data of a new secret."""

    def forget(self, ident: str) -> None:
        """Let the data go. Absent is success."""


class FileDriver(SecretDriver):
    """The data of all secrets, as base64, in one file of a folder of mode 0700."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._data = f"{folder}/secretsdata.json"

    def lookup(self, ident: str) -> bytes:
        import binascii

        if not os.path.isdir(self._folder):
            raise NotFound(f"{ident}: no such secret data")
        with self._lock(shared=True):
            held = _load(self._data)
        if ident not in held:
            raise NotFound(f"{ident}: no such secret data")
        try:
            return binascii.a2b_base64(held[ident])
        except (ValueError, TypeError) as error:
            raise Damaged(f"{self._data}: the data of secret {ident} is not base64") from error

    def keep(self, ident: str, data: bytes) -> None:
        import binascii

        make_private(self._folder)
        self._change(ident, binascii.b2a_base64(data, newline=False).decode())

    def forget(self, ident: str) -> None:
        if os.path.isdir(self._folder):
            self._change(ident, None)

    def _change(self, ident: str, text: str | None) -> None:
        with self._lock():
            held = _load(self._data)
            held.pop(ident, None)
            if text is not None:
                held[ident] = text
            write_file(self._data, json.dumps(dict(sorted(held.items())), indent=2).encode(), durable=True)

    def _lock(self, *, shared: bool = False) -> FileLock:
        return lock_file(f"{self._folder}/secretsdata.lock", shared=shared)


def file_driver(name: str, options: Mapping[str, str]) -> SecretDriver:
    """The one driver that needs no program. Raises Unsupported for another name."""
    if name != "file":
        raise Unsupported("invalid driver", hint="the drivers are file, pass and shell")
    return FileDriver(options["path"])


class SecretStore:
    """The secrets below a graph root. `drivers` opens a driver by name and options."""

    def __init__(
        self, graph_root: str, drivers: "Callable[[str, Mapping[str, str]], SecretDriver]" = file_driver
    ) -> None:
        self.folder = f"{graph_root}/secrets"
        self.data_folder = f"{self.folder}/filedriver"
        self._index = f"{self.folder}/secrets.json"
        self._drivers = drivers

    def all(self) -> list[Secret]:
        """Every secret, by name. Raises Damaged."""
        if not os.path.exists(self._index):
            return []
        with self._lock(shared=True):
            return sorted(self._read().values(), key=lambda one: one.name)

    def find(self, text: str) -> Secret:
        """A secret by name, id, or a beginning of its id that no other has. Raises NotFound, UsageError."""
        return _pick(self.all(), text)

    def data(self, secret: Secret) -> bytes:
        """What the secret is. Raises NotFound, Damaged, and what its driver raises."""
        return self._driver(secret).lookup(secret.id)

    def add(self, secret: Secret, data: bytes, *, replace: bool = False) -> Secret:
        """Keep a secret; it gets its id. `replace` takes the place of one of that name.

        Raises AlreadyExists, UsageError for a name or data that may not be, and what the driver raises.
        """
        require_name(secret.name)
        if not 0 < len(data) < MAX_SIZE:
            raise UsageError(f"secret data must be larger than 0 and less than {MAX_SIZE} bytes")
        make_private(self.folder)
        with self._lock():
            known = self._read()
            old = next((one for one in known.values() if one.name == secret.name), None)
            if old is not None and not replace:
                raise AlreadyExists(f"{secret.name}: secret name in use", hint="`--replace` takes its place")
            made = secret.replace(id=_new_id(known), options=self._options(secret))
            self._driver(made).keep(made.id, data)
            if old is not None:
                del known[old.id]
            known[made.id] = made
            self._write(known)
            if old is not None:
                self._driver(old).forget(old.id)
        return made

    def remove(self, text: str) -> Secret:
        """Forget a secret. Raises NotFound, UsageError, and what its driver raises: then the secret stays."""
        if not os.path.exists(self._index):
            raise _unknown(text)
        with self._lock():
            known = self._read()
            gone = _pick(list(known.values()), text)
            self._driver(gone).forget(gone.id)
            del known[gone.id]
            self._write(known)
        return gone

    def _options(self, secret: Secret) -> Mapping[str, str]:
        return {"path": self.data_folder, **secret.options} if secret.driver == "file" else secret.options

    def _driver(self, secret: Secret) -> SecretDriver:
        return self._drivers(secret.driver, self._options(secret))

    def _lock(self, *, shared: bool = False) -> FileLock:
        return lock_file(f"{self.folder}/secrets.lock", shared=shared)

    def _read(self) -> dict[str, Secret]:
        found = _load(self._index).get("secrets") or {}
        try:
            return {key: _secret(value) for key, value in found.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise Damaged(f"{self._index} is not as secrets are kept") from error

    def _write(self, known: Mapping[str, Secret]) -> None:
        value = {
            "secrets": {key: _row(known[key]) for key in sorted(known)},
            "nameToID": {one.name: one.id for one in sorted(known.values(), key=lambda one: one.name)},
            "idToName": {key: known[key].name for key in sorted(known)},
        }
        write_file(self._index, json.dumps(value, indent=2, ensure_ascii=False).encode(), durable=True)


def require_name(name: str) -> None:
    """Raises UsageError for a name that no secret may have."""
    if not 0 < len(name) <= _NAME_LIMIT or any(sign in name for sign in ("=", "/", ",", "\0")):
        raise UsageError(
            f"secret name \"{name}\" can not include '=', '/', ',', or the '\\0' (NULL) and be between 1 and "
            f"{_NAME_LIMIT} characters: invalid secret name"
        )


def _new_id(known: Mapping[str, Secret]) -> str:
    while True:
        made = os.urandom(_ID_LENGTH).hex()[:_ID_LENGTH]
        if made not in known:
            return made


def _pick(known: list[Secret], text: str) -> Secret:
    for one in known:
        if text in (one.name, one.id):
            return one
    found = [one for one in known if text and one.id.startswith(text)]
    if len(found) > 1:
        raise UsageError(f"more than one result secret with prefix {text}")
    if not found:
        raise _unknown(text)
    return found[0]


def _unknown(text: str) -> NotFound:
    return NotFound(f'no secret with name or id "{text}": no such secret', name=text)


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Damaged(f"{path} is not JSON") from error
    if not isinstance(found, dict):
        raise Damaged(f"{path} is not as secrets are kept")
    return found


def _secret(row: Mapping[str, Any]) -> Secret:
    return Secret(
        id=row["id"],
        name=row["name"],
        labels=row.get("labels") or {},
        created=row.get("createdAt", ""),
        updated=row.get("updatedAt") or row.get("createdAt", ""),
        driver=row.get("driver", "file"),
        options=row.get("driverOptions") or {},
    )


def _row(secret: Secret) -> dict[str, Any]:
    row: dict[str, Any] = {"name": secret.name, "id": secret.id}
    if secret.labels:
        row["labels"] = dict(secret.labels)
    row |= {"createdAt": secret.created, "updatedAt": secret.updated}
    return {**row, "driver": secret.driver, "driverOptions": dict(secret.options)}
