"""Commands on networks that Sonata alone has. Rows are described in `sonata.cli.pflag`."""

RECONCILE = (
    ("check", "", "bool", False, "", "Only look, and exit with 1 if something is to be mended"),
    ("format", "", "string", "", "", "Pretty-print findings to JSON or using a Go template"),
    ("json", "", "bool", False, "", "Print findings as JSON, as --format json does"),
)
