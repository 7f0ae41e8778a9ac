"""`sonata help COMMAND`: the same page as `sonata COMMAND --help`."""

from __future__ import annotations

from sonata.cli import table
from sonata.cli.help import page
from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed


def command(parsed: Parsed, _call: Call) -> int:
    """Print the help of the command that the arguments name, or the program's own."""
    path = " ".join(parsed.args)
    path = table.ALIASES.get(path, path)
    print(page(path if path in table.TABLE else ""), end="")
    return 0
