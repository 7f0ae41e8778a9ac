"""The C module behind `sqlite3`, without the dates, rows and adapters that come with the package.

It takes one thing from Python when it is loaded: `functools.lru_cache`, for its memo of statements. `functools` brings
`collections`, `operator` and `reprlib` along, a twentieth of what a short command costs, so the C function
behind `lru_cache` is given to it by itself.
"""

from __future__ import annotations

import sys
from _functools import _lru_cache_wrapper  # type: ignore[import-not-found]

from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3 as sqlite3


def _lru_cache(maxsize: int) -> Any:
    return lambda function: _lru_cache_wrapper(function, maxsize, False, tuple)


def _load() -> Any:
    if "functools" in sys.modules or "_sqlite3" in sys.modules:
        import _sqlite3

        return _sqlite3
    small = type(sys)("functools")
    small.lru_cache = _lru_cache  # type: ignore[attr-defined]
    sys.modules["functools"] = small
    try:
        import _sqlite3
    finally:
        del sys.modules["functools"]
    return _sqlite3


if not TYPE_CHECKING:
    sqlite3 = _load()
