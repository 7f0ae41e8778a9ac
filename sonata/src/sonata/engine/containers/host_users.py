"""`--hostuser`: accounts of the host that a container's passwd gets a line for."""

from __future__ import annotations

import grp
import pwd

from sonata.plan.files import filled_account, filled_group
from sonata.plan.users import accounts, parse_id
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.model.container import ContainerConfig
    from sonata.model.materials import Identity


def entries(config: ContainerConfig, passwd: bytes) -> list[str]:
    """Lines of passwd(5) for the accounts of which the container's own file has none. Raises NotFound.

    The home is the container's working directory or its HOME, and the shell /bin/sh, as Podman writes them.
    """
    if not config.process.passwd:
        return []
    known = {account.name for account in accounts(passwd)}
    home = config.process.env.get("HOME", config.process.cwd)
    found = []
    for name in dict.fromkeys(config.process.host_users):
        account = _account(config, name)
        if account.pw_name not in known:
            told = account.pw_gecos.partition(",")[0]
            if config.process.passwd_entry and _is_kept(config, name):
                found.append(filled_account(config, account.pw_name, (account.pw_uid, account.pw_gid), told, home))
                continue
            found.append(f"{account.pw_name}:*:{account.pw_uid}:{account.pw_gid}:{told}:{home}:/bin/sh")
    return found


def _is_kept(config: ContainerConfig, name: str) -> bool:
    """Whether the account is there for `keep-id`: it was put behind those of `--hostuser`."""
    return config.namespaces.user.kind == "keep-id" and not _moved(config) and name == config.process.host_users[-1]


def _moved(config: ContainerConfig) -> bool:
    """Whether `keep-id` gives the user another number in the container."""
    value = config.namespaces.user.value
    return "uid=" in value or "gid=" in value


def kept_group(config: ContainerConfig, who: Identity) -> tuple[int, ...]:
    """The groups of a process of `keep-id`: whoever it runs as, the user's own is among them, as with Podman."""
    parts = config.id_mapping.gids if config.id_mapping is not None else ()
    own = next((part.container_id for part in parts if part.host_id == 0), 0)
    return who.groups if own in (0, who.gid, *who.groups) else (own, *who.groups)


def with_group(config: ContainerConfig, lines: list[tuple[str, str]], group: bytes) -> list[tuple[str, str]]:
    """Of what is added to a container's files: the kept user's group has its name, and comes before others.

    A group that the image knows by name or number gets no line, and one of the same number no second one.
    """
    if not config.process.passwd or not config.process.host_users or _moved(config):
        return lines
    account = _account(config, config.process.host_users[-1])
    try:
        found = grp.getgrgid(account.pw_gid)
    except KeyError:
        return lines
    rows = [row.split(":") for row in group.decode("utf-8", "replace").splitlines()]
    if any(row[0] == found.gr_name or row[2:3] == [str(found.gr_gid)] for row in rows):
        return lines
    line = filled_group(config, found.gr_name, found.gr_gid, account.pw_name)
    others = [one for one in lines if one[0] != "etc/group" or one[1].split(":")[2:3] != [str(found.gr_gid)]]
    # A template of the user's own may name any number: Podman fills it for this group only.
    kept = others if not config.process.group_entry else [one for one in others if one[0] != "etc/group"]
    return [("etc/group", line), *kept]


def require(config: ContainerConfig) -> None:
    """Raises NotFound for an account that the host does not have."""
    for name in config.process.host_users:
        _account(config, name)


def _account(config: ContainerConfig, name: str) -> pwd.struct_passwd:
    number = parse_id(name)
    try:
        return pwd.getpwnam(name) if number is None else pwd.getpwuid(number)
    except KeyError:
        raise NotFound(
            f"creating temporary passwd file for container {config.id}: user: unknown user {name}",
            hint="--hostuser takes an account of the host, by name or number",
            name=name,
        ) from None
