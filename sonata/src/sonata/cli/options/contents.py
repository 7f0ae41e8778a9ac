"""Commands on what containers hold.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

IMAGE_DIFF = (("format", "", "string", "", "", "Change the output format (json)"),)

DIFF = (
    *IMAGE_DIFF,
    ("latest", "l", "bool", False, "", "Act on the latest container Sonata is aware of"),
)
