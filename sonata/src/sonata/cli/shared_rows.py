"""Rows of commands that stand in the command table under two names."""

from sonata.cli.rows import IN_SYSTEM, MORE_C, MORE_I, ONE_C, Row, container_row, image_row, network_row, volume_row

ATTACH = container_row("attach", "Attach to a running container", "containers:ATTACH", "attach", ONE_C)
CREATE = container_row(
    "create", "Create but do not start a container", "create:CREATE", "min 1", "IMAGE [COMMAND [ARG...]]"
)
EXEC = container_row(
    "exec", "Run a process in a running container", "containers:EXEC", "exec", "CONTAINER COMMAND [ARG...]"
)
DEBUG = container_row(
    "debug", "Run tools in the namespaces of a container", "debug:DEBUG", "min 1", "CONTAINER [-- COMMAND [ARG...]]"
)
KILL = container_row(
    "kill",
    "Kill one or more running containers with a specific signal",
    "containers:KILL",
    "names",
    MORE_C,
)
LOGS = container_row("logs", "Fetch the logs of one or more containers", "containers:LOGS", "logs", MORE_C)
PORT = container_row(
    "port",
    "List port mappings or a specific mapping for the container",
    "containers:PORT",
    "port",
    "CONTAINER [PORT]",
)
PS = container_row("ps", "List containers", "containers:PS", "none", "")
RENAME = container_row("rename", "Rename an existing container", "", "exact 2", "CONTAINER NAME")
RESTART = container_row("restart", "Restart one or more containers", "containers:RESTART", "names", MORE_C)
RM = container_row("rm", "Remove one or more containers", "containers:RM", "names", MORE_C)
RUN = container_row("run", "Run a command in a new container", "create:RUN", "min 1", "IMAGE [COMMAND [ARG...]]")
START = container_row("start", "Start one or more containers", "containers:START", "start", MORE_C)
STATS = container_row(
    "stats",
    "Display a live stream of container resource usage statistics",
    "containers:STATS",
    "stats",
    "[CONTAINER...]",
)
STOP = container_row("stop", "Stop one or more containers", "containers:STOP", "names", MORE_C)
TOP = container_row(
    "top",
    "Display the running processes of a container",
    "containers:TOP",
    "top",
    "CONTAINER [FORMAT-DESCRIPTORS|ARGS...]",
)
WAIT = container_row("wait", "Block on one or more containers", "containers:WAIT", "wait", MORE_C)

HISTORY = image_row("history", "Show history of a specified image", "images:HISTORY", "exact 1", "IMAGE")
IMAGES = image_row("list", "List images in local storage", "images:IMAGES", "max 1", "[IMAGE]")
LOAD = image_row("load", "Load image(s) from a tar archive", "images:LOAD", "none", "")
PULL = image_row("pull", "Pull an image from a registry", "images:PULL_IMAGE", "min 1", MORE_I)
PUSH = image_row("push", "Push an image to a specified destination", "images:PUSH", "one or two", "IMAGE [DESTINATION]")
SEARCH = image_row("search", "Search registry for image", "registries:SEARCH", "exact 1", "TERM")
RMI = image_row("rm", "Remove one or more images from local storage", "images:REMOVE", "rmi", MORE_I)
SAVE = image_row("save", "Save image(s) to an archive", "images:SAVE", "save", MORE_I)
TAG = image_row("tag", "Add an additional name to a local image", "", "min 2", "IMAGE TARGET_NAME [TARGET_NAME...]")
UNTAG = image_row("untag", "Remove a name from a local image", "", "min 1", MORE_I)

NETWORK_LS = network_row("ls", "List networks", "networks:LS", "none", "")
NETWORK_RM = network_row("rm", "Remove networks", "networks:RM", "min 1", "NETWORK [NETWORK...]")
VOLUME_LS = volume_row("ls", "List volumes", "objects:VOLUME_LS", "none", "")
VOLUME_RM = volume_row("rm", "Remove one or more volumes", "objects:VOLUME_RM", "volume rm", "VOLUME [VOLUME...]")
INFO: Row = (
    f"{IN_SYSTEM}info:command",
    "Display Sonata system information",
    "userns",
    "system",
    "system:INFO",
    "none",
    "",
)

INIT = container_row("init", "Initialize one or more containers", "containers:INIT", "names", MORE_C)
PAUSE = container_row("pause", "Pause all the processes in one or more containers", "containers:PAUSE", "names", MORE_C)
UNPAUSE = container_row(
    "unpause", "Unpause the processes in one or more containers", "containers:UNPAUSE", "names", MORE_C
)
EVENTS: Row = (
    f"{IN_SYSTEM}events:command",
    "Show Sonata system events",
    "userns",
    "system",
    "system:EVENTS",
    "none",
    "",
)


COMMIT = container_row(
    "commit", "Create new image based on the changed container", "contents:COMMIT", "one or two", "CONTAINER [IMAGE]"
)
EXPORT = container_row(
    "export", "Export container's filesystem contents as a tar archive", "contents:EXPORT", "exact 1", ONE_C
)
IMPORT = image_row(
    "importing", "Import a tarball to create a filesystem image", "contents:IMPORT", "one or two", "PATH [REFERENCE]"
)

CP = container_row(
    "cp",
    "Copy files/folders between a container and the local filesystem",
    "contents:CP",
    "exact 2",
    "[CONTAINER:]SRC_PATH [CONTAINER:]DEST_PATH",
)

MOUNT = container_row(
    "mount", "Mount a working container's root filesystem", "contents:MOUNT", "names or none", "[CONTAINER...]"
)
UNMOUNT = container_row("unmount", "Unmount working container's root filesystem", "contents:UNMOUNT", "names", MORE_C)

UPDATE = container_row("update", "Update an existing container", "update:UPDATE", "max 1", ONE_C)
