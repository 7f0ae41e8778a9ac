"""What `image trust show` tells."""

from sonata_core.record import Record


class TrustRule(Record):
    """One requirement of the policy for one scope, in Podman's words. `keys`: who may sign; `store`: the lookaside."""

    transport: str
    kind: str
    name: str = ""
    scope: str = ""
    keys: str = ""
    store: str = ""
