"""Commands on pods.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.containers import KILL as KILL_CONTAINER
from sonata.cli.options.containers import LOGS as LOGS_CONTAINER
from sonata.cli.options.containers import STOP as STOP_CONTAINER
from sonata.cli.options.containers import TOP as TOP_CONTAINER
from sonata.cli.options.create import COMMON
from sonata.cli.options.namespaces import NAMESPACES
from sonata.cli.options.network import NETWORK
from sonata.cli.options.resources import RESOURCES
from sonata.cli.options.security import SECURITY
from sonata.cli.options.storage import STORAGE

_ALL = ("all", "a", "bool", False, "")
_LATEST = ("latest", "l", "bool", False, "", "Act on the latest pod Sonata is aware of")
_ID_FILE = ("pod-id-file", "", "stringArray", (), "", "Read the pod ID from the file", {"complete": "files"})
_TIME = ("time", "t", "int", 10, "", "Seconds to wait for pod stop before killing the container")

_SHARED_WITH_CLONE = frozenset(
    (
        *("blkio-weight", "blkio-weight-device", "cgroup-parent", "cpu-shares", "cpus", "cpuset-cpus", "cpuset-mems"),
        *("device", "device-read-bps", "device-write-bps", "gidmap", "gpus", "hostname", "label", "label-file"),
        *("memory", "memory-swap", "pid", "restart", "security-opt", "shm-size", "shm-size-systemd", "subgidname"),
        *("subuidname", "sysctl", "uidmap", "userns", "uts", "volume", "volumes-from"),
    )
)
_OF_CREATE = frozenset(
    (
        *("add-host", "dns", "dns-option", "dns-search", "hosts-file", "ip", "ip6", "mac-address", "network"),
        *("network-alias", "no-hostname", "no-hosts", "publish", "replace"),
    )
)
_ROWS = RESOURCES + NAMESPACES + SECURITY + STORAGE + NETWORK + COMMON
_OF_BOTH = (
    *(row for row in _ROWS if row[0] in _SHARED_WITH_CLONE),
    ("infra-command", "", "string", "", "", "Command of the infra container, in the place of the default"),
    (
        "infra-conmon-pidfile",
        "",
        "string",
        "",
        "",
        "Path to the file that will receive the PID of the infra container's conmon",
        {"complete": "files"},
    ),
    ("infra-name", "", "string", "", "", "Assign a name to the infra container"),
    ("name", "n", "string", "", "", "Assign a name to the pod"),
)

CREATE = (
    *_OF_BOTH,
    *(row for row in _ROWS if row[0] in _OF_CREATE),
    (
        "exit-policy",
        "",
        "string",
        "continue",
        "",
        "Behaviour when the last container exits",
        {"choices": ("continue", "stop")},
    ),
    ("infra", "", "bool", True, "", "Create an infra container associated with the pod to share namespaces with"),
    ("infra-image", "", "string", "", "", "Image for the infra container", {"complete": "images"}),
    ("pod-id-file", "", "string", "", "", "Write the pod ID to the file", {"complete": "files"}),
    (
        "share",
        "",
        "string",
        "ipc,net,uts",
        "",
        "A comma delimited list of kernel namespaces the pod will share",
        {"choices": ("ipc", "net", "pid", "user", "uts", "cgroup", "none")},
    ),
    (
        "share-parent",
        "",
        "bool",
        True,
        "",
        "Set the pod's cgroup as the cgroup parent for all containers joining the pod",
    ),
)

CLONE = (
    *_OF_BOTH,
    ("destroy", "", "bool", False, "", "Remove the original pod"),
    ("start", "", "bool", False, "", "Start the new pod"),
)

INSPECT = (("format", "f", "string", "json", "", "Format the output to a Go template or json"), _LATEST)

KILL = (
    (*_ALL, "Kill all containers in all pods"),
    _LATEST,
    *(row for row in KILL_CONTAINER if row[0] == "signal"),
)

LOGS = (
    ("color", "", "bool", False, "", "Output the containers with different colors in the log"),
    ("container", "c", "string", "", "", "Filter logs by container name or id", {"complete": "containers"}),
    _LATEST,
    *(row for row in LOGS_CONTAINER if row[0] not in ("color", "latest")),
)

PAUSE = ((*_ALL, "Pause all running pods"), _LATEST)
UNPAUSE = ((*_ALL, "Unpause all paused pods"), _LATEST)
RESTART = ((*_ALL, "Restart all pods"), _LATEST)
START = ((*_ALL, "Start all pods"), _LATEST, _ID_FILE)

PRUNE = (("force", "f", "bool", False, "", "Do not prompt for confirmation"),)

PS = (
    ("ctr-ids", "", "bool", False, "", "Display the container UUIDs. If no-trunc is not set they will be truncated"),
    ("ctr-names", "", "bool", False, "", "Display the container names"),
    ("ctr-status", "", "bool", False, "", "Display the container status"),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("format", "", "string", "", "", "Pretty-print pods to JSON or using a Go template"),
    _LATEST,
    ("no-trunc", "", "bool", False, "", "Do not truncate pod and container IDs", {"aliases": ("notruncate",)}),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("ns", "", "bool", False, "", "Display namespace information of the pod", {"aliases": ("namespace",)}),
    ("quiet", "q", "bool", False, "", "Print the numeric IDs of the pods only"),
    (
        "sort",
        "",
        "string",
        "created",
        "",
        "Sort output by created, id, name, or number",
        {"choices": ("created", "id", "name", "status", "number")},
    ),
)

RM = (
    (*_ALL, "Remove all running pods"),
    ("force", "f", "bool", False, "", "Force removal of a running pod by first stopping all containers"),
    ("ignore", "i", "bool", False, "", "Ignore errors when a specified pod is missing"),
    _LATEST,
    _ID_FILE,
    _TIME,
)

STATS = (
    (*_ALL, "Provide stats for all pods"),
    ("format", "", "string", "", "", "Pretty-print container statistics to JSON or using a Go template"),
    _LATEST,
    ("no-reset", "", "bool", False, "", "Disable resetting the screen when streaming"),
    ("no-stream", "", "bool", False, "", "Disable streaming stats and only pull the first result"),
)

STOP = (
    (*_ALL, "Stop all running pods"),
    *(row for row in STOP_CONTAINER if row[0] == "ignore"),
    _LATEST,
    _ID_FILE,
    _TIME,
)

TOP = (_LATEST, *(row for row in TOP_CONTAINER if row[0] != "latest"))
