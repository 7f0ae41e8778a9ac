"""The process in a container and its environment.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

PROCESS = (
    ("entrypoint", "", "string", "", "", "Overwrite the default ENTRYPOINT of the image"),
    (
        "env",
        "e",
        "stringArray",
        ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
        "",
        "Set environment variables in container",
    ),
    ("env-file", "", "stringArray", (), "", "Read in a file of environment variables", {"complete": "files"}),
    ("env-host", "", "bool", False, "", "Use all current host environment variables in container"),
    (
        "env-merge",
        "",
        "stringArray",
        (),
        "",
        "Preprocess environment variables from image before injecting them into the container",
    ),
    (
        "http-proxy",
        "",
        "bool",
        True,
        "",
        "Set proxy environment variables in the container based on the host proxy vars",
    ),
    (
        "init",
        "",
        "bool",
        False,
        "",
        "Run an init binary inside the container that forwards signals and reaps processes",
    ),
    ("init-path", "", "string", "", "", "Path to the container-init binary"),
    ("interactive", "i", "bool", False, "", "Make STDIN available to the contained process"),
    ("stop-signal", "", "string", "", "", "Signal to stop a container. Default is SIGTERM"),
    (
        "stop-timeout",
        "",
        "uint",
        10,
        "",
        (
            "Timeout (in seconds) that containers stopped by user command have to exit. If exceeded, the "
            "container will be forcibly stopped via SIGKILL"
        ),
    ),
    (
        "systemd",
        "",
        "string",
        "true",
        "",
        'Run container in systemd mode ("true"|"false"|"always")',
        {"choices": ("true", "false", "always")},
    ),
    (
        "timeout",
        "",
        "uint",
        0,
        "",
        (
            "Maximum length of time a container is allowed to run. The container will be killed "
            "automatically after the time expires"
        ),
    ),
    ("tty", "t", "bool", False, "", "Allocate a pseudo-TTY for container"),
    ("tz", "", "string", "", "", "Set timezone in container"),
    ("unsetenv", "", "stringArray", (), "", "Unset environment default variables in container"),
    ("unsetenv-all", "", "bool", False, "", "Unset all default environment variables in container"),
    ("workdir", "w", "string", "", "", "Working directory inside the container"),
)
