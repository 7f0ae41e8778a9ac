"""What tests of lists of images share: a store with an image for this platform and one for another, and a registry."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from both_ways import Root
from plain_store import IMAGE, PlainStore

ARM = "localhost/box:arm"
PLAIN = "--tls-verify=false"


class ListStore(PlainStore):
    """A plain store with `ARM` beside its image. `digest(NAME)` is an image's, `record(NAME)` its row in the store."""

    def __init__(self, base: Path, who: Root | None = None) -> None:
        super().__init__(base, who=who)
        (self.base / "tree.tar").write_bytes(bytes(10240))
        self.arm_id = self.out("import", "-q", "--arch=arm64", "--variant=v8", str(self.base / "tree.tar"), ARM)[7:]

    def digest(self, name: str) -> str:
        return self.out("image", "inspect", "-f", "{{.Digest}}", name)

    def shown(self, name: str) -> dict[str, Any]:
        """What `manifest inspect` prints."""
        found: dict[str, Any] = json.loads(self.raw("manifest", "inspect", name))
        return found

    def platforms(self, name: str) -> list[str]:
        """The architectures of a list's instances, in order."""
        return [one["platform"]["architecture"] for one in self.shown(name)["manifests"]]

    def record(self, name: str) -> dict[str, Any]:
        rows = json.loads((self.base / "root/overlay-images/images.json").read_text())
        found: list[dict[str, Any]] = [row for row in rows if f"localhost/{name}:latest" in row.get("names", ())]
        return found[0]

    def item(self, name: str, key: str) -> bytes:
        """A big data item of a list."""
        return (self.base / "root/overlay-images" / self.record(name)["id"] / key).read_bytes()


__all__ = ["ARM", "IMAGE", "PLAIN", "ListStore"]
