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
        {"aliases": ("healthcheck-command",)},
    ),
    (
        "health-interval",
        "",
        "string",
        "30s",
        "",
        "Set an interval for the healthcheck. (a value of disable results in no automatic timer setup)",
        {"aliases": ("healthcheck-interval",)},
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
    ),
    (
        "health-max-log-size",
        "",
        "uint",
        500,
        "",
        "Set maximum length in characters of stored HealthCheck log. ('0' value means an infinite log length)",
    ),
    (
        "health-on-failure",
        "",
        "string",
        "none",
        "",
        "Action to take once the container turns unhealthy",
        {"choices": ("none", "kill", "restart", "stop")},
    ),
    (
        "health-retries",
        "",
        "uint",
        3,
        "",
        "The number of retries allowed before a healthcheck is considered to be unhealthy",
        {"aliases": ("healthcheck-retries",)},
    ),
    (
        "health-start-period",
        "",
        "string",
        "0s",
        "",
        "The initialization time needed for a container to bootstrap",
        {"aliases": ("healthcheck-start-period",)},
    ),
    (
        "health-startup-cmd",
        "",
        "string",
        "",
        "",
        "Set a startup healthcheck command for the container",
    ),
    (
        "health-startup-interval",
        "",
        "string",
        "30s",
        "",
        "Set an interval for the startup healthcheck",
    ),
    (
        "health-startup-retries",
        "",
        "uint",
        0,
        "",
        "Set the maximum number of retries before the startup healthcheck will restart the container",
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
    ),
    (
        "health-startup-timeout",
        "",
        "string",
        "30s",
        "",
        "Set the maximum amount of time that the startup healthcheck may take before it is considered failed",
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
        {"aliases": ("healthcheck-timeout",)},
    ),
    ("no-healthcheck", "", "bool", False, "", "Disable healthchecks on container"),
)

HEALTHCHECK_RUN = (("ignore-result", "", "bool", False, "", "Exit with code 0 regardless of healthcheck result"),)
