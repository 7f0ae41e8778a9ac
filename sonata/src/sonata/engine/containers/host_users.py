"""`--hostuser`: accounts of the host that a container's passwd gets a line for."""

from __future__ import annotations

import pwd

from sonata.plan.users import accounts, parse_id
from sonata_core.errors import NotFound
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.model.container import ContainerConfig


def entries(config: ContainerConfig, passwd: bytes) -> list[str]:
    """Lines of passwd(5) for the accounts of which the container's own file has none. Raises NotFound.

    The home is the container's working directory or its HOME, and the shell /bin/sh, as Podman writes them.
    """
    known = {account.name for account in accounts(passwd)}
    home = config.process.env.get("HOME", config.process.cwd)
    found = []
    for name in dict.fromkeys(config.process.host_users):
        account = _account(config, name)
        if account.pw_name not in known:
            told = account.pw_gecos.partition(",")[0]
            found.append(f"{account.pw_name}:*:{account.pw_uid}:{account.pw_gid}:{told}:{home}:/bin/sh")
    return found


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
