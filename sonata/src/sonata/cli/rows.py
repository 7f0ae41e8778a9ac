"""What rows of the command table are made of: places of modules, words of synopses, one maker for each group."""

Row = tuple[str, str, str, str, str, str, str]

IN_ARTIFACTS = "sonata.cli.artifacts."
IN_CONTAINERS = "sonata.cli.containers."
IN_IMAGES = "sonata.cli.images."
IN_NETWORKS = "sonata.cli.networks."
IN_VOLUMES = "sonata.cli.volumes."
IN_PODS = "sonata.cli.pods."
IN_SECRETS = "sonata.cli.secrets."
IN_MANIFESTS = "sonata.cli.manifests."
LIST = "manifest list or image index"
ITEM = "LIST IMAGEORARTIFACT"
IN_SYSTEM = "sonata.cli.system."
IN_PLUGINS = "sonata.cli.plugins."
ONE_C = "CONTAINER"
MORE_C = "CONTAINER [CONTAINER...]"
MORE_P = "POD [POD...]"
TOP_OF_POD = "POD [FORMAT-DESCRIPTORS|ARGS...]"
MORE_I = "IMAGE [IMAGE...]"
PLACES = "SOURCE DESTINATION"


def container_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `containers`."""
    return (f"{IN_CONTAINERS}{verb}:command", text, "userns", "containers", options, rule, synopsis)


def artifact_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `artifacts`."""
    return (f"{IN_ARTIFACTS}{verb}:command", text, "userns", "artifacts", f"artifacts:{options}", rule, synopsis)


def image_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `images`."""
    return (f"{IN_IMAGES}{verb}:command", text, "userns", "images", options, rule, synopsis)


def pod_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `pods`."""
    return (f"{IN_PODS}{verb}:command", text, "userns", "pods", options and f"pods:{options}", rule, synopsis)


def network_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `networks`."""
    return (f"{IN_NETWORKS}{verb}:command", text, "userns", "networks", options, rule, synopsis)


def volume_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `volumes`."""
    return (f"{IN_VOLUMES}{verb}:command", text, "userns", "volumes", options, rule, synopsis)


def secret_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `secrets`."""
    return (f"{IN_SECRETS}{verb}:command", text, "userns", "secrets", options, rule, synopsis)


def manifest_row(verb: str, text: str, options: str, rule: str, synopsis: str) -> Row:
    """A command of the group `manifests`."""
    return (
        f"{IN_MANIFESTS}{verb}:command",
        text,
        "userns",
        "manifests",
        options and f"manifests:{options}",
        rule,
        synopsis,
    )


def system_row(verb: str, text: str, options: str, realm: str) -> Row:
    """A command of the group `system`."""
    return (f"{IN_SYSTEM}{verb}:command", text, realm, "system", options, "none", "")
