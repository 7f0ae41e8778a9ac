"""What help and the manual say of a command beyond its options: description and examples, by target.

Read for `--help` and by `tools/gendocs.py` only.
"""

from sonata.cli.manual_artifacts import ARTIFACTS
from sonata.cli.manual_groups import GROUPS
from sonata.cli.manual_images import COPIES
from sonata.cli.manual_manifests import MANIFESTS
from sonata.cli.manual_pods import PODS
from sonata.cli.manual_trust import TRUST

MANUAL: dict[str, tuple[str, tuple[str, ...]]] = {
    **GROUPS,
    **COPIES,
    **ARTIFACTS,
    **PODS,
    **TRUST,
    "sonata.cli.containers.attach:command": (
        (
            "The sonata attach command allows you to attach to a running container using the container's "
            "ID or name, either to view its ongoing output or to control it interactively."
        ),
        ("sonata attach ctrID", "sonata attach 1234", "sonata attach --no-stdin foobar"),
    ),
    "sonata.cli.containers.cleanup:command": (
        (
            "Cleans up mount points and network stacks on one or more containers from the host. The "
            "container name or ID can be used. This command is used internally when running containers, "
            "but can also be used if container cleanup has failed when a container exits."
        ),
        ("sonata container cleanup ctrID1 ctrID2 ctrID3", "sonata container cleanup --all"),
    ),
    "sonata.cli.containers.clone:command": (
        (
            "Makes another container like an existing one: the same image, command, environment, volumes, networks "
            "and limits, with a fresh root filesystem. Options and arguments change the name, the image and limits. "
            "Without a name it is called as the original, with -clone behind it and, if need be, a number."
        ),
        (
            "sonata container clone web",
            "sonata container clone --name web2 --memory 1g --run web",
            "sonata container clone --destroy --force web web-new localhost/web:2",
        ),
    ),
    "sonata.cli.system.generate:kube": (
        "Kubernetes manifests are to come; until then this command says so and ends with 125.",
        (),
    ),
    "sonata.cli.system.generate:spec": (
        (
            "Prints how a container was made as JSON in the form of Podman's SpecGenerator, which its API takes to "
            "create containers. With --name the specification names the container NAME-clone, so that both can live "
            "side by side; with --name=false it keeps the name."
        ),
        ("sonata generate spec web", "sonata generate spec --compact --name=false -f web.json web"),
    ),
    "sonata.cli.system.generate:systemd": (
        (
            "Deprecated in Podman in favour of quadlets, and not offered: write a .container file for the container. "
            "To have containers start at boot, enable sonata-restart.service."
        ),
        (),
    ),
    "sonata.cli.containers.create:command": (
        (
            "Creates a new container from the given image or storage and prepares it for running the "
            "specified command.\n\nThe container ID is then printed to stdout. "
            "You can then start it at any time with the sonata start <container_id> command. The "
            "container will be created with the initial state 'created'."
        ),
        (
            "sonata create alpine ls",
            "sonata create --annotation HELLO=WORLD alpine ls",
            "sonata create -t -i --name myctr alpine ls",
        ),
    ),
    "sonata.cli.containers.debug:command": (
        (
            "Runs tools from an image, or the host's, in the namespaces of a running or paused container, for "
            "containers that have no shell of their own. A helper container is made from the image (**--image**, else"
            " `engine.debug_image` of containers.conf; without either from the programs of this host, read-only) and "
            "joins the container's pid, net, ipc, uts, user and cgroup namespaces; it is removed when the command "
            "ends, and ends with the container.\n\n"
            "The container's own files are seen below `/proc/1/root`; where it does not have process 1 to itself, "
            "because it shares a pid namespace, the variable `SONATA_TARGET_ROOT`, which is always set, says where. "
            "`SONATA_TARGET` is the container's id.\n\n"
            "The helper is root unless **--user** says otherwise, with the capabilities of the container and "
            "`CAP_SYS_PTRACE`, which looking at other processes and at their root needs; it is privileged where the "
            "container is. Its limits are its own: it does not count towards the container's.\n\n"
            "Without a command, the shell reads standard input; where that is a terminal, it gets one too. The image "
            "is pulled as by `sonata run`. While a container is debugged it cannot be removed, only stopped. "
            "The exit code is the command's."
        ),
        (
            "sonata debug web",
            "sonata debug --image busybox web",
            "sonata debug -it --image alpine --shell /bin/ash web",
            "sonata debug --image busybox web -- ls -l /proc/1/root/etc",
        ),
    ),
    "sonata.cli.containers.exec:command": (
        "Execute the specified command inside a running container.",
        ("sonata exec -it ctrID ls", "sonata exec -it -w /tmp myCtr pwd", "sonata exec --user root ctrID ls"),
    ),
    "sonata.cli.containers.exists:command": (
        (
            "If the named container exists in local storage, sonata container exists exits with 0, "
            "otherwise the exit code will be 1."
        ),
        (
            "sonata container exists --external containerID",
            "sonata container exists myctr || sonata run --name myctr [etc...]",
        ),
    ),
    "sonata.cli.containers.inspect:command": (
        "Displays the low-level information on a container identified by name or ID.",
        ("sonata container inspect myCtr", "sonata container inspect -l --format '{{.Id}} {{.Config.Labels}}'"),
    ),
    "sonata.cli.containers.kill:command": (
        (
            "The main process inside each container specified will be sent SIGKILL, or any signal "
            "specified with option --signal."
        ),
        ("sonata kill mywebserver", "sonata kill 860a4b23", "sonata kill --signal TERM ctrID"),
    ),
    "sonata.cli.containers.logs:command": (
        (
            "Retrieves logs for one or more containers.\n\nThis does not guarantee "
            "execution order when combined with sonata run (i.e., your run may not have generated any "
            "logs at the time you execute sonata logs)."
        ),
        (
            "sonata logs ctrID",
            "sonata logs --names ctrID1 ctrID2",
            "sonata logs --tail 2 mywebserver",
            "sonata logs --follow=true --since 10m ctrID",
            "sonata logs mywebserver mydbserver",
        ),
    ),
    "sonata.cli.containers.port:command": (
        "List port mappings for the CONTAINER, or look up the public-facing port that is NAT-ed to the PRIVATE_PORT",
        ("sonata port --all", "sonata port ctrID 80/tcp"),
    ),
    "sonata.cli.containers.ps:command": (
        "Prints out information about the containers",
        (
            "sonata ps -a",
            'sonata ps -a --format "{{.ID}}  {{.Image}}  {{.Labels}}  {{.Mounts}}"',
            "sonata ps --size --sort names",
        ),
    ),
    "sonata.cli.containers.rename:command": (
        "The sonata rename command allows you to rename an existing container",
        ("sonata rename containerA newName",),
    ),
    "sonata.cli.containers.restart:command": (
        (
            "Restarts one or more running containers. The container ID or name can be used.\n\nA "
            "timeout before forcibly stopping can be set, but defaults to 10 seconds."
        ),
        ("sonata restart ctrID", "sonata restart ctrID1 ctrID2"),
    ),
    "sonata.cli.containers.rm:command": (
        (
            "Removes one or more containers from the host. The container name or ID can be "
            "used.\n\nCommand does not remove images. Running or unusable "
            "containers will not be removed without the -f option."
        ),
        (
            "sonata rm ctrID",
            "sonata rm mywebserver myflaskserver 860a4b23",
            "sonata rm --force --all",
            "sonata rm -f c684f0d469f2",
        ),
    ),
    "sonata.cli.containers.run:command": (
        "Runs a command in a new container from the given image",
        (
            "sonata run imageID ls -alF /etc",
            "sonata run --network=host imageID dnf -y install java",
            "sonata run --volume /var/hostdir:/var/ctrdir -i -t fedora /bin/bash",
        ),
    ),
    "sonata.cli.containers.start:command": (
        (
            "Starts one or more containers.  The container name or ID can be used.\n\nAfter a boot, "
            "sonata-restart.service, a unit for systemd that comes with the package, starts the containers whose "
            "restart policy is always, and those with unless-stopped that nobody had stopped. Enable it with "
            "systemctl enable sonata-restart.service; without systemd, run the last of these examples at boot."
        ),
        (
            "sonata start 860a4b231279 5421ab43b45",
            "sonata start --interactive --attach imageID",
            "sonata start --all --filter restart-policy=always",
            "sonata start --all --filter should-start-on-boot=true",
        ),
    ),
    "sonata.cli.containers.stats:command": (
        (
            "Displays what containers use now: processor time since they started and as a part of one processor, "
            "memory without the page cache that lies idle, network and block traffic, processes. With no container "
            "named, all that run. It goes on every `--interval` seconds unless `--no-stream` is given; what the first "
            "look shows of the processor is the average since the container's start, later ones since the look "
            "before."
        ),
        ("sonata stats --no-stream", "sonata stats --format json --no-stream ctrID", "sonata stats --all"),
    ),
    "sonata.cli.containers.stop:command": (
        (
            "Stops one or more running containers.  The container name or ID can be used.\n\nA "
            "timeout to forcibly stop the container can also be set but defaults to 10 seconds otherwise."
        ),
        ("sonata stop ctrID", "sonata stop --time 2 mywebserver 6e534f14da9d"),
    ),
    "sonata.cli.containers.top:command": (
        (
            "Display the running processes of a container.\n\nThe top command "
            "extends the ps(1) compatible AIX descriptors with container-specific ones as shown below.  "
            "In the presence of ps(1) specific flags (e.g, -eo), Sonata will execute ps(1) inside the "
            "container.\n\nFormat "
            "Descriptors:\nargs,capamb,capbnd,capeff,capinh,capprm,comm,etime,group,groups,hgroup,hgroups,hpid,huid,huser,label,nice,pcpu,pgid,pid,ppid,rgroup,rss,ruser,seccomp,state,stime,time,tty,uid,user,vsz"
        ),
        ("sonata top ctrID", "sonata top ctrID pid seccomp args %C", "sonata top ctrID -eo user,pid,comm"),
    ),
    "sonata.cli.containers.wait:command": (
        "Block until one or more containers stop and then print their exit codes.",
        ("sonata wait --interval 5s ctrID", "sonata wait ctrID1 ctrID2"),
    ),
    "sonata.cli.images.exists:command": (
        (
            "If the named image exists in local storage, sonata image exists exits with 0, otherwise the "
            "exit code will be 1."
        ),
        ("sonata image exists ID", "sonata image exists IMAGE && sonata pull IMAGE"),
    ),
    "sonata.cli.images.history:command": (
        (
            "Displays the history of an image.\n\nThe information can be printed "
            "out in an easy to read, or user specified format, and can be truncated."
        ),
        ("sonata history quay.io/fedora/fedora",),
    ),
    "sonata.cli.images.inspect:command": (
        "Displays the low-level information of an image identified by name or ID.",
        (
            "sonata image inspect alpine",
            'sonata image inspect --format "imageId: {{.Id}} size: {{.Size}}" alpine',
            'sonata image inspect --format "image: {{.ImageName}} driver: {{.Driver}}" myctr',
        ),
    ),
    "sonata.cli.images.list:command": (
        "Lists images previously pulled to the system or created on the system.",
        (
            "sonata images --format json",
            'sonata images --sort repository --format "table {{.ID}} {{.Repository}} {{.Tag}}"',
            "sonata images --filter dangling=true",
        ),
    ),
    "sonata.cli.images.load:command": (
        "Loads an image from a locally stored archive (tar file) into container storage.",
        (),
    ),
    "sonata.cli.images.pull:command": (
        (
            "Pulls images into the local store and prints their ids.\n\n"
            "An image is named by tag or digest; without either, the tag is `latest`. A name without a registry is an "
            "alias of registries.conf(5) or is looked for at `unqualified-search-registries`: where there are several, "
            "a terminal is asked, and what is chosen is remembered; without a terminal all are tried in order, "
            "unless `short-name-mode` is `enforcing`. Before the name may stand a transport, such as `docker://`, "
            "`oci:`, `docker-archive:` or `dir:`.\n\n"
            "With `--policy newer` an image that the registry still has is left alone. With `--all-tags` every tag of "
            "the repository is pulled. Broken transfers are tried again (`--retry`) and go on where they were, also in "
            "a later pull. A layer that unpacks to more than `image_layer_max_size` and `image_layer_max_ratio` of "
            "containers.conf allow is refused.\n\n"
            "Credentials come from `--creds`, else from `--authfile` or the files and helpers of "
            "containers-auth.json(5); a password that `--creds` leaves out is asked for."
        ),
        (
            "sonata pull fedora:latest",
            "sonata pull --all-tags registry.example/team/app",
            "sonata pull --policy newer --arch arm64 docker://registry.example/team/app:1",
        ),
    ),
    "sonata.cli.images.rm:command": (
        "Removes one or more previously pulled or locally created images.",
        ("sonata rmi imageID", "sonata rmi --force alpine", "sonata rmi c4dfb1609ee2 93fd78260bd1 c0ed59d05ff7"),
    ),
    "sonata.cli.images.save:command": (
        "Save an image to docker-archive or oci-archive on the local machine. Default is docker-archive.",
        (
            "sonata save --quiet -o myimage.tar imageID",
            "sonata save --format docker-dir -o ubuntu-dir ubuntu",
            "sonata save > alpine-all.tar alpine:latest",
        ),
    ),
    "sonata.cli.images.tag:command": (
        "Adds one or more additional names to locally-stored image.",
        (
            "sonata tag 0e3bbc2 fedora:latest",
            "sonata tag imageID:latest myNewImage:newTag",
            "sonata tag httpd myregistryhost:5000/fedora/httpd:v2",
        ),
    ),
    "sonata.cli.images.untag:command": (
        "Removes one or more names from a locally-stored image.",
        (
            "sonata untag 0e3bbc2",
            "sonata untag imageID:latest otherImageName:latest",
            "sonata untag httpd myregistryhost:5000/fedora/httpd:v2",
        ),
    ),
    "sonata.cli.networks.connect:command": ("Add container to a network", ("sonata network connect web secondary",)),
    "sonata.cli.networks.create:command": (
        "Create networks for containers and pods",
        ("sonata network create podman1",),
    ),
    "sonata.cli.networks.disconnect:command": (
        "Remove container from a network",
        ("sonata network disconnect web secondary",),
    ),
    "sonata.cli.networks.exists:command": (
        "If the named network exists, sonata network exists exits with 0, otherwise the exit code will be 1.",
        ("sonata network exists net1",),
    ),
    "sonata.cli.networks.inspect:command": (
        "Displays the network configuration for one or more networks.",
        ("sonata network inspect podman",),
    ),
    "sonata.cli.networks.ls:command": ("List networks", ("sonata network list",)),
    "sonata.cli.networks.reconcile:command": (
        (
            "Compares what the network of running containers should consist of with what is there: interfaces, "
            "addresses, routes, firewall rules, published ports, names, helpers and leases. What is missing is "
            "made and what containers that are gone have left is taken away, while the containers run and their "
            "connections stay open. Nothing is touched that is as it should be, so that a second run changes nothing. "
            "Of containers and networks that are named, only what concerns these is looked at. With --check nothing is "
            "changed; the exit code is 1 if something is to be mended, else 0."
        ),
        (
            "sonata network reconcile",
            "sonata network reconcile --check",
            "sonata network reconcile --json web",
        ),
    ),
    "sonata.cli.networks.rm:command": ("Remove networks", ("sonata network rm podman",)),
    "sonata.cli.system.check:command": (
        "sonata system check\n\nCheck storage for consistency and remove anything that looks damaged",
        ("sonata system check",),
    ),
    "sonata.cli.system.locks:command": (
        (
            "Display which locks are held at this moment. A lock is a file with the name of what it locks: a "
            "container's ID, or volume- and the name of a volume. Two things never share a lock, so there are no "
            "conflicts to be told of."
        ),
        ("sonata system locks",),
    ),
    "sonata.cli.system.migrate:command": (
        (
            "Stop every running container, so that the next start uses this version of Sonata, and changed user "
            "and group ranges. With --new-runtime all containers use that OCI runtime from then on. The database "
            "is brought to this version's form by any command; --migrate-db only says so."
        ),
        ("sonata system migrate", "sonata system migrate --new-runtime runc"),
    ),
    "sonata.cli.system.renumber:command": (
        (
            "Remove the files of locks that nothing needs any more. There is no number of locks that could be "
            "exhausted, so nothing else changes."
        ),
        ("sonata system renumber",),
    ),
    "sonata.cli.system.reset:command": (
        (
            "Stop and remove all containers, and remove all networks, volumes, secrets and images, the state "
            "database and the folders of the store. What another program keeps in the same folders stays, and is "
            "named. A reset that was interrupted may be run again. No other command may run meanwhile."
        ),
        ("sonata system reset", "sonata system reset --force"),
    ),
    "sonata.cli.networks.prune:command": (
        "Remove all networks that no container is on. The default network is never removed.",
        ("sonata network prune", "sonata network prune --force --filter until=24h"),
    ),
    "sonata.cli.system.completion:command": (
        (
            "Generate shell autocompletions.\nValid arguments are bash, zsh, "
            "and fish.\nPlease refer to the man page to see how you can load "
            "these completions."
        ),
        ("sonata completion bash", "sonata completion zsh -f _podman", "sonata completion fish --no-desc"),
    ),
    "sonata.cli.health.run:command": (
        (
            "Runs the health check of a running container now, writes its result down as the checks that run by "
            "themselves do, and does what `--health-on-failure` says. Exits with 0 where it succeeds, with 1 where "
            "it fails (and prints `unhealthy`), with 125 where the container does not run or has no check.\n\n"
            "Checks run by themselves for as long as a container runs, at `--health-interval`: a small process "
            "beside the container's monitor sees to that, without systemd."
        ),
        ("sonata healthcheck run mywebapp",),
    ),
    "sonata.cli.secrets.create:command": (
        (
            "Creates a secret from a file, from standard input (`-`), or with `--env` from a variable, whose name is "
            "given in place of the file. A secret has at least one and less than 512000 bytes. It is kept in "
            "`secrets/` of the graph root, readable by its owner only, in the form that Podman keeps it in.\n\n"
            "A container gets it with `run --secret`: as a file, which lies in memory and nowhere else, or as a "
            "variable. Secrets that a container asks for must be there at each of its starts."
        ),
        (
            "sonata secret create my_secret ./secret.json",
            "printf secret | sonata secret create my_secret -",
            "MYSECRET=foo sonata secret create --env my_secret MYSECRET",
        ),
    ),
    "sonata.cli.secrets.exists:command": (
        "Exits with 0 where the secret exists, with 1 where it does not.",
        ("sonata secret exists my_secret",),
    ),
    "sonata.cli.secrets.inspect:command": (
        "Shows what is known of secrets; the data itself only with `--showsecret`.",
        ("sonata secret inspect my_secret", "sonata secret inspect --format '{{.Spec.Name}}' my_secret"),
    ),
    "sonata.cli.secrets.ls:command": (
        "Lists all secrets. `--filter` takes `name`, a regular expression, and `id`, the id's beginning.",
        ("sonata secret ls", "sonata secret ls --filter name=^db -q"),
    ),
    "sonata.cli.secrets.rm:command": (
        "Removes secrets. Containers that run keep what they were given; they cannot be started again without it.",
        ("sonata secret rm my_secret", "sonata secret rm --all"),
    ),
    "sonata.cli.system.df:command": ("sonata system df\n\nShow sonata disk usage", ()),
    "sonata.cli.system.events:command": (
        (
            "Monitor and print events that occur in Sonata. Each event includes a timestamp, a type, a status, a "
            "name (if applicable), and an image (if applicable). New events are shown as they occur, until "
            "interrupted or until `--until`; `--since` shows earlier ones first, `--stream=false` only those.\n\n"
            "Times are RFC 3339, Unix seconds, or a duration such as `10m`: before now for `--since`, from now on "
            "for `--until`.\n\n"
            "`--filter` takes `artifact`, `container`, `event`, `image`, `label`, `pod`, `type` and `volume`: values "
            "of one key are alternatives, different keys must all match."
        ),
        (
            "sonata events",
            "sonata events --since 5m --filter event=create --stream=false",
            "sonata events --format json --filter type=container",
        ),
    ),
    "sonata.cli.system.info:command": (
        (
            "Display information pertaining to the host, current storage stats, and build of "
            "sonata.\n\nUseful for the user and when reporting issues."
        ),
        ("sonata info",),
    ),
    "sonata.cli.system.inspect:command": (
        (
            "Displays the low-level information on an object identified by name or ID.\nFor "
            "more inspection options, see:\n\nsonata container inspect\nsonata "
            "image inspect\nsonata network inspect\nsonata volume inspect"
        ),
        (
            "sonata inspect fedora",
            "sonata inspect --type image fedora",
            "sonata inspect --type artifact quay.io/myimage/myartifact:latest",
            "sonata inspect CtrID ImgID",
            'sonata inspect --format "imageId: {{.Id}} size: {{.Size}}" fedora',
        ),
    ),
    "sonata.cli.system.prune:command": ("sonata system prune\n\nRemove unused data", ("sonata system prune",)),
    "sonata.cli.system.version:command": ("", ()),
    "sonata.cli.volumes.create:command": (
        (
            'If using the default driver, "local", the volume will be created on the host in the volumes '
            "directory under container storage."
        ),
        (
            "sonata volume create myvol",
            "sonata volume create",
            "sonata volume create --label foo=bar myvol",
            "sonata volume create --uid 4321 --gid 1234 myvol",
        ),
    ),
    "sonata.cli.volumes.exists:command": (
        "If the given volume exists, sonata volume exists exits with 0, otherwise the exit code will be 1.",
        ("sonata volume exists myvol",),
    ),
    "sonata.cli.volumes.export:command": (
        (
            "Writes the content of a volume as a tar, with owners, modes, times and extended attributes. A volume "
            "that takes a mount is mounted meanwhile. No link in the volume is followed."
        ),
        ("sonata volume export -o myvol.tar myvol", "sonata volume export myvol | tar -t"),
    ),
    "sonata.cli.volumes.importing:command": (
        (
            "Unpacks a tar, compressed or not, into a volume that exists, over what it has: of the same names what "
            "the tar has stays. Nothing is written outside the volume, whatever the tar says."
        ),
        ("sonata volume import myvol myvol.tar", "sonata volume export myvol | sonata volume import other -"),
    ),
    "sonata.cli.volumes.inspect:command": (
        "Display detailed information on one or more volumes.\n\nUse a Go template to change the format from JSON.",
        (
            "sonata volume inspect myvol",
            "sonata volume inspect --all",
            'sonata volume inspect --format "{{.Driver}} {{.Scope}}" myvol',
        ),
    ),
    "sonata.cli.volumes.ls:command": (
        (
            "List all available volumes. The output of the volumes can be filtered\nand "
            "the output format can be changed to JSON or a user specified Go template."
        ),
        (),
    ),
    "sonata.cli.volumes.mount:command": (
        (
            "Mounts a volume that takes a mount (by its options, of an image, of a driver), and prints where its "
            "content is on the host. Each call counts: as many calls of unmount take it back."
        ),
        ("sonata volume mount myvol",),
    ),
    "sonata.cli.volumes.reload:command": (
        (
            "Asks all volume drivers that containers.conf names under [engine.volume_plugins] for their volumes: new "
            "ones are taken up, and those that their driver has no more are forgotten."
        ),
        ("sonata volume reload",),
    ),
    "sonata.cli.volumes.rm:command": (
        (
            "Remove one or more existing volumes.\n\nBy default only volumes "
            "that are not being used by any containers will be removed. To remove the volumes anyways, "
            "use the --force flag."
        ),
        ("sonata volume rm myvol1 myvol2", "sonata volume rm --all", "sonata volume rm --force myvol"),
    ),
    "sonata.cli.volumes.unmount:command": (
        ("Takes one call of volume mount back. With the last one the volume is unmounted, unless containers use it."),
        ("sonata volume unmount myvol",),
    ),
    **MANIFESTS,
}
