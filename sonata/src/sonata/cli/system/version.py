"""`sonata version`: what this program is."""

from __future__ import annotations

import sys

from sonata._version import VERSION
from sonata_core.errors import UsageError
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


def templated(fields: dict[str, object], form: str) -> str:
    """Through a template. As Podman: one that finds no server means the client, and so does one that names neither."""
    from sonata.cli.render.gotemplate.values import Struct
    from sonata.cli.render.report import render_object

    ours = Struct("define.Version", fields)
    for server in (None, ours):
        report = Struct("entities.SystemVersionReport", {"Client": ours, "Server": server})
        try:
            return render_object("version", report, form)
        except UsageError:
            continue
    return render_object("version", ours, form)


def command(parsed: Parsed, _call: Call) -> int:
    """Print the version as a table, as JSON or through a template."""
    fields = client()
    form = parsed["format"]
    if form:
        from sonata.cli.render.json import dumps
        from sonata.cli.render.report import is_json

        if is_json(form):
            print(dumps({"Client": fields}))
        else:
            print(templated(fields, form), end="")
        return 0
    print(f"Client:          Sonata Engine\nVersion:         {fields['Version']}")
    print(f"API Version:     {fields['APIVersion']}\nPython Version:  {str(fields['GoVersion'])[6:]}")
    print(f"OS/Arch:         {fields['OsArch']}")
    return 0
