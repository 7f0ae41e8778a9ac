"""Health checks.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

HEALTH = (
    (
        "health-cmd",
        "",
        "string",
        "",
        "",
        "Set a healthcheck command for the container ('none' disables the existing healthcheck)",
        {"aliases": ("healthcheck-command",), "later": True},
    ),
    (
        "health-interval",
        "",
        "string",
        "30s",
        "",
        "Set an interval for the healthcheck. (a value of disable results in no automatic timer setup)",
        {"aliases": ("healthcheck-interval",), "later": True},
    ),
    (
        "health-log-destination",
        "",
        "string",
        "local",
        "",
        (
            "Set the destination of the HealthCheck log. Directory path, local or events_logger (local "
            "use container state file)"
        ),
        {"later": True},
    ),
    (
        "health-max-log-count",
        "",
        "uint",
        5,
        "",
        (
            "Set maximum number of attempts in the HealthCheck log file. ('0' value means an infinite "
            "number of attempts in the log file)"
        ),
        {"later": True},
    ),
    (
        "health-max-log-size",
        "",
        "uint",
        500,
        "",
        "Set maximum length in characters of stored HealthCheck log. ('0' value means an infinite log length)",
        {"later": True},
    ),
    (
        "health-on-failure",
        "",
        "string",
        "none",
        "",
        "Action to take once the container turns unhealthy",
        {"choices": ("none", "kill", "restart", "stop"), "later": True},
    ),
    (
        "health-retries",
        "",
        "uint",
        3,
        "",
        "The number of retries allowed before a healthcheck is considered to be unhealthy",
        {"aliases": ("healthcheck-retries",), "later": True},
    ),
    (
        "health-start-period",
        "",
        "string",
        "0s",
        "",
        "The initialization time needed for a container to bootstrap",
        {"aliases": ("healthcheck-start-period",), "later": True},
    ),
    (
        "health-startup-cmd",
        "",
        "string",
        "",
        "",
        "Set a startup healthcheck command for the container",
        {"later": True},
    ),
    (
        "health-startup-interval",
        "",
        "string",
        "30s",
        "",
        "Set an interval for the startup healthcheck",
        {"later": True},
    ),
    (
        "health-startup-retries",
        "",
        "uint",
        0,
        "",
        "Set the maximum number of retries before the startup healthcheck will restart the container",
        {"later": True},
    ),
    (
        "health-startup-success",
        "",
        "uint",
        0,
        "",
        (
            "Set the number of consecutive successes before the startup healthcheck is marked as "
            "successful and the normal healthcheck begins (0 indicates any success will start the regular "
            "healthcheck)"
        ),
        {"later": True},
    ),
    (
        "health-startup-timeout",
        "",
        "string",
        "30s",
        "",
        "Set the maximum amount of time that the startup healthcheck may take before it is considered failed",
        {"later": True},
    ),
    (
        "health-timeout",
        "",
        "string",
        "30s",
        "",
        (
            "The maximum time allowed to complete the healthcheck before an interval is considered failed "
            "and SIGKILL is sent to the healthcheck process"
        ),
        {"aliases": ("healthcheck-timeout",), "later": True},
    ),
    ("no-healthcheck", "", "bool", False, "", "Disable healthchecks on container"),
)
