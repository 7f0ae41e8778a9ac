"""Write docs/compatibility.md from the scoreboard, `tests/scoreboard/*.txt`; `--check` only says whether it is stale.

A line of the scoreboard has four columns, split by ` | `:

    COMMANDS | OPTION  | works   | path/of/test.py::test that sees the effect
    COMMANDS | OPTION  | refused | words of the refusal
    COMMANDS | OPTION  | to do   | subject

COMMANDS are names as Podman's reference data has them (tests/compat/data/podman-cli.json), separated by commas;
`global` stands for the options that are no command's own. OPTION is `--name`, `-` for the command itself, or `*` for
the command and all its options. For a refusal OPTION may hold the value with which it is tried: `--name=value`.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/compatibility.md"
BOARD = ROOT / "tests/scoreboard"
DATA = ROOT / "tests/compat/data/podman-cli.json"
STATES = ("works", "refused", "to do")

Key = tuple[str, str]


class Row:
    """One line's word about one command or option."""

    def __init__(self, place: str, state: str, told: str, value: str = "") -> None:
        self.place = place
        self.state = state
        self.told = told
        self.value = value


def wanted() -> dict[str, list[str]]:
    """Each command of Podman and the options that it has, `-` first; `global` has no `-`."""
    data = json.loads(DATA.read_text())
    found = {"global": [option["long"] for option in data["global"]]}
    for name in sorted(data["commands"]):
        found[name] = ["-", *(option["long"] for option in data["options"][name]["options"])]
    return found


def read(folder: Path = BOARD) -> tuple[dict[Key, Row], list[str]]:
    """The whole scoreboard, and what is wrong with how it is written."""
    keys = wanted()
    found: dict[Key, Row] = {}
    wrong: list[str] = []
    for file in sorted(folder.glob("*.txt")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                _line(f"{file.name}:{number}", line, keys, found, wrong)
    return found, wrong


def _line(place: str, line: str, keys: dict[str, list[str]], found: dict[Key, Row], wrong: list[str]) -> None:
    columns = [part.strip() for part in line.split(" | ", 3)]
    if len(columns) != 4 or columns[2] not in STATES or not columns[3]:
        wrong.append(f"{place}: not `COMMANDS | OPTION | {'/'.join(STATES)} | …`")
        return
    commands, option, state, told = columns
    name, _, value = option.partition("=")
    for command in (part.strip() for part in commands.split(",")):
        names = keys.get(command, []) if name == "*" else [name] if name in keys.get(command, []) else []
        if not names or (name == "*" and state == "works"):
            wrong.append(f"{place}: there is no `{command} {name}`")
        for one in names:
            if (command, one) in found:
                wrong.append(f"{place}: `{command} {one}` is already at {found[command, one].place}")
            found[command, one] = Row(place, state, told, value)


def page() -> str:
    """The page, from the scoreboard alone."""
    found, _ = read()
    keys = wanted()
    totals = Counter(row.state for row in found.values())
    commands = Counter(row.state for (_, option), row in found.items() if option == "-")
    parts = [
        "# Compatibility",
        "What every command and every option of Podman 6 does in Sonata. *Works*: the test that is named sees the "
        "effect. *Refused*: Sonata ends with 125 and says why. *To do*: refused as not supported yet, or not yet "
        "seen by a test. "
        "Made by `tools/gencompat.py` from `tests/scoreboard`, which a test holds against the program.",
        "| | Commands | Options | Together |\n|---|---:|---:|---:|\n"
        + "\n".join(
            f"| {state.capitalize()} | {commands[state]} | {totals[state] - commands[state]} | {totals[state]} |"
            for state in STATES
        ),
        "Every command takes `--help`; global options that are marked persistent are taken after the command as well, "
        "aliases of commands and options as Podman's.",
    ]
    parts += [_section(command, names, found) for command, names in keys.items()]
    return "\n\n".join(parts) + "\n"


def _section(command: str, names: list[str], found: dict[Key, Row]) -> str:
    title = "Global options" if command == "global" else f"`{command}`"
    rows = [(name, found[command, name]) for name in names if (command, name) in found]
    if len({(row.state, row.told) for _, row in rows}) == 1 and rows[0][1].state != "works":
        return f"## {title}\n\n{rows[0][1].state.capitalize()}: {rows[0][1].told}."
    lines = [
        f"| {'(the command)' if name == '-' else f'`{name}`'} | {row.state} | {_told(row)} |" for name, row in rows
    ]
    return f"## {title}\n\n| Option | State | Shown by, or reason |\n|---|---|---|\n" + "\n".join(lines)


def _told(row: Row) -> str:
    return f"`{row.told}`" if row.state == "works" else row.told.replace("|", "\\|")


def stale() -> bool:
    """Is the page not as it would be written?"""
    return not PAGE.exists() or PAGE.read_text() != page()


def main(words: list[str]) -> int:
    """Write, or only compare."""
    if "--check" in words:
        print(f"{PAGE.relative_to(ROOT)}\n" if stale() else "", end="")
        return int(stale())
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
