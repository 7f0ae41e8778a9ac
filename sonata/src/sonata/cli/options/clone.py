"""`container clone`: limits of `create` that the new container may have otherwise.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.resources import RESOURCES

_LIMITS = frozenset(
    (
        *("blkio-weight", "blkio-weight-device", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime"),
        *("cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems", "device-read-bps", "device-write-bps"),
        *("memory", "memory-reservation", "memory-swap", "memory-swappiness"),
    )
)

CLONE = (
    *(row for row in RESOURCES if row[0] in _LIMITS),
    ("destroy", "", "bool", False, "", "Remove the original container"),
    ("force", "f", "bool", False, "", "Remove the original container even if it runs"),
    ("name", "", "string", "", "", "Assign a name to the container"),
    ("pod", "", "string", "", "", "Run container in an existing pod", {"complete": "pods"}),
    ("run", "", "bool", False, "", "Run the new container"),
)
