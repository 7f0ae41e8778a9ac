"""Commands on artifacts.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

ADD = (
    ("annotation", "", "stringArray", (), "annotation", "set an annotation for the specified files of artifact"),
    ("append", "a", "bool", False, "", "Append files to an existing artifact"),
    ("file-type", "", "string", "", "", "Set file type to use for the artifact (layer)"),
    ("replace", "", "bool", False, "", "Replace an existing artifact"),
    ("type", "", "string", "", "", "Use type to describe an artifact"),
)

EXTRACT = (
    ("digest", "", "string", "", "", "Only extract blob with the given digest"),
    ("title", "", "string", "", "", "Only extract blob with the given title"),
)

INSPECT = (("format", "f", "string", "json", "", "Format volume output using JSON or a Go template"),)

LS = (
    (
        "format",
        "",
        "string",
        "{{range .}}{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.Created}}\t{{.Size}}\n{{end -}}",
        "",
        "Format volume output using JSON or a Go template",
    ),
    ("no-trunc", "", "bool", False, "", "Do not truncate output"),
    ("noheading", "n", "bool", False, "", "Do not print column headings"),
)

RM = (
    ("all", "a", "bool", False, "", "Remove all artifacts"),
    ("ignore", "i", "bool", False, "", "Ignore error if artifact does not exist"),
)
