"""Commands on containers.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

START = (
    ("all", "", "bool", False, "", "Start all containers regardless of their state or configuration"),
    ("attach", "a", "bool", False, "", "Attach container's STDOUT and STDERR"),
    (
        "detach-keys",
        "",
        "string",
        "ctrl-p,ctrl-q",
        "[a-Z]",
        (
            "Select the key sequence for detaching a container. Format is a single character [a-Z] or a "
            "comma separated sequence of `ctrl-<value>`, where `<value>` is one of: `a-z`, `@`, `^`, `[`, "
            "`\\`, `]`, `^` or `_`"
        ),
    ),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("interactive", "i", "bool", False, "", "Make STDIN available to the contained process"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("sig-proxy", "", "bool", False, "", "Proxy received signals to the process"),
)

STOP = (
    ("all", "a", "bool", False, "", "Stop all running containers"),
    ("cidfile", "", "stringArray", (), "", "Read the container ID from the file", {"complete": "files"}),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("ignore", "i", "bool", False, "", "Ignore errors when a specified container is missing"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    (
        "service",
        "",
        "bool",
        False,
        "",
        "Act on service containers",
        {"hidden": True, "refused": ("service containers are made by kube play, which is to come", "leave it out")},
    ),
    ("time", "t", "int", 10, "", "Seconds to wait for stop before killing the container", {"aliases": ("timeout",)}),
)

RESTART = (
    ("all", "a", "bool", False, "", "Restart all non-running containers"),
    ("cidfile", "", "stringArray", (), "", "Read the container ID from the file", {"complete": "files"}),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("running", "", "bool", False, "", "Restart only running containers"),
    ("time", "t", "int", 10, "", "Seconds to wait for stop before killing the container"),
)

KILL = (
    ("all", "a", "bool", False, "", "Signal all running containers"),
    ("cidfile", "", "stringArray", (), "", "Read the container ID from the file", {"complete": "files"}),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("signal", "s", "string", "KILL", "", "Signal to send to the container"),
)

RM = (
    ("all", "a", "bool", False, "", "Remove all containers"),
    ("cidfile", "", "stringArray", (), "", "Read the container ID from the file", {"complete": "files"}),
    ("depend", "", "bool", False, "", "Remove container and all containers that depend on the selected container"),
    ("filter", "", "stringArray", (), "", "Filter output based on conditions given"),
    ("force", "f", "bool", False, "", "Force removal of a running or unusable container"),
    ("ignore", "i", "bool", False, "", "Ignore errors when a specified container is missing"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("storage", "", "bool", False, "", "Remove the container from storage only", {"hidden": True}),
    ("time", "t", "int", 10, "", "Seconds to wait for stop before killing the container"),
    ("volumes", "v", "bool", False, "", "Remove anonymous volumes associated with the container"),
)

PS = (
    ("all", "a", "bool", False, "", "Show all the containers, default is only running containers"),
    (
        "external",
        "",
        "bool",
        False,
        "",
        "Show containers in storage not controlled by Sonata",
        {"aliases": ("storage",)},
    ),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("format", "", "string", "", "", "Pretty-print containers to JSON or using a Go template"),
    ("last", "n", "int", -1, "", "Print the n last created containers (all states)"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("no-trunc", "", "bool", False, "", "Display the extended information", {"aliases": ("notruncate",)}),
    ("noheading", "", "bool", False, "", "Do not print headers"),
    ("ns", "", "bool", False, "", "Display namespace information", {"aliases": ("namespace",)}),
    (
        "pod",
        "p",
        "bool",
        False,
        "",
        "Print the ID and name of the pod the containers are associated with",
        {"complete": "pods"},
    ),
    ("quiet", "q", "bool", False, "", "Print the numeric IDs of the containers only"),
    ("size", "s", "bool", False, "", "Display the total file sizes"),
    (
        "sort",
        "",
        "choice",
        "",
        "",
        "Sort output by: command, created, id, image, names, runningfor, size, status",
        {"choices": ("command", "created", "id", "image", "names", "runningfor", "size", "status")},
    ),
    ("sync", "", "bool", False, "", "Sync container state with OCI runtime"),
    ("watch", "w", "uint", 0, "", "Watch the ps output on an interval in seconds"),
)

LOGS = (
    ("color", "", "bool", False, "", "Output the containers with different colors in the log"),
    ("details", "", "bool", False, "", "Display extra details: the tag and labels of the log", {"hidden": True}),
    ("follow", "f", "bool", False, "", "Follow log output"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("names", "n", "bool", False, "", "Output the container name in the log"),
    ("since", "", "string", "", "", "Show logs since TIMESTAMP"),
    (
        "tail",
        "",
        "int64",
        -1,
        "",
        "Output the specified number of LINES at the end of the logs.  Defaults to -1, which prints all lines",
    ),
    ("timestamps", "t", "bool", False, "", "Output the timestamps in the log"),
    ("until", "", "string", "", "", "Show logs until TIMESTAMP"),
)

EXEC = (
    ("cidfile", "", "string", "", "", "File to read the container ID from", {"complete": "files"}),
    ("detach", "d", "bool", False, "", "Run the exec session in detached mode (backgrounded)"),
    (
        "detach-keys",
        "",
        "string",
        "ctrl-p,ctrl-q",
        "",
        (
            "Select the key sequence for detaching a container. Format is a single character [a-Z] or "
            "ctrl-<value> where <value> is one of: a-z, @, ^, [, , or _"
        ),
    ),
    ("env", "e", "stringArray", (), "", "Set environment variables"),
    ("env-file", "", "stringArray", (), "", "Read in a file of environment variables", {"complete": "files"}),
    ("interactive", "i", "bool", False, "", "Make STDIN available to the contained process"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("no-session", "", "bool", False, "", "Do not create a database session for the exec process"),
    ("preserve-fd", "", "uintSlice", (), "", "Pass a list of additional file descriptors to the container"),
    ("preserve-fds", "", "uint", 0, "", "Pass N additional file descriptors to the container"),
    ("privileged", "", "bool", False, "", "Give the process extended Linux capabilities inside the container"),
    ("tty", "t", "bool", False, "", "Allocate a pseudo-TTY"),
    (
        "user",
        "u",
        "string",
        "",
        "",
        "Sets the username or UID used and optionally the groupname or GID for the specified command",
    ),
    ("wait", "", "int32", 0, "", "Seconds to wait for the container to run", {"hidden": True}),
    ("workdir", "w", "string", "", "", "Working directory inside the container"),
)

ATTACH = (
    (
        "detach-keys",
        "",
        "string",
        "ctrl-p,ctrl-q",
        "[a-Z]",
        (
            "Select the key sequence for detaching a container. Format is a single character [a-Z] or a "
            "comma separated sequence of `ctrl-<value>`, where `<value>` is one of: `a-z`, `@`, `^`, `[`, "
            "`\\`, `]`, `^` or `_`"
        ),
    ),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("no-stdin", "", "bool", False, "", "Do not attach STDIN"),
    ("sig-proxy", "", "bool", True, "", "Proxy received signals to the process"),
)

WAIT = (
    (
        "condition",
        "",
        "stringSlice",
        (),
        "",
        "Condition to wait on",
        {
            "choices": (
                "unknown",
                "configured",
                "created",
                "exited",
                "healthy",
                "initialized",
                "paused",
                "removing",
                "running",
                "stopped",
                "stopping",
                "unhealthy",
            )
        },
    ),
    (
        "exit-first-match",
        "",
        "bool",
        False,
        "",
        "Wait for exit of first container which matches conditions, ignore other ones",
    ),
    ("ignore", "", "bool", False, "", "Ignore if a container does not exist"),
    ("interval", "i", "string", "250ms", "", "Time Interval to wait before polling for completion"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)

STATS = (
    ("all", "a", "bool", False, "", "Show all containers. Only running containers are shown by default"),
    ("format", "", "string", "", "", "Pretty-print container statistics to JSON or using a Go template"),
    ("interval", "i", "int", 5, "", "Time in seconds between stats reports"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("no-reset", "", "bool", False, "", "Disable resetting the screen between intervals"),
    ("no-stream", "", "bool", False, "", "Disable streaming stats and only pull the first result"),
    ("no-trunc", "", "bool", False, "", "Do not truncate output"),
)

TOP = (
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("list-descriptors", "", "bool", False, "", "List the supported descriptors", {"hidden": True}),
)

PORT = (
    ("all", "a", "bool", False, "", "Display port information for all containers"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)

EXISTS = (("external", "", "bool", False, "", "Check external storage containers as well as Sonata containers"),)

CLEANUP = (
    ("all", "a", "bool", False, "", "Cleans up all containers"),
    ("exec", "", "string", "", "", "Clean up the given exec session instead of the container"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("rm", "", "bool", False, "", "After cleanup, remove the container entirely"),
    ("rmi", "", "bool", False, "", "After cleanup, remove the image entirely"),
    ("stopped-only", "", "bool", False, "", "Clean up only containers that have stopped", {"hidden": True}),
    ("unless-gone", "", "string", "", "", "Do nothing once this file is gone", {"hidden": True}),
)

INSPECT = (
    (
        "effective",
        "",
        "bool",
        False,
        "",
        "Show what the kernel enforces on containers beside what was asked, and where the two differ",
    ),
    ("format", "f", "string", "json", "", "Format the output to a Go template or json"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
    ("size", "s", "bool", False, "", "Display total file size"),
)

PAUSE = (
    ("all", "a", "bool", False, "", "Pause all running containers"),
    ("cidfile", "", "stringArray", (), "", "Read the container ID from the file", {"complete": "files"}),
    ("filter", "f", "stringArray", (), "", "Filter output based on conditions given"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)

UNPAUSE = (("all", "a", "bool", False, "", "Unpause all paused containers"), *PAUSE[1:])

INIT = (
    ("all", "a", "bool", False, "", "Initialize all containers"),
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)
