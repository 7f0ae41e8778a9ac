"""What happens on every crossing into a plugin: guarded, timed, logged, and its errors normalised."""

from __future__ import annotations

import time
from errno import EDQUOT, ENOSPC

from sonata_core import trace
from sonata_core.errors import PluginCrashed, SonataError, Unavailable
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import Log


class Border:
    """The crossing of one group.

    `guard` is called before every hook and raises where no hook may be called (inside a state
    transaction).
    """

    def __init__(self, group: str, log: Log, guard: Callable[[], None] | None = None) -> None:
        self.group = group
        self.log = log
        self.guard = guard

    def cross(self, backend: str, hook: str, function: Callable[..., Any], given: dict[str, Any]) -> Any:
        """Call a plugin's function. Raises SonataError only: anything else becomes PluginCrashed, or Unavailable."""
        if self.guard is not None:
            self.guard()
        start = time.monotonic_ns()
        try:
            return function(**given)
        except SonataError:
            raise
        except Exception as error:
            raise self.crashed(backend, hook, error) from error
        finally:
            self.note(backend, hook, start)

    def note(self, backend: str, hook: str, start: int) -> None:
        """Say how long a call took that began at `start`, in nanoseconds of the monotonic clock."""
        end = time.monotonic_ns()
        self.log.debug("hook_called", group=self.group, backend=backend, hook=hook, seconds=(end - start) / 10**9)
        trace.add(f"{hook} ({backend})", "hook", start, end)

    def crashed(self, backend: str, hook: str, error: BaseException) -> SonataError:
        """The error for a plugin that raised what it may not raise. A full disk is no fault of the plugin's."""
        if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
            told = "no space left on device" if error.errno == ENOSPC else "disk quota exceeded"
            where = f"{error.filename}: " if error.filename else ""
            return Unavailable(f"{where}{told}", hint="free some space: `sonata system df` shows what takes it")
        return PluginCrashed(
            f"{self.group} backend {backend!r}: {hook} raised {type(error).__name__}: {error}",
            hint=f"report this to the author of the {self.group} plugin {backend!r}",
            backend=backend,
            hook=hook,
        )
