"""The marks that tell hookspecs and their implementations from other functions.

They are attributes of our own, read by `slot` through pluggy's documented extension points
(`parse_hookspec_opts`, `parse_hookimpl_opts`), so that a plugin module can be imported without
importing pluggy.
"""

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., object])

PROJECT = "sonata"
SPEC = "sonata_hookspec"
IMPL = "sonata_hookimpl"


def hookspec(*, firstresult: bool = True) -> "Callable[[F], F]":
    """Mark a method of a hookspec class. Slot hooks have one answer, fan-out hooks collect."""

    def mark(function: "F") -> "F":
        setattr(
            function,
            SPEC,
            {"firstresult": firstresult, "historic": False, "warn_on_impl": None, "warn_on_impl_args": None},
        )
        return function

    return mark


def hookimpl(function: "F") -> "F":
    """Mark a plugin's method as the implementation of the hook of that name."""
    setattr(function, IMPL, _options())
    return function


def hookimpl_ordered(*, tryfirst: bool = False, trylast: bool = False) -> "Callable[[F], F]":
    """As `hookimpl`, for a fan-out participant that wants to come before or after the others."""

    def mark(function: "F") -> "F":
        setattr(function, IMPL, _options(tryfirst=tryfirst, trylast=trylast))
        return function

    return mark


def _options(tryfirst: bool = False, trylast: bool = False) -> "dict[str, object]":
    return {
        "wrapper": False,
        "hookwrapper": False,
        "optionalhook": False,
        "tryfirst": tryfirst,
        "trylast": trylast,
        "specname": None,
    }
