"""Commands on plugins.

Rows are described in `sonata.cli.pflag`.
"""

LS = (
    ("format", "", "string", "", "", "Pretty-print plugins to JSON or using a Go template"),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("quiet", "q", "bool", False, "", "Print kinds and names only"),
)

INSPECT = (("format", "f", "string", "", "", "Format the output to a Go template or json"),)

CHECK = (("format", "f", "string", "", "", "Output as JSON with `json`", {"choices": ("json",)}),)
