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
    form = parsed["format"]
    if form:
        from sonata.cli.render.json import dumps
        from sonata.cli.render.report import is_json, render_object

        if is_json(form):
            print(dumps({"Client": fields}))
        else:
            from sonata.cli.render.gotemplate.values import Struct

            report = {"Client": Struct("define.Version", fields), "Server": None}
            print(render_object("version", Struct("entities.SystemVersionReport", report), form), end="")
        return 0
    print(f"Client:          Sonata Engine\nVersion:         {fields['Version']}")
    print(f"API Version:     {fields['APIVersion']}\nPython Version:  {str(fields['GoVersion'])[6:]}")
    print(f"OS/Arch:         {fields['OsArch']}")
    return 0
