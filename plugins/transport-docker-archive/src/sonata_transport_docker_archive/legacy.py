"""The parts of a docker-archive that Docker before 1.10 read: a folder per layer, and `repositories`."""

from __future__ import annotations

import hashlib

from sonata_core.lite import TYPE_CHECKING
from sonata_core.record import Record
from sonata_core.sdk.raw_json import go_text, raw_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOP = ("architecture", "config", "container", "container_config", "created", "docker_version", "os")


class LegacyLayer(Record):
    """A layer's folder: its name, its `json`, and the digest of the layer."""

    id: str
    json: bytes
    diff_id: str


def legacy_layers(config: Mapping[str, str], diff_ids: tuple[str, ...]) -> tuple[LegacyLayer, ...]:
    """The folders for an image's layers, base first, with the ids that peers compute.

    `config` holds the members of the image's config as they are written (`raw_members`).
    """
    found: list[LegacyLayer] = []
    chain, parent = "", ""
    for number, diff_id in enumerate(diff_ids):
        chain = f"sha256:{hashlib.sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else diff_id
        members = {"layer_id": go_text(chain)}
        if parent:
            members["parent"] = go_text(parent)
        if number == len(diff_ids) - 1:
            members.update({key: config.get(key, "null") for key in _TOP})
        parent = hashlib.sha256(raw_object(members)).hexdigest()
        del members["layer_id"]
        members["id"] = go_text(parent)
        found.append(LegacyLayer(id=parent, json=raw_object(members), diff_id=diff_id))
    return tuple(found)
