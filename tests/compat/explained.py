"""Where Sonata ends otherwise than the Podman that was recorded (5.8.6), and why.

A reason that begins with `order` lets only the order differ: of words in a line, of lines.
"""

CRUN = "the words are crun's, and change with its version"
UNREACHABLE = "Sonata names no address of a host that cannot be reached"
EXPLAINED: dict[str, str] = {
    "network create --subnet nonsense n2": "Sonata's error names the subnet as well",
    "volume create 'bad name'": "Sonata's error names the volume as well",
    "tag localhost/box:1 'BAD NAME'": "Podman says the same thing twice",
    "create --name c localhost/box:1": "the words after `initializing source` are the platform's",
    "inspect m --format '{{json .Mounts}}'": "the order of Podman's mounts is a map's, and the paths are the store's",
    "ps -a --format '{{.Mounts}}'": "the order of Podman's mounts is a map's",
    "inspect l --format '{{json .HostConfig.Ulimits}}'": "the recording host's containers.conf had default ulimits",
    "create --network none --name q -p 18081:80 localhost/box:1": "Sonata says it as a warning",
    "create --hostname 'bad host' --name h localhost/box:1": "Podman's container would not start",
    "create --cpus -1 localhost/box:1": "Podman's container would not start",
    "create --oom-score-adj 5000 --name o localhost/box:1": "Podman's container would not start",
    "create --platform nonsense --pull never localhost/box:1": "Sonata takes the image that is there",
    "create --init --init-path /nosuch localhost/box:1": "the words after `not found on the host` differ",
    "run --rm --network none -u 7:8 localhost/box:1 id": "whom Podman adds to passwd and group may not read the files",
    "top c1": "Sonata's refusals of a wrong state all end alike",
    "attach s": "Sonata's refusals of a wrong state all end alike",
    "exec -w /nosuch s ls": CRUN,
    "exec -u nosuch s id": "Sonata ends with 125 wherever a user is unknown",
    "exec --detach-keys 'ctrl-]]' s true": "Sonata ends with 125 for a bad option",
    "attach c1": "Sonata's refusals of a wrong state all end alike",
    "rename c2 'bad name'": "Sonata says the same of a name wherever it is given",
    "run --rm --network none localhost/box:1 /etc": CRUN,
    "exec r1 /etc": CRUN,
    "run -d --network none --name r1 localhost/box:1 sleep 1000": "Sonata tells of --replace in a hint",
    "top r1 nosuch": "Sonata knows the descriptors itself and does not run ps(1) in the container",
    # environment
    "run --rm --network none --env-file bad.list localhost/rich:1 true": "Podman names the file as well",
    "inspect e --format '{{json .Config.Env}}'": "order: a map's in Podman",
    "create --network none --cidfile cid --name ci2 localhost/rich:1": "Sonata writes over no file that is there",
    "container exists ci2": "Sonata writes over no file that is there",
    "rm -a": "Sonata writes over no file that is there",
    # identity
    "run --rm --network none --hostname h --hosts-file none --add-host a:1.2.3.4 --add-host 'b;c:5.6.7.8' "
    "localhost/box:1 cat /etc/hosts": UNREACHABLE,
    "run --rm --network none --hostname h --hosts-file hosts localhost/box:1 cat /etc/hosts": UNREACHABLE,
    "run --rm --network none --hostname h --hosts-file none localhost/box:1 cat /etc/hosts": UNREACHABLE,
    "run --rm --network none --hostname h --hosts-file image localhost/rich:1 cat /etc/hosts": UNREACHABLE,
    "run --rm --network none --hosts-file nosuch localhost/box:1 cat /etc/hosts": "Sonata refuses with 125",
    "run --rm --network none --publish 80 localhost/box:1 true": "Sonata says it as a warning",
    "run --rm --network container:srv -p 80 localhost/box:1 true": "Sonata says it as a warning",
    # lists
    "ps -a --filter exited=x --format '{{.Names}}'": "Podman says it with Go's words",
    "ps -a --filter network=none --sort names --format '{{.Names}}'": "Sonata finds those without a network too",
    "ps -a --filter restart-policy=no --sort names --format '{{.Names}}'": "Sonata takes `no` for the default",
    # process
    "run --rm --network none --group-add nosuch localhost/rich:1 id": "Podman names the container as well",
    "run --rm --network none -w relative localhost/rich:1 pwd": "Sonata shows the path that it looked for",
    "run --rm --network none --entrypoint /nosuch localhost/rich:1": CRUN,
    "run --rm --network none --personality NOSUCH localhost/rich:1 uname -m": "Sonata refuses before anything is made",
    "run --rm --network none --env-file bad.list localhost/rich:1 env": "Podman names the file as well",
    # spaces
    "run --rm --network none --ipc host --sysctl kernel.msgmax=4096 localhost/box:1 true": "Sonata refuses earlier",
    "run --rm --network none --security-opt no-new-privileges=nonsense localhost/box:1 true": "Sonata says more",
    "run --rm --network none --device /etc/passwd localhost/box:1 true": "Podman says it twice",
    "rm -f -t 0 base share": "order: of threads in Podman",
    "pod rm p": "order: a map's in Podman",
    # events
    "events --stream=false --filter container=c --format '{{.Status}}'": "Sonata cleans up before it removes",
    "events --stream=false --filter type=image --format '{{.Status}} {{.Name}}'": "Podman pulls what is there already",
    "logs --since nonsense f": "Sonata says that it is no duration",
    "run --network none --name tagged --log-opt tag={{.Name}} localhost/box:1 echo x": "conmon's words stand elsewhere",
    "stats --no-stream nosuch": "Podman says it twice",
    "system df --format '{{.Type}} {{.Total}} {{.Active}}'": "Sonata counts partial blobs and records as well",
    "info --format '{{.Nosuch}}'": "names a type of Go",
    "inspect --type volume nosuch": "Sonata says the same of a volume wherever it is asked for",
    "inspect -s f --format '{{.SizeRw}}'": "of the files that an engine keeps beside a container",
    "logs --color f": "colours are to come",
    # sessions
    "exec s /etc/passwd": CRUN,
    "inspect s --format '{{len .ExecIDs}}'": "Sonata forgets a detached session when it has ended",
    "top s -o pid": "Sonata knows the descriptors itself and does not run ps(1) in the container",
    "top s hpid nosuch": "Sonata knows the descriptors itself and does not run ps(1) in the container",
    "commit --change 'NOSUCH x' m localhost/committed:3": "Sonata says the same as import",
    # health
    "inspect none --format '{{.State.Health.Status}}'": "names a type of Go",
    "inspect o --format '{{json .Config.Healthcheck}}'": "Sonata shows no times of what is never run",
    "create --health-cmd true --health-interval nonsense localhost/box:1": "Podman names the option as well",
    "create --health-cmd true --health-start-period nonsense localhost/box:1": "Podman names the option as well",
    # secrets
    "secret create -d nosuchdriver x secret": "Sonata names the secret and the driver as well",
    "secret ls --format '{{.Name}} {{.Driver}}'": "order: a map's in Podman",
    # chosen
    "init --all": "Sonata names those that it has initialised",
    "diff b": "Podman compares with nothing where all is in one layer",
    # wide
    "run --rm --network none --pull always localhost/box:1 echo here": "Podman says what it tries as well",
    "inspect localhost/com:5 --format '{{json .Config.Env}} {{json .Config.Cmd}}'": "Podman adds its own variable",
    "rm -f -t 0 ex pub": "order: of threads in Podman",
    # places
    "volume ls -q --filter dangling=true": "order: a map's in Podman",
    "volume ls -q": "order: a map's in Podman",
    "volume inspect -a --format '{{.Name}}'": "order: a map's in Podman",
    "volume rm -a": "order: a map's in Podman",
    "run --rm --network none -v ./nosuch:/f localhost/box:1 true": "Sonata shows the whole path",
    "run --rm --network none --mount type=tmpfs,dst=/etc,notmpcopyup localhost/rich:1 ls /etc": (
        "Sonata finds the user in the image, whatever covers it"
    ),
    "run --rm --network none --mount type=image,src=nosuchimage,dst=/i localhost/box:1 true": (
        "Sonata refuses before anything is made"
    ),
    "run --rm --network none --mount type=glob,src=./nosuch*,dst=/g localhost/box:1 ls /g": (
        "Sonata shows the whole path"
    ),
    # renewed
    "run --rm --network bridge:nosuch=1 localhost/box:1 true": "Sonata refuses an option that would do nothing",
    "images --format '{{.Repository}}:{{.Tag}}' --filter manifest=true": "order: of images made within a second",
    "inspect c --format '{{json .Config.Env}}'": "order: a map's in Podman",
    "host: tar tf v.tar": "Sonata keeps owner and mode of the volume's own folder",
    "volume prune -f": "Podman 5 takes volumes with a name as well, Podman 6 does not",
    "generate spec nosuch": "Sonata says what was looked for",
    # containers
    "inspect c1 --format '{{.Name}} {{.State.Status}} {{.Config.Cmd}} {{.Config.Env}} {{.Path}} {{.Args}} "
    "{{.ImageName}}'": ("order: a map's in Podman"),
}
