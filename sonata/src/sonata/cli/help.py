"""`--help`, in Podman's layout, from the tables."""

from __future__ import annotations

from sonata.cli import root, table
from sonata.cli.manual import MANUAL
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata.cli.pflag import extras
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sonata.cli.pflag import Option

_TITLE = "Manage containers and images"

_KIND_NAMES = {
    "bool": "",
    "stringSlice": "strings",
    "uintSlice": "uints",
    "intSlice": "ints",
    "ipSlice": "ipSlice",
    "float64": "float",
    "int32": "int32",
    "int64": "int",
    "uint64": "uint",
}


def page(path: str) -> str:
    """The help of a command; of the program itself for an empty path."""
    if not path:
        return _root_page()
    target, title = table.TABLE[path][:2]
    description, examples = MANUAL.get(target or path, (title, ()))
    parts = [f"{title}\n", _section("Description", description or title), _section("Usage", usage(path))]
    names = synonyms(path)
    if names:
        parts.append(_section("Aliases", ", ".join(names)))
    if examples:
        parts.append(_section("Examples", "\n".join(examples)))
    if not target:
        parts.append(_section("Available Commands", "\n".join(commands(path))))
    options = visible(root.options_of(path)) if target else []
    if options:
        parts.append("Options:\n" + "\n".join(option_lines(options)) + "\n")
    return "\n".join(parts) + "\n"


def _root_page() -> str:
    shown = [*visible(LEADING + PERSISTENT), ("help", "", "bool", False, "", "Help for sonata")]
    return "\n".join(
        (
            f"{_TITLE}\n",
            _section("Usage", "sonata [options] [command]"),
            _section("Available Commands", "\n".join(commands(""))),
            "Options:\n" + "\n".join(option_lines(shown)) + "\n",
        )
    )


def visible(options: Iterable[Option]) -> list[Option]:
    """What help lists: neither hidden nor refused."""
    return [option for option in options if not (extras(option).get("hidden") or "refused" in extras(option))]


def _section(heading: str, text: str) -> str:
    return f"{heading}:\n" + "".join(f"  {line}\n" if line else "\n" for line in text.split("\n"))


def usage(path: str) -> str:
    """`sonata ps [options]`, with what arguments it takes."""
    target, *_, synopsis = table.TABLE[path]
    if not target:
        return f"sonata {path} [command]"
    options = " [options]" if root.options_of(path) else ""
    return f"sonata {path}{options}" + (f" {synopsis}" if synopsis else "")


def synonyms(path: str) -> list[str]:
    """Other last words that mean this command, its own first."""
    last = path.rpartition(" ")[2]
    others = [alias.rpartition(" ")[2] for alias, meant in table.ALIASES.items() if meant == path]
    return [last, *others] if others else []


def commands(path: str) -> list[str]:
    """Lines that list the commands of a group, or of the program."""
    prefix = path + " " if path else ""
    found = {
        name[len(prefix) :]: row[1]
        for name, row in table.TABLE.items()
        if name.startswith(prefix) and " " not in name[len(prefix) :]
    }
    width = max(11, *(len(name) for name in found))
    return [f"{name:<{width}} {found[name]}" for name in sorted(found)]


def option_lines(options: Iterable[Option]) -> list[str]:
    """pflag's FlagUsages: sorted, in two columns."""
    left = {option[0]: _left(option) for option in options}
    width = max(len(text) for text in left.values()) + 3
    return [f"{left[option[0]]:<{width}}{right(option)}" for option in sorted(options, key=lambda o: str(o[0]))]


def value_name(option: Option) -> str:
    """How help names the option's value; empty for one that takes none."""
    return str(option[4] or _KIND_NAMES.get(option[2], option[2]))


def _left(option: Option) -> str:
    letter = f"  -{option[1]}, " if option[1] else "      "
    name = value_name(option)
    bare = extras(option).get("bare")
    optional = f'[="{bare}"]' if bare else ""
    return f"{letter}--{option[0]}" + (f" {name}" if name else "") + optional


def right(option: Option) -> str:
    """The option's help with its default, as pflag shows it."""
    default = option[3]
    text = str(option[5])
    if default in ("", 0, (), False):
        return text
    if default is True:
        shown = "true"
    elif isinstance(default, tuple):
        shown = f"[{','.join(str(item) for item in default)}]"
    elif isinstance(default, str) and option[2] != "choice":
        shown = f'"{default}"'
    else:
        shown = str(default)
    return f"{text} (default {shown})"
