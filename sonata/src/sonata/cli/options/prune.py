"""Commands that remove what nothing uses.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

_FILTER = ("filter", "", "stringArray", (), "", "Provide filter values (e.g. 'label=<key>=<value>')")
_FORCE = ("force", "f", "bool", False, "", "Do not prompt for confirmation")

CONTAINERS = (_FILTER, _FORCE)

IMAGES = (
    ("all", "a", "bool", False, "", "Remove all images not in use by containers, not just dangling ones"),
    (
        "build-cache",
        "",
        "bool",
        False,
        "",
        "Remove persistent build cache created by --mount=type=cache",
    ),
    (
        "external",
        "",
        "bool",
        False,
        "",
        "Remove images even when they are used by external containers",
    ),
    _FILTER,
    _FORCE,
)

NETWORKS = (_FILTER, _FORCE)

VOLUMES = (
    ("all", "a", "bool", False, "", "Remove all unused volumes, not just anonymous ones"),
    ("dry-run", "", "bool", False, "", "Show what would be removed, and remove nothing"),
    _FILTER,
    _FORCE,
)
