"""What happens on every crossing into a plugin: guarded, timed, logged, and its errors normalised."""

from __future__ import annotations

import time

from sonata_core.errors import PluginCrashed, SonataError
from sonata_core.lite import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sonata_core.context import Log


class Border:
    """The crossing of one group.

    `guard` is called before every hook and raises where no hook may be called (inside a state
    transaction). `observe(name, start, end)` hears of each call, in seconds of the monotonic clock.
    """

    def __init__(
        self,
        group: str,
        log: Log,
        guard: Callable[[], None] | None = None,
        observe: Callable[[str, float, float], None] | None = None,
    ) -> None:
        self.group = group
        self.log = log
        self.guard = guard
        self.observe = observe

    def cross(self, backend: str, hook: str, function: Callable[..., Any], given: dict[str, Any]) -> Any:
        """Call a plugin's function. Raises SonataError only: anything else becomes PluginCrashed."""
        if self.guard is not None:
            self.guard()
        start = time.monotonic()
        try:
            return function(**given)
        except SonataError:
            raise
        except Exception as error:
            raise self.crashed(backend, hook, error) from error
        finally:
            self.note(backend, hook, start)

    def note(self, backend: str, hook: str, start: float) -> None:
        """Say how long a call took."""
        end = time.monotonic()
        self.log.debug("hook_called", group=self.group, backend=backend, hook=hook, seconds=round(end - start, 6))
        if self.observe is not None:
            self.observe(f"{hook} ({backend})", start, end)

    def crashed(self, backend: str, hook: str, error: BaseException) -> PluginCrashed:
        """The error for a plugin that raised what it may not raise."""
        return PluginCrashed(
            f"{self.group} backend {backend!r}: {hook} raised {type(error).__name__}: {error}",
            hint=f"report this to the author of the {self.group} plugin {backend!r}",
            backend=backend,
            hook=hook,
        )
