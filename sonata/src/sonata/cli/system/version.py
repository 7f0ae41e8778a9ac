"""`sonata version`: what this program is."""

from __future__ import annotations

import sys

from sonata._version import VERSION
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def client() -> dict[str, object]:
    """The fields of `.Client`, named as Podman names them. `GoVersion` tells the language and its version."""
    import os

    uname = os.uname()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(uname.machine, uname.machine)
    number = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "APIVersion": VERSION,
        "Version": VERSION,
        "GoVersion": f"python{number}",
        "GitCommit": "",
        "BuiltTime": "",
        "Built": 0,
        "BuildOrigin": "",
        "OsArch": f"linux/{machine}",
        "Os": "linux",
    }


def command(parsed: Parsed, _call: Call) -> int:
    """Print the version as a table, as JSON or through a template."""
    fields = client()
    template = parsed["format"]
    if template:
        from sonata.cli.render.output import formatted

        print(formatted({"Client": fields, "Server": None}, template), end="")
        return 0
    print(f"Client:          Sonata Engine\nVersion:         {fields['Version']}")
    print(f"API Version:     {fields['APIVersion']}\nPython Version:  {str(fields['GoVersion'])[6:]}")
    print(f"OS/Arch:         {fields['OsArch']}")
    return 0
