"""What an examination tells."""

from sonata_core.lite import StrEnum
from sonata_core.record import Record


class Severity(StrEnum):
    """`error`: no container can be run. `warning`: a feature is missing, or something goes wrong. `note`: the rest."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(Record):
    """`id` is a constant name, `evidence` what was seen, `mend` a command to paste."""

    id: str
    severity: Severity
    what: str
    evidence: str
    mend: str


def error(ident: str, what: str, evidence: str, mend: str) -> Finding:
    """The main job cannot run."""
    return Finding(id=ident, severity=Severity.ERROR, what=what, evidence=evidence, mend=mend)


def warning(ident: str, what: str, evidence: str, mend: str) -> Finding:
    """A feature cannot be used."""
    return Finding(id=ident, severity=Severity.WARNING, what=what, evidence=evidence, mend=mend)


def note(ident: str, what: str, evidence: str, mend: str) -> Finding:
    """Good to know."""
    return Finding(id=ident, severity=Severity.NOTE, what=what, evidence=evidence, mend=mend)
