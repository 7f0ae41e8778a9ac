"""`update`: the options of `create` that may be changed later.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.create import CREATE

_CHANGEABLE = frozenset(
    (
        *("blkio-weight", "blkio-weight-device", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime"),
        *("cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems", "device-read-bps", "device-read-iops"),
        *("device-write-bps", "device-write-iops", "env", "memory", "memory-reservation", "memory-swap"),
        *("memory-swappiness", "pids-limit", "restart", "ulimit", "unsetenv"),
    )
)
_HEALTH = ("health-", "no-healthcheck")

UPDATE = (
    *(row for row in CREATE if row[0] in _CHANGEABLE),
    *((*row[:6], {**(row[6] if len(row) > 6 else {}), "aliases": ()}) for row in CREATE if row[0].startswith(_HEALTH)),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)
