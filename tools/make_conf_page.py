#!/usr/bin/env python3
"""Write docs/man/sonata.conf.5.md from the table of settings; `--check` only compares."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sonata.config.settings import CONTAINERS_CONF, ENVIRONMENT, STORAGE_CONF, Setting

PAGE = Path(__file__).parent.parent / "docs/man/sonata.conf.5.md"

HEAD = """\
% sonata.conf(5)

## NAME
sonata.conf - the configuration files and variables that Sonata reads

## DESCRIPTION
Sonata reads the files that Podman, Buildah, Skopeo and CRI-O read: **containers.conf**, **storage.conf**,
**registries.conf**, **policy.json** and **auth.json**. None of them need exist, policy.json apart, without which
nothing is pulled. This page lists the keys of the first two that Sonata honours; other keys are ignored.

Of each file the first found counts: `$XDG_CONFIG_HOME/containers/NAME`, `/etc/containers/NAME`,
`/usr/share/containers/NAME`. Then drop-in files, `*.conf`, are read in the order of their names. They lie in
`NAME.d` in the same three folders, and in `containers.rootful.conf.d` (root) or `containers.rootless.conf.d`
(others; also in a folder there named by the user's number) in the latter two, likewise for the other files.
A name found in several folders counts once: from the user's folder before `/etc`, from there before `/usr/share`.

A list replaces what earlier files said, unless `{append=true}` stands among its items. Tables are merged name by name.
A command's flag goes before a variable, and that before any file. Root ignores files in a home that belong to others.
"""


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_shown(item)}" for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _rows(settings: Iterable[Setting]) -> Iterator[str]:
    table = ""
    for row in settings:
        if row.table != table:
            table = row.table
            yield f"\n### [{table}]\n"
        kind = (row.parse.__doc__ or "").split("\n", maxsplit=1)[0].rstrip(".")
        variable = f" Variable: {row.env}." if row.env else ""
        yield f"**{row.key}** = `{_shown(row.default)}`\n:   {row.help}{variable} *({kind})*\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## CONTAINERS.CONF\n", *_rows(CONTAINERS_CONF), "## STORAGE.CONF\n", *_rows(STORAGE_CONF)]
    parts.append("## ENVIRONMENT\n")
    parts += [f"**{name}**\n:   {about}\n" for name, about in ENVIRONMENT]
    parts.append(
        "## SEE ALSO\n**sonata(1)**, **containers.conf(5)**, **containers-storage.conf(5)**, "
        "**containers-registries.conf(5)**, **containers-policy.json(5)**, **containers-auth.json(5)**\n"
    )
    return "\n".join(part.lstrip("\n") for part in parts)


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is current."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == page():
            return 0
        sys.stderr.write(f"{PAGE} is out of date: run tools/make_conf_page.py\n")
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
