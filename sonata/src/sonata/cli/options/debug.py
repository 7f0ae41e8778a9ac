"""`debug`.

Rows are described in `sonata.cli.pflag`.
"""

DEBUG = (
    (
        "detach-keys",
        "",
        "string",
        "ctrl-p,ctrl-q",
        "[a-Z]",
        "Override the key sequence for detaching; the helper container then goes on until its command ends",
    ),
    ("image", "", "string", "", "IMAGE", "Image with the tools", {"complete": "images"}),
    ("interactive", "i", "bool", False, "", "Make STDIN available to the command"),
    (
        "pull",
        "",
        "string",
        "missing",
        "",
        'Pull image policy ("always"|"missing"|"never"|"newer")',
        {"choices": ("always", "missing", "never", "newer")},
    ),
    ("quiet", "q", "bool", False, "", "Suppress output information when pulling the image"),
    ("shell", "", "string", "/bin/sh", "COMMAND", "Shell to run where no command is given, with its arguments"),
    ("tty", "t", "bool", False, "", "Allocate a pseudo-TTY"),
    ("user", "u", "string", "0:0", "", "Username or UID in the image of tools (format: <name|uid>[:<group|gid>])"),
)
