"""Which package of the distribution a program comes from, read from dpkg's own files."""

from __future__ import annotations

import os

_DPKG = "/var/lib/dpkg"
UNKNOWN = "Unknown"


def package_of(path: str, names: tuple[str, ...], home: str = _DPKG) -> str:
    """`conmon_2.1.13-2_amd64` for the first of `names` that owns `path`; `Unknown` otherwise."""
    for name in names:
        for entry in (f"{home}/info/{name}.list", *_foreign(home, name)):
            if _has_line(entry, path):
                return _described(f"{home}/status", name) or UNKNOWN
    return UNKNOWN


def _foreign(home: str, name: str) -> list[str]:
    """Of a package of several architectures there is one list for each."""
    return [f"{home}/info/{name}:{arch}.list" for arch in ("amd64", "arm64")]


def _has_line(file: str, path: str) -> bool:
    wanted = {path, path.removeprefix("/usr"), os.path.realpath(path)}
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return any(line.rstrip("\n") in wanted for line in lines)
    except OSError:
        return False


def _described(status: str, name: str) -> str:
    try:
        with open(status, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    for section in text.split("\n\n"):
        if section.startswith(f"Package: {name}\n"):
            fields = dict(line.split(": ", 1) for line in section.splitlines() if ": " in line and line[0] != " ")
            return f"{name}_{fields.get('Version', '')}_{fields.get('Architecture', '')}"
    return ""
