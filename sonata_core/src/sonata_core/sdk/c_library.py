"""Functions of the C library, called without the package `ctypes`: only its C module is loaded.

The package makes forty types that a system call has no use for; they were a twentieth of a whole `run`'s imports. An
`int` is passed as a C int, `bytes` as a pointer to them, None as a null pointer; what is wider is wrapped.
"""

from __future__ import annotations

from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_USE_ERRNO, CFuncPtr, _SimpleCData, dlopen, dlsym
from _ctypes import get_errno as get_errno

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    _Simple = _SimpleCData[int]
else:
    _Simple = _SimpleCData


class Int(_Simple):
    """A C int."""

    _type_ = "i"


class Long(_Simple):
    """A C long, as wide as a register: what `syscall` takes and gives."""

    _type_ = "l"


class UnsignedLong(_Simple):
    """A C unsigned long."""

    _type_ = "L"


class _Giving(CFuncPtr):
    """A function whose result is an int."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = Int


class _GivingLong(CFuncPtr):
    """A function whose result is a long."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = Long


_process = dlopen(None, 0)  # type: ignore[arg-type]  # None: this process itself, as dlopen(3) has it


def function(name: str, *, gives_long: bool = False) -> Callable[..., Any]:
    """A function of the C library by name; `get_errno` has what it left there. Raises OSError where it has none."""
    kind: Any = _GivingLong if gives_long else _Giving
    found: Callable[..., Any] = kind(dlsym(_process, name))
    return found
