"""`--creds USER[:PASSWORD]`: what is missing is asked for, as Podman does."""

from __future__ import annotations

import sys

from sonata_core.errors import UsageError


def completed(text: str) -> str:
    """User and password with a colon between them, empty for nothing. Raises UsageError without a terminal."""
    if not text:
        return ""
    user, _, password = text.partition(":")
    return f"{user or ask_user()}:{password or ask_password()}"


def ask_user() -> str:
    """A line from standard input. Raises UsageError at its end."""
    print("Username: ", end="", flush=True)
    line = sys.stdin.readline()
    if not line:
        raise UsageError("could not read username: EOF", hint="write --creds USER:PASSWORD")
    return line.strip()


def ask_password() -> str:
    """What is typed at the terminal, unseen. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        print("Password: ", end="", flush=True)
        raise UsageError(
            "could not read password from terminal: inappropriate ioctl for device",
            hint="write --creds USER:PASSWORD, or log in",
        )
    from getpass import getpass

    return getpass("Password: ")
