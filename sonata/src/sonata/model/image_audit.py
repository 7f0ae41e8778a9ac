"""What `image audit` finds."""

from sonata.model.audit_checks import CHECKS, LEVELS
from sonata_core.lite import Any, Mapping
from sonata_core.record import Record

PER_CHECK = 1000
"""So many findings of one check are listed; the others are counted."""


class Finding(Record):
    """One thing to know. `layer` counts from the base, -1 for the configuration; `path` without a leading slash."""

    id: str
    layer: int
    path: str
    detail: str

    @property
    def kind(self) -> str:
        """The group that it belongs to."""
        return CHECKS[self.id].kind

    @property
    def severity(self) -> str:
        """One of LEVELS."""
        return CHECKS[self.id].level

    @property
    def rank(self) -> int:
        """For sorting: the worst is the greatest."""
        return LEVELS.index(self.severity)


class AuditedLayer(Record):
    """A layer: bytes of its tar, and of its files that later layers replace or remove."""

    digest: str
    size: int
    wasted: int


class Audit(Record):
    """An image as it was found. `verdicts` say of each name what policy.json would say of pulling it.

    `omitted` counts findings of a check beyond the first PER_CHECK; `ignored` those that an ignore list took out, and
    `unused` are the entries of that list that took out none.
    """

    id: str
    names: tuple[str, ...]
    digest: str
    layers: tuple[AuditedLayer, ...]
    findings: tuple[Finding, ...]
    omitted: Mapping[str, int] = {}
    ignored: int = 0
    unused: tuple[str, ...] = ()
    signatures: int
    policy_file: str
    verdicts: tuple[Mapping[str, Any], ...]
