"""Go's text/template, for `--format`."""
