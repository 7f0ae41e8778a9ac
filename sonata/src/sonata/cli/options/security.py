"""What a container may do.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

SECURITY = (
    ("cap-add", "", "stringSlice", (), "", "Add capabilities to the container"),
    ("cap-drop", "", "stringSlice", (), "", "Drop capabilities from the container"),
    (
        "group-add",
        "",
        "stringSlice",
        (),
        "",
        (
            "Add additional groups to the primary container process. 'keep-groups' allows container "
            "processes to use supplementary groups"
        ),
    ),
    ("group-entry", "", "string", "", "", "Entry to write to /etc/group"),
    ("passwd-entry", "", "string", "", "", "Entry to write to /etc/passwd"),
    ("personality", "", "string", "", "", "Configure execution domain using personality (e.g., LINUX/LINUX32)"),
    ("privileged", "", "bool", False, "", "Give extended privileges to container"),
    ("seccomp-policy", "", "string", "default", "", "Policy for selecting a seccomp profile (experimental)"),
    ("secret", "", "stringArray", (), "", "Add secret to container"),
    ("security-opt", "", "stringArray", (), "", "Security Options"),
    ("sysctl", "", "stringSlice", (), "", "Sysctl options"),
    ("umask", "", "string", "0022", "", "Set umask in container"),
    ("user", "u", "string", "", "", "Username or UID (format: <name|uid>[:<group|gid>])"),
)
