"""Namespaces and identifier maps.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

NAMESPACES = (
    ("cgroupns", "", "string", "", "", "Cgroup namespace to use"),
    ("gidmap", "", "stringSlice", (), "", "GID map to use for the user namespace"),
    (
        "hostuser",
        "",
        "stringSlice",
        (),
        "",
        "Host user account to add to /etc/passwd within container",
    ),
    ("ipc", "", "string", "", "", "IPC namespace to use"),
    ("pid", "", "string", "", "", "PID namespace to use"),
    (
        "subgidname",
        "",
        "string",
        "",
        "",
        "Name of range listed in /etc/subgid for use in user namespace",
    ),
    (
        "subuidname",
        "",
        "string",
        "",
        "",
        "Name of range listed in /etc/subuid for use in user namespace",
    ),
    ("uidmap", "", "stringSlice", (), "", "UID map to use for the user namespace"),
    ("userns", "", "string", "", "", "User namespace to use"),
    ("uts", "", "string", "", "", "UTS namespace to use"),
)
