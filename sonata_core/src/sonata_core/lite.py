"""Typing names that cost nothing at run time.

`typing` takes as long to import as a third of the interpreter's own start, so the modules on a
command's hot path take these names from here: type checkers see the real ones, the interpreter
sees empty stand-ins. `TYPE_CHECKING = False` is the spelling that type checkers know.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any as Any
    from typing import NewType as NewType
    from typing import Protocol as Protocol
    from typing import dataclass_transform as dataclass_transform
else:

    class Protocol:
        """Stand-in: at run time a hookspec class only carries its functions."""

    def NewType(name, supertype):
        """Stand-in: at run time the new type is the old one."""
        return supertype

    def dataclass_transform(**_options):
        """Stand-in: a decorator that only type checkers read."""
        return lambda cls: cls

    Any = object
