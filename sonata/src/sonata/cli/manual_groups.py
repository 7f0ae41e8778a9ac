"""As `sonata.cli.manual`, for groups of commands of which there is more to say than their titles: by name."""

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "generate": (
        "Generate structured data (e.g., Kubernetes YAML or systemd units) based on containers, pods or volumes.",
        (),
    ),
    "healthcheck": ("Run health checks on containers", ()),
    "manifest": (
        "Creates, modifies, and pushes manifest lists and image indexes.",
        (
            "sonata manifest add mylist:v1.11 image:v1.11-amd64",
            "sonata manifest create localhost/list",
            "sonata manifest inspect localhost/list",
            (
                "sonata manifest annotate --annotation left=right mylist:v1.11 "
                "sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736"
            ),
            "sonata manifest push mylist:v1.11 docker://quay.io/myuser/image:v1.11",
            (
                "sonata manifest remove mylist:v1.11 "
                "sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736"
            ),
            "sonata manifest rm mylist:v1.11",
        ),
    ),
    "pod": ("Pods are a group of one or more containers sharing the same network, pid and ipc namespaces.", ()),
    "volume": ("Volumes are created in and can be shared between containers", ()),
}
