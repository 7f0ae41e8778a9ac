"""The command table. Data only: nothing is imported to answer `--help`.

A row is `path: (target, help, realm, group, options, arguments, synopsis)`:

- target: module and function that carry the command out; empty for a group of commands;
- realm: `host`, or `userns` for what an ordinary user runs inside a user namespace;
- group: heading in the manual;
- options: module below `sonata.cli.options` and name of the table; empty for none;
- arguments: a rule of `sonata.cli.arguments`;
- synopsis: the arguments as help shows them.
"""

Row = tuple[str, str, str, str, str, str, str]

_A = "sonata.cli.artifacts."
_C = "sonata.cli.containers."
_I = "sonata.cli.images."
_N = "sonata.cli.networks."
_V = "sonata.cli.volumes."
_PODS = "sonata.cli.pods."
_SECRETS = "sonata.cli.secrets."
_LISTS = "sonata.cli.manifests."
_LIST = "manifest list or image index"
_ITEM = "LIST IMAGEORARTIFACT"
_S = "sonata.cli.system."
_P = "sonata.cli.plugins."
_ONE_C = "CONTAINER"
_MORE_C = "CONTAINER [CONTAINER...]"
_MORE_P = "POD [POD...]"
_TOP_OF_POD = "POD [FORMAT-DESCRIPTORS|ARGS...]"
_MORE_I = "IMAGE [IMAGE...]"
_PLACES = "SOURCE DESTINATION"


def _container(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_C}{verb}:command", text, "userns", "containers", options, rule, synopsis)


def _artifact(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_A}{verb}:command", text, "userns", "artifacts", f"artifacts:{options}", rule, synopsis)


def _image(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_I}{verb}:command", text, "userns", "images", options, rule, synopsis)


def _pod(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_PODS}{verb}:command", text, "userns", "pods", options and f"pods:{options}", rule, synopsis)


def _network(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_N}{verb}:command", text, "userns", "networks", options, rule, synopsis)


def _volume(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_V}{verb}:command", text, "userns", "volumes", options, rule, synopsis)


def _secret(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_SECRETS}{verb}:command", text, "userns", "secrets", options, rule, synopsis)


def _manifest(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    return (f"{_LISTS}{verb}:command", text, "userns", "manifests", options and f"manifests:{options}", rule, synopsis)


def _system(verb: str, text: str, options: str, realm: str) -> Row:
    return (f"{_S}{verb}:command", text, realm, "system", options, "none", "")


_ATTACH = _container("attach", "Attach to a running container", "containers:ATTACH", "attach", _ONE_C)
_CREATE = _container(
    "create", "Create but do not start a container", "create:CREATE", "min 1", "IMAGE [COMMAND [ARG...]]"
)
_EXEC = _container(
    "exec", "Run a process in a running container", "containers:EXEC", "exec", "CONTAINER COMMAND [ARG...]"
)
_DEBUG = _container(
    "debug", "Run tools in the namespaces of a container", "debug:DEBUG", "min 1", "CONTAINER [-- COMMAND [ARG...]]"
)
_KILL = _container(
    "kill",
    "Kill one or more running containers with a specific signal",
    "containers:KILL",
    "names",
    _MORE_C,
)
_LOGS = _container("logs", "Fetch the logs of one or more containers", "containers:LOGS", "logs", _MORE_C)
_PORT = _container(
    "port",
    "List port mappings or a specific mapping for the container",
    "containers:PORT",
    "port",
    "CONTAINER [PORT]",
)
_PS = _container("ps", "List containers", "containers:PS", "none", "")
_RENAME = _container("rename", "Rename an existing container", "", "exact 2", "CONTAINER NAME")
_RESTART = _container("restart", "Restart one or more containers", "containers:RESTART", "names", _MORE_C)
_RM = _container("rm", "Remove one or more containers", "containers:RM", "names", _MORE_C)
_RUN = _container("run", "Run a command in a new container", "create:RUN", "min 1", "IMAGE [COMMAND [ARG...]]")
_START = _container("start", "Start one or more containers", "containers:START", "start", _MORE_C)
_STATS = _container(
    "stats",
    "Display a live stream of container resource usage statistics",
    "containers:STATS",
    "stats",
    "[CONTAINER...]",
)
_STOP = _container("stop", "Stop one or more containers", "containers:STOP", "names", _MORE_C)
_TOP = _container(
    "top",
    "Display the running processes of a container",
    "containers:TOP",
    "top",
    "CONTAINER [FORMAT-DESCRIPTORS|ARGS...]",
)
_WAIT = _container("wait", "Block on one or more containers", "containers:WAIT", "wait", _MORE_C)

_HISTORY = _image("history", "Show history of a specified image", "images:HISTORY", "exact 1", "IMAGE")
_IMAGES = _image("list", "List images in local storage", "images:IMAGES", "max 1", "[IMAGE]")
_LOAD = _image("load", "Load image(s) from a tar archive", "images:LOAD", "none", "")
_PULL = _image("pull", "Pull an image from a registry", "images:PULL_IMAGE", "min 1", _MORE_I)
_PUSH = _image("push", "Push an image to a specified destination", "images:PUSH", "one or two", "IMAGE [DESTINATION]")
_SEARCH = _image("search", "Search registry for image", "registries:SEARCH", "exact 1", "TERM")
_RMI = _image("rm", "Remove one or more images from local storage", "images:REMOVE", "rmi", _MORE_I)
_SAVE = _image("save", "Save image(s) to an archive", "images:SAVE", "save", _MORE_I)
_TAG = _image("tag", "Add an additional name to a local image", "", "min 2", "IMAGE TARGET_NAME [TARGET_NAME...]")
_UNTAG = _image("untag", "Remove a name from a local image", "", "min 1", _MORE_I)

_NETWORK_LS = _network("ls", "List networks", "objects:NETWORK_LS", "none", "")
_NETWORK_RM = _network("rm", "Remove networks", "objects:NETWORK_RM", "min 1", "NETWORK [NETWORK...]")
_VOLUME_LS = _volume("ls", "List volumes", "objects:VOLUME_LS", "none", "")
_VOLUME_RM = _volume("rm", "Remove one or more volumes", "objects:VOLUME_RM", "volume rm", "VOLUME [VOLUME...]")
_INFO: Row = (f"{_S}info:command", "Display Sonata system information", "userns", "system", "system:INFO", "none", "")

_INIT = _container("init", "Initialize one or more containers", "containers:INIT", "names", _MORE_C)
_PAUSE = _container("pause", "Pause all the processes in one or more containers", "containers:PAUSE", "names", _MORE_C)
_UNPAUSE = _container(
    "unpause", "Unpause the processes in one or more containers", "containers:UNPAUSE", "names", _MORE_C
)
_EVENTS: Row = (f"{_S}events:command", "Show Sonata system events", "userns", "system", "system:EVENTS", "none", "")


_COMMIT = _container(
    "commit", "Create new image based on the changed container", "contents:COMMIT", "one or two", "CONTAINER [IMAGE]"
)
_EXPORT = _container(
    "export", "Export container's filesystem contents as a tar archive", "contents:EXPORT", "exact 1", _ONE_C
)
_IMPORT = _image(
    "importing", "Import a tarball to create a filesystem image", "contents:IMPORT", "one or two", "PATH [REFERENCE]"
)

_CP = _container(
    "cp",
    "Copy files/folders between a container and the local filesystem",
    "contents:CP",
    "exact 2",
    "[CONTAINER:]SRC_PATH [CONTAINER:]DEST_PATH",
)

_MOUNT = _container(
    "mount", "Mount a working container's root filesystem", "contents:MOUNT", "names or none", "[CONTAINER...]"
)
_UNMOUNT = _container("unmount", "Unmount working container's root filesystem", "contents:UNMOUNT", "names", _MORE_C)

_UPDATE = _container("update", "Update an existing container", "update:UPDATE", "max 1", _ONE_C)

TABLE: dict[str, Row] = {
    "artifact": ("", "Manage OCI artifacts", "host", "artifacts", "", "", ""),
    "artifact add": _artifact(
        "add", "Add an OCI artifact to the local store", "ADD", "min 2", "ARTIFACT PATH [...PATH]"
    ),
    "artifact extract": _artifact(
        "extract", "Extract an OCI artifact to a local path", "EXTRACT", "exact 2", "ARTIFACT PATH"
    ),
    "artifact inspect": _artifact("inspect", "Inspect an OCI artifact", "INSPECT", "exact 1", "ARTIFACT"),
    "artifact ls": _artifact("ls", "List OCI artifacts", "LS", "none", ""),
    "artifact pull": _artifact("pull", "Pull an OCI artifact", "PULL", "exact 1", "ARTIFACT"),
    "artifact push": _artifact("push", "Push an OCI artifact", "PUSH", "exact 1", "ARTIFACT"),
    "artifact referrers": _artifact(
        "referrers", "List what refers to an image or artifact in a registry", "REFERRERS", "exact 1", "NAME"
    ),
    "artifact rm": _artifact("rm", "Remove one or more OCI artifacts", "RM", "any", "ARTIFACT [ARTIFACT...]"),
    "attach": _ATTACH,
    "commit": _COMMIT,
    "completion": (
        f"{_S}completion:command",
        "Generate shell autocompletions",
        "host",
        "system",
        "system:COMPLETION",
        "completion",
        "{bash|zsh|fish|powershell}",
    ),
    "container": ("", "Manage containers", "host", "containers", "", "", ""),
    "container attach": _ATTACH,
    "container cleanup": _container(
        "cleanup",
        "Clean up network and mountpoints of one or more containers",
        "containers:CLEANUP",
        "names",
        _MORE_C,
    ),
    "container clone": _container(
        "clone", "Clone an existing container", "clone:CLONE", "one to three", "CONTAINER [NAME [IMAGE]]"
    ),
    "container commit": _COMMIT,
    "container cp": _CP,
    "container create": _CREATE,
    "container debug": _DEBUG,
    "container diff": _container(
        "diff", "Inspect changes to the file system of a container", "contents:DIFF", "diff", "CONTAINER [CONTAINER]"
    ),
    "container exec": _EXEC,
    "container exists": _container(
        "exists", "Check if a container exists in local storage", "containers:EXISTS", "exact 1", _ONE_C
    ),
    "container export": _EXPORT,
    "container init": _INIT,
    "container inspect": _container(
        "inspect", "Display the configuration of a container", "containers:INSPECT", "inspect", _MORE_C
    ),
    "container kill": _KILL,
    "container list": _PS,
    "container logs": _LOGS,
    "container mount": _MOUNT,
    "container pause": _PAUSE,
    "container port": _PORT,
    "container prune": _container("prune", "Remove all non running containers", "prune:CONTAINERS", "none", ""),
    "container ps": _PS,
    "container rename": _RENAME,
    "container restart": _RESTART,
    "container rm": _RM,
    "container run": _RUN,
    "container start": _START,
    "container stats": _STATS,
    "container stop": _STOP,
    "container top": _TOP,
    "container unmount": _UNMOUNT,
    "container unpause": _UNPAUSE,
    "container update": _UPDATE,
    "container wait": _WAIT,
    "cp": _CP,
    "create": _CREATE,
    "debug": _DEBUG,
    "diff": (
        f"{_S}diff:command",
        "Display the changes to the object's file system",
        "userns",
        "containers",
        "contents:DIFF",
        "diff",
        "{CONTAINER|IMAGE} [{CONTAINER|IMAGE}]",
    ),
    "doctor": (
        f"{_S}doctor:command",
        "Check what this host lacks to run containers",
        "userns",
        "system",
        "system:DOCTOR",
        "none",
        "",
    ),
    "events": _EVENTS,
    "exec": _EXEC,
    "export": _EXPORT,
    "generate": ("", "Generate structured data based on containers", "host", "containers", "", "", ""),
    "generate kube": (
        f"{_S}generate:kube",
        "Generate Kubernetes YAML from containers, pods or volumes (to come)",
        "host",
        "containers",
        "generate:KUBE",
        "any",
        _MORE_C,
    ),
    "generate spec": (
        f"{_S}generate:spec",
        "Generate Specgen JSON based on containers",
        "userns",
        "containers",
        "generate:SPEC",
        "exact 1",
        _ONE_C,
    ),
    "generate systemd": (
        f"{_S}generate:systemd",
        "Generate systemd units (deprecated: use quadlets)",
        "host",
        "containers",
        "generate:SYSTEMD",
        "any",
        _ONE_C,
    ),
    "healthcheck": ("", "Manage health checks on containers", "host", "containers", "", "", ""),
    "healthcheck run": (
        "sonata.cli.health.run:command",
        "Run the health check of a container",
        "userns",
        "containers",
        "health:HEALTHCHECK_RUN",
        "exact 1",
        _ONE_C,
    ),
    "help": (f"{_S}help:command", "Help about any command", "host", "system", "", "any", "[COMMAND]"),
    "history": _HISTORY,
    "image": ("", "Manage images", "host", "images", "", "", ""),
    "image audit": _image(
        "audit", "Look an image through for what one should know before running it", "images:AUDIT", "exact 1", "IMAGE"
    ),
    "image copy": _image("copying", "Copy an image from any place to any place", "copying:COPY", "exact 2", _PLACES),
    "image diff": _image(
        "diff", "Inspect changes to the file system of an image", "contents:IMAGE_DIFF", "one or two", "IMAGE [IMAGE]"
    ),
    "image exists": _image("exists", "Check if an image exists in local storage", "", "exact 1", "IMAGE"),
    "image history": _HISTORY,
    "image import": _IMPORT,
    "image inspect": _image("inspect", "Display the configuration of an image", "images:INSPECT", "inspect", _MORE_I),
    "image list": _IMAGES,
    "image load": _LOAD,
    "image mount": _image("mount", "Mount an image's root filesystem", "images:MOUNT", "any", "[IMAGE...]"),
    "image prune": _image("prune", "Remove unused images", "prune:IMAGES", "none", ""),
    "image pull": _PULL,
    "image push": _PUSH,
    "image scp": (
        f"{_I}scp:command",
        "Securely copy images",
        "host",
        "images",
        "copying:SCP",
        "one or two",
        "IMAGE [HOST::]",
    ),
    "image search": _SEARCH,
    "image rm": _RMI,
    "image save": _SAVE,
    "image sign": _image("sign", "Sign an image", "trust:SIGN", "min 1", _MORE_I),
    "image sync": _image("sync", "Mirror images between registries and folders", "copying:SYNC", "exact 2", _PLACES),
    "image tag": _TAG,
    "image tree": _image(
        "tree", "Print layer hierarchy of an image in a tree format", "images:TREE", "exact 1", "IMAGE"
    ),
    "image trust": ("", "Manage container image trust policy", "host", "images", "", "", ""),
    "image trust set": _image(
        "trust_set",
        "Set default trust policy or a new trust policy for a registry",
        "trust:SET",
        "exact 1",
        "REGISTRY",
    ),
    "image trust show": _image(
        "trust_show", "Display trust policy for the system", "trust:SHOW", "max 1", "[REGISTRY]"
    ),
    "image unmount": _image(
        "unmount", "Unmount an image's root filesystem", "images:UNMOUNT", "any", "IMAGE [IMAGE...]"
    ),
    "image untag": _UNTAG,
    "images": _IMAGES,
    "import": _IMPORT,
    "info": _INFO,
    "init": _INIT,
    "inspect": (
        f"{_S}inspect:command",
        "Display the configuration of object denoted by ID",
        "userns",
        "system",
        "system:INSPECT",
        "inspect",
        "{CONTAINER|IMAGE|NETWORK|VOLUME} [...]",
    ),
    "kill": _KILL,
    "load": _LOAD,
    "login": _image("login", "Log in to a container registry", "registries:LOGIN", "max 1", "[REGISTRY]"),
    "logout": _image("logout", "Log out of a container registry", "registries:LOGOUT", "max 1", "[REGISTRY]"),
    "logs": _LOGS,
    "manifest": ("", "Manipulate manifest lists and image indexes", "host", "manifests", "", "", ""),
    "manifest add": _manifest(
        "add", f"Add images or artifacts to a {_LIST}", "ADD", "min 2", f"{_ITEM} [{_ITEM[5:]}...]"
    ),
    "manifest annotate": _manifest(
        "annotate", f"Add or update information about an entry in a {_LIST}", "ANNOTATE", "one or two", _ITEM
    ),
    "manifest create": _manifest("create", f"Create {_LIST}", "CREATE", "min 1", "LIST [IMAGE...]"),
    "manifest exists": _manifest(
        "exists", "Check if a manifest list exists in local storage", "", "exact 1", "MANIFEST"
    ),
    "manifest inspect": _manifest("inspect", f"Display the contents of a {_LIST}", "INSPECT", "exact 1", "IMAGE"),
    "manifest push": _manifest("push", f"Push a {_LIST} to a registry", "PUSH", "one or two", "LIST DESTINATION"),
    "manifest remove": _manifest("remove", f"Remove an item from a {_LIST}", "", "exact 2", "LIST DIGEST"),
    "manifest rm": _manifest("rm", f"Remove {_LIST} from local storage", "RM", "min 1", "LIST [LIST...]"),
    "mount": _MOUNT,
    "network": ("", "Manage networks", "host", "networks", "", "", ""),
    "network connect": _network(
        "connect",
        "Add container to a network",
        "objects:NETWORK_CONNECT",
        "exact 2",
        "NETWORK CONTAINER",
    ),
    "network create": _network("create", "Create networks", "objects:NETWORK_CREATE", "max 1", "[NAME]"),
    "network disconnect": _network(
        "disconnect",
        "Remove a container from a network",
        "objects:NETWORK_DISCONNECT",
        "exact 2",
        "NETWORK CONTAINER",
    ),
    "network exists": _network("exists", "Check if network exists", "", "exact 1", "NETWORK"),
    "network inspect": _network(
        "inspect", "Inspect network", "objects:NETWORK_INSPECT", "min 1", "NETWORK [NETWORK...]"
    ),
    "network ls": _NETWORK_LS,
    "network prune": _network("prune", "Remove unused networks", "prune:NETWORKS", "none", ""),
    "network rm": _NETWORK_RM,
    "pause": _PAUSE,
    "plugin": ("", "Manage plugins", "host", "plugins", "", "", ""),
    "plugin check": (
        f"{_P}check:command",
        "Check that a plugin keeps its contract",
        "userns",
        "plugins",
        "plugins:CHECK",
        "exact 2",
        "KIND NAME",
    ),
    "plugin inspect": (
        f"{_P}inspect:command",
        "Display what a plugin is and offers",
        "userns",
        "plugins",
        "plugins:INSPECT",
        "min 1",
        "[KIND/]NAME [[KIND/]NAME...]",
    ),
    "plugin ls": (f"{_P}ls:command", "List plugins", "userns", "plugins", "plugins:LS", "none", ""),
    "pod": ("", "Manage pods", "host", "pods", "", "", ""),
    "pod clone": _pod("clone", "Clone an existing pod", "CLONE", "one or two", "POD [NAME]"),
    "pod create": _pod("create", "Create a new empty pod", "CREATE", "max 1", "[NAME]"),
    "pod exists": _pod("exists", "Check if a pod exists in local storage", "", "exact 1", "POD"),
    "pod inspect": _pod("inspect", "Display the configuration of a pod", "INSPECT", "inspect", _MORE_P),
    "pod kill": _pod("kill", "Send the specified signal or SIGKILL to containers in pod", "KILL", "pods", _MORE_P),
    "pod logs": _pod("logs", "Fetch logs for pod with one or more containers", "LOGS", "pod logs", "POD"),
    "pod pause": _pod("pause", "Pause one or more pods", "PAUSE", "pods", _MORE_P),
    "pod prune": _pod("prune", "Remove all stopped pods and their containers", "PRUNE", "none", ""),
    "pod ps": _pod("ps", "List pods", "PS", "none", ""),
    "pod restart": _pod("restart", "Restart one or more pods", "RESTART", "pods", _MORE_P),
    "pod rm": _pod("rm", "Remove one or more pods", "RM", "pods", _MORE_P),
    "pod start": _pod("start", "Start one or more pods", "START", "pods", _MORE_P),
    "pod stats": _pod(
        "stats",
        "Display a live stream of resource usage statistics for the containers in one or more pods",
        "STATS",
        "pod stats",
        "[POD...]",
    ),
    "pod stop": _pod("stop", "Stop one or more pods", "STOP", "pods", _MORE_P),
    "pod top": _pod("top", "Display the running processes of containers in a pod", "TOP", "pod top", _TOP_OF_POD),
    "pod unpause": _pod("unpause", "Unpause one or more pods", "UNPAUSE", "pods", _MORE_P),
    "port": _PORT,
    "ps": _PS,
    "pull": _PULL,
    "push": _PUSH,
    "search": _SEARCH,
    "rename": _RENAME,
    "restart": _RESTART,
    "rm": _RM,
    "rmi": _RMI,
    "run": _RUN,
    "save": _SAVE,
    "secret": ("", "Manage secrets", "host", "secrets", "", "", ""),
    "secret create": _secret("create", "Create a new secret", "secrets:CREATE", "exact 2", "NAME FILE|-"),
    "secret exists": _secret("exists", "Check if a secret exists in local storage", "", "exact 1", "SECRET"),
    "secret inspect": _secret("inspect", "Inspect a secret", "secrets:INSPECT", "min 1", "SECRET [SECRET...]"),
    "secret ls": _secret("ls", "List secrets", "secrets:LS", "none", ""),
    "secret rm": _secret("rm", "Remove one or more secrets", "secrets:RM", "secret rm", "SECRET [SECRET...]"),
    "start": _START,
    "stats": _STATS,
    "stop": _STOP,
    "system": ("", "Manage Sonata", "host", "system", "", "", ""),
    "system check": (
        f"{_S}check:command",
        "Check storage consistency",
        "userns",
        "system",
        "system:SYSTEM_CHECK",
        "none",
        "",
    ),
    "system df": (f"{_S}df:command", "Show Sonata disk usage", "userns", "system", "system:SYSTEM_DF", "none", ""),
    "system events": _EVENTS,
    "system info": _INFO,
    "system locks": _system("locks", "Display which locks are held", "", "userns"),
    "system migrate": _system("migrate", "Migrate containers", "system:SYSTEM_MIGRATE", "userns"),
    "system prune": (
        f"{_S}prune:command",
        "Remove unused data",
        "userns",
        "system",
        "system:SYSTEM_PRUNE",
        "none",
        "",
    ),
    "system renumber": _system("renumber", "Remove locks that nothing needs", "", "userns"),
    "system reset": _system("reset", "Reset Sonata's storage", "system:SYSTEM_RESET", "userns"),
    "system state": (
        f"{_S}state:command",
        "Display the state database",
        "userns",
        "system",
        "system:STATE",
        "none",
        "",
    ),
    "tag": _TAG,
    "top": _TOP,
    "unmount": _UNMOUNT,
    "unpause": _UNPAUSE,
    "unshare": (
        f"{_S}unshare:command",
        "Run a command in a modified user namespace",
        "userns",
        "system",
        "system:UNSHARE",
        "any",
        "[COMMAND [ARG...]]",
    ),
    "untag": _UNTAG,
    "update": _UPDATE,
    "version": (
        f"{_S}version:command",
        "Display the Sonata version information",
        "host",
        "system",
        "system:VERSION",
        "none",
        "",
    ),
    "volume": ("", "Manage volumes", "host", "volumes", "", "", ""),
    "volume create": _volume("create", "Create a new volume", "objects:VOLUME_CREATE", "max 1", "[NAME]"),
    "volume exists": _volume("exists", "Check if volume exists", "", "exact 1", "VOLUME"),
    "volume export": _volume("export", "Export volumes", "objects:VOLUME_EXPORT", "exact 1", "VOLUME"),
    "volume import": _volume("importing", "Import a tarball contents into a volume", "", "exact 2", "VOLUME SOURCE|-"),
    "volume inspect": _volume(
        "inspect",
        "Display detailed information on one or more volumes",
        "objects:VOLUME_INSPECT",
        "volume inspect",
        "VOLUME [VOLUME...]",
    ),
    "volume ls": _VOLUME_LS,
    "volume mount": _volume("mount", "Mount volume", "", "exact 1", "VOLUME"),
    "volume prune": _volume("prune", "Remove all unused volumes", "prune:VOLUMES", "none", ""),
    "volume reload": _volume("reload", "Reload all volumes from volume plugins", "", "none", ""),
    "volume rm": _VOLUME_RM,
    "volume unmount": _volume("unmount", "Unmount volume", "", "exact 1", "VOLUME"),
    "wait": _WAIT,
}

ALIASES: dict[str, str] = {
    "artifact list": "artifact ls",
    "artifact remove": "artifact rm",
    "container ls": "container list",
    "container umount": "container unmount",
    "image ls": "image list",
    "image umount": "image unmount",
    "network list": "network ls",
    "network remove": "network rm",
    "plugin list": "plugin ls",
    "pod list": "pod ps",
    "pod ls": "pod ps",
    "secret list": "secret ls",
    "umount": "unmount",
    "volume list": "volume ls",
    "volume remove": "volume rm",
}

STOPS_AT_FIRST_ARGUMENT = frozenset(
    (
        *("create", "exec", "run", "top", "unshare"),
        *("container create", "container exec", "container run", "container top"),
        *("pod create", "pod top"),
    )
)
"""Commands whose options end at the first argument: what follows is the container's."""
