"""What is mounted in a container.

Rows are described in `sonata.cli.pflag`. Names, letters, kinds and defaults are Podman's.
"""

STORAGE = (
    ("chrootdirs", "", "stringArray", (), "", "Chroot directories inside the container"),
    (
        "device",
        "",
        "stringArray",
        (),
        "",
        "Add a host device to the container: a path, or the name of a CDI device (vendor.com/class=name)",
    ),
    (
        "gpus",
        "",
        "stringSlice",
        (),
        "",
        "GPU devices to add to the container ('all' to pass all GPUs)",
    ),
    (
        "image-volume",
        "",
        "string",
        "anonymous",
        "",
        'Tells Sonata how to handle the builtin image volumes ("bind"|"tmpfs"|"ignore")',
        {"choices": ("anonymous", "bind", "tmpfs", "ignore")},
    ),
    ("mount", "", "stringArray", (), "", "Attach a filesystem mount to the container"),
    ("read-only", "", "bool", False, "", "Make containers root filesystem read-only"),
    (
        "read-only-tmpfs",
        "",
        "bool",
        True,
        "",
        "When running --read-only containers mount read-write tmpfs on /dev, /dev/shm, /run, /tmp and /var/tmp",
    ),
    ("tmpfs", "", "stringArray", (), "tmpfs", "Mount a temporary filesystem (tmpfs) into a container"),
    ("volume", "v", "stringArray", (), "", "Bind mount a volume into the container"),
    (
        "volumes-from",
        "",
        "stringArray",
        (),
        "",
        "Mount volumes from the specified container(s)",
        {"complete": "containers"},
    ),
)
