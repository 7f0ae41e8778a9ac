"""The scoreboard (tests/scoreboard) against the command line: what it says of each command and option is so."""

import ast
import functools
import shlex
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from sonata.cli import root, table
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata.cli.pflag import extras

ROOT = Path(__file__).parents[2]
_SPEC = spec_from_file_location("gencompat", ROOT / "tools/gencompat.py")
gencompat = module_from_spec(_SPEC)
_SPEC.loader.exec_module(gencompat)

FOUND, WRONG = gencompat.read()

UNSEEN = ("image", "network", "history", "images", "pull", "rmi")
"""Groups whose commands may be there and yet to do: their tests are of parts, and none of the whole program."""


def is_there(command, option):
    """Does our command line have the command, or the option, and take it?"""
    if command == "global":
        rows = {f"--{row[0]}": row for row in LEADING + PERSISTENT}
    elif command not in table.TABLE:
        return False
    else:
        rows = {f"--{row[0]}": row for row in root.options_of(command)} if table.TABLE[command][0] else {}
    return option == "-" or option in rows


@functools.cache
def functions_of(path):
    """The names of a file's test functions; of a class, `Class::test`."""
    found = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def is_shown(told, command, option):
    """Is there such a test? Of a recorded session, named in brackets, also: does it use the command and the option?"""
    path, _, name = told.partition("::")
    name, _, session = name.partition("[")
    if not (ROOT / path).is_file() or name not in functions_of(path):
        return False
    if not session or not path.endswith("test_transcripts.py"):
        return True
    return (same(command), option) in used_in(session.rstrip("]"))


def same(command):
    """What carries the command out: other names of it are as good."""
    found = table.TABLE[command][0] if command in table.TABLE else ""
    return found.replace(".create:", ".run:") if found.startswith("sonata.cli.containers.create") else found or command


@functools.cache
def used_in(session):
    """Commands of a session that its recording does not refuse, and their options."""
    found = set()
    for entry in ("\n" + (ROOT / f"tests/compat/cli/{session}.txt").read_text()).split("\n$ ")[1:]:
        line, _, said = entry.partition("\n")
        words = line.split(" ", 2)[2] if line.startswith("< ") else line
        if words.startswith("host:") or said.rstrip().endswith("= 125"):
            continue
        made = root.understand(shlex.split(words))
        found |= {(same(made.path), f"--{name}") for name in made.parsed.values} | {(same(made.path), "-")}
    return found


def test_lines_are_well_written_and_each_thing_has_one():
    assert not WRONG, "\n".join(WRONG)


def test_each_command_and_option_of_podman_has_a_row():
    missing = [f"{command} {one}" for command, names in gencompat.wanted().items() for one in names]
    missing = [name for name in missing if tuple(name.rsplit(" ", 1)) not in FOUND]
    assert not missing, "\n".join(missing)


def test_what_works_is_there_and_its_test_too():
    wrong = []
    for (command, option), row in FOUND.items():
        if row.state == "works":
            if not is_there(command, option):
                wrong.append(f"{row.place}: `{command} {option}` is not there")
            if not is_shown(row.told, command, option):
                wrong.append(f"{row.place}: there is no test {row.told} for `{command} {option}`")
    assert not wrong, "\n".join(wrong)


def test_what_is_to_do_is_not_there():
    wrong = [
        f"{row.place}: `{command} {option}` is there"
        for (command, option), row in FOUND.items()
        if row.state == "to do" and is_there(command, option) and command.split()[0] not in UNSEEN
    ]
    assert not wrong, "\n".join(wrong)


def test_the_page_is_current():
    assert not gencompat.stale(), "run tools/gencompat.py"


@pytest.mark.needs_root
def test_what_is_refused_ends_with_125_and_its_reason(tmp_path):
    sys.path.insert(0, str(ROOT / "tests/e2e"))
    from plain_store import PlainStore

    refused = {key: row for key, row in FOUND.items() if row.state == "refused"}
    if not refused:
        return
    store = PlainStore(tmp_path)
    wrong = []
    try:
        for (command, option), row in refused.items():
            done = store(*words_of(command, option, row.value))
            if done.returncode != 125 or row.told not in done.stderr.decode():
                wrong.append(f"{row.place}: `{command} {option}` ends with {done.returncode}: {done.stderr.decode()}")
    finally:
        store.close()
    assert not wrong, "\n".join(wrong)


ARGUMENTS = {
    "create": ("localhost/box:1", "true"),
    "run": ("localhost/box:1", "true"),
    "exec": ("nosuch", "true"),
    "cp": ("nosuch:/a", "/nosuch"),
    "rename": ("nosuch", "other"),
    "import": ("/nosuch",),
    "clone": ("nosuch",),
    "create secret": ("s", "/nosuch"),
}
"""What comes after the options, by the command's last word; one name where nothing is said."""


def words_of(command, option, value):
    """A command line that asks for what is refused."""
    last = command.rpartition(" ")[2]
    rule = table.TABLE[command][5] if command in table.TABLE else "any"
    arguments = () if rule == "none" or option == "-" else ARGUMENTS.get(last, ("nosuch",))
    asked = () if option == "-" else (f"{option}={value}" if value else _bare(command, option),)
    if command == "global":
        return [*asked, "ps"]
    return [*command.split(), *asked, *arguments]


def _bare(command, option):
    rows = LEADING + PERSISTENT if command == "global" else root.options_of(command)
    (row,) = (row for row in rows if f"--{row[0]}" == option)
    if row[2] == "bool":
        return option
    choices = extras(row).get("choices")
    return f"{option}={choices[0] if choices else '1'}"
