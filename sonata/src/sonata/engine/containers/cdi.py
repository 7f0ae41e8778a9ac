"""`--device vendor.com/class=name`: finding CDI specifications and adding what they say to a container's spec."""

from __future__ import annotations

import os
import stat

from sonata.plan import adjust
from sonata.plan.cdi import Document, chosen
from sonata_core import json_text as json
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.models.hooks import OciHook, SpecAdjustment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sonata.engine.engine import Engine

LARGEST = 1 << 20
"""Bytes of a specification."""
MOST_FILES = 1024
"""Of one folder."""


def inject(engine: Engine, names: Sequence[str], spec: dict[str, Any]) -> dict[str, Any]:
    """A spec with the devices that are named. Raises UsageError for those that no specification has, Conflict."""
    found, troubles = devices(engine.config.engine.cdi_spec_dirs)
    try:
        edits = chosen(names, found)
    except UsageError as error:
        if error.hint is None:
            folders = ", ".join(engine.config.engine.cdi_spec_dirs)
            error.hint = f"specifications are looked for in {folders}" + "".join(f"; {one}" for one in troubles[:3])
        raise
    spec = adjust.merge(spec, [_adjustment(edits, spec)])
    return _with_rdt(spec, edits)


def devices(folders: Sequence[str]) -> tuple[dict[str, Document], list[str]]:
    """The document of each qualified name, and what was wrong with files that were left out.

    A later folder goes before an earlier one; a name that two files of one folder have is nobody's.
    """
    found: dict[str, Document] = {}
    troubles: list[str] = []
    for folder in folders:
        here: dict[str, list[Document]] = {}
        for path in _files(folder, troubles):
            try:
                document = Document(path, _read(path))
            except UsageError as error:
                troubles.append(error.message)
                continue
            for name in document.devices:
                here.setdefault(f"{document.kind}={name}", []).append(document)
        for name, documents in here.items():
            found.pop(name, None)
            if len(documents) == 1:
                found[name] = documents[0]
            else:
                troubles.append(f"{name} is in {', '.join(one.source for one in documents)}")
    return found, troubles


def _files(folder: str, troubles: list[str]) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith((".json", ".yaml")))
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            troubles.append(f"{folder}: {error.strerror}")
        return []
    if len(names) > MOST_FILES:
        troubles.append(f"{folder} has more than {MOST_FILES} files")
    return [os.path.join(folder, name) for name in names[:MOST_FILES]]


def _read(path: str) -> Any:
    """A file's value. Raises UsageError; never waits for a pipe that somebody put there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"CDI specification {path}: {error.strerror}") from error
    try:
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise UsageError(f"CDI specification {path}: it is no file")
        data = os.pread(handle, LARGEST + 1, 0)
    finally:
        os.close(handle)
    if len(data) > LARGEST:
        raise UsageError(f"CDI specification {path}: it is larger than {LARGEST} bytes")
    try:
        if path.endswith(".json"):
            return json.loads(data)
        from sonata.config import yaml_text

        return yaml_text.loads(data.decode())
    except (ValueError, RecursionError, OverflowError) as error:
        raise UsageError(f"CDI specification {path}: {error}") from error


def _adjustment(edits: Sequence[Mapping[str, Any]], spec: Mapping[str, Any]) -> SpecAdjustment:
    user = spec.get("process", {}).get("user", {})
    nodes = [_node(node, user) for one in edits for node in one["deviceNodes"]]
    return SpecAdjustment(
        origin="CDI",
        mounts=tuple(mount for one in edits for mount in one["mounts"]),
        devices=tuple(node for node, _ in nodes),
        device_rules=tuple(rule for _, rule in nodes if rule),
        env=tuple(entry for one in edits for entry in one["env"]),
        hooks=tuple(_hook(hook) for one in edits for hook in one["hooks"]),
        additional_gids=tuple(number for one in edits for number in one["additionalGids"]),
    )


def _node(node: Mapping[str, Any], user: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A device node and its rule; what the document leaves out is the host's own."""
    kind, major, minor = node["type"], node.get("major"), node.get("minor")
    mode = node.get("fileMode")
    if not kind or (major is None and kind != "p"):
        kind, major, minor, seen = _on_host(node["hostPath"], kind)
        mode = seen if mode is None else mode
    made: dict[str, Any] = {"path": node["path"], "type": kind}
    if kind != "p":
        made |= {"major": major or 0, "minor": minor or 0}
    if mode is not None:
        made["fileMode"] = stat.S_IMODE(mode)
    for key in ("uid", "gid"):
        owner = node.get(key, user.get(key) or None)
        if owner is not None:
            made[key] = owner
    if kind not in ("b", "c"):
        return made, {}
    access = node["permissions"]
    return made, {"allow": True, "type": kind, "major": made["major"], "minor": made["minor"], "access": access}


def _on_host(path: str, wanted: str) -> tuple[str, int, int, int]:
    try:
        seen = os.stat(path)
    except OSError as error:
        text = (error.strerror or "").lower()
        raise UsageError(f"setting up CDI devices: failed to stat CDI host device {path}: {text}") from error
    kind = "c" if stat.S_ISCHR(seen.st_mode) else "b" if stat.S_ISBLK(seen.st_mode) else ""
    kind = "p" if stat.S_ISFIFO(seen.st_mode) else kind
    if not kind or (wanted not in ("", "u") and wanted != kind):
        raise UsageError(f"setting up CDI devices: CDI host device {path} is not what its specification says")
    return kind, os.major(seen.st_rdev), os.minor(seen.st_rdev), stat.S_IMODE(seen.st_mode)


def _hook(hook: Mapping[str, Any]) -> OciHook:
    return OciHook(
        path=hook["path"],
        args=tuple(hook["args"]),
        env=tuple(hook["env"]),
        timeout=hook["timeout"],
        stages=(hook["stage"],),
        origin="CDI",
    )


def _with_rdt(spec: dict[str, Any], edits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    asked = [one["intelRdt"] for one in edits if one["intelRdt"]]
    if not asked:
        return spec
    linux = dict(spec.get("linux", {}))
    linux["intelRdt"] = {**linux.get("intelRdt", {}), **asked[-1]}
    return {**spec, "linux": linux}
