"""What attachments asked for and got, so that a second call with the same request can be answered."""

from __future__ import annotations

import os

from sonata_core import json_text as json
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sonata_core.models.net import Attachment


class Memory:
    """One container's attachments, in a file that goes with the last of them."""

    def __init__(self, run: str, container: str, netns: str) -> None:
        self._folder = os.path.join(run, "attached")
        self._path = os.path.join(self._folder, f"{container}.json")
        self._draft = f"{self._path}.new"  # one is enough: the lock is held
        self._netns = netns

    def keep(self, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        """Remember; networks that were there before stay."""
        known = self._load()
        for name, block in answer.items():
            known[name] = {"asked": _of(asked, name), "answer": block, "netns": self._netns}
        self._save(known)

    def recall(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The answer of before, if exactly this was asked of the same namespace; else None."""
        known = self._load()
        answer: dict[str, Any] = {}
        for name in asked["networks"]:
            entry = known.get(name)
            if entry is None or entry["netns"] != self._netns or entry["asked"] != _of(asked, name):
                return None
            answer[name] = entry["answer"]
        return answer

    def has(self, network: str) -> bool:
        """Whether an attachment to that network was made and not taken away."""
        return network in self._load()

    def drop(self, attachments: tuple[Attachment, ...]) -> None:
        """Forget networks; the file goes with the last."""
        known = self._load()
        for each in attachments:
            known.pop(each.network.name, None)
        self._save(known)
        _unlink(self._draft)  # of a process that was killed while it wrote

    def _load(self) -> dict[str, Any]:
        try:
            with open(self._path, "rb") as file:
                known = json.loads(file.read(1 << 22))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _save(self, known: dict[str, Any]) -> None:
        if not known:
            _unlink(self._path)
            return
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        with open(self._draft, "w", encoding="utf-8") as file:
            json.dump(known, file)
        os.rename(self._draft, self._path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _of(asked: dict[str, Any], network: str) -> dict[str, Any]:
    """The part of a request's document that concerns one network."""
    return {
        "networks": asked["networks"][network],
        "info": asked["network_info"][network],
        "ports": asked.get("port_mappings"),
    }
