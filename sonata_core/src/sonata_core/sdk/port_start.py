"""From which port on ordinary users may listen."""

_SETTING = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def first_port() -> int:
    """The setting of this network namespace (networking/ip-sysctl.rst of the kernel); 1024 where it cannot be read."""
    try:
        with open(_SETTING, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024
