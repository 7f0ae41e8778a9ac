"""Descriptions and examples of the commands on pods, for help and the manual pages."""

PODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sonata.cli.pods.clone:command": (
        (
            "Creates a pod with the options of another one and copies of its containers, with fresh root filesystems "
            "and names that end in -clone. Options that are given change the new pod; the original is left as it is "
            "unless --destroy asks otherwise."
        ),
        ("sonata pod clone pod_name new_name", "sonata pod clone --start --hostname copy pod_name"),
    ),
    "sonata.cli.pods.create:command": (
        (
            "Creates a pod: containers that share namespaces, a control group and a fate. The pod ID is printed to "
            "stdout; nothing of it runs until `sonata pod start` or the start of a container in it. What is shared "
            "belongs to an infra container that only waits: the host's catatonit on an empty root filesystem, no image "
            "is pulled. Networks, published ports, host names and limits are the pod's; containers join them with "
            "--pod, and get the pod's volumes, devices and security options."
        ),
        (
            "sonata pod create",
            "sonata pod create --label foo=bar mypod",
            "sonata pod create --name web --publish 8080:80 --memory 512m --exit-policy stop",
        ),
    ),
    "sonata.cli.pods.exists:command": (
        "Exits with 0 if the named pod exists in local storage, otherwise with 1.",
        ("sonata pod exists podID", "sonata pod exists mypod || sonata pod create --name mypod"),
    ),
    "sonata.cli.pods.inspect:command": (
        "Displays the configuration of pods by name or ID, as a JSON array or through a Go template.",
        ("sonata pod inspect podID", "sonata pod inspect --format '{{.State}}' mypod"),
    ),
    "sonata.cli.pods.kill:command": (
        (
            "Sends a signal to the main process of each container inside the specified pods: SIGKILL, or the one named "
            "with --signal."
        ),
        ("sonata pod kill podID", "sonata pod kill --signal TERM mywebserver"),
    ),
    "sonata.cli.pods.logs:command": (
        (
            "Displays what the containers of a pod wrote. Each line says whose it is: by ID, or by name with --names; "
            "lines of one --container stand alone."
        ),
        (
            "sonata pod logs podID",
            "sonata pod logs -c ctrname podName",
            "sonata pod logs --follow=true --since 10m podID",
        ),
    ),
    "sonata.cli.pods.pause:command": (
        "Pauses all running containers within each specified pod.",
        ("sonata pod pause podID1 podID2", "sonata pod pause --all"),
    ),
    "sonata.cli.pods.prune:command": (
        "Removes pods that were started and of which nothing runs any more, with their containers.",
        ("sonata pod prune", "sonata pod prune --force"),
    ),
    "sonata.cli.pods.ps:command": (
        (
            "Lists pods, newest first, with their IDs, names and current states. `--filter` takes `ctr-ids`, "
            "`ctr-names`, `ctr-number`, `ctr-status`, `id`, `label`, `name`, `network`, `status` and `until`: values "
            "of one key are alternatives, labels must all be there."
        ),
        ("sonata pod ps", "sonata pod ps --ctr-names --filter status=running", "sonata pod ps --format json"),
    ),
    "sonata.cli.pods.restart:command": (
        (
            "Restarts all of the containers within each of the specified pods. A container that is not running is "
            "started."
        ),
        ("sonata pod restart podID1 podID2", "sonata pod restart --all"),
    ),
    "sonata.cli.pods.rm:command": (
        (
            "Removes pods with their containers and the anonymous volumes of these. A pod with running containers is "
            "not removed without --force, which stops them first; the infra container never prevents it."
        ),
        ("sonata pod rm mywebserverpod", "sonata pod rm -f 860a4b23", "sonata pod rm -f -a"),
    ),
    "sonata.cli.pods.start:command": (
        (
            "Starts all containers of pods: first the infra container, then init containers one after another to their "
            "ends, then the others, each after those that it requires."
        ),
        ("sonata pod start podID", "sonata pod start --all"),
    ),
    "sonata.cli.pods.stats:command": (
        "Displays what the containers of pods use: of the named ones, else of those that run.",
        ("sonata pod stats", "sonata pod stats a69b23034235 named-pod", "sonata pod stats --all --no-stream"),
    ),
    "sonata.cli.pods.stop:command": (
        "Stops all running containers in each of the specified pods at once, the infra container last.",
        ("sonata pod stop mywebserverpod", "sonata pod stop --time 0 490eb 3557fb"),
    ),
    "sonata.cli.pods.top:command": (
        (
            "Displays the running processes of a pod's containers. Descriptors choose the columns; `sonata top --help` "
            "lists them."
        ),
        ("sonata pod top podID", "sonata pod top podID pid seccomp args %C"),
    ),
    "sonata.cli.pods.unpause:command": (
        'Unpauses all "paused" containers within each specified pod.',
        ("sonata pod unpause podID1 podID2", "sonata pod unpause --all"),
    ),
}
