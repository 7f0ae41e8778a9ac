"""Commands on secrets.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

CREATE = (
    ("driver", "d", "string", "file", "", "Specify secret driver"),
    ("driver-opts", "", "stringToString", (), "", "Specify driver specific options"),
    ("env", "", "bool", False, "", "Read secret data from environment variable"),
    ("ignore", "", "bool", False, "", "If a secret with the same name exists, do nothing and do not fail"),
    ("label", "l", "stringArray", (), "", "Specify labels on the secret"),
    ("replace", "", "bool", False, "", "If a secret with the same name exists, replace it"),
)

INSPECT = (
    ("format", "f", "string", "", "", "Format inspect output using Go template"),
    ("pretty", "", "bool", False, "", "Print inspect output in human-readable format"),
    ("showsecret", "", "bool", False, "", "Display the secret"),
)

LS = (
    ("filter", "f", "stringArray", (), "", "Filter secret output"),
    (
        "format",
        "",
        "string",
        "{{range .}}{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}\n{{end -}}",
        "",
        "Format secret output using Go template",
    ),
    ("noheading", "n", "bool", False, "", "Do not print headers"),
    ("quiet", "q", "bool", False, "", "Print secret IDs only"),
)

RM = (
    ("all", "a", "bool", False, "", "Remove all secrets"),
    ("ignore", "i", "bool", False, "", "Ignore errors when a specified secret is missing"),
)
