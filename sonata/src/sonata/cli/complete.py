"""`sonata __complete WORDS…`: candidates for the last word, one a line, as cobra's protocol has them.

The last line is `:N`, a bit set that shell functions read: 1 error, 2 no space after the word, 4 no
file names.
"""

from __future__ import annotations

from sonata.cli import pflag, root, table
from sonata.cli.options.root import LEADING, PERSISTENT
from sonata_core.errors import SonataError

NO_SPACE, NO_FILES = 2, 4


def complete(words: list[str], *, described: bool = True) -> int:
    """Print what may stand in place of the last of `words`. Never fails: an unknown command has no candidates."""
    typed = words[-1] if words else ""
    found, directive = candidates(words[:-1], typed)
    for word, text in found:
        if word.startswith(typed):
            print(f"{word}\t{text}" if text and described else word)
    print(f":{directive}")
    return 0


def candidates(before: list[str], typed: str) -> tuple[list[tuple[str, str]], int]:
    """Candidates with their descriptions, and the directive."""
    path = _path(before)
    if path is None:
        return [], NO_FILES
    options = (*PERSISTENT, *(root.options_of(path) if table.TABLE.get(path, ("",))[0] else LEADING))
    options = tuple(option for option in options if "refused" not in pflag.extras(option))
    if typed.startswith("-"):
        return _options(options, typed)
    valued = _awaits_value(options, before)
    if valued is not None:
        return _values(valued)
    if not path or not table.TABLE[path][0]:
        prefix = path + " " if path else ""
        rows = ((name[len(prefix) :], row[1]) for name, row in table.TABLE.items() if name.startswith(prefix))
        return [(name, text) for name, text in rows if name and " " not in name], NO_FILES
    return _arguments(path)


def _path(before: list[str]) -> str | None:
    try:
        return root.find(before)[0]
    except SonataError:
        return None


def _options(options: tuple[pflag.Option, ...], typed: str) -> tuple[list[tuple[str, str]], int]:
    name, equals, _ = typed.partition("=")
    if equals:
        for option in options:
            if name == f"--{option[0]}":
                return [(f"{name}={word}", "") for word in pflag.extras(option).get("choices", ())], NO_FILES
    shown = [option for option in options if not pflag.extras(option).get("hidden")]
    return [(f"--{option[0]}", str(option[5])) for option in shown], NO_FILES


def _awaits_value(options: tuple[pflag.Option, ...], before: list[str]) -> pflag.Option | None:
    last = before[-1] if before else ""
    longs, shorts = pflag.index(options)
    option = longs.get(last[2:]) if last.startswith("--") else shorts.get(last[-1:]) if last.startswith("-") else None
    return None if option is None or pflag.bare_value(option) else option


def _values(option: pflag.Option) -> tuple[list[tuple[str, str]], int]:
    extras = pflag.extras(option)
    if "choices" in extras:
        return [(word, "") for word in extras["choices"]], NO_FILES
    kind = extras.get("complete", "")
    return ([], 0) if kind in ("", "files") else (_objects(kind), NO_FILES)


_ARGUMENT_KINDS = {"CONTAINER": "containers", "IMAGE": "images", "[IMAGE]": "images"}
_ARGUMENT_KINDS |= {
    "ARTIFACT": "artifacts",
    "LIST": "images",
    "MANIFEST": "images",
    "NETWORK": "networks",
    "POD": "pods",
    "[POD...]": "pods",
    "VOLUME": "volumes",
}


def _arguments(path: str) -> tuple[list[tuple[str, str]], int]:
    synopsis = table.TABLE[path][6]
    if synopsis.startswith("{") and "|" in synopsis and synopsis.islower():
        return [(word, "") for word in synopsis.strip("{}").split("|")], NO_FILES
    kind = _ARGUMENT_KINDS.get(synopsis.split(" ")[0], "")
    return (_objects(kind) if kind else []), NO_FILES


def _objects(kind: str) -> list[tuple[str, str]]:
    from sonata.cli.objects import names

    return [(name, "") for name in names(kind)]
