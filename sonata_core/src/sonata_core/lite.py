"""Typing names that cost nothing at run time.

`typing` takes as long to import as a third of the interpreter's own start, so the modules on a
command's hot path take these names from here: type checkers see the real ones, the interpreter
sees empty stand-ins. `TYPE_CHECKING = False` is the spelling that type checkers know.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Iterable as Iterable
    from collections.abc import Iterator as Iterator
    from collections.abc import Mapping as Mapping
    from enum import StrEnum as StrEnum
    from typing import Any as Any
    from typing import NewType as NewType
    from typing import Protocol as Protocol
    from typing import dataclass_transform as dataclass_transform
else:
    # `collections.abc` is this module, after all of `collections`; the interpreter has loaded it for `os`.
    from _collections_abc import Callable as Callable
    from _collections_abc import Iterable as Iterable
    from _collections_abc import Iterator as Iterator
    from _collections_abc import Mapping as Mapping

    class Protocol:
        """Stand-in: at run time a hookspec class only carries its functions."""

    def NewType(name, supertype):
        """Stand-in: at run time the new type is the old one."""
        return supertype

    def dataclass_transform(**_options):
        """Stand-in: a decorator that only type checkers read."""
        return lambda cls: cls

    class _Words(type):
        """Makes each text of a class its one instance with that value."""

        def __new__(mcls, name, bases, space):
            values = {key: text for key, text in space.items() if type(text) is str and key[0] != "_"}
            for key in values:
                del space[key]
            cls = super().__new__(mcls, name, bases, space)
            cls.__members__ = {}
            cls._by_value = {}
            for key, text in values.items():
                member = str.__new__(cls, text)
                member.__dict__.update(name=key, value=text)
                cls.__members__[key] = cls._by_value[text] = member
                type.__setattr__(cls, key, member)
            return cls

        def __call__(cls, value):
            try:
                return cls._by_value[value]
            except (KeyError, TypeError):
                raise ValueError(f"{value!r} is not a valid {cls.__qualname__}") from None

        def __iter__(cls):
            return iter(cls._by_value.values())

        def __len__(cls):
            return len(cls._by_value)

        def __contains__(cls, value):
            return value in cls._by_value

        def __getitem__(cls, name):
            return cls.__members__[name]

        def __setattr__(cls, name, value):
            if name in cls.__dict__.get("__members__", ()):
                raise AttributeError(f"cannot reassign member {name!r}")
            super().__setattr__(name, value)

    class StrEnum(str, metaclass=_Words):
        """Stand-in for the standard library's, which takes longer to import than all of ours to make."""

        def __repr__(self):
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __setattr__(self, name, value):
            raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

        def __reduce_ex__(self, _protocol):
            return type(self), (self.value,)

        def __copy__(self):
            return self

        def __deepcopy__(self, _memo):
            return self

    Any = object
