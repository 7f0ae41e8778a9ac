"""What an image's files of accounts give away: passwords, and rules by which somebody becomes root."""

from __future__ import annotations

import re

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCOUNTS = frozenset((b"etc/passwd", b"etc/passwd-", b"etc/shadow", b"etc/shadow-"))
_HASH = re.compile(rb"!*(?:\$[0-9a-z]{1,10}\$|(?:[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19})$)")
_NOPASSWD = re.compile(rb"^[^#\n]{0,200}\bNOPASSWD\b", re.M)
_NOPASS = re.compile(rb"^\s{0,20}permit\b[^#\n]{0,200}\bnopass\b", re.M)


def is_candidate(path: bytes) -> bool:
    """Whether the file's content is worth a look."""
    return path.startswith(b"etc/") and (
        path in _ACCOUNTS or path == b"etc/doas.conf" or path.startswith((b"etc/sudoers", b"etc/doas.d/"))
    )


def of_file(path: bytes, head: bytes) -> Iterator[tuple[str, str]]:
    """Ids of checks and details, for what holds only while the file is seen."""
    if path in (b"etc/passwd", b"etc/shadow"):
        empty = [name for name, password in _entries(head) if not password]
        if empty:
            yield "password-empty", f"no password: {_listed(empty)}"
    elif path.startswith(b"etc/sudoers") and _NOPASSWD.search(head):
        yield "sudo-nopasswd", "a rule with NOPASSWD"
    elif path.startswith(b"etc/doas") and _NOPASS.search(head):
        yield "sudo-nopasswd", "a rule with nopass"


def hashes_in(path: bytes, head: bytes) -> Iterator[tuple[str, str]]:
    """The accounts of which a file holds the hash of a password."""
    if path not in _ACCOUNTS:
        return
    found = [name for name, password in _entries(head) if _HASH.match(password)]
    if found:
        yield "password-hash", f"password of {_listed(found)}"


def _listed(names: list[bytes]) -> str:
    from sonata.image.audit_entries import shown

    text = ", ".join(shown(name[:64]) for name in names[:5])
    return f"{text} and {len(names) - 5} more" if len(names) > 5 else text


def _entries(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names and passwords, of lines that have both."""
    found = []
    for line in head.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 4 and fields[0] and not line.startswith((b"#", b"+", b"-")):
            found.append((fields[0], fields[1]))
    return found


def uid_of(passwd: bytes, name: str) -> int | None:
    """The number of a user; None where the file lacks it."""
    for line in passwd.split(b"\n"):
        fields = line.split(b":")
        if len(fields) > 2 and fields[0] == name.encode() and fields[2].isdigit() and len(fields[2]) < 11:
            return int(fields[2])
    return None
