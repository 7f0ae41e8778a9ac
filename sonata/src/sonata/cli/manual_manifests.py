"""As `sonata.cli.manual`, for the commands on lists of images."""

MANIFESTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sonata.cli.manifests.add:command": (
        (
            "Adds images to a list. An image is named with its transport, such as docker:// or oci:. A name without "
            "one is asked of its registry first, and then looked for in the store; a name that begins with localhost/ "
            "only in the store. Of an image that is a list itself the one for this host is added, or with --all every "
            "one. Nothing is copied before the list is pushed.\n\nWith --artifact the arguments are files, which "
            "become one artifact in the list. They are read where they are when the list is pushed.\n\nThe options "
            "that describe an instance hold for the first one that each image brings."
        ),
        (
            "sonata manifest add mylist:v1.11 image:v1.11-amd64",
            "sonata manifest add --all mylist:v1.11 docker://quay.io/example/other:v1",
            "sonata manifest add --arch arm64 --variant v8 mylist:v1.11 oci:layout:arm",
            "sonata manifest add --artifact --artifact-type application/x-notes mylist:v1.11 notes.txt",
        ),
    ),
    "sonata.cli.manifests.annotate:command": (
        (
            "Adds or updates information about an instance of a list, which is named by its digest, by an image, or by "
            "a file of an artifact. With --index it is the list itself that is annotated, and that may be given a "
            "subject: the image or artifact that it belongs to."
        ),
        (
            "sonata manifest annotate --arch arm64 mylist:v1.11 localhost/image:v1.11-arm64",
            "sonata manifest annotate --index --annotation left=right mylist:v1.11",
        ),
    ),
    "sonata.cli.manifests.create:command": (
        (
            "Makes a list in the store, with the images that are named in it, and prints its id. Podman, Buildah and "
            "Skopeo see the list when they use the same store. Wherever an image is asked for, as by run, inspect or "
            "push, a list stands for its image for this host, if that is in the store."
        ),
        (
            "sonata manifest create mylist:v1.11",
            "sonata manifest create mylist:v1.11 localhost/image:amd64 localhost/image:arm64",
            "sonata manifest create --all mylist:v1.11 docker://quay.io/example/other:v1",
        ),
    ),
    "sonata.cli.manifests.exists:command": (
        (
            "Whether there is a list of that name in the store: exit code 0 for yes, 1 for no, 125 for an image that "
            "is no list."
        ),
        ("sonata manifest exists mylist",),
    ),
    "sonata.cli.manifests.inspect:command": (
        ("Shows a list of the store; for any other name what its registry has under it, which must be a list too."),
        ("sonata manifest inspect localhost/list", "sonata manifest inspect quay.io/example/other:v1"),
    ),
    "sonata.cli.manifests.push:command": (
        (
            "Pushes a list to a registry, an OCI layout or archive, or a folder, and with it its images and artifacts, "
            "wherever they are: those of the store are packed as by push, others are copied from place to place as "
            "they are, and keep their digests, unless a format or a compression was asked for. With --all=false only "
            "the list itself is written; its images must be there already.\n\nWith --add-compression images are "
            "added that differ from those of the list in nothing but their compression; engines choose the one that "
            "they can read best."
        ),
        (
            "sonata manifest push mylist:v1.11 docker://quay.io/example/image:v1.11",
            "sonata manifest push --rm mylist:v1.11 oci:layout:v1.11",
            "sonata manifest push --add-compression zstd mylist:v1.11 quay.io/example/image:v1.11",
        ),
    ),
    "sonata.cli.manifests.remove:command": (
        "Takes an instance out of a list. The image itself stays.",
        (
            "sonata manifest remove mylist:v1.11 "
            "sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736",
        ),
    ),
    "sonata.cli.manifests.rm:command": (
        "Removes lists from the store. Their images stay. `sonata rmi` of a list does the same.",
        ("sonata manifest rm mylist:v1.11", "sonata manifest rm --ignore list1 list2"),
    ),
}
