"""What is known of a helper program, asked once and kept until the program changes."""

import os

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any
from sonata_core.sdk.folders import make_private

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 1 << 16


def program_facts(cache: str, path: str, ask: "Callable[[], dict[str, Any]]") -> "dict[str, Any]":
    """What `ask()` says of the program at `path`: asked again when its path, inode, size or time differs.

    `cache` is a folder that may vanish at any time; where it cannot be written, the next command
    asks again. Raises OSError for a program that is gone, and what `ask` raises.
    """
    stat = os.stat(path)
    key = [path, stat.st_ino, stat.st_size, stat.st_mtime_ns]
    memo = os.path.join(cache, f"{os.path.basename(path)}.json")
    known = _recall(memo, key)
    if known is None:
        known = ask()
        _keep(memo, {"key": key, "facts": known})
    return known


def _recall(memo: str, key: "list[object]") -> "dict[str, Any] | None":
    try:
        with open(memo, "rb") as file:
            document = json.loads(file.read(_LIMIT))
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get("key") != key:
        return None
    facts = document.get("facts")
    return facts if isinstance(facts, dict) else None


def _keep(memo: str, document: "dict[str, Any]") -> None:
    draft = f"{memo}.{os.getpid()}"
    try:
        make_private(os.path.dirname(memo))
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.rename(draft, memo)
    except OSError:
        return
