"""What help and the manual say of commands that move images; as `manual`."""

COPIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sonata.cli.images.audit:command": (
        (
            "Looks an image through, layer by layer, for what one should know before running it. Nothing of it is run, "
            "and nothing is unpacked. IMAGE is one of the store, or TRANSPORT:PLACE, such as docker://HOST/NAME:TAG or "
            "oci-archive:FILE; the image of another platform is chosen with **--platform**.\n\n"
            "Looked for are programs that run as another user (`setuid`, `setgid`, `capability`), what everybody may "
            "change (`world-writable`), device nodes (`device`), links that leave the root (`link`), secrets in files, "
            "also those that a later layer hides, and in environment, labels, history and commands (`secret`), "
            "accounts without password (`account`), the user that it runs as (`user`), things of the configuration "
            "(`config`), bytes that later layers replace (`waste`), and what policy.json says of it (`trust`). Every "
            "check has an id and a severity: docs/image-audit.md lists them. Secrets are shown cut short, and what "
            "a terminal would act on is escaped.\n\n"
            "With **--fail-on** the exit code is 1 if something is found of a severity or a worse one, of a kind or of "
            "a check that it names, whatever **--severity** lists. A failure of the command itself gives 125.\n\n"
            "A file of **--ignore-file** has a line for each finding that is known and accepted: the check, the path "
            "(both may be patterns, as of a shell; of the configuration the word that the table shows), "
            "until=YYYY-MM-DD for the last day on which it holds, and after # the reason."
        ),
        (
            "sonata image audit alpine",
            "sonata image audit --fail-on high docker://registry.example/app:1",
            "sonata image audit --fail-on secret,setuid-root --ignore-file accepted.txt oci-archive:app.tar",
            "sonata image audit --skip waste,trust --format sarif app > audit.sarif",
        ),
    ),
    "sonata.cli.images.sync:command": (
        (
            "Mirrors images, as skopeo sync does: all tags of a repository (or the one that is named), every image "
            "in a tree of folders, or what a YAML file lists for each registry, with **images**, "
            "**images-by-tag-regex**, **images-by-semver**, **credentials**, **tls-verify** and **cert-dir**. An "
            "image whose manifest the destination names already is left alone, so that a sync that was broken off "
            "can be taken up, and a second one copies nothing."
        ),
        (
            "sonata image sync --src docker --dest docker registry.example/app mirror.example/copies",
            "sonata image sync --src docker --dest dir --filter 'semver=>= 1.2' registry.example/app /srv/images",
            "sonata image sync --src yaml --dest docker --all --keep-going list.yml mirror.example",
        ),
    ),
    "sonata.cli.images.copying:command": (
        (
            "Copies an image from one place to another, as skopeo copy does. Both are named as TRANSPORT:PLACE: "
            "docker:// (registries), oci:, oci-archive:, docker-archive:, dir:, and containers-storage: for this "
            "store, or with [DRIVER@ROOT+RUN]NAME another one. Bits and digests are kept wherever the destination can "
            "hold the image as it is; otherwise its manifest and config are converted, and layers packed anew. Blobs "
            "that the destination has are not sent again, and a registry that has one in another repository is asked "
            "to share it. The source is judged by policy.json as for a pull."
        ),
        (
            "sonata image copy docker://registry.example/app:1 oci:/srv/layout:app",
            "sonata image copy --all docker://registry.example/app:1 docker://mirror.example/app:1",
            "sonata image copy --format v2s2 oci-archive:app.tar docker-archive:app-docker.tar:app:1",
            "sonata image copy containers-storage:app containers-storage:[overlay@/srv/store+/run/store]app",
        ),
    ),
    "sonata.cli.images.scp:command": (
        (
            "Copies an image to another host over ssh, from one, or between two; or between users of this host, as "
            "root. Either end is [[USER@]HOST::][IMAGE]; HOST may also be the name of a connection that Podman was "
            "told of. The other host needs Sonata or Podman in its PATH. USER@localhost:: is another user here."
        ),
        (
            "sonata image scp app:1 me@registry.example::",
            "sonata image scp build.example::app:1",
            "sudo sonata image scp root@localhost::app:1 me@localhost::",
        ),
    ),
}
