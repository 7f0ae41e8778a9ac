"""OCI hooks from folders of JSON files. Contract: docs/contract/hooks.md; format: oci-hooks(5), version 1.0.0.

Folders are read when a container is made and not before; a later folder's file hides an earlier
one of the same name; the order is that of the names, case ignored.
"""

from __future__ import annotations

import os

from sonata_core import json_text as json
from sonata_core.errors import UsageError
from sonata_core.hookspecs.hooks import OciHooks
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.markers import hookimpl
from sonata_core.models.hooks import OciHook
from sonata_core.models.plugin import PluginInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sonata_core.context import PluginContext
    from sonata_core.models.hooks import RuntimeSpec

VERSION = "0.1.0"
FORMAT = "1.0.0"
STAGES = (
    "precreate",
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
)
FILE_LIMIT = 1 << 20
"""Bytes of a hook file: a hook is a few lines."""
PATTERN_LIMIT = 4096
"""Characters of a regular expression."""
SUBJECT_LIMIT = 1 << 16
"""Characters of an annotation or a command that are matched against."""


class DirHooks(OciHooks):
    """Reads `hooks_dirs` of the configuration, in order."""

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    @hookimpl
    def plugin_info(self) -> PluginInfo:
        """Who this is."""
        return PluginInfo(
            name="dir",
            version=VERSION,
            summary="OCI hooks from folders of JSON files (hooks_dir, --hooks-dir)",
            contract="hooks/1.0",
        )

    @hookimpl
    def oci_hooks(self, spec: RuntimeSpec, annotations: Mapping[str, str]) -> tuple[OciHook, ...]:
        """H-01, H-02, H-03. Raises UsageError naming the file that is wrong: a hook may be there for security."""
        found = []
        for path in _files(tuple(self._context.config.get("hooks_dirs") or ())):
            document = _read(path)
            if document is None:
                self._context.log.warning("hook_skipped", file=path, reason="its program does not exist")
                continue
            if _applies(document["when"], spec, annotations, path):
                found.append(_hook(document, path))
        return tuple(found)


def _files(folders: tuple[str, ...]) -> list[str]:
    by_name: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError(f"hooks folder {folder}: {error.strerror}", "check hooks_dir and --hooks-dir") from error
        by_name.update({name: os.path.join(folder, name) for name in names if name.endswith(".json")})
    return [by_name[name] for name in sorted(by_name, key=lambda name: (name.lower(), name))]


def _read(path: str) -> dict[str, Any] | None:
    """A checked document; None where the hook's program does not exist. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise _wrong(path, str(error.strerror)) from error
    if len(data) > FILE_LIMIT:
        raise _wrong(path, f"larger than {FILE_LIMIT} bytes")
    try:
        document = json.loads(data)
    except ValueError as error:
        raise _wrong(path, f"parsing hook: {error}") from error
    if not isinstance(document, dict):
        raise _wrong(path, "no JSON object")
    if document.get("version") != FORMAT:
        raise _wrong(path, f"unrecognized hook version: {json.dumps(document.get('version', ''))}")
    hook = _table(document, "hook", path)
    if not isinstance(hook.get("path"), str) or not hook["path"]:
        raise _wrong(path, "missing required property: hook.path")
    _check_hook(hook, path)
    _check_when(_table(document, "when", path), path)
    stages = document.get("stages")
    if not _is_texts(stages) or not stages:
        raise _wrong(path, "missing required property: stages")
    for stage in stages:
        if stage not in STAGES:
            raise _wrong(path, f"unknown stage {json.dumps(stage)}")
    return document if os.path.exists(hook["path"]) else None


def _check_hook(hook: dict[str, Any], path: str) -> None:
    if not hook["path"].startswith("/"):
        raise _wrong(path, f"hook.path {json.dumps(hook['path'])} is not absolute")
    for key in ("args", "env"):
        if hook.get(key) is not None and not _is_texts(hook[key]):
            raise _wrong(path, f"hook.{key} is not a list of texts")
    timeout = hook.get("timeout")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int) or timeout <= 0):
        raise _wrong(path, f"hook.timeout {json.dumps(timeout)} is not a positive number of seconds")


def _check_when(when: dict[str, Any], path: str) -> None:
    for key in ("always", "hasBindMounts"):
        if when.get(key) is not None and not isinstance(when[key], bool):
            raise _wrong(path, f"when.{key} is neither true nor false")
    annotations, commands = when.get("annotations"), when.get("commands")
    if annotations is not None:
        if not isinstance(annotations, dict) or not _is_texts(list(annotations.values())):
            raise _wrong(path, "when.annotations does not map texts to texts")
        for key, value in annotations.items():
            _pattern(key, path)
            _pattern(value, path)
    if commands is not None:
        if not _is_texts(commands):
            raise _wrong(path, "when.commands is not a list of texts")
        for command in commands:
            _pattern(command, path)


def _applies(when: dict[str, Any], spec: RuntimeSpec, annotations: Mapping[str, str], path: str) -> bool:
    """Every condition that is stated must hold, and one at least must be stated."""
    held = []
    if when.get("always") is not None:
        held.append(bool(when["always"]))
    if when.get("hasBindMounts") is not None:
        held.append(bool(when["hasBindMounts"]) and _has_bind_mounts(spec))
    for key, value in (when.get("annotations") or {}).items():
        held.append(_matches_annotation(_pattern(key, path), _pattern(value, path), annotations))
    if when.get("commands"):
        arguments: list[str] = list((spec.get("process") or {}).get("args") or ())
        held.append(bool(arguments) and any(_found(_pattern(c, path), arguments[0]) for c in when["commands"]))
    return bool(held) and all(held)


def _has_bind_mounts(spec: RuntimeSpec) -> bool:
    """Whether the user gave volumes. Files that every container gets lie in its own folders, below no such target."""
    own = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv", "/run/secrets", "/dev/shm")  # noqa: S108
    return any(
        mount.get("type") == "bind" and mount.get("destination") not in own for mount in spec.get("mounts") or ()
    )


def _matches_annotation(key: Any, value: Any, annotations: Mapping[str, str]) -> bool:
    return any(_found(key, name) and _found(value, text) for name, text in annotations.items())


def _found(pattern: Any, text: str) -> bool:
    return pattern.search(text[:SUBJECT_LIMIT]) is not None


def _pattern(text: str, path: str) -> Any:
    import re

    if len(text) > PATTERN_LIMIT:
        raise _wrong(path, f"a regular expression of {len(text)} characters, {PATTERN_LIMIT} are allowed")
    try:
        return re.compile(text)
    except re.error as error:
        raise _wrong(path, f"invalid regular expression {json.dumps(text)}: {error}") from error


def _hook(document: dict[str, Any], path: str) -> OciHook:
    hook = document["hook"]
    return OciHook(
        path=hook["path"],
        args=tuple(hook.get("args") or ()),
        env=tuple(hook.get("env") or ()),
        timeout=hook.get("timeout"),
        stages=tuple(document["stages"]),
        origin=path,
    )


def _table(document: dict[str, Any], key: str, path: str) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise _wrong(path, f"missing required property: {key}")
    return value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong(path: str, what: str) -> UsageError:
    return UsageError(f"hook file {path}: {what}", "mend or remove the file: see oci-hooks(5)", file=path)
