"""Secrets as containers/common keeps them: `secrets/secrets.json` names them, the file driver's file holds the data.

Both files are of mode 0600 and are replaced whole, each under its lock, so that Podman and Sonata can share them.
"""

import json
import os
from collections.abc import Mapping

from sonata.store.names import parse_time
from sonata.store.table import write_file
from sonata_core.errors import AlreadyExists, Damaged, NotFound, UsageError
from sonata_core.lite import Any
from sonata_core.record import Record
from sonata_core.sdk.locks import FileLock, lock_file

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


class SecretStore:
    """The secrets below a graph root."""

    def __init__(self, graph_root: str) -> None:
        self.folder = f"{graph_root}/secrets"
        self.data_folder = f"{self.folder}/filedriver"
        self._index = f"{self.folder}/secrets.json"
        self._data = f"{self.data_folder}/secretsdata.json"

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
        """What the secret is. Raises NotFound, Damaged."""
        import binascii

        with lock_file(f"{self.data_folder}/secretsdata.lock", shared=True):
            held = _load(self._data)
        if secret.id not in held:
            raise NotFound(f"{secret.id}: no such secret data")
        try:
            return binascii.a2b_base64(held[secret.id])
        except (ValueError, TypeError) as error:
            raise Damaged(f"{self._data}: the data of secret {secret.name} is not base64") from error

    def add(self, secret: Secret, data: bytes, *, replace: bool = False) -> Secret:
        """Keep a secret; it gets its id. `replace` takes the place of one of that name.

        Raises AlreadyExists, UsageError for a name or data that may not be.
        """
        require_name(secret.name)
        if not 0 < len(data) < MAX_SIZE:
            raise UsageError(f"secret data must be larger than 0 and less than {MAX_SIZE} bytes")
        for folder in (self.folder, self.data_folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        with self._lock():
            known = self._read()
            old = next((one for one in known.values() if one.name == secret.name), None)
            if old is not None and not replace:
                raise AlreadyExists(f"{secret.name}: secret name in use", hint="`--replace` takes its place")
            made = secret.replace(id=_new_id(known), options={"path": self.data_folder, **secret.options})
            if old is not None:
                del known[old.id]
            known[made.id] = made
            self._change_data(made.id, data)
            self._write(known)
            if old is not None:
                self._change_data(old.id, None)
        return made

    def remove(self, text: str) -> Secret:
        """Forget a secret. Raises NotFound, UsageError."""
        if not os.path.exists(self._index):
            raise _unknown(text)
        with self._lock():
            known = self._read()
            gone = _pick(list(known.values()), text)
            del known[gone.id]
            self._write(known)
            self._change_data(gone.id, None)
        return gone

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

    def _change_data(self, ident: str, data: bytes | None) -> None:
        import binascii

        with lock_file(f"{self.data_folder}/secretsdata.lock"):
            held = _load(self._data)
            held.pop(ident, None)
            if data is not None:
                held[ident] = binascii.b2a_base64(data, newline=False).decode()
            write_file(self._data, json.dumps(dict(sorted(held.items())), indent=2).encode(), durable=True)


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
