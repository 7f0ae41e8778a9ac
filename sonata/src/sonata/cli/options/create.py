"""`create` and `run`.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

from sonata.cli.options.health import HEALTH
from sonata.cli.options.namespaces import NAMESPACES
from sonata.cli.options.network import NETWORK
from sonata.cli.options.process import PROCESS
from sonata.cli.options.pull import PULL
from sonata.cli.options.resources import RESOURCES
from sonata.cli.options.security import SECURITY
from sonata.cli.options.storage import STORAGE

COMMON = (
    ("annotation", "", "stringArray", (), "", "Add annotations to container (key=value)"),
    (
        "attach",
        "a",
        "stringSlice",
        (),
        "",
        "Attach to STDIN, STDOUT or STDERR",
        {"choices": ("stdin", "stdout", "stderr")},
    ),
    ("cidfile", "", "string", "", "", "Write the container ID to the file", {"complete": "files"}),
    (
        "conmon-pidfile",
        "",
        "string",
        "",
        "",
        "Path to the file that will receive the PID of conmon",
        {"complete": "files"},
    ),
    ("disable-content-trust", "", "bool", False, "", "This is a Docker specific option and is a NOOP"),
    (
        "explain",
        "",
        "choice",
        "",
        "",
        "Say what would be made, from what and why, and make nothing",
        {"bare": "text", "choices": ("text", "json")},
    ),
    ("label", "l", "stringArray", (), "", "Set metadata on container"),
    ("label-file", "", "stringArray", (), "", "Read in a line delimited file of labels", {"complete": "files"}),
    (
        "log-driver",
        "",
        "string",
        "",
        "",
        "Logging driver for the container",
        {"choices": ("journald", "none", "k8s-file", "passthrough", "passthrough-tty")},
    ),
    ("log-opt", "", "stringArray", (), "", "Logging driver options"),
    ("name", "", "string", "", "", "Assign a name to the container"),
    ("pidfile", "", "string", "", "", "Write the container process ID to the file", {"complete": "files"}),
    ("pod", "", "string", "", "", "Run container in an existing pod", {"complete": "pods"}),
    ("pod-id-file", "", "string", "", "", "Read the pod ID from the file", {"complete": "files"}),
    (
        "pull",
        "",
        "string",
        "missing",
        "",
        'Pull image policy ("always"|"missing"|"never"|"newer")',
        {"choices": ("always", "missing", "never", "newer")},
    ),
    ("quiet", "q", "bool", False, "", "Suppress output information when pulling images"),
    ("replace", "", "bool", False, "", "If a container with the same name exists, replace it"),
    (
        "requires",
        "",
        "stringSlice",
        (),
        "",
        "Add one or more requirement containers that must be started before this container will start",
        {"complete": "containers"},
    ),
    (
        "restart",
        "",
        "string",
        "",
        "",
        'Restart policy to apply when a container exits ("always"|"no"|"never"|"on-failure"|"unless-stopped")',
        {"choices": ("always", "no", "on-failure", "unless-stopped", "never", "on-failure:N")},
    ),
    (
        "rm",
        "",
        "bool",
        False,
        "",
        "Remove container and any anonymous unnamed volume associated with the container after exit",
    ),
    ("rootfs", "", "bool", False, "", "The first argument is not an image but the rootfs to the exploded container"),
    (
        "sdnotify",
        "",
        "string",
        "container",
        "",
        'Control sd-notify behavior ("container"|"conmon"|"healthy"|"ignore")',
        {"choices": ("conmon", "container", "healthy", "ignore")},
    ),
)

# Here, and not for `pull`, the platform options have old names too.
_PULL = tuple(
    (*row, {"aliases": (f"override-{row[0]}",)}) if row[0] in ("arch", "os", "variant") else row for row in PULL
)
_GROUPS = _PULL + PROCESS + STORAGE + SECURITY + NETWORK + NAMESPACES + RESOURCES + HEALTH + COMMON

CREATE = (
    *_GROUPS,
    (
        "init-ctr",
        "",
        "string",
        "",
        "",
        "Make this a pod init container",
        {"choices": ("always", "once")},
    ),
)

RUN = (
    *_GROUPS,
    ("detach", "d", "bool", False, "", "Run container in background and print container ID"),
    (
        "detach-keys",
        "",
        "string",
        "ctrl-p,ctrl-q",
        "[a-Z]",
        (
            "Override the key sequence for detaching a container. Format is a single character [a-Z] or a "
            "comma separated sequence of `ctrl-<value>`, where `<value>` is one of: `a-z`, `@`, `^`, `[`, "
            "`\\`, `]`, `^` or `_`"
        ),
    ),
    ("passwd", "", "bool", True, "", "Add entries to /etc/passwd and /etc/group"),
    ("preserve-fd", "", "uintSlice", (), "", "Pass a file descriptor into the container"),
    ("preserve-fds", "", "uint", 0, "", "Pass a number of additional file descriptors into the container"),
    ("rmi", "", "bool", False, "", "Remove image unless used by other containers, implies --rm"),
    ("sig-proxy", "", "bool", True, "", "Proxy received signals to the process"),
)
