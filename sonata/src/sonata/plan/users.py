"""Who the process is: the forms of `-u`, resolved against the root's own passwd and group files.

The files are a stranger's: bytes, perhaps malformed, never trusted to hold sane numbers.
"""

from __future__ import annotations

from sonata.model.materials import Identity
from sonata.plan.values import is_digits
from sonata_core.errors import NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_ID = 2**31 - 1


class Account:
    """A line of passwd."""

    __slots__ = ("gid", "home", "name", "uid")

    def __init__(self, name: str, uid: int, gid: int, home: str) -> None:
        self.name, self.uid, self.gid, self.home = name, uid, gid, home


class Group:
    """A line of group."""

    __slots__ = ("gid", "members", "name")

    def __init__(self, name: str, gid: int, members: list[str]) -> None:
        self.name, self.gid, self.members = name, gid, members


def parse_id(text: str) -> int | None:
    """The number of an all-digits id within 0 … 2³¹−1. Others are names; too large raises UsageError."""
    if not is_digits(text):
        return None
    value = int(text) if len(text) <= 10 else _MAX_ID + 1
    if value > _MAX_ID:
        raise UsageError(f"uids and gids must be in range 0-{_MAX_ID}")
    return value


def accounts(passwd: bytes) -> Iterator[Account]:
    """Entries of a passwd file; lines that make no sense are passed over."""
    for fields in _lines(passwd):
        if len(fields) >= 4 and _sane(fields[2]) and _sane(fields[3]):
            yield Account(fields[0], int(fields[2]), int(fields[3]), fields[5] if len(fields) > 5 else "")


def groups(group: bytes) -> Iterator[Group]:
    """Entries of a group file; lines that make no sense are passed over."""
    for fields in _lines(group):
        if len(fields) >= 3 and _sane(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 and fields[3] else []
            yield Group(fields[0], int(fields[2]), members)


def _lines(text: bytes) -> Iterator[list[str]]:
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped.split(":")


def _sane(text: str) -> bool:
    return is_digits(text) and len(text) <= 10 and int(text) <= _MAX_ID


def resolve(spec: str, passwd: bytes, group: bytes, extra: Iterable[str] = ()) -> Identity:
    """The user that `spec` (`name`, `uid`, `name:group`, `uid:gid`, empty: root) names in these files.

    `extra` are `--group-add` names or numbers. Raises NotFound, with Podman's texts, for a name
    that the files lack, and UsageError for numbers out of range.
    """
    user, colon, group_part = spec.partition(":")
    account = _find_account(user or "0", passwd)
    uid = account.uid if account else parse_id(user or "0")
    if uid is None:
        raise NotFound(f"unable to find user {user}: no matching entries in passwd file")
    gid = account.gid if account else 0
    more: tuple[int, ...] = ()
    group_known = account is not None or not user or any(entry.gid == gid for entry in groups(group))
    if colon and group_part:
        gid, group_known = _find_group(group_part, group)
    elif account:
        more = tuple(entry.gid for entry in groups(group) if account.name in entry.members)
    added = tuple(_find_group(text, group)[0] for text in extra if text and text != "keep-groups")
    return Identity(
        uid=uid,
        gid=gid,
        groups=tuple(dict.fromkeys(more + added)),
        home=(account.home or "/") if account else "/",
        name=account.name if account else user,
        known=account is not None,
        group_known=group_known,
    )


def _find_account(user: str, passwd: bytes) -> Account | None:
    """The entry of a user. Digits are always a uid, also where a user has them for a name."""
    number = parse_id(user)
    wanted = (entry for entry in accounts(passwd) if (entry.name == user if number is None else entry.uid == number))
    return next(wanted, None)


def _find_group(name: str, group: bytes) -> tuple[int, bool]:
    number = parse_id(name)
    for entry in groups(group):
        if entry.name == name if number is None else entry.gid == number:
            return entry.gid, True
    if number is None:
        raise NotFound(f"unable to find group {name}: no matching entries in group file")
    return number, False
