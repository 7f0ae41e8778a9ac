"""What the manual says of the commands on artifacts: a part of `sonata.cli.manual`."""

ARTIFACTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sonata.cli.artifacts.add:command": (
        (
            "Puts files of the host into the local store as an OCI artifact, and prints its digest. Each file becomes "
            "a layer that has the file's name as its title; no two may be equal. The media type of a file is told by "
            "its first bytes, unless --file-type gives it. Artifacts lie in an OCI layout, `artifacts` below the "
            "graph root, which Podman reads and writes too. A pipe is taken as well as a file."
        ),
        (
            "sonata artifact add quay.io/myimage/myartifact:latest /tmp/foobar.txt",
            "sonata artifact add --file-type text/yaml quay.io/myimage/myartifact:latest /tmp/foobar.yaml",
            "sonata artifact add --append quay.io/myimage/myartifact:latest /tmp/foobar.tar.gz",
        ),
    ),
    "sonata.cli.artifacts.extract:command": (
        (
            "Writes the files of an artifact into a folder, each by its title or, without one, its digest; an artifact "
            "of one file, or the one that --digest or --title chooses, may also go to a file. A file is verified "
            "before it gets its name. Titles that name other folders are refused, and no link is followed."
        ),
        (
            "sonata artifact extract quay.io/myimage/myartifact:latest /tmp/foobar.txt",
            "sonata artifact extract quay.io/myimage/myartifact:latest /home/paul/mydir",
        ),
    ),
    "sonata.cli.artifacts.inspect:command": (
        "Shows an artifact's name, digest and manifest as JSON, or through a template.",
        ("sonata artifact inspect quay.io/myimage/myartifact:latest",),
    ),
    "sonata.cli.artifacts.ls:command": (
        "Lists the OCI artifacts of the local store.",
        ("sonata artifact ls", "sonata artifact ls --format '{{.Repository}}:{{.Tag}} {{.Size}}'"),
    ),
    "sonata.cli.artifacts.pull:command": (
        (
            "Pulls an artifact from a registry into the local store, under the name that was typed. Every blob is "
            "verified; what an earlier pull left is gone on with. Trust is decided by policy.json, as for images."
        ),
        ("sonata artifact pull quay.io/myimage/myartifact:latest",),
    ),
    "sonata.cli.artifacts.push:command": (
        (
            "Pushes an artifact of the local store to the registry that its name says. It arrives as it is, with the "
            "same digest; blobs that the repository has already are not sent."
        ),
        ("sonata artifact push quay.io/artifact/foobar1:latest",),
    ),
    "sonata.cli.artifacts.referrers:command": (
        (
            "Lists the manifests in a registry whose subject is the image or artifact of that name: signatures, bills "
            "of materials and the like. Registries without the referrers API are asked for the tag that stands in for "
            "it (`sha256-…`). What is listed can be pulled by its digest with `artifact pull`; none of it is verified "
            "before. Podman has no such command."
        ),
        (
            "sonata artifact referrers quay.io/myimage/myapp:latest",
            "sonata artifact referrers --artifact-type application/spdx+json --format json quay.io/myimage/myapp:1",
        ),
    ),
    "sonata.cli.artifacts.rm:command": (
        (
            "Removes artifacts from the local store by name, or by the first digits of their digests, and prints the "
            "digests. Files that other artifacts have too stay; a container that has them mounted keeps them."
        ),
        (
            "sonata artifact rm quay.io/myimage/myartifact:latest",
            "sonata artifact rm -a",
            "sonata artifact rm -i c4dfb1609ee2",
        ),
    ),
}
