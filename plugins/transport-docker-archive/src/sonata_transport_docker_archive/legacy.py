"""The parts of a docker-archive that Docker before 1.10 read: a folder per layer, and `repositories`."""

from __future__ import annotations

import hashlib
import json

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record

if TYPE_CHECKING:
    from typing import Any

_TOP = ("architecture", "config", "container", "container_config", "created", "docker_version", "os")


class LegacyLayer(Record):
    """A layer's folder: its name, its `json`, and the digest of the layer."""

    id: str
    json: bytes
    diff_id: str


def go_json(value: object) -> str:
    """JSON as Go writes it: compact, and safe inside HTML. Inner objects keep their order."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in (("<", "003c"), (">", "003e"), ("&", "0026"), ("\u2028", "2028"), ("\u2029", "2029")):
        text = text.replace(plain, f"\\u{escaped}")
    return text


def legacy_layers(config: dict[str, Any], diff_ids: tuple[str, ...]) -> tuple[LegacyLayer, ...]:
    """The folders for an image's layers, base first, with the ids that peers compute."""
    found: list[LegacyLayer] = []
    chain, parent = "", ""
    for number, diff_id in enumerate(diff_ids):
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else diff_id
        members: dict[str, Any] = {"layer_id": chain}
        if parent:
            members["parent"] = parent
        if number == len(diff_ids) - 1:
            members.update({key: config.get(key) for key in _TOP})
        parent = hashlib.sha256(_sorted(members)).hexdigest()
        del members["layer_id"]
        members["id"] = parent
        found.append(LegacyLayer(id=parent, json=_sorted(members), diff_id=diff_id))
    return tuple(found)


def _sorted(members: dict[str, Any]) -> bytes:
    return go_json(dict(sorted(members.items()))).encode()
