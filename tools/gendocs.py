"""Write the manual pages of all commands, and the shells' completion scripts, from the tables of the command line.

`python tools/gendocs.py` writes `docs/man/sonata*.1.md` and `docs/completion/`; `--check` only says which files
are not as they would be written, and fails if there are any.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sonata.cli import help as pages
from sonata.cli import root, table
from sonata.cli.errors import exit_code
from sonata.cli.manual import MANUAL
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata.cli.pflag import extras
from sonata.cli.system.completion import BASH, FISH, POWERSHELL, ZSH
from sonata.model.audit_checks import CHECKS, KINDS
from sonata_core import errors

ROOT = Path(__file__).parents[1]
HEADINGS = {
    "containers": "Containers",
    "pods": "Pods",
    "images": "Images",
    "artifacts": "Artifacts",
    "manifests": "Lists of images",
    "networks": "Networks",
    "volumes": "Volumes",
    "secrets": "Secrets",
    "plugins": "Plugins",
    "system": "The engine and its host",
}


def files() -> dict[str, str]:
    """Everything that is generated: path below the repository, and content."""
    made = {"docs/man/sonata.1.md": root_page()}
    for path in table.TABLE:
        made[f"docs/man/sonata-{path.replace(' ', '-')}.1.md"] = command_page(path)
    made["docs/errors.md"] = errors_page()
    made["docs/image-audit.md"] = audit_page()
    made["docs/completion/sonata.bash"] = BASH
    made["docs/completion/_sonata"] = ZSH
    made["docs/completion/sonata.fish"] = FISH
    made["docs/completion/sonata.ps1"] = POWERSHELL
    return made


def command_page(path: str) -> str:
    """The manual page of one command."""
    target, title, _, _, _, _, _ = table.TABLE[path]
    description, examples = MANUAL.get(target or path, (title + ".", ()))
    parts = [
        f"# sonata-{path.replace(' ', '-')}(1)",
        f"## NAME\n\nsonata {path} - {title}",
        f"## SYNOPSIS\n\n`{pages.usage(path)}`",
        f"## DESCRIPTION\n\n{description}",
    ]
    if target:
        parts.append(_options(root.options_of(path)))
    else:
        lines = (line.split(" ", 1) for line in pages.commands(path))
        parts.append("## COMMANDS\n\n" + "\n".join(f"- `sonata {path} {name}`: {text.strip()}" for name, text in lines))
    if examples:
        parts.append("## EXAMPLES\n\n```\n" + "\n".join(examples) + "\n```")
    others = [other for other, row in table.TABLE.items() if target and row[0] == target and other != path]
    links = ["sonata(1)", *(f"sonata-{other.replace(' ', '-')}(1)" for other in others)]
    parts.append(f"## SEE ALSO\n\n{', '.join(links)}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _options(rows: tuple[tuple[object, ...], ...]) -> str:
    shown = sorted((row for row in rows if not extras(row).get("hidden")), key=lambda row: str(row[0]))
    return "## OPTIONS\n\n" + "\n\n".join(_option(row) for row in shown) if shown else ""


def _option(row: tuple[object, ...]) -> str:
    name = pages.value_name(row)
    letters = f"**-{row[1]}**, " if row[1] else ""
    head = f"{letters}**--{row[0]}**" + (f"=*{name}*" if name else "")
    text = pages.right(row)
    text += "." if not text.endswith((".", ")")) else ""
    more = extras(row)
    if more.get("choices"):
        text += f" One of: {', '.join(f'`{word}`' for word in more['choices'])}."
    if more.get("aliases"):
        text += f" Also: {', '.join(f'**--{alias}**' for alias in more['aliases'])}."
    if more.get("env"):
        text += f" Default from `{more['env']}`."
    if more.get("refused"):
        text += f" *Refused: {more['refused'][0]}.*"
    return f"{head}\n\n{text}"


def root_page() -> str:
    """The manual page of the program itself."""
    parts = [
        "# sonata(1)",
        "## NAME\n\nsonata - a daemonless container engine",
        "## SYNOPSIS\n\n`sonata [options] [command]`",
        "## DESCRIPTION\n\nSonata pulls images and runs containers, as Podman does, without a daemon. "
        "What a command does is done by plugins for runtimes, networks, storage and image transports; "
        "`sonata plugin ls` lists those that are installed, `sonata doctor` what the host lacks for them.",
        _options(LEADING + PERSISTENT).replace("## OPTIONS", "## GLOBAL OPTIONS"),
    ]
    for group, heading in HEADINGS.items():
        names = [(path, row[1]) for path, row in table.TABLE.items() if row[3] == group and row[0]]
        listed = "\n".join(f"- [`sonata {path}`](sonata-{path.replace(' ', '-')}.1.md): {text}" for path, text in names)
        parts.append(f"## {heading.upper()}\n\n{listed}")
    parts.append(
        "## EXIT STATUS\n\n"
        "**125**: Sonata itself failed. **126**: the contained command could not be invoked. "
        "**127**: it was not found. "
        "Otherwise the contained command's own. `rm`, `rmi`, `network rm` and `volume rm`: **1** where a name is "
        "unknown, **2** where the object is in use. `… exists`: **1** where there is none. **130**: interrupted."
    )
    parts.append("## SEE ALSO\n\nsonata.conf(5), containers.conf(5), storage.conf(5), registries.conf(5)")
    return "\n\n".join(parts) + "\n"


ERRORS_HEAD = """# Errors

With `--error-format json`, or `SONATA_ERROR_FORMAT=json` in the environment, a failing command writes one JSON object
a line to stderr, one for each failure: `sonata rm a b c` may fail three times. Other lines on stderr (warnings,
progress, what the container itself writes) do not begin with `{"code"`. The option comes before the command's own
arguments; words of the contained program do not count. What commands print to stdout stays as it is.

| Field | What it is |
|---|---|
| `code` | One of the codes below. They are stable: codes are added, never renamed. |
| `message` | What was asked and what was found: the text after `Error:`. Words may change. |
| `object` | The name of what it is about, as it was given; `null` where it is about none, or the name is not known. |
| `causes` | What led to it, nearest first: a list of `{"code", "message"}`, at most 16. |
| `hint` | What to do, or `null`. |
| `exit_code` | The code of a command that failed with this alone; where several failed, see the program's own. |

A code further in (`in_use` under `conflict`) is a case of the one it stands under: treat one you do not know as that.
"""


def errors_page() -> str:
    """The page of error codes, from the classes themselves."""
    from sonata.cli import pflag
    from sonata.cli.error_json import OTHERS

    assert issubclass(pflag.FlagError, errors.UsageError)  # loaded, and so among the subclasses
    rows = [f"| `{code}` | {text} | {number} |" for code, text, number in _codes(errors.SonataError, 0)]
    rows += [f"| `{code}` | {text} | 125 |" for code, text in OTHERS.items()]
    head = "| Code | When | Exit code |\n|---|---|---|"
    note = (
        "Exit codes are those of most commands; `rm`, `rmi`, `network rm`, `volume rm`, `… exists`, `exec`, `create` "
        "and `start` have their own for some, as their manual pages say. An interrupted command ends with 130."
    )
    return f"{ERRORS_HEAD}\n## Codes\n\n{head}\n" + "\n".join(rows) + f"\n\n{note}\n"


def audit_page() -> str:
    """The page of what `image audit` looks for: its text by hand, and the checks from their table."""
    page = "docs/image-audit.md"
    parts = [(ROOT / page).read_text(encoding="utf-8").partition("## Checks\n")[0] + "## Checks\n"]
    for kind in KINDS:
        rows = [one for one in CHECKS.values() if one.kind == kind]
        listed = "\n".join(f"| `{one.id}` | {one.level} | {one.meaning} | {one.remedy} |" for one in rows)
        parts.append(f"### {kind}\n\n| Id | Severity | What it is | What to do |\n|---|---|---|---|\n{listed}\n")
    return "\n".join(parts)


def _codes(cls: type[errors.SonataError], depth: int) -> list[tuple[str, str, int]]:
    text = (cls.__doc__ or "").splitlines()[0].strip().rstrip(".;")
    under = f" (under `{cls.__mro__[1].__dict__['code']}`)" if depth > 1 else ""
    found = [(cls.code, f"{text}{under}.", exit_code("", cls("")))]
    for below in cls.__subclasses__():
        if below.__module__.startswith(("sonata_core.", "sonata.")):
            found += _codes(below, depth + 1)
    return found


def stale() -> list[str]:
    """Files that are not as they would be written, and pages of commands that there are no more."""
    made = files()
    wrong = [name for name, text in made.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs/man").glob("sonata*.1.md")}
    return sorted([*wrong, *(there - set(made))])


def main(words: list[str]) -> int:
    """Write, or only compare."""
    wrong = stale()
    if "--check" in words:
        print("\n".join(wrong), end="\n" if wrong else "")
        return 1 if wrong else 0
    made = files()
    for name in wrong:
        file = ROOT / name
        if name in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(made[name])
        else:
            file.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
