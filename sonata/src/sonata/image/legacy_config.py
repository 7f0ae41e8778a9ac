"""The config that a schema 1 manifest stands for, as peers compute it: its sha256 is the image's ID.

What Docker 1.8.3 and later wrote is passed on in its own words; what was written before is said anew, with all members
that Docker's structures had then (containers/image, `Schema1.ToSchema2Config`).
"""

from __future__ import annotations

from sonata.image.document import Fields
from sonata.model.times import ZERO, go_time
from sonata_core.lite import TYPE_CHECKING
from sonata_core.sdk.manifests import load_object
from sonata_core.sdk.raw_json import go_text, raw_members, raw_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata.image.manifest import LegacyManifest

_ONES_OWN_WORDS = (1, 8, 3)
_DROPPED = ("id", "parent", "parent_id", "layer_id", "throwaway", "Size")
_TEXTS = ("comment", "container", "docker_version", "author", "architecture", "variant", "os")


def from_legacy(manifest: LegacyManifest, diff_ids: tuple[str, ...]) -> bytes:
    """The config; `diff_ids` are those of `manifest.real_layers`, in order. Raises Damaged."""
    what = "v1Compatibility"
    newest = Fields(load_object(manifest.newest, what), what)
    version = newest.text("docker_version")
    top = _anew(newest) if version and _is_early(version) else raw_members(manifest.newest, what)
    for key in _DROPPED:
        top.pop(key, None)
    top["rootfs"] = go_text({"type": "layers", "diff_ids": list(diff_ids)})
    top["history"] = go_text([_history(Fields(dict(entry), what)) for entry in manifest.history])
    return raw_object(top)


def _is_early(version: str) -> bool:
    """Compared as the peers do: what is no number counts as 0."""
    found = [int(word) if word.isascii() and word.isdigit() else 0 for word in version.split(".")]
    return tuple(found + [0] * (len(_ONES_OWN_WORDS) - len(found))) < _ONES_OWN_WORDS


def _anew(fields: Fields) -> dict[str, str]:
    members = {name: go_text(fields.text(name)) for name in _TEXTS if fields.text(name)}
    members["created"] = go_text(go_time(fields.text("created") or ZERO))
    members["container_config"] = go_text(_inner(fields.part("container_config") or Fields({}, fields.what)))
    inner = fields.part("config")
    if inner is not None:
        members["config"] = go_text(_inner(inner))
    return members


def _inner(fields: Fields) -> dict[str, object]:
    """Docker's own structure, in its order. Members of which it says "omitempty" are left out where they are empty."""
    given = fields.value
    members: dict[str, object] = {name: fields.text(name) for name in ("Hostname", "Domainname", "User")}
    members |= {name: fields.flag(name) for name in ("AttachStdin", "AttachStdout", "AttachStderr")}
    members |= _given("ExposedPorts", {port: {} for port in fields.keys("ExposedPorts")})
    members |= {name: fields.flag(name) for name in ("Tty", "OpenStdin", "StdinOnce")}
    members |= {"Env": _list(fields, "Env"), "Cmd": _list(fields, "Cmd")}
    members |= _given("Healthcheck", given.get("Healthcheck")) | _given("ArgsEscaped", fields.flag("ArgsEscaped"))
    members["Image"] = fields.text("Image")
    members["Volumes"] = None if given.get("Volumes") is None else {path: {} for path in fields.keys("Volumes")}
    members |= {"WorkingDir": fields.text("WorkingDir"), "Entrypoint": _list(fields, "Entrypoint")}
    members |= _given("NetworkDisabled", fields.flag("NetworkDisabled")) | _given(
        "MacAddress", fields.text("MacAddress")
    )
    members["OnBuild"] = _list(fields, "OnBuild")
    members["Labels"] = None if given.get("Labels") is None else dict(sorted(fields.text_map("Labels").items()))
    members |= _given("StopSignal", fields.text("StopSignal"))
    if given.get("StopTimeout") is not None:
        members["StopTimeout"] = fields.whole("StopTimeout")
    return members | _given("Shell", list(fields.texts("Shell")))


def _given(name: str, value: object) -> dict[str, object]:
    return {name: value} if value else {}


def _list(fields: Fields, name: str) -> list[str] | None:
    found = fields.optional_texts(name)
    return None if found is None else list(found)


def _history(fields: Fields) -> Mapping[str, object]:
    command = fields.part("container_config")
    words = () if command is None else command.optional_texts("Cmd") or ()
    item: dict[str, object] = {"created": go_time(fields.text("created") or ZERO)}
    for key, value in (
        ("author", fields.text("author")),
        ("created_by", " ".join(words)),
        ("comment", fields.text("comment")),
    ):
        if value:
            item[key] = value
    if fields.flag("throwaway"):
        item["empty_layer"] = True
    return item
