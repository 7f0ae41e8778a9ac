"""The text of the files that the engine lays into a container: hosts, resolv.conf and their kind."""

from __future__ import annotations

from sonata.plan import addresses
from sonata_core.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sonata.model.container import ContainerConfig
    from sonata.model.materials import HostsInput, Identity, ResolvInput

_FALLBACK = ("8.8.8.8", "8.8.4.4")
_FALLBACK6 = ("2001:4860:4860::8888", "2001:4860:4860::8844")


def hosts(given: HostsInput) -> str:
    """/etc/hosts: what was added, the base file, then names that are still missing.

    Raises Conflict for `host-gateway` where nothing is known by which the host is reached.
    """
    lines: list[tuple[str, list[str]]] = []
    for entry in given.add:
        names, _, address = entry.partition(":")
        if address == "host-gateway":
            address = given.gateway or _no_gateway(entry)
        lines.append((address, names.split(";")))
    lines += parse_hosts(given.base)
    known = {name for _, names in lines for name in names}
    extra: list[tuple[str, tuple[str, ...]]] = [("127.0.0.1", ("localhost",)), ("::1", ("localhost",))]
    if given.gateway:
        extra.append((given.gateway, ("host.containers.internal", "host.docker.internal")))
    extra += [(address, given.names) for address in given.addresses]
    for address, wanted in extra:
        missing = [name for name in dict.fromkeys(wanted) if name and name not in known]
        if missing:
            lines.append((address, missing))
    return "".join(f"{address}\t{' '.join(names)}\n" for address, names in lines)


def _no_gateway(entry: str) -> str:
    raise Conflict(
        f'failed to create new hosts file: unable to replace "host-gateway" of host entry "{entry}": '
        "host containers internal IP address is empty",
        hint="give the host's address instead of host-gateway, or set host_containers_internal_ip in containers.conf",
    )


def parse_hosts(text: str) -> list[tuple[str, list[str]]]:
    """Addresses with their names; comments and lines without a name are passed over."""
    result = []
    for line in text.splitlines():
        fields = line.partition("#")[0].split()
        if len(fields) > 1:
            result.append((fields[0], fields[1:]))
    return result


def resolv_conf(given: ResolvInput) -> str:
    """/etc/resolv.conf."""
    host = parse_resolv(given.host)
    overridden = given.network or given.given or given.search or given.options
    if not given.own_namespace and not overridden:
        return given.host
    servers = given.network or given.given
    if not servers:
        servers = (*given.helper, *_usable(host["nameserver"], given))
        servers = servers or (_FALLBACK + (_FALLBACK6 if given.ipv6 else ()))
    search = given.search or (*given.network_search, *(name for name in host["search"] if name != "."))
    search = () if "." in search else tuple(dict.fromkeys(search))
    options = given.options or host["options"]
    text = f"search {' '.join(search)}\n" if search else ""
    text += "".join(f"nameserver {server}\n" for server in dict.fromkeys(servers))
    return text + (f"options {' '.join(dict.fromkeys(options))}\n" if options else "")


def parse_resolv(text: str) -> dict[str, tuple[str, ...]]:
    """The nameservers, search domains (the last line counts) and options of a resolv.conf."""
    found: dict[str, tuple[str, ...]] = {"nameserver": (), "search": (), "options": ()}
    for line in text.splitlines():
        fields = line.partition("#")[0].partition(";")[0].split()
        if len(fields) < 2:
            continue
        if fields[0] == "nameserver":
            found["nameserver"] += (fields[1],)
        elif fields[0] in ("search", "domain"):
            found["search"] = tuple(fields[1:])
        elif fields[0] == "options":
            found["options"] += tuple(fields[1:])
    return found


def _usable(servers: Iterable[str], given: ResolvInput) -> list[str]:
    """Servers that can be reached from a namespace of the container's own."""
    if not given.own_namespace:
        return list(servers)
    result = []
    for server in servers:
        parsed = addresses.parse(server)
        if parsed is None or server.startswith("127.") or server == "::1":
            continue
        if parsed[0] == 4 or given.ipv6:
            result.append(server)
    return result


def containerenv(config: ContainerConfig, version: str, *, rootless: bool, graph_root_mounted: bool = False) -> str:
    """/run/.containerenv: empty, or for privileged containers who runs them."""
    if not config.security.privileged:
        return ""
    lines = [
        f'engine="podman-{version}"',
        f'name="{config.name}"',
        f'id="{config.id}"',
        f'image="{config.image}"',
        f'imageid="{config.image_id}"',
        f"rootless={int(rootless)}",
    ]
    return "\n".join([*lines, *(["graphRootMounted=1"] if graph_root_mounted else [])]) + "\n"


def passwd_line(config: ContainerConfig, user: Identity, account: tuple[str, str] | None = None) -> str:
    """What is added to passwd for a user that only has a number; empty where nothing is.

    `account`: what the host calls somebody of that number, and the text beside it.
    """
    process = config.process
    if not process.passwd or user.known or not process.user:
        return ""
    if process.passwd_entry:
        return filled_account(config, str(user.uid), (user.uid, user.gid), "container user", process.cwd) + "\n"
    name, told = account or (str(user.uid), "container user")
    return f"{name}:*:{user.uid}:{user.gid}:{told}:{process.cwd}:/bin/sh\n"


def filled_account(config: ContainerConfig, name: str, ids: tuple[int, int], told: str, home: str) -> str:
    """The line of passwd(5) that `--passwd-entry` gives."""
    values = {"USERNAME": name, "UID": str(ids[0]), "GID": str(ids[1]), "NAME": told, "HOME": home}
    return _filled(config.process.passwd_entry, values).rstrip("\n")


def group_line(config: ContainerConfig, user: Identity) -> str:
    """What is added to group for a group that only has a number; empty where nothing is."""
    if not config.process.passwd or user.group_known:
        return ""
    return filled_group(config, str(user.gid), user.gid, str(user.uid))


def filled_group(config: ContainerConfig, name: str, number: int, member: str) -> str:
    """A line of group(5), by `--group-entry` where it is given."""
    if config.process.group_entry:
        values = {"GROUPNAME": name, "GID": str(number), "USERLIST": member}
        return _filled(config.process.group_entry, values)
    return f"{name}:x:{number}:{member}\n"


def home_of(line: str) -> str:
    """The home folder in a line of passwd; `/` where it names none."""
    fields = line.split(":")
    return fields[5] if len(fields) > 5 and fields[5] else "/"


def _filled(template: str, values: Mapping[str, str]) -> str:
    for key in sorted(values, key=len, reverse=True):
        template = template.replace(f"${key}", values[key])
    return template.rstrip("\n") + "\n"
