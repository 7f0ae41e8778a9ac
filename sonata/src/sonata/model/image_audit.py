"""What `image audit` finds."""

from sonata_core.lite import Any, Mapping
from sonata_core.record import Record

KINDS = ("setuid", "setgid", "capability", "world-writable", "device", "link", "secret", "user")


class Finding(Record):
    """One thing to know. `layer` counts from the base, -1 for the configuration; `path` without a leading slash."""

    kind: str
    layer: int
    path: str
    detail: str


class AuditedLayer(Record):
    """A layer: bytes of its tar, and of its files that later layers replace or remove."""

    digest: str
    size: int
    wasted: int


class Audit(Record):
    """An image as it was found. `verdicts` say of each name what policy.json would say of pulling it."""

    id: str
    names: tuple[str, ...]
    digest: str
    layers: tuple[AuditedLayer, ...]
    findings: tuple[Finding, ...]
    signatures: int
    policy_file: str
    verdicts: tuple[Mapping[str, Any], ...]
