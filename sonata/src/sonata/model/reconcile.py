"""What `network reconcile` finds."""

from sonata_core.record import Record

MISSING, STALE = "missing", "stale"


class Finding(Record):
    """One thing that is missing, or left of a container that is gone.

    `kind` is a word of `NetFact.kind`, or lease, port, namespace, container. `container` is an id, `name` its name.
    """

    problem: str
    kind: str
    what: str
    container: str = ""
    name: str = ""
    network: str = ""
    mended: bool = False


class Reconciled(Record):
    """What was found, and what could not be looked at, in sentences."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
