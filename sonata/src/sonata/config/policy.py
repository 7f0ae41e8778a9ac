"""policy.json: where it lies and what it holds. What it means is `image.policy`'s business."""

from __future__ import annotations

import json
import os
import stat

from sonata.config.search import search_plain
from sonata.config.values import EngineConfig
from sonata_core.errors import UsageError
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.naming import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

_LARGEST = 4 << 20


def load_policy(config: EngineConfig, given: str = "") -> tuple[dict[str, Any], str]:
    """The policy and the file that it came from. Raises UsageError, as `policy_path`, and for what makes no sense."""
    path = policy_path(config, given)
    return _read(path), path


def policy_path(config: EngineConfig, given: str = "") -> str:
    """The policy's file; `given`, from --signature-policy, goes first.

    Raises UsageError where there is no file, as containers-policy.json(5) demands: a machine on
    which nobody has said whom to trust pulls nothing.
    """
    places = config.places
    path = given or config.environment.get("CONTAINERS_POLICY_JSON", "") or search_plain(places, "policy.json")
    if not path:
        wanted = [f"{folder}/policy.json" for folder in (places.user, places.etc, places.usr) if folder]
        raise UsageError(
            f"no policy.json file found at any of the following: {', '.join(json.dumps(each) for each in wanted)}",
            hint=f"Install your distribution's containers-common, or write {places.etc}/policy.json: "
            '{"default": [{"type": "insecureAcceptAnything"}]}',
        )
    return path


def _read(path: str) -> dict[str, Any]:
    hint = "containers-policy.json(5) says what a policy holds."
    try:
        # Decoded here: json would also take UTF-16 and a byte order mark, which the peers do not.
        content = json.loads(_bytes_of(path).decode("utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise UsageError(f"open {path}: {error.strerror}", hint="Make the file readable.") from error
    except ValueError as error:
        at = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise UsageError(f"invalid policy in {shown(path)}: {at}", hint=hint) from error
    except RecursionError as error:
        raise UsageError(f"invalid policy in {shown(path)}: it is nested too deeply", hint=hint) from error
    if not isinstance(content, dict):
        raise UsageError(f"invalid policy in {shown(path)}: line 1: want an object", hint=hint)
    return content


def _bytes_of(path: str) -> bytes:
    """Raises OSError; ValueError for a file that is too large, or a named pipe, which nobody may ever write to."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with open(handle, "rb") as file:
        # A shell's <(command) is a pipe too, and somebody writes to that.
        if stat.S_ISFIFO(os.fstat(handle).st_mode) and not path.startswith(("/dev/fd/", "/proc/self/fd/")):
            raise ValueError("it is a named pipe")
        os.set_blocking(handle, True)
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    return content


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"Duplicate key {shown(key)}")
        result[key] = value
    return result
